/** H0 of logistic problems: an approximate inverse Hessian, by the design alone. Only for
 * logistic.c.
 */
#ifndef FT_OPTIM_PRECONDITION_H
#define FT_OPTIM_PRECONDITION_H

#include "base/err.h"
#include "optim/design.h"

struct precondition {
    int d;
    double curvature;
    int n_l2;
    double *l2;      /**< (n_l2) different ones */
    float **factor;  /**< (n_l2) Cholesky factor (d, d) each; NULL: the diagonal alone */
    float *diagonal; /**< (d) of x^T x / n */
};

/**
 * Inverts curvature * x^T x / n + l2 for each l2 where the design is dense and not too wide; else
 * H0 is 1 / sqrt(its diagonal), to be multiplied by precondition_scale.
 *
 * @param[in] l2 (n_l2) different ones
 */
ft_status precondition_create(struct precondition **out, struct design *design, double curvature,
                              const double *l2, int n_l2);

/** Takes *precondition (may be NULL), sets NULL. */
void precondition_destroy(struct precondition **precondition);

/** Multiplies rows (m, d + 1) by H0 of the l2 with this index; the last element is the bias's. */
void precondition_apply(const struct precondition *p, int l2_index, float *rows, int m);

/**
 * The factor for H0 that suits the latest step s and gradient difference y: (s y) / (y H0 y), or 1
 * where H0 is an inverse already.
 *
 * @param[in] y  (m, d + 1)
 * @param[in] sy s . y
 */
double precondition_scale(const struct precondition *p, int l2_index, const float *y, int m,
                          double sy);

#endif
