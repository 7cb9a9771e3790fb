/**
 * Ends the job where a rank hangs, and names it: MPI itself waits for ever.
 *
 * Each rank has a thread that reads what its main thread is doing (base/pulse.h) and tells rank 0
 * some times a second, by datagrams, because MPI may be called by the main thread alone. Rank 0
 * judges (comm/verdict.h); where rank 0 itself is silent, the lowest other rank does. Whoever finds
 * a rank that hangs prints one line, "finetune: error: ...", tells all others to end, and ends with
 * FT_ERR_HANG, upon which the launcher ends the rest: no function of the main thread sees it.
 *
 * Time counts only while this process runs: a job that is suspended as a whole hangs nowhere.
 */
#ifndef FT_COMM_WATCHDOG_H
#define FT_COMM_WATCHDOG_H

#include "comm/comm.h"

/**
 * From now on this job is watched. Collective. Where datagrams do not reach a rank it looks after
 * itself alone, which is said as a warning.
 *
 * @param[in] limit_s seconds that a rank may hang, equal on all ranks; 0: nobody watches
 * @return FT_OK; FT_ERR_INTERNAL when memory is short, on all ranks
 */
ft_status watchdog_start(struct comm *comm, int limit_s);

/** Waits for all ranks, still watched, and ends it. Collective; nothing where it does not run. */
void watchdog_stop(struct comm *comm);

#endif
