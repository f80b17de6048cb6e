# Draws memory.csv: gnuplot -e "folder='demo/memory'; kind='svg'; limit=48" plot.gp
if (kind eq 'svg') {
  set terminal svg size 900,420 font 'sans-serif,13' background '#ffffff'
} else {
  set terminal pngcairo size 1350,630 font 'sans,14' background '#ffffff'
}
set output folder . '/memory.' . kind
set datafile separator ','
set title 'The same leaking work: private memory of all processes'
set xlabel 'seconds'
set ylabel 'MiB'
set yrange [0:*]
set grid ytics lc rgb '#dddddd'
set key top left reverse Left
set border 3
set tics nomirror
plot folder . '/memory.csv' index 0 using 1:2 with lines lw 2 lc rgb '#c0392b' title 'one Lua process', \
     '' index 1 using 1:2 with lines lw 2 lc rgb '#2471a3' title sprintf('pool of 2, a child is replaced at %g MiB', limit)
