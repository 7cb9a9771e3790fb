/** Progress on stderr, by rank 0: one line redrawn on a terminal, a plain line now and then
 * elsewhere. */
#ifndef FT_TRAIN_PROGRESS_H
#define FT_TRAIN_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "train/metrics.h"

struct progress {
    int64_t first_step, total_steps;
    double started, last_line; /**< [s] monotonic */
    int64_t tokens;            /**< since started */
    bool is_terminal, is_speaking;
    bool is_open_line; /**< the cursor stands behind a redrawn line */
};

/** first_step: steps done before this run began. Not collective. */
void progress_start(struct progress *p, int64_t first_step, int64_t total_steps, bool is_speaking);

/** After each step. */
void progress_step(struct progress *p, const struct step_metrics *m);

/** Ends a redrawn line so that a message can follow. */
void progress_break(struct progress *p);

#endif
