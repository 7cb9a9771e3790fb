/**
 * metrics.jsonl: one line per step and per evaluation. Rank 0 only; nothing here is collective.
 *
 * Numbers are printed with 17 significant digits: equal bits give equal text, and text gives the
 * bits back. What is not finite is null.
 */
#ifndef FT_TRAIN_METRICS_H
#define FT_TRAIN_METRICS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "train/evaluate.h"

struct step_metrics {
    int64_t step; /**< from 1 */
    double epoch; /**< after the step, as a fraction */
    double loss;  /**< mean over supervised tokens or documents, before the update [nats] */
    double lr;
    double grad_norm;  /**< before clipping */
    int64_t tokens;    /**< of the step, all ranks: supervised ones; classification: all */
    int64_t documents; /**< classification: of the step, all ranks; else 0 */
    double seconds;    /**< wall time of the step */
    bool is_spike;     /**< the loss jumped, or loss or grad_norm are not finite */
    double sigma;      /**< of a spike: standard deviations above the mean; NaN: not finite */
    bool is_skipped;   /**< of a spike: no update was made */
};

/**
 * Opens the file for appending, after removing the lines of steps beyond last_step (and a torn last
 * line).
 *
 * @param[in] evaluation_due  true: an evaluation line of last_step is removed too
 */
ft_status metrics_open(FILE **out, const char *path, int64_t last_step, bool evaluation_due);

/** samples: of a spike, the documents of the step as a JSON array; else not used. */
ft_status metrics_write_step(FILE *file, const struct step_metrics *m, const char *samples);

/** is_classification: accuracy, macro F1 and documents instead of perplexity and tokens. */
ft_status metrics_write_evaluation(FILE *file, int64_t step, double epoch,
                                   const struct evaluation *e, bool is_classification);

/** Closes; a failing last write is FT_ERR_IO. NULL is allowed. */
ft_status metrics_close(FILE **file);

#endif
