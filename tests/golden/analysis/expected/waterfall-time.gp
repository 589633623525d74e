# Where the memory of each allocator is over time: the parts sum to what it holds at every sample
# Draws waterfall-time.tsv as waterfall-time.svg and waterfall-time.png: change what you like, then run here
#   gnuplot waterfall-time.gp

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
    set terminal svg mousing standalone size 1100,1776 font 'sans,14' noenhanced background rgb 'white'
} else {
    set terminal pngcairo size 1100,1776 font 'sans,10.5' noenhanced
}
set output 'waterfall-time.'.form
unset label
unset arrow
unset object

set multiplot title 'Where the memory is over time (6 of 29 allocators)'."\n"."python3 -m it's '' --all \140touch ran; echo of it\140"
set lmargin at screen 0.09
set rmargin at screen 0.97
set style fill solid 1 noborder
set style textbox opaque fillcolor rgb 'white' border lc rgb '#888888'
# A part that is not known has no height.
v(n) = valid(n) && column(n) == column(n) ? column(n) : 0

set tmargin at screen 0.8221
set bmargin at screen 0.7061
events = 1000000.0
set xlabel 'calls of the allocator replayed (millions)'
set xrange [0:20]
bytes = 1048576
set ylabel 'memory (MiB)'
set yrange [0:113.3]
unset xlabel
unset key
set format x ''
unset label
unset arrow
set label 1 'pymalloc' at graph 0.012,0.91 left front boxed
set arrow from first 1000000/events,graph 0 to first 1000000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 1283333/events,graph 0 to first 1283333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 1566666/events,graph 0 to first 1566666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 1850000/events,graph 0 to first 1850000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 2133333/events,graph 0 to first 2133333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 2416666/events,graph 0 to first 2416666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 2700000/events,graph 0 to first 2700000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 2983333/events,graph 0 to first 2983333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 3266666/events,graph 0 to first 3266666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 3550000/events,graph 0 to first 3550000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 3833333/events,graph 0 to first 3833333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 4116666/events,graph 0 to first 4116666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 4400000/events,graph 0 to first 4400000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 4683333/events,graph 0 to first 4683333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 4966666/events,graph 0 to first 4966666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 5250000/events,graph 0 to first 5250000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 5533333/events,graph 0 to first 5533333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 5816666/events,graph 0 to first 5816666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 6100000/events,graph 0 to first 6100000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 6383333/events,graph 0 to first 6383333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 6666666/events,graph 0 to first 6666666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 6950000/events,graph 0 to first 6950000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 7233333/events,graph 0 to first 7233333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 7516666/events,graph 0 to first 7516666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 7800000/events,graph 0 to first 7800000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 8083333/events,graph 0 to first 8083333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 8366666/events,graph 0 to first 8366666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 8650000/events,graph 0 to first 8650000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 8933333/events,graph 0 to first 8933333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 9216666/events,graph 0 to first 9216666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 9500000/events,graph 0 to first 9500000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 9783333/events,graph 0 to first 9783333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 10066666/events,graph 0 to first 10066666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 10350000/events,graph 0 to first 10350000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 10633333/events,graph 0 to first 10633333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 10916666/events,graph 0 to first 10916666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 11200000/events,graph 0 to first 11200000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 11483333/events,graph 0 to first 11483333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 11766666/events,graph 0 to first 11766666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 12050000/events,graph 0 to first 12050000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 12333333/events,graph 0 to first 12333333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 12616666/events,graph 0 to first 12616666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 12900000/events,graph 0 to first 12900000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 13183333/events,graph 0 to first 13183333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 13466666/events,graph 0 to first 13466666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 13750000/events,graph 0 to first 13750000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 14033333/events,graph 0 to first 14033333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 14316666/events,graph 0 to first 14316666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 14600000/events,graph 0 to first 14600000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 14883333/events,graph 0 to first 14883333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 15166666/events,graph 0 to first 15166666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 15450000/events,graph 0 to first 15450000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 15733333/events,graph 0 to first 15733333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 16016666/events,graph 0 to first 16016666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 16300000/events,graph 0 to first 16300000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 16583333/events,graph 0 to first 16583333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 16866666/events,graph 0 to first 16866666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 17150000/events,graph 0 to first 17150000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 17433333/events,graph 0 to first 17433333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 17716666/events,graph 0 to first 17716666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set label "it's \140touch ran\140 ü 0".' (+1)' at first 1000000/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'
set label 'round 2'.' (+2)' at first 1566666/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'
set label 'round 5'.' (+2)' at first 2416666/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'
set label 'round 8'.' (+2)' at first 3266666/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'
set label 'round 11'.' (+2)' at first 4116666/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'
set label 'round 14'.' (+2)' at first 4966666/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'
set label 'round 17'.' (+2)' at first 5816666/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'
set label 'round 20'.' (+2)' at first 6666666/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'
set label 'round 23'.' (+2)' at first 7516666/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'
set label 'round 26'.' (+2)' at first 8366666/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'
set label 'round 29'.' (+2)' at first 9216666/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'
set label 'round 32'.' (+2)' at first 10066666/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'
set label 'round 35'.' (+2)' at first 10916666/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'
set label 'round 38'.' (+2)' at first 11766666/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'
set label 'round 41'.' (+2)' at first 12616666/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'
set label 'round 44'.' (+2)' at first 13466666/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'
set label 'round 47'.' (+2)' at first 14316666/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'
set label 'round 50'.' (+2)' at first 15166666/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'
set label 'round 53'.' (+2)' at first 16016666/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'
set label 'round 56'.' (+2)' at first 16866666/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'
set label 'round 59' at first 17716666/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'
plot 'waterfall-time.tsv' index 0 using ($1/events):((+v(2)+v(3)+v(6)+v(7)+v(8)+v(9)+v(10)+v(11))/bytes) with filledcurves x1 fc rgb '#009E73' title 'tables of the allocator', \
     'waterfall-time.tsv' index 0 using ($1/events):((+v(2)+v(3)+v(6)+v(7)+v(8)+v(9)+v(10))/bytes) with filledcurves x1 fc rgb '#CC79A7' title 'wholly free arenas', \
     'waterfall-time.tsv' index 0 using ($1/events):((+v(2)+v(3)+v(6)+v(7)+v(8)+v(9))/bytes) with filledcurves x1 fc rgb '#D55E00' title 'free pools in used arenas', \
     'waterfall-time.tsv' index 0 using ($1/events):((+v(2)+v(3)+v(6)+v(7)+v(8))/bytes) with filledcurves x1 fc rgb '#E69F00' title 'free blocks in used pools', \
     'waterfall-time.tsv' index 0 using ($1/events):((+v(2)+v(3)+v(6)+v(7))/bytes) with filledcurves x1 fc rgb '#7A5C00' title 'ends of pools', \
     'waterfall-time.tsv' index 0 using ($1/events):((+v(2)+v(3)+v(6))/bytes) with filledcurves x1 fc rgb '#F0E442' title 'headers of pools', \
     'waterfall-time.tsv' index 0 using ($1/events):((+v(2)+v(3))/bytes) with filledcurves x1 fc rgb '#56B4E9' title 'rounding to size classes', \
     'waterfall-time.tsv' index 0 using ($1/events):((+v(2))/bytes) with filledcurves x1 fc rgb '#0072B2' title 'asked for by the program', \
     '' index 0 using ($1/events):($14/bytes) with lines lc rgb 'black' dt (8,4) lw 1.8 title 'resident'

set tmargin at screen 0.6948
set bmargin at screen 0.5788
events = 1000000.0
set xlabel 'calls of the allocator replayed (millions)'
set xrange [0:20]
bytes = 1048576
set ylabel 'memory (MiB)'
set yrange [0:107.12]
unset xlabel
unset key
set format x ''
unset label
unset arrow
set label 1 'pymalloc,arena=256K,pool=4K' at graph 0.012,0.91 left front boxed
set arrow from first 1000000/events,graph 0 to first 1000000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 1283333/events,graph 0 to first 1283333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 1566666/events,graph 0 to first 1566666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 1850000/events,graph 0 to first 1850000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 2133333/events,graph 0 to first 2133333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 2416666/events,graph 0 to first 2416666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 2700000/events,graph 0 to first 2700000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 2983333/events,graph 0 to first 2983333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 3266666/events,graph 0 to first 3266666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 3550000/events,graph 0 to first 3550000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 3833333/events,graph 0 to first 3833333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 4116666/events,graph 0 to first 4116666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 4400000/events,graph 0 to first 4400000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 4683333/events,graph 0 to first 4683333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 4966666/events,graph 0 to first 4966666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 5250000/events,graph 0 to first 5250000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 5533333/events,graph 0 to first 5533333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 5816666/events,graph 0 to first 5816666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 6100000/events,graph 0 to first 6100000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 6383333/events,graph 0 to first 6383333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 6666666/events,graph 0 to first 6666666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 6950000/events,graph 0 to first 6950000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 7233333/events,graph 0 to first 7233333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 7516666/events,graph 0 to first 7516666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 7800000/events,graph 0 to first 7800000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 8083333/events,graph 0 to first 8083333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 8366666/events,graph 0 to first 8366666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 8650000/events,graph 0 to first 8650000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 8933333/events,graph 0 to first 8933333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 9216666/events,graph 0 to first 9216666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 9500000/events,graph 0 to first 9500000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 9783333/events,graph 0 to first 9783333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 10066666/events,graph 0 to first 10066666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 10350000/events,graph 0 to first 10350000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 10633333/events,graph 0 to first 10633333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 10916666/events,graph 0 to first 10916666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 11200000/events,graph 0 to first 11200000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 11483333/events,graph 0 to first 11483333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 11766666/events,graph 0 to first 11766666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 12050000/events,graph 0 to first 12050000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 12333333/events,graph 0 to first 12333333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 12616666/events,graph 0 to first 12616666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 12900000/events,graph 0 to first 12900000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 13183333/events,graph 0 to first 13183333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 13466666/events,graph 0 to first 13466666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 13750000/events,graph 0 to first 13750000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 14033333/events,graph 0 to first 14033333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 14316666/events,graph 0 to first 14316666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 14600000/events,graph 0 to first 14600000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 14883333/events,graph 0 to first 14883333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 15166666/events,graph 0 to first 15166666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 15450000/events,graph 0 to first 15450000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 15733333/events,graph 0 to first 15733333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 16016666/events,graph 0 to first 16016666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 16300000/events,graph 0 to first 16300000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 16583333/events,graph 0 to first 16583333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 16866666/events,graph 0 to first 16866666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 17150000/events,graph 0 to first 17150000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 17433333/events,graph 0 to first 17433333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 17716666/events,graph 0 to first 17716666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
plot 'waterfall-time.tsv' index 1 using ($1/events):((+v(2)+v(3)+v(6)+v(7)+v(8)+v(9)+v(10)+v(11))/bytes) with filledcurves x1 fc rgb '#009E73' title 'tables of the allocator', \
     'waterfall-time.tsv' index 1 using ($1/events):((+v(2)+v(3)+v(6)+v(7)+v(8)+v(9)+v(10))/bytes) with filledcurves x1 fc rgb '#CC79A7' title 'wholly free arenas', \
     'waterfall-time.tsv' index 1 using ($1/events):((+v(2)+v(3)+v(6)+v(7)+v(8)+v(9))/bytes) with filledcurves x1 fc rgb '#D55E00' title 'free pools in used arenas', \
     'waterfall-time.tsv' index 1 using ($1/events):((+v(2)+v(3)+v(6)+v(7)+v(8))/bytes) with filledcurves x1 fc rgb '#E69F00' title 'free blocks in used pools', \
     'waterfall-time.tsv' index 1 using ($1/events):((+v(2)+v(3)+v(6)+v(7))/bytes) with filledcurves x1 fc rgb '#7A5C00' title 'ends of pools', \
     'waterfall-time.tsv' index 1 using ($1/events):((+v(2)+v(3)+v(6))/bytes) with filledcurves x1 fc rgb '#F0E442' title 'headers of pools', \
     'waterfall-time.tsv' index 1 using ($1/events):((+v(2)+v(3))/bytes) with filledcurves x1 fc rgb '#56B4E9' title 'rounding to size classes', \
     'waterfall-time.tsv' index 1 using ($1/events):((+v(2))/bytes) with filledcurves x1 fc rgb '#0072B2' title 'asked for by the program', \
     '' index 1 using ($1/events):($14/bytes) with lines lc rgb 'black' dt (8,4) lw 1.8 title 'resident'

set tmargin at screen 0.5676
set bmargin at screen 0.4516
events = 1000000.0
set xlabel 'calls of the allocator replayed (millions)'
set xrange [0:20]
bytes = 1048576
set ylabel 'memory (MiB)'
set yrange [0:109.18]
unset xlabel
unset key
set format x ''
unset label
unset arrow
set label 1 'pymalloc,arena=256K,pool=8K' at graph 0.012,0.91 left front boxed
set arrow from first 1000000/events,graph 0 to first 1000000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 1283333/events,graph 0 to first 1283333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 1566666/events,graph 0 to first 1566666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 1850000/events,graph 0 to first 1850000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 2133333/events,graph 0 to first 2133333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 2416666/events,graph 0 to first 2416666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 2700000/events,graph 0 to first 2700000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 2983333/events,graph 0 to first 2983333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 3266666/events,graph 0 to first 3266666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 3550000/events,graph 0 to first 3550000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 3833333/events,graph 0 to first 3833333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 4116666/events,graph 0 to first 4116666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 4400000/events,graph 0 to first 4400000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 4683333/events,graph 0 to first 4683333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 4966666/events,graph 0 to first 4966666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 5250000/events,graph 0 to first 5250000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 5533333/events,graph 0 to first 5533333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 5816666/events,graph 0 to first 5816666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 6100000/events,graph 0 to first 6100000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 6383333/events,graph 0 to first 6383333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 6666666/events,graph 0 to first 6666666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 6950000/events,graph 0 to first 6950000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 7233333/events,graph 0 to first 7233333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 7516666/events,graph 0 to first 7516666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 7800000/events,graph 0 to first 7800000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 8083333/events,graph 0 to first 8083333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 8366666/events,graph 0 to first 8366666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 8650000/events,graph 0 to first 8650000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 8933333/events,graph 0 to first 8933333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 9216666/events,graph 0 to first 9216666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 9500000/events,graph 0 to first 9500000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 9783333/events,graph 0 to first 9783333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 10066666/events,graph 0 to first 10066666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 10350000/events,graph 0 to first 10350000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 10633333/events,graph 0 to first 10633333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 10916666/events,graph 0 to first 10916666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 11200000/events,graph 0 to first 11200000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 11483333/events,graph 0 to first 11483333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 11766666/events,graph 0 to first 11766666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 12050000/events,graph 0 to first 12050000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 12333333/events,graph 0 to first 12333333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 12616666/events,graph 0 to first 12616666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 12900000/events,graph 0 to first 12900000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 13183333/events,graph 0 to first 13183333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 13466666/events,graph 0 to first 13466666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 13750000/events,graph 0 to first 13750000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 14033333/events,graph 0 to first 14033333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 14316666/events,graph 0 to first 14316666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 14600000/events,graph 0 to first 14600000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 14883333/events,graph 0 to first 14883333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 15166666/events,graph 0 to first 15166666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 15450000/events,graph 0 to first 15450000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 15733333/events,graph 0 to first 15733333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 16016666/events,graph 0 to first 16016666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 16300000/events,graph 0 to first 16300000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 16583333/events,graph 0 to first 16583333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 16866666/events,graph 0 to first 16866666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 17150000/events,graph 0 to first 17150000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 17433333/events,graph 0 to first 17433333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 17716666/events,graph 0 to first 17716666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
plot 'waterfall-time.tsv' index 2 using ($1/events):((+v(2)+v(3)+v(6)+v(7)+v(8)+v(9)+v(10)+v(11))/bytes) with filledcurves x1 fc rgb '#009E73' title 'tables of the allocator', \
     'waterfall-time.tsv' index 2 using ($1/events):((+v(2)+v(3)+v(6)+v(7)+v(8)+v(9)+v(10))/bytes) with filledcurves x1 fc rgb '#CC79A7' title 'wholly free arenas', \
     'waterfall-time.tsv' index 2 using ($1/events):((+v(2)+v(3)+v(6)+v(7)+v(8)+v(9))/bytes) with filledcurves x1 fc rgb '#D55E00' title 'free pools in used arenas', \
     'waterfall-time.tsv' index 2 using ($1/events):((+v(2)+v(3)+v(6)+v(7)+v(8))/bytes) with filledcurves x1 fc rgb '#E69F00' title 'free blocks in used pools', \
     'waterfall-time.tsv' index 2 using ($1/events):((+v(2)+v(3)+v(6)+v(7))/bytes) with filledcurves x1 fc rgb '#7A5C00' title 'ends of pools', \
     'waterfall-time.tsv' index 2 using ($1/events):((+v(2)+v(3)+v(6))/bytes) with filledcurves x1 fc rgb '#F0E442' title 'headers of pools', \
     'waterfall-time.tsv' index 2 using ($1/events):((+v(2)+v(3))/bytes) with filledcurves x1 fc rgb '#56B4E9' title 'rounding to size classes', \
     'waterfall-time.tsv' index 2 using ($1/events):((+v(2))/bytes) with filledcurves x1 fc rgb '#0072B2' title 'asked for by the program', \
     '' index 2 using ($1/events):($14/bytes) with lines lc rgb 'black' dt (8,4) lw 1.8 title 'resident'

set tmargin at screen 0.4403
set bmargin at screen 0.3243
events = 1000000.0
set xlabel 'calls of the allocator replayed (millions)'
set xrange [0:20]
bytes = 1048576
set ylabel 'memory (MiB)'
set yrange [0:110.21]
unset xlabel
unset key
set format x ''
unset label
unset arrow
set label 1 'pymalloc,arena=512K,pool=16K' at graph 0.012,0.91 left front boxed
set arrow from first 1000000/events,graph 0 to first 1000000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 1283333/events,graph 0 to first 1283333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 1566666/events,graph 0 to first 1566666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 1850000/events,graph 0 to first 1850000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 2133333/events,graph 0 to first 2133333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 2416666/events,graph 0 to first 2416666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 2700000/events,graph 0 to first 2700000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 2983333/events,graph 0 to first 2983333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 3266666/events,graph 0 to first 3266666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 3550000/events,graph 0 to first 3550000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 3833333/events,graph 0 to first 3833333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 4116666/events,graph 0 to first 4116666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 4400000/events,graph 0 to first 4400000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 4683333/events,graph 0 to first 4683333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 4966666/events,graph 0 to first 4966666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 5250000/events,graph 0 to first 5250000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 5533333/events,graph 0 to first 5533333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 5816666/events,graph 0 to first 5816666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 6100000/events,graph 0 to first 6100000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 6383333/events,graph 0 to first 6383333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 6666666/events,graph 0 to first 6666666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 6950000/events,graph 0 to first 6950000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 7233333/events,graph 0 to first 7233333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 7516666/events,graph 0 to first 7516666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 7800000/events,graph 0 to first 7800000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 8083333/events,graph 0 to first 8083333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 8366666/events,graph 0 to first 8366666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 8650000/events,graph 0 to first 8650000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 8933333/events,graph 0 to first 8933333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 9216666/events,graph 0 to first 9216666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 9500000/events,graph 0 to first 9500000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 9783333/events,graph 0 to first 9783333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 10066666/events,graph 0 to first 10066666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 10350000/events,graph 0 to first 10350000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 10633333/events,graph 0 to first 10633333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 10916666/events,graph 0 to first 10916666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 11200000/events,graph 0 to first 11200000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 11483333/events,graph 0 to first 11483333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 11766666/events,graph 0 to first 11766666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 12050000/events,graph 0 to first 12050000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 12333333/events,graph 0 to first 12333333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 12616666/events,graph 0 to first 12616666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 12900000/events,graph 0 to first 12900000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 13183333/events,graph 0 to first 13183333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 13466666/events,graph 0 to first 13466666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 13750000/events,graph 0 to first 13750000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 14033333/events,graph 0 to first 14033333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 14316666/events,graph 0 to first 14316666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 14600000/events,graph 0 to first 14600000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 14883333/events,graph 0 to first 14883333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 15166666/events,graph 0 to first 15166666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 15450000/events,graph 0 to first 15450000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 15733333/events,graph 0 to first 15733333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 16016666/events,graph 0 to first 16016666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 16300000/events,graph 0 to first 16300000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 16583333/events,graph 0 to first 16583333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 16866666/events,graph 0 to first 16866666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 17150000/events,graph 0 to first 17150000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 17433333/events,graph 0 to first 17433333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 17716666/events,graph 0 to first 17716666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
plot 'waterfall-time.tsv' index 3 using ($1/events):((+v(2)+v(3)+v(6)+v(7)+v(8)+v(9)+v(10)+v(11))/bytes) with filledcurves x1 fc rgb '#009E73' title 'tables of the allocator', \
     'waterfall-time.tsv' index 3 using ($1/events):((+v(2)+v(3)+v(6)+v(7)+v(8)+v(9)+v(10))/bytes) with filledcurves x1 fc rgb '#CC79A7' title 'wholly free arenas', \
     'waterfall-time.tsv' index 3 using ($1/events):((+v(2)+v(3)+v(6)+v(7)+v(8)+v(9))/bytes) with filledcurves x1 fc rgb '#D55E00' title 'free pools in used arenas', \
     'waterfall-time.tsv' index 3 using ($1/events):((+v(2)+v(3)+v(6)+v(7)+v(8))/bytes) with filledcurves x1 fc rgb '#E69F00' title 'free blocks in used pools', \
     'waterfall-time.tsv' index 3 using ($1/events):((+v(2)+v(3)+v(6)+v(7))/bytes) with filledcurves x1 fc rgb '#7A5C00' title 'ends of pools', \
     'waterfall-time.tsv' index 3 using ($1/events):((+v(2)+v(3)+v(6))/bytes) with filledcurves x1 fc rgb '#F0E442' title 'headers of pools', \
     'waterfall-time.tsv' index 3 using ($1/events):((+v(2)+v(3))/bytes) with filledcurves x1 fc rgb '#56B4E9' title 'rounding to size classes', \
     'waterfall-time.tsv' index 3 using ($1/events):((+v(2))/bytes) with filledcurves x1 fc rgb '#0072B2' title 'asked for by the program', \
     '' index 3 using ($1/events):($14/bytes) with lines lc rgb 'black' dt (8,4) lw 1.8 title 'resident'

set tmargin at screen 0.3131
set bmargin at screen 0.1971
events = 1000000.0
set xlabel 'calls of the allocator replayed (millions)'
set xrange [0:20]
bytes = 1048576
set ylabel 'memory (MiB)'
set yrange [0:121.54]
unset xlabel
unset key
set format x ''
unset label
unset arrow
set label 1 'pymalloc,arena=2M,pool=16K' at graph 0.012,0.91 left front boxed
set arrow from first 1000000/events,graph 0 to first 1000000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 1283333/events,graph 0 to first 1283333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 1566666/events,graph 0 to first 1566666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 1850000/events,graph 0 to first 1850000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 2133333/events,graph 0 to first 2133333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 2416666/events,graph 0 to first 2416666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 2700000/events,graph 0 to first 2700000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 2983333/events,graph 0 to first 2983333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 3266666/events,graph 0 to first 3266666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 3550000/events,graph 0 to first 3550000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 3833333/events,graph 0 to first 3833333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 4116666/events,graph 0 to first 4116666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 4400000/events,graph 0 to first 4400000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 4683333/events,graph 0 to first 4683333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 4966666/events,graph 0 to first 4966666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 5250000/events,graph 0 to first 5250000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 5533333/events,graph 0 to first 5533333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 5816666/events,graph 0 to first 5816666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 6100000/events,graph 0 to first 6100000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 6383333/events,graph 0 to first 6383333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 6666666/events,graph 0 to first 6666666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 6950000/events,graph 0 to first 6950000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 7233333/events,graph 0 to first 7233333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 7516666/events,graph 0 to first 7516666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 7800000/events,graph 0 to first 7800000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 8083333/events,graph 0 to first 8083333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 8366666/events,graph 0 to first 8366666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 8650000/events,graph 0 to first 8650000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 8933333/events,graph 0 to first 8933333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 9216666/events,graph 0 to first 9216666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 9500000/events,graph 0 to first 9500000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 9783333/events,graph 0 to first 9783333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 10066666/events,graph 0 to first 10066666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 10350000/events,graph 0 to first 10350000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 10633333/events,graph 0 to first 10633333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 10916666/events,graph 0 to first 10916666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 11200000/events,graph 0 to first 11200000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 11483333/events,graph 0 to first 11483333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 11766666/events,graph 0 to first 11766666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 12050000/events,graph 0 to first 12050000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 12333333/events,graph 0 to first 12333333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 12616666/events,graph 0 to first 12616666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 12900000/events,graph 0 to first 12900000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 13183333/events,graph 0 to first 13183333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 13466666/events,graph 0 to first 13466666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 13750000/events,graph 0 to first 13750000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 14033333/events,graph 0 to first 14033333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 14316666/events,graph 0 to first 14316666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 14600000/events,graph 0 to first 14600000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 14883333/events,graph 0 to first 14883333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 15166666/events,graph 0 to first 15166666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 15450000/events,graph 0 to first 15450000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 15733333/events,graph 0 to first 15733333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 16016666/events,graph 0 to first 16016666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 16300000/events,graph 0 to first 16300000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 16583333/events,graph 0 to first 16583333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 16866666/events,graph 0 to first 16866666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 17150000/events,graph 0 to first 17150000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 17433333/events,graph 0 to first 17433333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 17716666/events,graph 0 to first 17716666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
plot 'waterfall-time.tsv' index 4 using ($1/events):((+v(2)+v(3)+v(6)+v(7)+v(8)+v(9)+v(10)+v(11))/bytes) with filledcurves x1 fc rgb '#009E73' title 'tables of the allocator', \
     'waterfall-time.tsv' index 4 using ($1/events):((+v(2)+v(3)+v(6)+v(7)+v(8)+v(9)+v(10))/bytes) with filledcurves x1 fc rgb '#CC79A7' title 'wholly free arenas', \
     'waterfall-time.tsv' index 4 using ($1/events):((+v(2)+v(3)+v(6)+v(7)+v(8)+v(9))/bytes) with filledcurves x1 fc rgb '#D55E00' title 'free pools in used arenas', \
     'waterfall-time.tsv' index 4 using ($1/events):((+v(2)+v(3)+v(6)+v(7)+v(8))/bytes) with filledcurves x1 fc rgb '#E69F00' title 'free blocks in used pools', \
     'waterfall-time.tsv' index 4 using ($1/events):((+v(2)+v(3)+v(6)+v(7))/bytes) with filledcurves x1 fc rgb '#7A5C00' title 'ends of pools', \
     'waterfall-time.tsv' index 4 using ($1/events):((+v(2)+v(3)+v(6))/bytes) with filledcurves x1 fc rgb '#F0E442' title 'headers of pools', \
     'waterfall-time.tsv' index 4 using ($1/events):((+v(2)+v(3))/bytes) with filledcurves x1 fc rgb '#56B4E9' title 'rounding to size classes', \
     'waterfall-time.tsv' index 4 using ($1/events):((+v(2))/bytes) with filledcurves x1 fc rgb '#0072B2' title 'asked for by the program', \
     '' index 4 using ($1/events):($14/bytes) with lines lc rgb 'black' dt (8,4) lw 1.8 title 'resident'

set tmargin at screen 0.1858
set bmargin at screen 0.0698
events = 1000000.0
set xlabel 'calls of the allocator replayed (millions)'
set xrange [0:20]
bytes = 1048576
set ylabel 'memory (MiB)'
set yrange [0:123.6]
set format x '%g'
set key at screen 0.5,0.0045 center bottom vertical maxrows 3 width 2 samplen 2
unset label
unset arrow
set label 1 'pymalloc,arena=4M,pool=16K' at graph 0.012,0.91 left front boxed
set arrow from first 1000000/events,graph 0 to first 1000000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 1283333/events,graph 0 to first 1283333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 1566666/events,graph 0 to first 1566666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 1850000/events,graph 0 to first 1850000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 2133333/events,graph 0 to first 2133333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 2416666/events,graph 0 to first 2416666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 2700000/events,graph 0 to first 2700000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 2983333/events,graph 0 to first 2983333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 3266666/events,graph 0 to first 3266666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 3550000/events,graph 0 to first 3550000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 3833333/events,graph 0 to first 3833333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 4116666/events,graph 0 to first 4116666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 4400000/events,graph 0 to first 4400000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 4683333/events,graph 0 to first 4683333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 4966666/events,graph 0 to first 4966666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 5250000/events,graph 0 to first 5250000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 5533333/events,graph 0 to first 5533333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 5816666/events,graph 0 to first 5816666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 6100000/events,graph 0 to first 6100000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 6383333/events,graph 0 to first 6383333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 6666666/events,graph 0 to first 6666666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 6950000/events,graph 0 to first 6950000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 7233333/events,graph 0 to first 7233333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 7516666/events,graph 0 to first 7516666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 7800000/events,graph 0 to first 7800000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 8083333/events,graph 0 to first 8083333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 8366666/events,graph 0 to first 8366666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 8650000/events,graph 0 to first 8650000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 8933333/events,graph 0 to first 8933333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 9216666/events,graph 0 to first 9216666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 9500000/events,graph 0 to first 9500000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 9783333/events,graph 0 to first 9783333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 10066666/events,graph 0 to first 10066666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 10350000/events,graph 0 to first 10350000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 10633333/events,graph 0 to first 10633333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 10916666/events,graph 0 to first 10916666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 11200000/events,graph 0 to first 11200000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 11483333/events,graph 0 to first 11483333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 11766666/events,graph 0 to first 11766666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 12050000/events,graph 0 to first 12050000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 12333333/events,graph 0 to first 12333333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 12616666/events,graph 0 to first 12616666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 12900000/events,graph 0 to first 12900000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 13183333/events,graph 0 to first 13183333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 13466666/events,graph 0 to first 13466666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 13750000/events,graph 0 to first 13750000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 14033333/events,graph 0 to first 14033333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 14316666/events,graph 0 to first 14316666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 14600000/events,graph 0 to first 14600000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 14883333/events,graph 0 to first 14883333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 15166666/events,graph 0 to first 15166666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 15450000/events,graph 0 to first 15450000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 15733333/events,graph 0 to first 15733333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 16016666/events,graph 0 to first 16016666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 16300000/events,graph 0 to first 16300000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 16583333/events,graph 0 to first 16583333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 16866666/events,graph 0 to first 16866666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 17150000/events,graph 0 to first 17150000/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 17433333/events,graph 0 to first 17433333/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
set arrow from first 17716666/events,graph 0 to first 17716666/events,graph 1 nohead back lc rgb '#CCCCCC' lw 0.8 dt 1
plot 'waterfall-time.tsv' index 5 using ($1/events):((+v(2)+v(3)+v(6)+v(7)+v(8)+v(9)+v(10)+v(11))/bytes) with filledcurves x1 fc rgb '#009E73' title 'tables of the allocator', \
     'waterfall-time.tsv' index 5 using ($1/events):((+v(2)+v(3)+v(6)+v(7)+v(8)+v(9)+v(10))/bytes) with filledcurves x1 fc rgb '#CC79A7' title 'wholly free arenas', \
     'waterfall-time.tsv' index 5 using ($1/events):((+v(2)+v(3)+v(6)+v(7)+v(8)+v(9))/bytes) with filledcurves x1 fc rgb '#D55E00' title 'free pools in used arenas', \
     'waterfall-time.tsv' index 5 using ($1/events):((+v(2)+v(3)+v(6)+v(7)+v(8))/bytes) with filledcurves x1 fc rgb '#E69F00' title 'free blocks in used pools', \
     'waterfall-time.tsv' index 5 using ($1/events):((+v(2)+v(3)+v(6)+v(7))/bytes) with filledcurves x1 fc rgb '#7A5C00' title 'ends of pools', \
     'waterfall-time.tsv' index 5 using ($1/events):((+v(2)+v(3)+v(6))/bytes) with filledcurves x1 fc rgb '#F0E442' title 'headers of pools', \
     'waterfall-time.tsv' index 5 using ($1/events):((+v(2)+v(3))/bytes) with filledcurves x1 fc rgb '#56B4E9' title 'rounding to size classes', \
     'waterfall-time.tsv' index 5 using ($1/events):((+v(2))/bytes) with filledcurves x1 fc rgb '#0072B2' title 'asked for by the program', \
     '' index 5 using ($1/events):($14/bytes) with lines lc rgb 'black' dt (8,4) lw 1.8 title 'resident'
unset multiplot

unset output
}
