# What keeps nearly empty arenas alive, when most arenas are held beyond need
# Draws pins.tsv as pins.svg and pins.png: change what you like, then run here
#   gnuplot pins.gp

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
    set terminal svg mousing standalone size 1100,462 font 'sans,14' noenhanced background rgb 'white'
} else {
    set terminal pngcairo size 1100,462 font 'sans,10.5' noenhanced
}
set output 'pins.'.form
unset label
unset arrow
unset object

set multiplot title 'What keeps the 35 arenas under 25 % in use: pymalloc@3.9, event 79,200'."\n".'reheap generate pinning,objects=40000,min=16,max=400,one-in=60 --events 100000 --seed 1'
bytes = 1048576.0
set tmargin at screen 0.7446
set bmargin at screen 0.1299
set xlabel 'arenas (MiB)'
set xrange [0:8.75]
set xtics 0,5
set yrange [8-0.5:-0.5]
set border 1
unset grid
set grid x
set key at screen 0.5,screen 0.8918 center top horizontal

set lmargin at screen 0.100
set rmargin at screen 0.290
set label 1 'by size of block' at graph 0.5,graph 1 center offset 0,0.7
set ytics ('400 bytes' 0, '384 bytes' 1, '112 bytes' 2, '160 bytes' 3, '336 bytes' 4, '224 bytes' 5, '352 bytes' 6, '240 bytes' 7) scale 0
plot 'pins.tsv' index 0 using ($2/bytes):1:(0):($2/bytes):($1-0.38):($1+0.38) with boxxyerror fs solid noborder lc rgb '#FDB863' title 'keeps (its share)', \
     '' index 0 using ($3/bytes):1:(0):($3/bytes):($1-0.2):($1+0.2) with boxxyerror fs solid noborder lc rgb '#7B6BA8' title 'released, had it lived apart'

set lmargin at screen 0.400
set rmargin at screen 0.590
set label 1 'by calls they stay, at most' at graph 0.5,graph 1 center offset 0,0.7
set ytics ('65,536' 0, '262,144' 1) scale 0
unset key
plot 'pins.tsv' index 1 using ($2/bytes):1:(0):($2/bytes):($1-0.38):($1+0.38) with boxxyerror fs solid noborder lc rgb '#FDB863' title 'keeps (its share)', \
     '' index 1 using ($3/bytes):1:(0):($3/bytes):($1-0.2):($1+0.2) with boxxyerror fs solid noborder lc rgb '#7B6BA8' title 'released, had it lived apart'

set lmargin at screen 0.785
set rmargin at screen 0.975
set label 1 'by phase they came in' at graph 0.5,graph 1 center offset 0,0.7
set ytics ('allocate' 0) scale 0
unset key
plot 'pins.tsv' index 2 using ($2/bytes):1:(0):($2/bytes):($1-0.38):($1+0.38) with boxxyerror fs solid noborder lc rgb '#FDB863' title 'keeps (its share)', \
     '' index 2 using ($3/bytes):1:(0):($3/bytes):($1-0.2):($1+0.2) with boxxyerror fs solid noborder lc rgb '#7B6BA8' title 'released, had it lived apart'
unset multiplot

unset output
}
