# Fragmentation over time: memory held beyond what the program has asked for, as a part of it (start and end, where little is live, leave the axis)
# Draws fragmentation.tsv as fragmentation.svg and fragmentation.png: change what you like, then run here
#   gnuplot fragmentation.gp

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
set output 'fragmentation.'.form
unset label
unset arrow
unset object

set title 'Fragmentation over time: held ÷ asked for − 1 (8 of 29 allocators)'."\n"."python3 -m it's '' --all \140touch ran; echo of it\140"
events = 1000000
set xlabel 'calls of the allocator replayed (millions)'
set xrange [0:20]
set ylabel 'fragmentation'
set logscale y
set yrange [0.899055:9.34315]
unset mytics
set ytics ('0 %%' 1, '100 %%' 2, '200 %%' 3, '300 %%' 4, '400 %%' 5, '500 %%' 6, '700 %%' 8)

plot 'fragmentation.tsv' index 0 using ($1/events):(1+$2) with linespoints lt 1 pn 10 title 'pymalloc', \
     'fragmentation.tsv' index 1 using ($1/events):(1+$2) with linespoints lt 2 pn 10 title 'mimalloc', \
     'fragmentation.tsv' index 2 using ($1/events):(1+$2) with linespoints lt 3 pn 10 title 'pymalloc,arena=256K,pool=4K', \
     'fragmentation.tsv' index 3 using ($1/events):(1+$2) with linespoints lt 4 pn 10 title 'pymalloc,arena=256K,pool=8K', \
     'fragmentation.tsv' index 4 using ($1/events):(1+$2) with linespoints lt 5 pn 10 title 'pymalloc,arena=512K,pool=16K', \
     'fragmentation.tsv' index 5 using ($1/events):(1+$2) with linespoints lt 6 pn 10 title 'pymalloc,arena=2M,pool=8K', \
     'fragmentation.tsv' index 6 using ($1/events):(1+$2) with linespoints lt 7 pn 10 title 'pymalloc,arena=4M,pool=8K', \
     'fragmentation.tsv' index 7 using ($1/events):(1+$2) with linespoints lt 8 pn 10 title 'pymalloc,arena=8M,pool=8K'

unset output
}
