# Arenas over time: how many are held, and how many were ever born, given back, and used again after having been empty
# Draws arenas.tsv as arenas.svg and arenas.png: change what you like, then run here
#   gnuplot arenas.gp

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
    set terminal svg mousing standalone size 1100,1112 font 'sans,14' noenhanced background rgb 'white'
} else {
    set terminal pngcairo size 1100,1112 font 'sans,10.5' noenhanced
}
set output 'arenas.'.form
unset label
unset arrow
unset object

set multiplot title 'Arenas over time'."\n"."python3 -m it's '' --all \140touch ran; echo of it\140"
set lmargin at screen 0.09
set rmargin at screen 0.712
set yrange [0:5<*]
events = 1000000.0
set xlabel 'calls of the allocator replayed (millions)'
set xrange [0:20]
unset xlabel

set tmargin at screen 0.7158
set bmargin at screen 0.5665
set ylabel 'held now'
set key at screen 0.985,0.7158 right top
set format x ''
unset label
unset arrow
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
plot 'arenas.tsv' index 0 using ($1/events):2 with linespoints lt 1 pn 8 title 'pymalloc', \
     'arenas.tsv' index 1 using ($1/events):2 with linespoints lt 2 pn 8 title 'pymalloc,arena=256K,pool=4K', \
     'arenas.tsv' index 2 using ($1/events):2 with linespoints lt 3 pn 8 title 'pymalloc,arena=256K,pool=8K', \
     'arenas.tsv' index 3 using ($1/events):2 with linespoints lt 4 pn 8 title 'pymalloc,arena=512K,pool=16K', \
     'arenas.tsv' index 4 using ($1/events):2 with linespoints lt 5 pn 8 title 'pymalloc,arena=2M,pool=16K', \
     'arenas.tsv' index 5 using ($1/events):2 with linespoints lt 6 pn 8 title 'pymalloc,arena=4M,pool=16K', \
     'arenas.tsv' index 6 using ($1/events):2 with linespoints lt 7 pn 8 title 'pymalloc,arena=8M,pool=16K'

set tmargin at screen 0.5450
set bmargin at screen 0.3957
set ylabel 'born, ever'
unset key
unset label
unset arrow
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
plot 'arenas.tsv' index 0 using ($1/events):3 with linespoints lt 1 pn 8 title 'pymalloc', \
     'arenas.tsv' index 1 using ($1/events):3 with linespoints lt 2 pn 8 title 'pymalloc,arena=256K,pool=4K', \
     'arenas.tsv' index 2 using ($1/events):3 with linespoints lt 3 pn 8 title 'pymalloc,arena=256K,pool=8K', \
     'arenas.tsv' index 3 using ($1/events):3 with linespoints lt 4 pn 8 title 'pymalloc,arena=512K,pool=16K', \
     'arenas.tsv' index 4 using ($1/events):3 with linespoints lt 5 pn 8 title 'pymalloc,arena=2M,pool=16K', \
     'arenas.tsv' index 5 using ($1/events):3 with linespoints lt 6 pn 8 title 'pymalloc,arena=4M,pool=16K', \
     'arenas.tsv' index 6 using ($1/events):3 with linespoints lt 7 pn 8 title 'pymalloc,arena=8M,pool=16K'

set tmargin at screen 0.3741
set bmargin at screen 0.2248
set ylabel 'released, ever'
unset key
unset label
unset arrow
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
plot 'arenas.tsv' index 0 using ($1/events):4 with linespoints lt 1 pn 8 title 'pymalloc', \
     'arenas.tsv' index 1 using ($1/events):4 with linespoints lt 2 pn 8 title 'pymalloc,arena=256K,pool=4K', \
     'arenas.tsv' index 2 using ($1/events):4 with linespoints lt 3 pn 8 title 'pymalloc,arena=256K,pool=8K', \
     'arenas.tsv' index 3 using ($1/events):4 with linespoints lt 4 pn 8 title 'pymalloc,arena=512K,pool=16K', \
     'arenas.tsv' index 4 using ($1/events):4 with linespoints lt 5 pn 8 title 'pymalloc,arena=2M,pool=16K', \
     'arenas.tsv' index 5 using ($1/events):4 with linespoints lt 6 pn 8 title 'pymalloc,arena=4M,pool=16K', \
     'arenas.tsv' index 6 using ($1/events):4 with linespoints lt 7 pn 8 title 'pymalloc,arena=8M,pool=16K'

set tmargin at screen 0.2032
set bmargin at screen 0.0540
set ylabel 'used again, ever'
unset key
set format x '%g'
events = 1000000.0
set xlabel 'calls of the allocator replayed (millions)'
set xrange [0:20]
unset label
unset arrow
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
plot 'arenas.tsv' index 0 using ($1/events):5 with linespoints lt 1 pn 8 title 'pymalloc', \
     'arenas.tsv' index 1 using ($1/events):5 with linespoints lt 2 pn 8 title 'pymalloc,arena=256K,pool=4K', \
     'arenas.tsv' index 2 using ($1/events):5 with linespoints lt 3 pn 8 title 'pymalloc,arena=256K,pool=8K', \
     'arenas.tsv' index 3 using ($1/events):5 with linespoints lt 4 pn 8 title 'pymalloc,arena=512K,pool=16K', \
     'arenas.tsv' index 4 using ($1/events):5 with linespoints lt 5 pn 8 title 'pymalloc,arena=2M,pool=16K', \
     'arenas.tsv' index 5 using ($1/events):5 with linespoints lt 6 pn 8 title 'pymalloc,arena=4M,pool=16K', \
     'arenas.tsv' index 6 using ($1/events):5 with linespoints lt 7 pn 8 title 'pymalloc,arena=8M,pool=16K'
unset multiplot

unset output
}
