# syscalls [STRIDE]  each (STRIDE-th, 1) system call that saving or loading a checkpoint makes on its files fails, in
#                 nine ways, once or from then on, on rank 0, 1 or 2; or the rank is killed there: one code, one
#                 message with file and rank, the older or the new checkpoint bit by bit. Ends with a table.
stride=${1:-1}
program=$build/tests/test_mpi_ckpt_errors
export TMPDIR=$work
shared=$(mktemp -d -p /dev/shm)

# killed where the call would be: the next process looks at what was left, and dies at the next point
killed=0 killed_lost=0 last=start SECONDS=0
visit() { # SCENARIO VICTIM CALL K CODE
    timeout 120 mpirun -q -np 3 "$program" kill "$shared" "$1" "$2" "$3" "$4" >kill.out 2>kill.err </dev/null
    local code=$?
    [ $code -eq "$5" ] || { killed_lost=$((killed_lost + 1)); lose kill "code $code at $*"; }
    grep -q "^lost" kill.out && { killed_lost=$((killed_lost + 1)); lose kill "$(cat kill.out) after $last"; }
    last=$*
}
mpirun -q -np 3 "$program" points | awk -v n="$stride" 'NR % n == 1 % n' >points
while read -r scenario victim call k name; do
    visit "$scenario" "$victim" "$call" "$k" 137
    echo "$name $victim" >>killed
    killed=$((killed + 1))
done <points
visit 0 0 0 0 0
kill_seconds=$SECONDS SECONDS=0

mpirun -q -np 3 "$program" "$stride" >errors.txt 2>errors.err || [ -s errors.txt ] || lose errors "no table"
lost=$((lost + $(grep -c "^lost" errors.txt)))
grep -e "^lost" -e "^    " errors.txt
sed -n '/^call /,$p' errors.txt
echo "SIGKILL, points by call and rank (2: the last):"
sort killed | uniq -c | awk '{ n[$2] = n[$2] "  " $3 ": " $1 } END { for (call in n) printf "%-16s%s\n", call, n[call] }' | sort
echo "SIGKILL: $killed tried, $killed_lost lost in $kill_seconds s; errors in $SECONDS s"
tried=$((killed + $(sed -n 's/^3 ranks: \([0-9]*\) tried.*/\1/p' errors.txt)))
rm -rf "$shared"
