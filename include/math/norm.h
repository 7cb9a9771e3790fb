/**
 * Normalisation of rows. Rows are tokens, all buffers are f32.
 *
 * Local; parallel over OpenMP threads; every result is independent of the number of threads.
 */
#ifndef FT_MATH_NORM_H
#define FT_MATH_NORM_H

#include <stdint.h>

/**
 * y = x / rms(x) * (shift + w), after adding delta to x where delta is given.
 *
 * @param[out]    y     (n, C); may be NULL
 * @param[out]    y16   (n, C) the same, rounded to bf16; may be NULL
 * @param[out]    sum   (n, C) x + delta; NULL where delta is NULL
 * @param[out]    rstd  (n) 1 / sqrt(mean(sum^2) + eps)
 * @param[in]     x     (n, C)
 * @param[in]     delta (n, C) or NULL
 * @param[in]     w     (C)
 * @param[in]     shift 0, or 1 where w is kept as its distance from 1 (Gemma)
 *
 * Source: Zhang & Sennrich 2019.
 */
void rmsnorm_forward(float *y, uint16_t *y16, float *sum, float *rstd, const float *x,
                     const float *delta, const float *w, float shift, int n, int C, float eps);

/** y and y16 (n, C) = x * rstd * (shift + w) again, from what the forward pass kept. */
void rmsnorm_recompute(float *y, uint16_t *y16, const float *x, const float *rstd, const float *w,
                       float shift, int n, int C);

/**
 * @param[in,out] dx (n, C): the gradient through the norm is added
 * @param[in,out] dw (C): added to; NULL = not wanted (a frozen weight)
 * @param[in]     dy (n, C)
 */
void rmsnorm_backward(float *dx, float *dw, const float *dy, const float *x, const float *rstd,
                      const float *w, float shift, int n, int C);

/**
 * y = (x - mean) * rstd * w + b, after adding delta to x where delta is given.
 *
 * @param[out]    y     (n, C); may be NULL
 * @param[out]    y16   (n, C) the same, rounded to bf16; may be NULL
 * @param[out]    sum   (n, C) x + delta, may be x or delta itself; NULL where delta is NULL
 * @param[out]    mean  (n) of the sum
 * @param[out]    rstd  (n) 1 / sqrt(variance of the sum + eps), the variance divided by C
 * @param[in]     x     (n, C)
 * @param[in]     delta (n, C) or NULL
 * @param[in]     w     (C), b (C) or NULL: no bias
 *
 * Source: Ba, Kiros & Hinton 2016.
 */
void layernorm_forward(float *y, uint16_t *y16, float *sum, float *mean, float *rstd,
                       const float *x, const float *delta, const float *w, const float *b, int n,
                       int C, float eps);

/** y and y16 (n, C) again, from what the forward pass kept; x (n, C) is the sum where there was a
 * delta. */
void layernorm_recompute(float *y, uint16_t *y16, const float *x, const float *mean,
                         const float *rstd, const float *w, const float *b, int n, int C);

/**
 * @param[in,out] dx (n, C): the gradient through the norm is added
 * @param[in,out] dw (C), db (C): added to; NULL = not wanted (frozen)
 * @param[in]     dy (n, C)
 * @param[in]     x  (n, C) the sum where there was a delta
 */
void layernorm_backward(float *dx, float *dw, float *db, const float *dy, const float *x,
                        const float *mean, const float *rstd, const float *w, int n, int C);

#endif
