#include "optim/adamw.h"

#include <math.h>

#include "math/kernel.h"
#include "math/row.h"

struct coefficients {
    float scale, beta1, beta2, rate, inverse_root, eps, keep;
};

FT_KERNEL static void update_block(float *p, const float *g, float *m, float *v, int64_t n,
                                   const struct coefficients *k)
{
    const float scale = k->scale, beta1 = k->beta1, beta2 = k->beta2, rate = k->rate;
    const float inverse_root = k->inverse_root, eps = k->eps, keep = k->keep;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        const float grad = g[i] * scale;
        const float first = beta1 * m[i] + (1.0f - beta1) * grad;
        const float second = beta2 * v[i] + (1.0f - beta2) * grad * grad;
        m[i] = first;
        v[i] = second;
        p[i] = p[i] * keep - rate * first / (sqrtf(second) * inverse_root + eps);
    }
}

/* Elements from ... to-1 share one decay. Blocks are rounded while they are in the cache, and dealt
 * to threads by place, not by time. */
static void update_range(float *params, uint16_t *params16, const float *grads, float *m, float *v,
                         int64_t from, int64_t to, int64_t first, const struct coefficients *k)
{
    enum { BLOCK = 1 << 12 };
#pragma omp parallel for schedule(static)
    for (int64_t at = from; at < to; at += BLOCK) {
        const int64_t n = to - at < BLOCK ? to - at : BLOCK;
        update_block(params + at, grads + at, m + (at - first), v + (at - first), n, k);
        if (params16)
            row_to_bf16(params16 + at, params + at, n);
    }
}

void adamw_update(float *params, uint16_t *params16, const float *grads, float *m, float *v,
                  int64_t first, int64_t last, const struct layout *layout,
                  const struct adamw_hyper *hyper, double scale, int64_t step)
{
    const double root1 = 1.0 - pow(hyper->beta1, (double)step);
    const double root2 = 1.0 - pow(hyper->beta2, (double)step);
    struct coefficients k = {.scale = (float)scale,
                             .beta1 = (float)hyper->beta1,
                             .beta2 = (float)hyper->beta2,
                             .inverse_root = (float)(1.0 / sqrt(root2)),
                             .eps = (float)hyper->eps};
    for (int i = 0; i < layout->n_tensors; i++) {
        const struct tensor_spec *t = &layout->tensors[i];
        const int64_t from = t->offset > first ? t->offset : first;
        const int64_t end = t->offset + t->n, to = end < last ? end : last;
        if (from >= to)
            continue;
        const bool is_head = t->role >= ROLE_HEAD_DENSE && t->role <= ROLE_HEAD_OUT_BIAS;
        const double lr = is_head && hyper->head_lr > 0 ? hyper->head_lr : hyper->lr;
        k.rate = (float)(lr / root1);
        k.keep = (float)(1.0 - (t->decays ? lr * hyper->weight_decay : 0.0));
        update_range(params, params16, grads, m, v, from, to, first, &k);
    }
}
