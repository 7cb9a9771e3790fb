# signal [200]    SIGTERM or SIGUSR1 to a random rank at a random time: code 75 (or 0 at the end), then as in kill
small_run
references 2 3 4
for ((n = ${1:-200}; n > 0; n--)); do
    if ((RANDOM % 2)); then disturb USR1 "0 75 138" ranks_of; else disturb TERM "0 75 143" ranks_of; fi
done
