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
 * Inverts curvature * x^T x / n + l2 for each l2, exactly where the design is dense and not too
 * wide, else its diagonal.
 *
 * @param[in] l2 (n_l2) different ones
 */
ft_status precondition_create(struct precondition **out, struct design *design, double curvature,
                              const double *l2, int n_l2);

/** Takes *precondition (may be NULL), sets NULL. */
void precondition_destroy(struct precondition **precondition);

/** Multiplies rows (m, d + 1) by H0 of the l2 with this index; the last element is the bias's. */
void precondition_apply(const struct precondition *p, int l2_index, float *rows, int m);

#endif
