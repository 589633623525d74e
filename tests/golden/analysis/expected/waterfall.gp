# Where the memory is at each allocator's own peak: the parts of a bar sum to what it holds
# Draws waterfall.tsv as waterfall.svg and waterfall.png: change what you like, then run here
#   gnuplot waterfall.gp

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
    set terminal svg mousing standalone size 1100,688 font 'sans,14' noenhanced background rgb 'white'
} else {
    set terminal pngcairo size 1100,688 font 'sans,10.5' noenhanced
}
set output 'waterfall.'.form
unset label
unset arrow
unset object

set multiplot title 'Where the memory is, at the moment when most is held'."\n"."python3 -m it's '' --all \140touch ran; echo of it\140"
set tmargin at screen 0.9099
set bmargin at screen 0.2035
set yrange [7.6:-0.6]
set grid noy

set lmargin at screen 0.2309
set rmargin at screen 0.5605
bytes = 1048576
widest = 128.38
set xrange [0:widest*1.18]
set xlabel 'all that is held (MiB)'
unset label
set label sprintf('%.3g', 109051904.0/bytes) at first 109051904.0/bytes,0 left offset 0.6,0
set label sprintf('%.3g', 111149056.0/bytes) at first 111149056.0/bytes,1 left offset 0.6,0
set label sprintf('%.3g', 112197632.0/bytes) at first 112197632.0/bytes,2 left offset 0.6,0
set label sprintf('%.3g', 115343360.0/bytes) at first 115343360.0/bytes,3 left offset 0.6,0
set label sprintf('%.3g', 123731968.0/bytes) at first 123731968.0/bytes,4 left offset 0.6,0
set label sprintf('%.3g', 125829120.0/bytes) at first 125829120.0/bytes,5 left offset 0.6,0
set label sprintf('%.3g', 134217728.0/bytes) at first 134217728.0/bytes,6 left offset 0.6,0
set label sprintf('%.3g', 134616186.0/bytes) at first 134616186.0/bytes,7 left offset 0.6,0
set ytics ('pymalloc,arena=256K,pool=4K'."\nin ".'round 59' 0, 'pymalloc,arena=256K,pool=8K'."\nin ".'round 59' 1, 'pymalloc,arena=512K,pool=16K'."\nin ".'round 59' 2, 'pymalloc'."\nin ".'round 59' 3, 'pymalloc,arena=2M,pool=16K'."\nin ".'round 59' 4, 'pymalloc,arena=4M,pool=16K'."\nin ".'round 59' 5, 'pymalloc,arena=8M,pool=16K'."\nin ".'round 59' 6, 'mimalloc'."\nin ".'round 59' 7) scale 0
set key at screen 0.5,0.015 center bottom vertical maxrows 4 width 2
unset arrow
set arrow from first 108003328.0/bytes,-0.42 to first 108003328.0/bytes,0.42 nohead front lc rgb 'black' dt (4,2) lw 2
set arrow from first 110100480.0/bytes,0.58 to first 110100480.0/bytes,1.42 nohead front lc rgb 'black' dt (4,2) lw 2
set arrow from first 111149056.0/bytes,1.58 to first 111149056.0/bytes,2.42 nohead front lc rgb 'black' dt (4,2) lw 2
set arrow from first 114294784.0/bytes,2.58 to first 114294784.0/bytes,3.42 nohead front lc rgb 'black' dt (4,2) lw 2
set arrow from first 122683392.0/bytes,3.58 to first 122683392.0/bytes,4.42 nohead front lc rgb 'black' dt (4,2) lw 2
set arrow from first 124780544.0/bytes,4.58 to first 124780544.0/bytes,5.42 nohead front lc rgb 'black' dt (4,2) lw 2
set arrow from first 133169152.0/bytes,5.58 to first 133169152.0/bytes,6.42 nohead front lc rgb 'black' dt (4,2) lw 2
set arrow from first 133567610.0/bytes,6.58 to first 133567610.0/bytes,7.42 nohead front lc rgb 'black' dt (4,2) lw 2
plot 'waterfall.tsv' index 0 using ((($2+$3)/2)/bytes):1:(($2)/bytes):(($3)/bytes):($1-0.34):($1+0.34) with boxxyerror fs solid 1 border rgb 'white' fc rgb '#0072B2' lw 1 dt 1 title 'asked for by the program', \
     '' index 0 using ((($2+$3)/2)/bytes):1:($4/bytes>widest*0.090 ? sprintf('%.3g',$4/bytes) : '') with labels tc rgb 'white' notitle, \
     'waterfall.tsv' index 1 using ((($2+$3)/2)/bytes):1:(($2)/bytes):(($3)/bytes):($1-0.34):($1+0.34) with boxxyerror fs solid 1 border rgb 'white' fc rgb '#56B4E9' lw 1 dt 1 title 'rounding to size classes', \
     '' index 1 using ((($2+$3)/2)/bytes):1:($4/bytes>widest*0.090 ? sprintf('%.3g',$4/bytes) : '') with labels tc rgb 'black' notitle, \
     'waterfall.tsv' index 2 using ((($2+$3)/2)/bytes):1:(($2)/bytes):(($3)/bytes):($1-0.34):($1+0.34) with boxxyerror fs solid 1 border rgb 'white' fc rgb '#F0E442' lw 1 dt 1 title 'headers of pools', \
     '' index 2 using ((($2+$3)/2)/bytes):1:($4/bytes>widest*0.090 ? sprintf('%.3g',$4/bytes) : '') with labels tc rgb 'black' notitle, \
     'waterfall.tsv' index 3 using ((($2+$3)/2)/bytes):1:(($2)/bytes):(($3)/bytes):($1-0.34):($1+0.34) with boxxyerror fs solid 1 border rgb 'white' fc rgb '#7A5C00' lw 1 dt 1 title 'ends of pools', \
     '' index 3 using ((($2+$3)/2)/bytes):1:($4/bytes>widest*0.090 ? sprintf('%.3g',$4/bytes) : '') with labels tc rgb 'white' notitle, \
     'waterfall.tsv' index 4 using ((($2+$3)/2)/bytes):1:(($2)/bytes):(($3)/bytes):($1-0.34):($1+0.34) with boxxyerror fs solid 1 border rgb 'white' fc rgb '#E69F00' lw 1 dt 1 title 'free blocks in used pools', \
     '' index 4 using ((($2+$3)/2)/bytes):1:($4/bytes>widest*0.090 ? sprintf('%.3g',$4/bytes) : '') with labels tc rgb 'black' notitle, \
     'waterfall.tsv' index 5 using ((($2+$3)/2)/bytes):1:(($2)/bytes):(($3)/bytes):($1-0.34):($1+0.34) with boxxyerror fs solid 1 border rgb 'white' fc rgb '#D55E00' lw 1 dt 1 title 'free pools in used arenas', \
     '' index 5 using ((($2+$3)/2)/bytes):1:($4/bytes>widest*0.090 ? sprintf('%.3g',$4/bytes) : '') with labels tc rgb 'white' notitle, \
     'waterfall.tsv' index 6 using ((($2+$3)/2)/bytes):1:(($2)/bytes):(($3)/bytes):($1-0.34):($1+0.34) with boxxyerror fs solid 1 border rgb 'white' fc rgb '#CC79A7' lw 1 dt 1 title 'wholly free arenas', \
     '' index 6 using ((($2+$3)/2)/bytes):1:($4/bytes>widest*0.090 ? sprintf('%.3g',$4/bytes) : '') with labels tc rgb 'black' notitle, \
     'waterfall.tsv' index 7 using ((($2+$3)/2)/bytes):1:(($2)/bytes):(($3)/bytes):($1-0.34):($1+0.34) with boxxyerror fs solid 1 border rgb 'white' fc rgb '#009E73' lw 1 dt 1 title 'tables of the allocator', \
     '' index 7 using ((($2+$3)/2)/bytes):1:($4/bytes>widest*0.090 ? sprintf('%.3g',$4/bytes) : '') with labels tc rgb 'white' notitle, \
     'waterfall.tsv' index 8 using ((($2+$3)/2)/bytes):1:(($2)/bytes):(($3)/bytes):($1-0.34):($1+0.34) with boxxyerror fs solid 1 border rgb 'white' fc rgb '#BBBBBB' lw 1 dt 1 title 'all else (not told apart)', \
     '' index 8 using ((($2+$3)/2)/bytes):1:($4/bytes>widest*0.090 ? sprintf('%.3g',$4/bytes) : '') with labels tc rgb 'black' notitle, \
     NaN with lines lc rgb 'black' dt (4,2) lw 2 title 'resident'

set lmargin at screen 0.5905
set rmargin at screen 0.9800
bytes = 1048576
widest = 30.38
set xrange [0:widest*1.34]
set xlabel 'of which beyond what the program asked for (MiB)'
unset label
set label sprintf('%.3g', 6291456.0/bytes).' (6.12 %)' at first 6291456.0/bytes,0 left offset 0.6,0
set label sprintf('%.3g', 8388608.0/bytes).' (8.16 %)' at first 8388608.0/bytes,1 left offset 0.6,0
set label sprintf('%.3g', 9437184.0/bytes).' (9.18 %)' at first 9437184.0/bytes,2 left offset 0.6,0
set label sprintf('%.3g', 12582912.0/bytes).' (12.2 %)' at first 12582912.0/bytes,3 left offset 0.6,0
set label sprintf('%.3g', 20971520.0/bytes).' (20.4 %)' at first 20971520.0/bytes,4 left offset 0.6,0
set label sprintf('%.3g', 23068672.0/bytes).' (22.4 %)' at first 23068672.0/bytes,5 left offset 0.6,0
set label sprintf('%.3g', 31457280.0/bytes).' (30.6 %)' at first 31457280.0/bytes,6 left offset 0.6,0
set label sprintf('%.3g', 31855738.0/bytes).' (31 %)' at first 31855738.0/bytes,7 left offset 0.6,0
unset ytics
unset key
unset arrow
plot 'waterfall.tsv' index 1 using ((($2+$3)/2-$5)/bytes):1:(($2-$5)/bytes):(($3-$5)/bytes):($1-0.34):($1+0.34) with boxxyerror fs solid 1 border rgb 'white' fc rgb '#56B4E9' lw 1 dt 1 title 'rounding to size classes', \
     '' index 1 using ((($2+$3)/2-$5)/bytes):1:($4/bytes>widest*0.090 ? sprintf('%.3g',$4/bytes) : '') with labels tc rgb 'black' notitle, \
     'waterfall.tsv' index 2 using ((($2+$3)/2-$5)/bytes):1:(($2-$5)/bytes):(($3-$5)/bytes):($1-0.34):($1+0.34) with boxxyerror fs solid 1 border rgb 'white' fc rgb '#F0E442' lw 1 dt 1 title 'headers of pools', \
     '' index 2 using ((($2+$3)/2-$5)/bytes):1:($4/bytes>widest*0.090 ? sprintf('%.3g',$4/bytes) : '') with labels tc rgb 'black' notitle, \
     'waterfall.tsv' index 3 using ((($2+$3)/2-$5)/bytes):1:(($2-$5)/bytes):(($3-$5)/bytes):($1-0.34):($1+0.34) with boxxyerror fs solid 1 border rgb 'white' fc rgb '#7A5C00' lw 1 dt 1 title 'ends of pools', \
     '' index 3 using ((($2+$3)/2-$5)/bytes):1:($4/bytes>widest*0.090 ? sprintf('%.3g',$4/bytes) : '') with labels tc rgb 'white' notitle, \
     'waterfall.tsv' index 4 using ((($2+$3)/2-$5)/bytes):1:(($2-$5)/bytes):(($3-$5)/bytes):($1-0.34):($1+0.34) with boxxyerror fs solid 1 border rgb 'white' fc rgb '#E69F00' lw 1 dt 1 title 'free blocks in used pools', \
     '' index 4 using ((($2+$3)/2-$5)/bytes):1:($4/bytes>widest*0.090 ? sprintf('%.3g',$4/bytes) : '') with labels tc rgb 'black' notitle, \
     'waterfall.tsv' index 5 using ((($2+$3)/2-$5)/bytes):1:(($2-$5)/bytes):(($3-$5)/bytes):($1-0.34):($1+0.34) with boxxyerror fs solid 1 border rgb 'white' fc rgb '#D55E00' lw 1 dt 1 title 'free pools in used arenas', \
     '' index 5 using ((($2+$3)/2-$5)/bytes):1:($4/bytes>widest*0.090 ? sprintf('%.3g',$4/bytes) : '') with labels tc rgb 'white' notitle, \
     'waterfall.tsv' index 6 using ((($2+$3)/2-$5)/bytes):1:(($2-$5)/bytes):(($3-$5)/bytes):($1-0.34):($1+0.34) with boxxyerror fs solid 1 border rgb 'white' fc rgb '#CC79A7' lw 1 dt 1 title 'wholly free arenas', \
     '' index 6 using ((($2+$3)/2-$5)/bytes):1:($4/bytes>widest*0.090 ? sprintf('%.3g',$4/bytes) : '') with labels tc rgb 'black' notitle, \
     'waterfall.tsv' index 7 using ((($2+$3)/2-$5)/bytes):1:(($2-$5)/bytes):(($3-$5)/bytes):($1-0.34):($1+0.34) with boxxyerror fs solid 1 border rgb 'white' fc rgb '#009E73' lw 1 dt 1 title 'tables of the allocator', \
     '' index 7 using ((($2+$3)/2-$5)/bytes):1:($4/bytes>widest*0.090 ? sprintf('%.3g',$4/bytes) : '') with labels tc rgb 'white' notitle, \
     'waterfall.tsv' index 8 using ((($2+$3)/2-$5)/bytes):1:(($2-$5)/bytes):(($3-$5)/bytes):($1-0.34):($1+0.34) with boxxyerror fs solid 1 border rgb 'white' fc rgb '#BBBBBB' lw 1 dt 1 title 'all else (not told apart)', \
     '' index 8 using ((($2+$3)/2-$5)/bytes):1:($4/bytes>widest*0.090 ? sprintf('%.3g',$4/bytes) : '') with labels tc rgb 'black' notitle
unset multiplot

unset output
}
