/** H0 of logistic problems: an approximate inverse Hessian by the design and the frequencies of the
 * classes alone. Only for logistic.c.
 */
#ifndef FT_OPTIM_PRECONDITION_H
#define FT_OPTIM_PRECONDITION_H

#include "base/err.h"
#include "optim/design.h"

/** One row of coefficients: its block of H0 is the inverse of curvature * x^T x / n + l2. */
struct h0_row {
    double curvature, l2;
    int factor; /**< which of the factors serves it; set by precondition_create */
};

struct precondition {
    int d, n_factors;
    int *exponent;   /**< (n_factors) of the ridges, ascending */
    float **factor;  /**< (n_factors) Cholesky factors (d, d) of x^T x / n + ridge */
    float *diagonal; /**< (d) of x^T x / n, where there are no factors */
};

/**
 * Prepares for rows: exactly, but for l2 / curvature rounded to a power of four, where the design
 * is dense and not too wide; else H0 is 1 / sqrt(the diagonal), to be multiplied by
 * precondition_scale.
 *
 * @param[in,out] rows (n_rows)
 */
ft_status precondition_create(struct precondition **out, struct design *design, struct h0_row *rows,
                              int n_rows);

/** Takes *precondition (may be NULL), sets NULL. */
void precondition_destroy(struct precondition **precondition);

/**
 * Multiplies x (m, d + 1) by H0; the last element of a row is the bias's.
 *
 * @param[in] rows    (m)
 * @param[in] scratch (m, d + 1)
 */
void precondition_apply(const struct precondition *p, const struct h0_row *rows, float *x, int m,
                        float *scratch);

/**
 * The factor for H0 that suits the latest step s and gradient difference y: (s y) / (y H0 y), or 1
 * where H0 is an inverse already.
 *
 * @param[in] rows (m)
 * @param[in] y    (m, d + 1)
 * @param[in] sy   s . y
 */
double precondition_scale(const struct precondition *p, const struct h0_row *rows, const float *y,
                          int m, double sy);

#endif
