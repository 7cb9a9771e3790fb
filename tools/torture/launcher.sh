# launcher [50]   kill -9 of mpirun itself at a random time: its ranks end too, then as in kill
small_run
references 2 3 4
launcher_of() { pgrep -f "^mpirun -q -np [0-9]* $finetune run.cfg output.dir=$1( |\$)"; }
for ((n = ${1:-50}; n > 0; n--)); do disturb KILL "0 137" launcher_of; done
