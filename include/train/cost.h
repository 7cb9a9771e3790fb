/**
 * What a method of `compare` has cost so far, over all its interrupted sessions: kept in cost.json
 * of its folder.
 */
#ifndef FT_TRAIN_COST_H
#define FT_TRAIN_COST_H

#include <stdbool.h>
#include <stdint.h>

#include "comm/comm.h"

struct cost {
    double wall_s;      /**< [s] */
    double core_s;      /**< processor time of all ranks and threads [core-seconds] */
    int64_t peak_bytes; /**< largest resident memory, summed over the ranks */
    double started, cpu_started;
};

/** Starts to measure, on top of what folder/cost.json says; of a method that goes on from nothing
 * earlier (afresh) from zero. Collective. */
ft_status cost_begin(struct cost *cost, struct comm *comm, const char *folder, bool afresh);

/** Adds what was used since cost_begin and writes folder/cost.json. The same on all ranks.
 * Collective. */
ft_status cost_end(struct cost *cost, struct comm *comm, const char *folder);

#endif
