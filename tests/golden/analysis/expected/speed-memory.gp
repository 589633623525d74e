# Speed against memory: each allocator a point; the stepped line joins those that no other beats in both
# Draws speed-memory.tsv as speed-memory.svg and speed-memory.png: change what you like, then run here
#   gnuplot speed-memory.gp

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
    set terminal svg mousing standalone size 1100,640 font 'sans,14' noenhanced background rgb 'white'
} else {
    set terminal pngcairo size 1100,640 font 'sans,10.5' noenhanced
}
set output 'speed-memory.'.form
unset label
unset arrow
unset object

set title 'Speed against memory (lower left is better)'."\n"."python3 -m it's '' --all \140touch ran; echo of it\140"
set lmargin at screen 0.09
set rmargin at screen 0.97
set bmargin at screen 0.17
set tmargin at screen 0.87
set xrange [9.15539:20.8157]
set logscale y
set yrange [1.05335:1.36365]
unset mytics
set ytics ('20 %%' 1.2, '10 %%' 1.1, '30 %%' 1.3, '15 %%' 1.15, '25 %%' 1.25, '35 %%' 1.35, '6 %%' 1.06)
height(memory) = 1 + memory
set ylabel 'mean fragmentation'
set xlabel 'time of one call (ns, median; bars: lowest to highest run)'
set key at screen 0.53,0.012 center bottom horizontal width 2
set label 'pymalloc,arena=256K,pool=4K' at graph 0.3989,0.0968 center
set label 'pymalloc,arena=256K,pool=8K' at graph 0.3481,0.2390 center
set arrow from graph 0.2281,0.2190 to graph 0.2182,0.1678 nohead lc rgb '#888888' dt 1 lw 0.8
set label 'pymalloc,arena=512K,pool=16K' at graph 0.1753,0.0566 center
set arrow from graph 0.1753,0.0766 to graph 0.1753,0.2029 nohead lc rgb '#888888' dt 1 lw 0.8
set label 'pymalloc' at graph 0.1305,0.3062 center
set label 'pymalloc,arena=2M,pool=16K' at graph 0.2657,0.6212 center
set arrow from graph 0.1502,0.6012 to graph 0.1203,0.5370 nohead lc rgb '#888888' dt 1 lw 0.8
set label 'pymalloc,arena=4M,pool=16K' at graph 0.2401,0.7160 center
set arrow from graph 0.1246,0.6961 to graph 0.0946,0.6318 nohead lc rgb '#888888' dt 1 lw 0.8
set label 'pymalloc,arena=8M,pool=16K' at graph 0.2144,0.8086 center
set arrow from graph 0.0990,0.7887 to graph 0.0690,0.7244 nohead lc rgb '#888888' dt 1 lw 0.8

plot 'speed-memory.tsv' index 1 using 1:(height($2)) with fsteps lc rgb '#888888' dt (6,4) lw 1.4 notitle, \
     '' index 0 using 1:(height($4)):2:3 with xerrorbars pt 0 lw 1 dt 1 lc rgb '#888888' notitle, \
     '' index 0 using 1:($5==1?height($4):NaN) with points pt 7 ps 1.5 lc rgb '#0072B2' title 'no other is better in both', \
     '' index 0 using 1:($5==0?height($4):NaN) with points pt 6 ps 1.4 lw 1.5 lc rgb '#D55E00' title 'another is at least as good in both'

unset output
}
