# disk [20]       real disks (needs root, for mount): a file system of each of N sizes that fills up, one that becomes
#                 read-only in mid-run, a limit on file sizes: code 74 (73 where nothing can be created at all), one
#                 message; with room again the same command ends with the bits of the undisturbed run
small_run
sed -i "s/max_steps = 400/max_steps = 80/; s/every_steps = 20/every_steps = 8/" run.cfg
n=${1:-20}
references 2
mkdir disk
bytes=$(du -sb whole-2 | cut -f 1)
mounted() { mount -t tmpfs -o "size=$1" tmpfs disk; }

# outcome WHAT CODE: of disk/run, which was disturbed; then once more, undisturbed
outcome() {
    local what=$1 code=$2
    tried=$((tried + 1))
    mv disk-run.err disturbed.err
    case $code in
    0) ;;
    73 | 74)
        [ "$(grep -c "^finetune: error: .*disk/run" disturbed.err)" -eq 1 ] || lose disturbed "$what: not one message" ;;
    *) lose disturbed "$what: code $code" ;;
    esac
    echo "$code" >>codes
    mount -o remount,rw,size=1G disk 2>/dev/null
    dir=disk-run
    run_there || { lose disk-run "$what: code $? once there was room"; return; }
    same whole-2 disk/run || lose disk-run "$what: another result"
}
run_there() { timeout 120 mpirun -q -np 2 "$finetune" run.cfg output.dir=disk/run >disk-run.out 2>disk-run.err; }

for ((i = 0; i < n; i++)); do
    mounted $((65536 + (bytes * 3 / 2 - 65536) * i / n))
    run_there
    outcome "disk of size $i" $?
    umount disk
done
echo "full disks: codes $(sort codes | uniq -c | awk '{ printf "%s x %s  ", $2, $1 }')"
rm codes
# disturbed WHAT COMMAND...: a run, and up to 0.2 s after one of its checkpoints the command
disturbed() {
    local what=$1 job code moment
    shift
    mounted 1G
    run_there &
    job=$!
    moment=$(printf "disk/run/checkpoints/step-%08d" $((8 + RANDOM % 7 * 8)))
    until [ -e "$moment" ] || ! kill -0 $job 2>/dev/null; do sleep 0.01; done
    pause 0.2
    "$@"
    wait $job
    code=$?
    [ "$(grep -c " $PWD/disk " /proc/mounts)" -lt 2 ] || umount disk # the read-only view
    outcome "$what" $code
    umount disk
}

# over the disk a read-only view of it: what is opened from now on is refused (with open files the disk itself
# cannot become read-only)
make_read_only() { mount --bind disk disk && mount -o remount,bind,ro disk; }
for ((i = 0; i < n; i++)); do disturbed "read-only, $i" make_read_only; done
echo "read-only: codes $(sort codes | uniq -c | awk '{ printf "%s x %s  ", $2, $1 }')"
rm codes

# not from the start: Open MPI's shared memory is larger
limit_files() { for pid in $(pgrep -f "^$finetune run.cfg output.dir=disk/run"); do prlimit --fsize=65536 --pid "$pid"; done; }
for ((i = 0; i < n; i++)); do disturbed "small files, $i" limit_files; done
echo "limit on files: codes $(sort codes | uniq -c | awk '{ printf "%s x %s  ", $2, $1 }')"
