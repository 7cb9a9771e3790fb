/** Wall time of the phases of a run, summed on each rank; the table that ends every run. */
#ifndef FT_TRAIN_TIMERS_H
#define FT_TRAIN_TIMERS_H

#include "base/err.h"
#include "comm/comm.h"

enum phase {
    PHASE_MODEL,   /**< reading the model */
    PHASE_DATA,    /**< tokenising, reading token shards */
    PHASE_COMPUTE, /**< forward and backward */

    /** What is not hidden behind compute: summing gradients, waiting for other ranks' and for the
     * sum of losses, gathering parameters. The least of any rank is what communication itself
     * costs; the others have waited for that rank besides. */
    PHASE_COMMUNICATION,
    PHASE_OPTIMIZER, /**< norm and AdamW */
    PHASE_EVALUATE,
    PHASE_CHECKPOINT, /**< writing and reading checkpoints */
    PHASE_EXPORT,     /**< writing final/ */
    N_PHASES
};

struct timers {
    double seconds[N_PHASES];
    double started; /**< of the phase that runs now */
};

/** Starts a phase. Not collective. */
void timers_start(struct timers *timers);

/** Ends the phase that was started last and adds its time. Not collective. */
void timers_stop(struct timers *timers, enum phase phase);

/** Counts seconds of one phase to another. Not collective. */
void timers_move(struct timers *timers, enum phase from, enum phase to, double seconds);

/**
 * Writes {phase: {min, avg, max} seconds over ranks} to path, by rank 0, with the largest resident
 * memory of any rank beside what was planned, and logs them. Collective.
 *
 * @param[in] planned_bytes of a rank
 */
ft_status timers_write(const struct timers *timers, int64_t planned_bytes, struct comm *comm,
                       const char *path);

#endif
