# Mean fragmentation by arena and pool size: the lighter, the less memory is held beyond what the program asked for
# Draws grid-memory.tsv as grid-memory.svg and grid-memory.png: change what you like, then run here
#   gnuplot grid-memory.gp

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
    set terminal svg mousing standalone size 1000,500 font 'sans,14' noenhanced background rgb 'white'
} else {
    set terminal pngcairo size 1000,500 font 'sans,10.5' noenhanced
}
set output 'grid-memory.'.form
unset label
unset arrow
unset object

set title 'Memory by arena and pool size (lighter is less)'."\n"."python3 -m it's '' --all \140touch ran; echo of it\140"
set tmargin 5.5
set title offset 0,0.8
set xlabel 'arena'
set ylabel 'pool'
unset grid
set border 0
unset key
set xtics ('256K' 0, '512K' 1, '1M' 2, '2M' 3, '4M' 4, '8M' 5) scale 0
set ytics ('4K' 0, '8K' 1, '16K' 2, '32K' 3) scale 0
set xrange [-0.5:6-0.5]
set yrange [-0.5:4-0.5]
set palette defined (0 '#F7FBFF', 0.5 '#B5D4E9', 1 '#63A8D3')
set cblabel 'mean fragmentation (%)'
set object 1 rectangle from first 2-0.47,2-0.47 to first 2+0.47,2+0.47 front fs empty border lc rgb 'black' lw 3
set label 1 'outlined: CPython''s own' at graph 1,1.035 right

plot 'grid-memory.tsv' using 1:2:($3*100) with image pixels notitle, \
     '' using 1:2:(valid(3) && $3==$3 ? sprintf('%.3g',$3*100) : '') with labels notitle

unset output
}
