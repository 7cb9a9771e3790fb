/**
 * How much L2 a linear head wants: every penalty is tried on documents that were held out, all of
 * them and all splits at once (optim/logistic.h). Local.
 */
#ifndef FT_TRAIN_PENALTY_SEARCH_H
#define FT_TRAIN_PENALTY_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "config/settings.h"
#include "optim/design.h"

enum { SEARCH_FOLDS = 5 };

/** Labelled rows, and which of them judge. */
struct judged_rows {
    int64_t n;
    int32_t *labels; /**< (n) */
    int32_t *split;  /**< (n) the split in which the row is held out and judges; -1: in none */
    int n_splits;
    float *weights;      /**< (n) of the rows in the loss that is minimised */
    int K;               /**< labels, at least 2 */
    int64_t most_logits; /**< held at the same time: penalties are taken in groups that fit */
};

/**
 * The rows of training documents, and of validation documents behind them. With validation
 * documents one split, which they judge; without, 5-fold cross-validation.
 *
 * @param[in] validation_labels (n_validation); NULL where there are none
 * @param[in] class_weights     (K) or NULL
 * @param[in] seed              decides the folds
 */
ft_status judged_rows_create(struct judged_rows *rows, const int32_t *train_labels, int64_t n_train,
                             const int32_t *validation_labels, int64_t n_validation, int K,
                             const float *class_weights, int64_t seed);

void judged_rows_clear(struct judged_rows *rows);

/** A penalty and how the held-out documents judge it. */
struct penalty_score {
    double l2;
    double loss, accuracy, macro_f1;
};

/** Whether a is better than b; false for equals. */
bool penalty_is_better(const struct penalty_score *a, const struct penalty_score *b,
                       enum best_metric metric);

/**
 * The best penalty for a design; of equals the one that stands first.
 *
 * @param[in,out] design    rows->n rows
 * @param[in]     penalties (n) values of L2 to try
 */
ft_status penalty_search(struct penalty_score *best, struct design *design,
                         const struct judged_rows *rows, const double *penalties, int n,
                         enum best_metric metric);

#endif
