# How full each arena is over time: orange ones are nearly empty and yet held, white is not held
# Draws occupancy.tsv as occupancy.svg and occupancy.png: change what you like, then run here
#   gnuplot occupancy.gp

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
set output 'occupancy.'.form
unset label
unset arrow
unset object

set multiplot title 'How full each arena is (2 of 3 allocators)'."\n".'reheap generate pinning,objects=40000,min=16,max=400,one-in=60 --events 100000 --seed 1'
set lmargin at screen 0.09
set rmargin at screen 0.85
set border 3
set style textbox opaque fillcolor rgb 'white' border lc rgb '#888888'
set palette defined (0 '#B35806', 10 '#E08214', 25 '#FDB863', 50 '#DDD6E8', 75 '#9A8EC0', 100 '#4B2A7B')
set cbrange [0:100]
set cbtics ('0' 0, '10' 10, '25' 25, '50' 50, '75' 75, '100' 100)
set cblabel 'in use (%)'
unset grid
set colorbox user origin screen 0.875,screen 0.25 size screen 0.018,screen 0.5

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
set ylabel 'place of the arena'
set yrange [-0.5:39.73]
plot 'occupancy.tsv' index 0 matrix using (($1+0.5)*500/events):(($2+0.5)*1-0.5):($3<0?NaN:$3) with image notitle

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
unset colorbox
set ylabel 'place of the arena (2 a line)'
set yrange [-0.5:167.32]
plot 'occupancy.tsv' index 1 matrix using (($1+0.5)*500/events):(($2+0.5)*2-0.5):($3<0?NaN:$3) with image notitle
unset multiplot

unset output
}
