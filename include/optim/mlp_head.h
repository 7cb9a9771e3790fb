/**
 * A small head trained on features by AdamW: logits = out * tanh(dense * x) with biases, or,
 * without hidden units, linear.
 *
 * The features are standardised for training, and that is folded into the first layer. Everything
 * is a pure function of the data, the hyper-parameters and the seed: the same bits for every number
 * of threads. Local; no MPI. All memory is taken before the first step.
 *
 * Source: Loshchilov & Hutter 2019 (AdamW, in PyTorch's order of operations); Prechelt 1998 (early
 * stopping).
 */
#ifndef FT_OPTIM_MLP_HEAD_H
#define FT_OPTIM_MLP_HEAD_H

#include <stdint.h>

#include "base/err.h"

struct mlp_head_hyper {
    int hidden;          /**< units of the dense layer; 0: none, the head is linear */
    int epochs;          /**< at most */
    int batch;           /**< documents of a step; the last batch of an epoch may be smaller */
    double lr;           /**< constant */
    double weight_decay; /**< decoupled, on the two matrices only */
    double beta1, beta2, eps;
    double label_smoothing; /**< 0 ... 1, in training; not in the validation loss */
    int patience; /**< epochs without a better validation loss after which it ends; 0: never */
    int64_t seed; /**< decides first weights and order */
};

/** Features (n, d) row-major with labels (n) 0 ... K-1. */
struct labelled_rows {
    const float *x;
    const int32_t *labels;
    int64_t n;
};

/** The arrays are the caller's. Weights are for the features as they were given. */
struct mlp_head {
    int d, K;
    float *dense_weight; /**< (hidden, d); NULL where hidden is 0 */
    float *dense_bias;   /**< (hidden) */
    float *out_weight;   /**< (K, hidden), or (K, d) where hidden is 0 */
    float *out_bias;     /**< (K) */
};

struct mlp_head_report {
    int epochs;     /**< trained */
    int best_epoch; /**< from 1, the one whose weights were kept; the last without validation */
    double loss;    /**< mean over the last epoch's documents, each before its step */
    double validation_loss; /**< of the best epoch; 0 without validation */
};

/**
 * Trains. With validation rows, the weights of the epoch with the lowest validation loss are kept.
 * Losses are means weighted by class_weights.
 *
 * @param[in,out] head          sizes and arrays set by the caller
 * @param[out]    report        may be NULL
 * @param[in]     validation    n = 0 or NULL: none
 * @param[in]     class_weights (K) or NULL
 * @return FT_OK; FT_ERR_INTERNAL: memory, features or a loss that is not finite, a label out of
 *         range; FT_STOPPED when a signal asked for the end
 */
ft_status mlp_head_fit(struct mlp_head *head, struct mlp_head_report *report,
                       const struct labelled_rows *train, const struct labelled_rows *validation,
                       const float *class_weights, const struct mlp_head_hyper *hyper);

#endif
