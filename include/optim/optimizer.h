/**
 * The data-parallel optimizer step: reduced gradients, clip, AdamW, share the result.
 *
 * The flat buffer is cut into one slice a rank. With zero = 1 a rank keeps the moments of its own
 * slice only (2N/size floats): it steps on the slice, and parameters are gathered. With zero = 0
 * every rank keeps all moments (2N floats): gradients are gathered, and it steps on everything.
 * Both give the same parameters on all ranks, and one as the other.
 *
 * Source: Rajbhandari et al. 2020, section 5.1.
 */
#ifndef FT_OPTIM_OPTIMIZER_H
#define FT_OPTIM_OPTIMIZER_H

#include <stdint.h>

#include "base/err.h"
#include "comm/comm.h"
#include "optim/adamw.h"
#include "optim/reducer.h"

struct optimizer {
    int zero;
    struct reducer *reducer;
    float *grads;     /**< (N) where the model sums up its gradients; the reducer's */
    int64_t *first;   /**< (size + 1) borders of the slices, multiples of 16 but for the last */
    int64_t from, to; /**< elements whose moments this rank keeps */
    float *m, *v;     /**< (to - from) each */
};

/** Slice borders of N elements over size ranks: first (size + 1). */
void optimizer_slices(int64_t *first, int64_t N, int size);

/**
 * Collective. Moments and gradients are zero.
 *
 * @param[in] bucket_mb, bf16_wire as reducer_shape's
 */
ft_status optimizer_create(struct optimizer **out, struct comm *comm, int64_t N, int zero,
                           int bucket_mb, bool bf16_wire);

/** Takes *optimizer (may be NULL), sets NULL. Not collective. */
void optimizer_destroy(struct optimizer **optimizer);

/** Moments of this rank's own slice, whatever zero is: what a checkpoint holds. */
float *optimizer_slice(const struct optimizer *o, float *moments, int rank);

/**
 * Global L2 norm of the mean gradient, before clipping, of the gradients that reducer_finish has
 * just reduced; not finite where one of them is not. Collective; the same on all ranks.
 *
 * @param[in] divisor  of the step's loss, over all ranks (supervised tokens, documents, or the sum
 *                     of their weights): gradients are divided by it once
 */
double optimizer_norm(const struct optimizer *o, struct comm *comm, double divisor);

/**
 * One step on those gradients. Collective; everything must agree on all ranks. May be left out:
 * parameters and moments are then as they were, and gradients may be written.
 *
 * @param[in,out] params   (N), identical on all ranks on return
 * @param[out]    params16 (N) the same rounded to bf16, or NULL
 * @param[in]     norm     what optimizer_norm gave: finite
 */
void optimizer_step(struct optimizer *o, float *params, uint16_t *params16,
                    const struct layout *layout, const struct adamw_hyper *hyper, double divisor,
                    double norm, int64_t step);

#endif
