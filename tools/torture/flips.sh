# flips [STRIDE]  each (STRIDE-th, 1) byte of each file of two checkpoints of two ranks flipped three ways, words 0000
#                 -> ffff, pages zeroed, every length, junk at the end: noticed, and the older one is found
stride=${1:-1}
program=$build/tests/test_mpi_ckpt_flips
small_run
shared=$(mktemp -d -p /dev/shm) # of a state of 136 numbers, and of a model of 40,672
run 2 tiny training.max_steps=4 checkpoint.every_steps=2 || { cat tiny.err; exit 1; }
cp -r tiny "$shared/tiny"
for dir in "" "$shared/tiny"; do
    SECONDS=0
    # shellcheck disable=SC2086 # no folder is no argument
    "$program" "$stride" $dir >flips.txt 2>flips.err || lose flips "code $?"
    cat flips.txt
    echo "$SECONDS s"
    tried=$((tried + $(sed -n 's/^\([0-9]*\) tried, .*/\1/p' flips.txt)))
done
rm -rf "$shared"
