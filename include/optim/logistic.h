/**
 * Multinomial logistic regression with L2, solved to convergence, for many problems on one design:
 * cross-validation folds times penalties advance together, so that each iteration is two large
 * matrix products instead of many small ones.
 *
 * The objective of a problem, with row weights r, penalty l2, and weights W (K, d) and bias b (K)
 * for the columns as the design keeps them (standardised):
 *
 *     sum_i r_i CE(softmax(W x_i + b), label_i) / sum_i r_i + l2 / 2 * |W|^2
 *
 * The bias is not penalised. scikit-learn's C on the same columns: logistic_l2.
 *
 * Source: Hastie, Tibshirani & Friedman 2009, section 4.4. The preconditioner is the Hessian at the
 * frequencies of the classes (src/optim/precondition.c).
 */
#ifndef FT_OPTIM_LOGISTIC_H
#define FT_OPTIM_LOGISTIC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "optim/design.h"

struct logistic_problem {
    const float *row_weight; /**< (n) not negative; 0 = the row is held out; NULL = all 1 */
    double l2;               /**< not negative */
};

struct logistic_options {
    double tolerance;   /**< converged: no element of the gradient is larger */
    int max_iterations; /**< of one problem */
};

/** What a problem came to. The arrays are the caller's. */
struct logistic_result {
    float *weight;    /**< (K, d) for the features as they were given, standardisation folded in */
    float *bias;      /**< (K) */
    float *logits;    /**< (n, K) of all rows, those held out too; NULL where not wanted */
    double objective; /**< at the solution */
    double gradient;  /**< largest absolute element of its gradient, for the design's columns */
    int iterations;
    bool converged; /**< gradient <= tolerance; else the solution is as near as f32 or
                       max_iterations allow */
};

/**
 * Solves all problems. Local; parallel over OpenMP threads, the same bits for every number of them.
 * Two problems of a batch do not influence each other but for the last bits of the products.
 *
 * @param[in,out] results  (n_problems) arrays set by the caller
 * @param[in,out] design   gains its Gram matrix where that is worth while; later calls reuse it
 * @param[in]     labels   (n) 0 ... K-1
 * @param[in]     K        classes, 2 or more; some may be absent
 * @param[in]     problems (n_problems)
 * @return FT_OK, converged or not; FT_ERR_INTERNAL: memory, numbers not finite, a problem whose row
 *         weights are negative or all 0, a label out of range
 */
ft_status logistic_fit(struct logistic_result *results, struct design *design,
                       const int32_t *labels, int K, const struct logistic_problem *problems,
                       int n_problems, const struct logistic_options *options);

/**
 * The l2 that gives scikit-learn's solution for C on n rows of weight 1: 1 / (C n), and 2 / (C n)
 * for two classes, where it penalises the difference of both rows, which is twice each.
 */
double logistic_l2(double c, int64_t n, int K);

#endif
