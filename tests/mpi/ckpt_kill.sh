#!/bin/sh
# Kills one rank at its k-th call of each system call that a save makes, and looks whether the older or the new
# checkpoint is found whole. Usage: ckpt_kill.sh MPIEXEC PROGRAM [STRIDE]; STRIDE 1 tries every k. Needs strace and
# the right to trace. It shows that the real calls behave as those of test_ckpt_errors.c do, where each of them
# fails, too; KINDS="error=ENOSPC" lets them fail here.
set -u
mpiexec=$1 program=$2 stride=${3:-1}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export TMPDIR=$folder # Open MPI's own files: two jobs at once race for their folder in /tmp
strace -o /dev/null true || {
    echo "strace is missing (tools/setup.sh installs it) or may not trace processes here"
    exit 1
}
cat >"$folder/victim.sh" <<'END'
#!/bin/sh
# runs the program; on the rank VICTIM under strace with INJECT
if [ "$OMPI_COMM_WORLD_RANK" = "$VICTIM" ]; then
    exec strace -f -q -o "$TRACE" -e trace="$CALL" -e inject="$INJECT" "$@"
fi
exec "$@"
END
chmod +x "$folder/victim.sh"
export VICTIM CALL INJECT TRACE="$folder/trace"
n=0 n_bad=0

# On a busy machine mpirun may not have looked through the machine after a minute: without a trace no rank
# was started, and it is tried again.
start() {
    for attempt in 1 2 3; do
        rm -rf "$folder/run" "$TRACE"
        cp -a "$folder/before" "$folder/run"
        timeout 60 "$mpiexec" -q -np 2 "$folder/victim.sh" "$program" "$folder/run" 1 >"$folder/out" 2>&1
        rc=$?
        [ $rc -ne 124 ] || [ -e "$TRACE" ] || continue
        return
    done
}

trial() {
    start
    n=$((n + 1))
    if [ $rc -eq 124 ] || ! "$mpiexec" -q -np 2 "$program" "$folder/run" any >>"$folder/out" 2>&1; then
        n_bad=$((n_bad + 1))
        echo "rank $VICTIM, $INJECT: rc $rc, or no valid checkpoint afterwards"
        cat "$folder/out"
    fi
}

mkdir "$folder/before"
"$mpiexec" -q -np 2 "$program" "$folder/before" 0 || exit 1
for VICTIM in 0 1; do
    for CALL in ${CALLS:-mkdir pwrite64 fsync rename unlink}; do
        for what in ${KINDS:-signal=KILL}; do
            k=1
            while :; do
                INJECT=$CALL:$what:when=$k
                trial
                grep -q -e INJECTED -e "killed by SIGKILL" "$TRACE" 2>/dev/null || break
                k=$((k + stride))
            done
        done
    done
done
echo "$n trials, $n_bad bad"
[ "$n_bad" -eq 0 ]
