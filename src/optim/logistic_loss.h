/** Loss, its derivative along a line, and residuals of one logistic problem. Only for logistic.c.
 *
 * A problem has C rows of logits (C, n): C = K, or for two classes C = 1, the difference of both.
 */
#ifndef FT_OPTIM_LOGISTIC_LOSS_H
#define FT_OPTIM_LOGISTIC_LOSS_H

#include <stdint.h>

struct loss_rows {
    int n, C;
    const int32_t *labels;   /**< (n) */
    const float *row_weight; /**< (n) */
};

/** Elements of `partial` that loss_along needs. */
int loss_partial_count(int n);

/**
 * Weighted sums over rows of the loss at z + t dz, and of its derivative by t.
 *
 * @param[in] z, dz   (C, n)
 * @param[in] partial scratch (loss_partial_count)
 */
void loss_along(double *loss, double *slope, const struct loss_rows *rows, const float *z,
                const float *dz, double t, double *partial);

/** z += t dz; dz becomes the gradient of the summed loss with respect to z. */
void loss_step(const struct loss_rows *rows, float *z, float *dz, double t);

#endif
