/**
 * 95 % percentile bootstrap intervals of accuracy and macro F1. Local; not collective.
 *
 * Both scores depend on the documents only through their confusion matrix, so the n documents are
 * taken in the order of its cells: their own order does not matter. Each of
 * BOOTSTRAP_RESAMPLES resamples draws n documents with replacement; macro F1 of a resample is the
 * mean over the classes that occur in it, as in scores.h. The bounds are the 2.5th and 97.5th
 * percentiles, linearly interpolated (numpy.percentile's default).
 *
 * Random numbers: draws 4 i ... 4 i + 3 of resample b are the words of Philox counter (stream + b,
 * i) under the seed; word w chooses document floor(w n / 2^32). So the result is a pure function of
 * matrix and seed, whatever the number of threads. Cost: 2000 n draws of about 5 ns; memory grows
 * with n + K, not with the matrix.
 *
 * Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, section 13.3.
 */
#ifndef FT_TRAIN_BOOTSTRAP_H
#define FT_TRAIN_BOOTSTRAP_H

#include <stdint.h>

#include "base/err.h"

#define BOOTSTRAP_RESAMPLES 2000
#define BOOTSTRAP_STREAM (UINT64_C(0x626f6f7473) << 24)

struct interval {
    double low, high;
};

struct bootstrap {
    struct interval accuracy, macro_f1;
};

/**
 * @param[in] labels, predictions (n) class numbers, 0 ... K-1; 1 <= n <= 2^31 - 1
 * @param[in] seed      the run's seed
 * @return FT_OK; FT_ERR_INPUT when there is no document or more than 2^31 - 1; FT_ERR_INTERNAL
 *         (memory)
 */
ft_status bootstrap_intervals(struct bootstrap *out, const int32_t *labels,
                              const int32_t *predictions, int64_t n, int n_classes, uint64_t seed);

#endif
