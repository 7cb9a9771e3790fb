/**
 * Steps whose loss jumps, or whose loss or gradient is not finite: how they are known, and what
 * training.on_spike makes of them.
 *
 * The verdict follows from numbers that are equal on all ranks and from the losses of the steps
 * before, which a checkpoint holds: a resumed run gives the same one.
 */
#ifndef FT_TRAIN_SPIKE_H
#define FT_TRAIN_SPIKE_H

#include <stdint.h>

#include "base/buffer.h"
#include "config/settings.h"
#include "train/metrics.h"
#include "train/session.h"

enum {
    SPIKE_WINDOW = 128,  /**< losses that a new one is compared with */
    SPIKE_LEAST = 32,    /**< with fewer of them no finite loss is a spike */
    SPIKES_IN_A_ROW = 16 /**< so many losses that are not finite end a run that skips, too */
};

/**
 * Standard deviations by which a loss lies above the mean of the last SPIKE_WINDOW of those before
 * it (n); those that are not finite do not count. A deviation is taken for at least 1 % of the
 * mean, so that a loss that hardly moves does not alarm. NaN where the loss is not finite, 0 where
 * there are fewer than SPIKE_LEAST.
 *
 * Source: the outlier detector of llm.c.
 */
double spike_sigma(const double *losses, int64_t n, double loss);

/**
 * Fills is_spike, sigma and is_skipped of a step from its loss and grad_norm. Local; the same on
 * all ranks.
 *
 * @param[in] losses (n) of the steps before
 * @return FT_OK; FT_ERR_INTERNAL where the run must end before the update
 */
ft_status spike_judge(struct step_metrics *m, const struct settings *settings, const double *losses,
                      int64_t n);

/**
 * Appends the documents of a step's sequences as a JSON array in the order of the corpus, each
 * once, the first 1,024 of them: [{"document": 7, "file": "/data/train.jsonl", "line": 8}, ...];
 * file and line where document_places_find knows them. Rank 0; what cannot be read is left out with
 * a warning.
 */
void spike_samples(struct buffer *out, const struct session *s, int64_t step);

/** One warning. */
void spike_log(const struct step_metrics *m);

#endif
