/**
 * RMS norm of groups of elements within rows, in place: of the heads of queries and keys, or of all
 * of a row's queries. Rows are of f32 or of the type that is given; what is computed is f32.
 *
 * Local; parallel over OpenMP threads; every result is independent of the number of threads.
 */
#ifndef FT_MATH_GROUP_NORM_H
#define FT_MATH_GROUP_NORM_H

#include <stdint.h>

#include "math/elem.h"
#include "math/ops.h"

/** What is normed of a row: groups->n stretches of `width` elements, one weight vector for all. */
struct group_norm {
    struct heads groups;
    int width;
    float shift; /**< 0, or 1 where weights are kept as their distance from 1 */
    float eps;
};

/**
 * x = x * rstd * (shift + w) in each group.
 *
 * @param[in,out] x    rows of `stride` elements
 * @param[out]    raw  (n, groups.n * width) x as it was
 * @param[out]    rstd (n, groups.n) 1 / rms
 * @param[in]     w    (width)
 */
void group_norm_forward(void *x, int stride, void *raw, float *rstd, const float *w,
                        const struct group_norm *g, int n, enum elem type);

/**
 * @param[in,out] dx rows of `stride` elements: the gradient of the normed becomes that of raw
 * @param[in,out] dw (width): added to; NULL = not wanted
 */
void group_norm_backward(void *dx, int stride, float *dw, const void *raw, const float *rstd,
                         const float *w, const struct group_norm *g, int n, enum elem type);

#endif
