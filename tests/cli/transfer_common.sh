# Small sets of labelled documents and a configuration for the tests of mode transfer; sourced by
# test_transfer*.sh. Usage: test_transfer*.sh FINETUNE MPIEXEC SOURCE_DIR
set -u
finetune=$(realpath "$1") mpiexec=$2 source=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export TMPDIR=$work # Open MPI's own files: two jobs at once race for their folder in /tmp
failures=0

fail() {
    echo "FAILED: $*"
    [ -e err ] && tail -n 20 err
    failures=$((failures + 1))
}

# cut FROM N FILE: N documents of the reviews, from number FROM on
cut_documents() { tail -n "+$1" "$source/data/sentiment_train.jsonl" | head -n "$2" >"$3"; }

# run NP DIR [section.key=value ...]: trains; stdout to out, stderr to err
run() {
    local np=$1 dir=$2
    shift 2
    timeout 120 "$mpiexec" -q -np "$np" "$finetune" run.cfg output.dir="$dir" "$@" >out 2>err
}

# expect CODE PART COMMAND...: exit code, a part of stderr ("" = any), and the right number of errors
expect() {
    local code=$1 part=$2 got n
    shift 2
    "$@" >out 2>err
    got=$?
    n=$(grep -c '^finetune: error: ' err)
    { [ $got -eq "$code" ] && [ "$n" -eq $((code != 0)) ] && grep -qF -- "$part" err; } ||
        fail "$* gave $got with $n error lines, expected $code with: $part"
}

# says PART...: each is somewhere in err
says() {
    for part in "$@"; do grep -qF -- "$part" err || fail "no word of: $part"; done
}

cat >run.cfg <<END
mode = "transfer";
task = "classification";
model: { path = "$source/models/minilm"; precision = "fp32"; };
data: { train = "train.jsonl"; test = "test.jsonl"; cache = "cache"; seq_len = 48; };
transfer: { layer = -2; pooling = "mean"; l2 = 0.1; };
output: { dir = "unnamed"; };
END
