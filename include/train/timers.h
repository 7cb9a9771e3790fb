/** Wall time of the phases of a run, summed on each rank; the table that ends every run. */
#ifndef FT_TRAIN_TIMERS_H
#define FT_TRAIN_TIMERS_H

#include "base/err.h"
#include "comm/comm.h"

enum phase {
    PHASE_MODEL,     /**< reading the model */
    PHASE_DATA,      /**< tokenising, reading token shards */
    PHASE_COMPUTE,   /**< forward and backward */
    PHASE_OPTIMIZER, /**< reducing gradients, AdamW, sharing parameters */
    PHASE_WAIT,      /**< waiting for the slowest rank before the reduction */
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

/** Writes {phase: {min, avg, max} seconds over ranks} to path, by rank 0. Collective. */
ft_status timers_write(const struct timers *timers, struct comm *comm, const char *path);

#endif
