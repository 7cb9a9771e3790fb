#!/bin/bash
# Names and permissions as a user meets them: what a run writes and where, what it refuses to read or to write
# through, and what it says to somebody who may not. One rank: each run takes a second.
# Usage: test_names.sh FINETUNE MPIEXEC SOURCE_DIR
set -u
finetune=$(realpath "$1") source=$3
. "$source/tools/environment.sh"
work=$(mktemp -d -p /dev/shm)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
mkdir tmp
export TMPDIR=$work/tmp

fail() {
    echo "FAILED: $*"
    touch failed # also from the background
}

for i in 0 1 2 3 4 5 6 7; do
    echo "{\"text\": \"document $i: the rights of copy and holders shall\"}"
done >train.jsonl
cat >run.cfg <<END
model: { path = "$source/tests/golden/gguf/llama-tiny.gguf"; precision = "fp32"; };
data: { train = "train.jsonl"; cache = "cache"; seq_len = 16; };
training: { max_steps = 2; micro_batch = 2; global_batch = 7; };
checkpoint: { every_steps = 1; };
output: { dir = "out"; };
END

# expect CODE TEXT COMMAND...: ends within 30 s with that code and one error line that holds the text. In the
# background: most of the time of so short a run is waiting.
n=0
expect() {
    n=$((n + 1))
    check "$n.err" "$@" &
}
check() {
    local err=$1 code=$2 text=$3 got
    shift 3
    mkdir -m 777 "tmp/$err" # Open MPI's own files: two jobs at once race for their folder
    TMPDIR=$work/tmp/$err timeout 30 "$@" >"$err.out" 2>"$err"
    got=$?
    [ $got -eq "$code" ] || fail "code $got, not $code: $*: $(tail -n 3 "$err")"
    [ "$code" -eq 0 ] || [ "$(grep -c "^finetune: error:" "$err")" -eq 1 ] || fail "not one line of error: $*"
    grep -e "^finetune: error:" -e "^finetune: .*not valid" -e "model written" "$err" | grep -q -e "$text" ||
        fail "no \"$text\": $*: $(tail -n 3 "$err")"
}

# --- everything that is created lies in output.dir and data.cache
strace -f -q -o trace -e trace=openat,open,creat,mkdir,mkdirat,rename,renameat,renameat2,symlink,symlinkat,link,linkat \
    "$finetune" run.cfg >out.txt 2>err || fail "a run under strace"
grep -v -e "O_RDONLY" -e "= -1 " -e "+++" -e "---" trace | sed 's/^[^"]*"\([^"]*\)".*/\1/' |
    grep -v -e "^$work/out/" -e "^$work/out$" -e "^out/" -e "^cache" -e "^$work/cache" -e "^$work/tmp/" \
        -e "^/dev/shm/[^/]*$" -e "^/proc/" -e "^/dev/" -e "^/sys/" -e "^checkpoints/step-" >elsewhere
[ ! -s elsewhere ] || fail "written elsewhere: $(cat elsewhere)"
grep -q "\"$work/out/checkpoints" trace || fail "strace saw nothing"

# --- the umask decides, for files and folders
for mask in 077 000; do
    rm -rf cache
    (umask $mask && "$finetune" run.cfg output.dir=mask-$mask >out.txt 2>err) || fail "umask $mask"
    [ "$(find mask-$mask cache -type f ! -perm "$(printf %o $((0666 & ~0$mask)))")" = "" ] || fail "files, umask $mask"
    [ "$(find mask-$mask cache -type d ! -perm "$(printf %o $((0777 & ~0$mask)))")" = "" ] || fail "folders, umask $mask"
done

# --- inputs that are no files
mkfifo pipe.gguf pipe.jsonl pipe.cfg
ln -s nowhere dangling.jsonl
ln -s /dev/zero zero.jsonl
ln -s /dev/zero zero.cfg
expect 64 "not a regular file" "$finetune" pipe.cfg
expect 64 "not a regular file" "$finetune" zero.cfg
expect 65 "pipe.jsonl is not a regular file" "$finetune" run.cfg data.train=pipe.jsonl output.dir=none-0
expect 65 "zero.jsonl is not a regular file" "$finetune" run.cfg data.train=zero.jsonl output.dir=none-1
expect 65 "dangling.jsonl: No such file" "$finetune" run.cfg data.train=dangling.jsonl output.dir=none-2
expect 65 "pipe.gguf is not a regular file" "$finetune" run.cfg model.path=pipe.gguf output.dir=none-3

# --- links that the user names are followed, as in the caches of Hugging Face
ln -s "$source/tests/golden/gguf/llama-tiny.gguf" linked.gguf
ln -s train.jsonl linked.jsonl
expect 0 "model written" "$finetune" run.cfg model.path=linked.gguf data.train=linked.jsonl output.dir=linked

# --- what lies in the way of the program's own files is not followed, and outlives it
mkdir trap trap/checkpoints kept
echo kept >kept/file
ln -s ../kept trap/final.tmp
ln -s ../../kept trap/checkpoints/step-00000009.tmp.1.2
ln -s ../kept/file trap/resolved.cfg.tmp
expect 0 "model written" "$finetune" run.cfg output.dir=trap
mkdir trap-metrics trap-lock
ln -s ../kept/file trap-metrics/metrics.jsonl
expect 65 "metrics.jsonl is a symbolic link" "$finetune" run.cfg output.dir=trap-metrics
mkfifo trap-lock/.lock
expect 73 ".lock is not a regular file" "$finetune" run.cfg output.dir=trap-lock
cp -r out swapped
mv swapped/checkpoints/step-00000002/index.h5 index.h5
ln -s "$work/index.h5" swapped/checkpoints/step-00000002/index.h5
expect 0 "index.h5 is a symbolic link.*renamed to" "$finetune" run.cfg output.dir=swapped training.max_steps=3
wait
[ -z "$(find none-* -name "step-*")" ] || fail "a checkpoint of nothing"
[ "$(cat kept/file) $(ls kept)" = "kept file" ] || fail "written through a link: $(ls kept)"

# --- somebody else
if [ "$(id -u)" -eq 0 ]; then
    other=(setpriv --reuid=65534 --regid=65534 --clear-groups "$finetune")
    chmod 755 . cache && chmod 777 tmp
    mkdir -m 777 theirs
    cp -r out theirs/out && chown -R 65534 theirs/out
    cp "$source/tests/golden/gguf/llama-tiny.gguf" secret.gguf && cp run.cfg secret.cfg && cp train.jsonl secret.jsonl
    chmod 600 secret.*
    tail -n 3 train.jsonl >new.jsonl
    expect 64 "secret.cfg: Permission denied" "${other[@]}" secret.cfg
    expect 65 "secret.gguf: Permission denied" "${other[@]}" run.cfg model.path="$work/secret.gguf" output.dir=theirs/a
    expect 65 "secret.jsonl: Permission denied" "${other[@]}" run.cfg data.train=secret.jsonl output.dir=theirs/b
    expect 73 "not-theirs: Permission denied" "${other[@]}" run.cfg output.dir=not-theirs
    expect 73 "cache.*: Permission denied" "${other[@]}" run.cfg data.train=new.jsonl output.dir=theirs/c
    chown 0:0 theirs/out/checkpoints/*/shard-* && chmod 600 theirs/out/checkpoints/*/shard-*
    expect 74 "shard-.*: Permission denied" "${other[@]}" run.cfg output.dir=theirs/out training.max_steps=3
    expect 74 "shard-.*: Permission denied" "${other[@]}" evaluate run.cfg output.dir=theirs/out data.test=train.jsonl
    wait
    [ "$(find theirs -name "*.h5" ! -path "theirs/out/*")" = "" ] || fail "written in part"
    [ "$(find theirs -name "*.corrupt")" = "" ] || fail "a checkpoint that could not be read was condemned"
fi

[ ! -e failed ]
