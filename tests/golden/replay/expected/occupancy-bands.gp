# How many arenas are how full over time, and how many a perfect packing of the same blocks would need
# Draws occupancy-bands.tsv as occupancy-bands.svg and occupancy-bands.png: change what you like, then run here
#   gnuplot occupancy-bands.gp

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
    set terminal svg mousing standalone size 1100,706 font 'sans,14' noenhanced background rgb 'white'
} else {
    set terminal pngcairo size 1100,706 font 'sans,10.5' noenhanced
}
set output 'occupancy-bands.'.form
unset label
unset arrow
unset object

set multiplot title 'Arenas held, by how much of them is in use (2 of 3 allocators)'."\n".'reheap generate pinning,objects=40000,min=16,max=400,one-in=60 --events 100000 --seed 1'
set lmargin at screen 0.09
set rmargin at screen 0.85
set border 3
set style textbox opaque fillcolor rgb 'white' border lc rgb '#888888'

set tmargin at screen 0.7904
set bmargin at screen 0.4873
events = 1000.0
set xlabel 'calls of the allocator replayed (thousands)'
set xrange [0:100]
unset xlabel
unset label
unset arrow
unset object
set label 1 'pymalloc@3.9' at graph 0.99,0.94 right front boxed
set arrow from first 0/events,graph 0 to first 0/events,graph 1 nohead back lc rgb '#999999' lw 0.8 dt 1
set arrow from first 40000/events,graph 0 to first 40000/events,graph 1 nohead back lc rgb '#999999' lw 0.8 dt 1
set arrow from first 79370/events,graph 0 to first 79370/events,graph 1 nohead back lc rgb '#999999' lw 0.8 dt 1
set arrow from first 80000/events,graph 0 to first 80000/events,graph 1 nohead back lc rgb '#999999' lw 0.8 dt 1
set label 'allocate' at first 0/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'
set label 'free'.' (+1)' at first 40000/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'
set label 'allocate' at first 80000/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'
set ylabel 'arenas held'
set yrange [0:4<*]
set offsets 0,0,graph 0.15,0
set key at screen 0.852,graph 1 left top Left reverse
plot 'occupancy-bands.tsv' index 0 using ($1/events):6 with filledcurves x1 fs solid noborder lc rgb '#7B6BA8' title 'from 50 %', \
     'occupancy-bands.tsv' index 0 using ($1/events):5 with filledcurves x1 fs solid noborder lc rgb '#CFC6DF' title '25 to 50 %', \
     'occupancy-bands.tsv' index 0 using ($1/events):4 with filledcurves x1 fs solid noborder lc rgb '#FDB863' title '10 to 25 %', \
     'occupancy-bands.tsv' index 0 using ($1/events):3 with filledcurves x1 fs solid noborder lc rgb '#C8650C' title 'below 10 %', \
     'occupancy-bands.tsv' index 0 using ($1/events):2 with filledcurves x1 fs solid noborder lc rgb '#777777' title 'no block', \
     'occupancy-bands.tsv' index 0 using ($1/events):7 with lines lc rgb 'black' dt 1 lw 2 title 'if packed'

set tmargin at screen 0.4193
set bmargin at screen 0.1161
events = 1000.0
set xlabel 'calls of the allocator replayed (thousands)'
set xrange [0:100]
unset label
unset arrow
unset object
set label 1 'pymalloc,arena=64K,pool=4K,classes=geometric:4' at graph 0.99,0.94 right front boxed
set arrow from first 0/events,graph 0 to first 0/events,graph 1 nohead back lc rgb '#999999' lw 0.8 dt 1
set arrow from first 40000/events,graph 0 to first 40000/events,graph 1 nohead back lc rgb '#999999' lw 0.8 dt 1
set arrow from first 79370/events,graph 0 to first 79370/events,graph 1 nohead back lc rgb '#999999' lw 0.8 dt 1
set arrow from first 80000/events,graph 0 to first 80000/events,graph 1 nohead back lc rgb '#999999' lw 0.8 dt 1
set ylabel 'arenas held'
set yrange [0:4<*]
set offsets 0,0,graph 0.15,0
unset key
plot 'occupancy-bands.tsv' index 1 using ($1/events):6 with filledcurves x1 fs solid noborder lc rgb '#7B6BA8' title 'from 50 %', \
     'occupancy-bands.tsv' index 1 using ($1/events):5 with filledcurves x1 fs solid noborder lc rgb '#CFC6DF' title '25 to 50 %', \
     'occupancy-bands.tsv' index 1 using ($1/events):4 with filledcurves x1 fs solid noborder lc rgb '#FDB863' title '10 to 25 %', \
     'occupancy-bands.tsv' index 1 using ($1/events):3 with filledcurves x1 fs solid noborder lc rgb '#C8650C' title 'below 10 %', \
     'occupancy-bands.tsv' index 1 using ($1/events):2 with filledcurves x1 fs solid noborder lc rgb '#777777' title 'no block', \
     'occupancy-bands.tsv' index 1 using ($1/events):7 with lines lc rgb 'black' dt 1 lw 2 title 'if packed'
unset multiplot

unset output
}
