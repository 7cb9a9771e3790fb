/**
 * metrics.jsonl: one line per step and per evaluation. Rank 0 only; nothing here is collective.
 *
 * Numbers are printed with 17 significant digits: equal bits give equal text, and text gives the
 * bits back.
 */
#ifndef FT_TRAIN_METRICS_H
#define FT_TRAIN_METRICS_H

#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

struct step_metrics {
    int64_t step; /**< from 1 */
    double epoch; /**< after the step, as a fraction */
    double loss;  /**< mean over supervised tokens, before the update [nats] */
    double lr;
    double grad_norm; /**< before clipping */
    int64_t tokens;   /**< supervised tokens of the step, all ranks */
    double seconds;   /**< wall time of the step */
};

/**
 * Opens the file for appending, after removing the lines of steps beyond last_step (and a torn last
 * line).
 */
ft_status metrics_open(FILE **out, const char *path, int64_t last_step);

ft_status metrics_write_step(FILE *file, const struct step_metrics *m);

ft_status metrics_write_evaluation(FILE *file, int64_t step, double epoch, double loss,
                                   int64_t tokens);

/** Closes; a failing last write is FT_ERR_IO. NULL is allowed. */
ft_status metrics_close(FILE **file);

#endif
