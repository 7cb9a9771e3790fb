/**
 * The features that linear heads are fitted on: n rows of d columns, dense or sparse, as an
 * operator.
 *
 * A design serves any number of problems at once: coefficients are rows of d weights with the bias
 * behind them, and all p rows of a batch go through one product. Results do not depend on the
 * number of threads. Local; no MPI.
 */
#ifndef FT_OPTIM_DESIGN_H
#define FT_OPTIM_DESIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/** Rows with few entries that are not zero (compressed sparse rows). */
struct sparse_rows {
    int64_t n;          /**< rows */
    int d;              /**< columns */
    int64_t *row_start; /**< (n + 1) first entry of each row, from 0; the last one counts all */
    int32_t *column;    /**< (entries) 0 ... d-1 */
    float *value;       /**< (entries) */
};

/** Releases the arrays (mem_free) and clears. */
void sparse_rows_clear(struct sparse_rows *rows);

struct design {
    int n, d;
    float *x;             /**< dense: (n, d) centred, and divided by the deviations; else NULL */
    double *mean, *scale; /**< dense: (d); scale 0 where a column is constant */
    float *gram;          /**< (d, d) x^T x / n, lower triangle; NULL until it is asked for */
    const struct sparse_rows *rows; /**< sparse: borrowed; else NULL */
    int64_t *column_start;          /**< sparse: (d + 1), the same entries by columns */
    int32_t *row;                   /**< sparse: (entries) */
    float *value;                   /**< sparse: (entries), in the order of `row` */
};

/**
 * Dense features. A copy is kept: centred, and, with standardise, divided by the (population)
 * standard deviation of each column. Centring alone changes nothing but the bias.
 *
 * A column whose deviation is rounding noise counts as constant: its weight comes out as 0.
 *
 * @param[out] out gives the design; design_destroy
 * @param[in]  x   (n, d) row-major
 * @return FT_OK; FT_ERR_INTERNAL when a feature is not finite or memory lacks
 */
ft_status design_create_dense(struct design **out, const float *x, int64_t n, int d,
                              bool standardise);

/** Sparse features, taken as they are. Borrows rows until design_destroy; keeps a transposed copy.
 */
ft_status design_create_sparse(struct design **out, const struct sparse_rows *rows);

/** Takes *design (may be NULL), sets NULL. */
void design_destroy(struct design **design);

/** out (n, d) = other rows of the same columns as a dense design keeps its own. */
void design_standardise(float *out, const struct design *design, const float *x, int64_t n);

/** Elements of scratch that products with up to p rows of coefficients need. */
size_t design_scratch_count(const struct design *design, int p);

/**
 * z (p, n) = w x^T + bias.
 *
 * @param[in] w       (p, d + 1) weights for the columns as they are kept, then the bias
 * @param[in] scratch (design_scratch_count)
 */
void design_forward(float *z, const struct design *design, const float *w, int p, float *scratch);

/**
 * The transposed product: dw (p, d + 1) = r x, with the sums of r's rows behind.
 *
 * @param[in] r (p, n)
 */
void design_backward(float *dw, const struct design *design, const float *r, int p, float *scratch);

/** Computes `gram` if it is not there yet. Dense only. */
ft_status design_gram(struct design *design);

/** diagonal (d) of x^T x / n. */
void design_diagonal(float *diagonal, const struct design *design);

/**
 * Coefficients for the features as they were given: centring and deviations folded in.
 *
 * @param[out] weight (d)
 * @param[out] bias   one element
 * @param[in]  w      (d + 1) for the columns as they are kept
 */
void design_unfold(float *weight, float *bias, const struct design *design, const float *w);

#endif
