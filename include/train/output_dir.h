/** The folder of a run: made, seen by every rank, and held by one run at a time. */
#ifndef FT_TRAIN_OUTPUT_DIR_H
#define FT_TRAIN_OUTPUT_DIR_H

#include "comm/comm.h"

/**
 * Makes dir and its parents, locks it for this run, and waits until every rank sees what rank 0
 * wrote there (up to 30 s: network file systems show new files late). Collective; dir must agree.
 * The lock is rank 0's and ends with output_dir_release or with the process; a killed run leaves
 * none behind.
 *
 * @return FT_OK; FT_ERR_OUTPUT when another run holds dir (the message says which: host, process,
 * job), when it cannot be made, or naming the first host that does not see it
 */
ft_status output_dir_prepare(struct comm *comm, const char *dir);

/** Gives the lock up that was taken last; harmless where there is none. Not collective. */
void output_dir_release(void);

#endif
