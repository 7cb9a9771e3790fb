/** What rank 0 does alone, with all the cores that the job may use on its node. */
#ifndef FT_TRAIN_ALONE_H
#define FT_TRAIN_ALONE_H

#include "base/err.h"
#include "comm/comm.h"

/**
 * Moves rank 0 to all cores that the job may use on its node, sets the number of its threads to
 * match, and calls work there alone while the others sleep (comm_alone). Afterwards it has its own
 * cores and threads again.
 *
 * mpirun binds each rank to a core or two, srun to its part of the step. The job may use what any
 * rank of the node may use, and under mpirun what mpirun itself may use ("taskset -c 0,1 mpirun"
 * is obeyed so); SLURM_CPUS_ON_NODE bounds the number of threads. OMP_NUM_THREADS, which a user
 * sets for ranks that share a node, does not: this rank has the node for itself. Without a launcher
 * cores and number of threads stay as they are. The log says what came out.
 *
 * Collective over world; work and context as in comm_alone.
 */
ft_status alone_run(struct comm *world, ft_status (*work)(struct comm *solo, void *context),
                    void *context);

#endif
