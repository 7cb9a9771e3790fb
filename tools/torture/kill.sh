# kill [300]      kill -9 of a random rank at a random time, 2 to 4 ranks, then the same command again: final model
#                 and losses have the bits of the undisturbed run
small_run
references 2 3 4
for ((n = ${1:-300}; n > 0; n--)); do disturb KILL "0 1 137" ranks_of; done
