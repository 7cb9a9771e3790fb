# power [STRIDE]  power lost during a save: each (STRIDE-th, 1) state of the disk in which what was not synced is
#                 there, missing, zero or there in part: a checkpoint is found bit by bit, the new one once it is said
"$build/tests/test_mpi_ckpt_power" "${1:-1}" >power.txt 2>power.err || lose power "$(grep -c '^lost' power.txt) states"
cat power.txt
tried=$(sed -n 's/^power lost: \([0-9]*\) .*/\1/p' power.txt)
