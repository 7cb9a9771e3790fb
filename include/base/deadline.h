/**
 * The end of a batch job's time. Where it comes near, this process is asked to stop as if by a
 * signal: signals_stop_requested says so, and what follows is agreement among the ranks.
 *
 * Used on rank 0 alone: one clock decides.
 */
#ifndef FT_BASE_DEADLINE_H
#define FT_BASE_DEADLINE_H

#include <stdbool.h>

/** Seconds that are left in any case: to leave MPI, and for the job script to requeue the job. */
enum { DEADLINE_LEAST_S = 15 };

/**
 * Reads SLURM_JOB_END_TIME, seconds since 1970. A value that is no time in the next ten years is
 * not believed, which is said as a warning; without the variable there is no end.
 */
void deadline_watch(void);

/** From now on so many seconds [>= 0] are needed before the end, beside DEADLINE_LEAST_S. */
void deadline_need(double seconds);

/** Whether the end is so near. Once true it stays true: what was left half-done on its account is
 * not taken up again. */
bool deadline_is_near(void);

#endif
