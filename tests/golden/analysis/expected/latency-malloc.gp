# How long malloc takes: the share of calls that take at least as long as the time below, both axes logarithmic
# Draws latency-malloc.tsv as latency-malloc.svg and latency-malloc.png: change what you like, then run here
#   gnuplot latency-malloc.gp

set encoding utf8
set datafile separator tab
# Colours of Okabe and Ito; dashes and points tell the same apart in grey.
set linetype 1 lc rgb '#0072B2' lw 1.8 dt 1 pt 7 ps 0.9
set linetype 2 lc rgb '#D55E00' lw 1.8 dt (12,4) pt 5 ps 0.9
set linetype 3 lc rgb '#009E73' lw 1.8 dt (3,3) pt 9 ps 0.9
set linetype 4 lc rgb '#CC79A7' lw 1.8 dt (12,3,3,3) pt 13 ps 0.9
set linetype 5 lc rgb '#E69F00' lw 1.8 dt (20,4) pt 11 ps 0.9
set linetype 6 lc rgb '#56B4E9' lw 1.8 dt (6,3) pt 4 ps 0.9
set linetype 7 lc rgb '#666666' lw 1.8 dt (2,2) pt 6 ps 0.9
set linetype 8 lc rgb '#7A5C00' lw 1.8 dt (16,3,2,3,2,3) pt 8 ps 0.9
set linetype cycle 8
set border 3 lc rgb '#444444'
set tics nomirror
set grid lt 1 dt 1 lc rgb '#DDDDDD' lw 0.6
set key outside right top Left reverse samplen 3 spacing 1.2

do for [form in 'svg png'] {
if (form eq 'svg') {
    set terminal svg mousing standalone size 1100,600 font 'sans,14' noenhanced background rgb 'white'
} else {
    set terminal pngcairo size 1100,600 font 'sans,10.5' noenhanced
}
set output 'latency-malloc.'.form
unset label
unset arrow
unset object

set title 'How long malloc takes'."\n"."python3 -m it's '' --all \140touch ran; echo of it\140"
set logscale xy
set xrange [9:110000]
set yrange [1e-08:1.4]
set mxtics 10
set xtics ('1 ns' 1, '10 ns' 10, '100 ns' 100, '1 µs' 1e3, '10 µs' 1e4, '100 µs' 1e5, '1 ms' 1e6, '10 ms' 1e7, '100 ms' 1e8, '1 s' 1e9)
set ytics ('all' 1, '1 in 10' 0.1, '1 in 100' 1e-2, '1 in 1,000' 1e-3, '1 in 10,000' 1e-4, '1 in 100,000' 1e-5, '1 in 1,000,000' 1e-6, '1 in 10 million' 1e-7, '1 in 100 million' 1e-8)
set xlabel 'time of one call'
set ylabel 'calls that take at least as long'
set object 1 rectangle from first 9,graph 0 to first 22,graph 1 behind fc rgb '#E8E8E8' fs solid noborder
set label 1 'too short to tell: under twice the probe''s own cost' at first 9,graph 0.02 left rotate by 90 offset 1,0 tc rgb '#555555'

plot 'latency-malloc.tsv' index 0 using 1:2 with linespoints lt 1 pn 9 title 'pymalloc', \
     'latency-malloc.tsv' index 1 using 1:2 with linespoints lt 2 pn 9 title 'mimalloc', \
     'latency-malloc.tsv' index 2 using 1:2 with linespoints lt 3 pn 9 title 'pymalloc,arena=256K,pool=4K', \
     'latency-malloc.tsv' index 3 using 1:2 with linespoints lt 4 pn 9 title 'pymalloc,arena=256K,pool=8K', \
     'latency-malloc.tsv' index 4 using 1:2 with linespoints lt 5 pn 9 title 'pymalloc,arena=512K,pool=16K', \
     'latency-malloc.tsv' index 5 using 1:2 with linespoints lt 6 pn 9 title 'pymalloc,arena=2M,pool=16K', \
     'latency-malloc.tsv' index 6 using 1:2 with linespoints lt 7 pn 9 title 'pymalloc,arena=4M,pool=16K', \
     'latency-malloc.tsv' index 7 using 1:2 with linespoints lt 8 pn 9 title 'pymalloc,arena=8M,pool=16K'

unset output
}
