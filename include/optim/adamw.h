/** AdamW on a range of the flat buffer. Local; no MPI. */
#ifndef FT_OPTIM_ADAMW_H
#define FT_OPTIM_ADAMW_H

#include <stdint.h>

#include "model/layout.h"

struct adamw_hyper {
    double lr;      /**< of this step, after the schedule */
    double head_lr; /**< likewise, of a classification head; 0 = lr */
    double beta1, beta2, eps;
    double weight_decay; /**< decoupled, on tensors of two dimensions */
    double clip;         /**< global L2 norm; 0 = off */
};

/**
 * Updates elements first ... last-1 of the flat buffer, in one sweep over memory.
 *
 * @param[in,out] params (N)
 * @param[out]    params16 (N) the updated parameters rounded to bf16, or NULL
 * @param[in]     grads  (N) sums; multiplied by `scale` on the way
 * @param[in,out] m, v   moments of first ... last-1
 * @param[in]     scale  1 / divisor of the loss, times the clipping factor
 * @param[in]     step   from 1, for the bias correction
 *
 * Source: Loshchilov & Hutter 2019, Algorithm 2, in PyTorch's order of operations.
 */
void adamw_update(float *params, uint16_t *params16, const float *grads, float *m, float *v,
                  int64_t first, int64_t last, const struct layout *layout,
                  const struct adamw_hyper *hyper, double scale, int64_t step);

#endif
