/**
 * Everything of a decoder block that is no matrix product. Rows are tokens, all buffers are f32.
 *
 * Local; parallel over OpenMP threads; every result is independent of the number of threads.
 * x_backward is the twin of x_forward and ADDS to gradients of parameters.
 */
#ifndef FT_MATH_OPS_H
#define FT_MATH_OPS_H

#include <stdint.h>

/**
 * y = x / rms(x) * w, after adding delta to x where delta is given.
 *
 * @param[out]    y     (n, C); may be NULL when only the sum and rstd are wanted
 * @param[out]    sum   (n, C) x + delta; NULL where delta is NULL
 * @param[out]    rstd  (n) 1 / sqrt(mean(sum^2) + eps)
 * @param[in]     x     (n, C)
 * @param[in]     delta (n, C) or NULL
 * @param[in]     w     (C)
 *
 * Source: Zhang & Sennrich 2019.
 */
void rmsnorm_forward(float *y, float *sum, float *rstd, const float *x, const float *delta,
                     const float *w, int n, int C, float eps);

/** y (n, C) = x * rstd * w again, from what the forward pass kept. */
void rmsnorm_recompute(float *y, const float *x, const float *rstd, const float *w, int n, int C);

/**
 * @param[in,out] dx (n, C): the gradient through the norm is added
 * @param[in,out] dw (C): added to
 * @param[in]     dy (n, C)
 */
void rmsnorm_backward(float *dx, float *dw, const float *dy, const float *x, const float *rstd,
                      const float *w, int n, int C);

/**
 * Rotates heads in place: pair (i, i + D/2) of each head by the angle of its position.
 *
 * @param[in,out] x         rows of `stride` elements, n_heads heads of D from the row's start
 * @param[in]     cosine    (positions, D/2) table; sine likewise
 * @param[in]     direction 1 forward, -1 backward
 *
 * Source: Su et al. 2021, in the half-split layout of Hugging Face.
 */
void rope_rotate(float *x, int stride, int n_heads, int D, const float *cosine, const float *sine,
                 const int32_t *positions, int n, float direction);

/** act (n, F) = silu(gate) * up, gate and up side by side in gate_up (n, 2F). */
void swiglu_forward(float *act, const float *gate_up, int n, int F);

/** dgate_up (n, 2F) from dact (n, F). */
void swiglu_backward(float *dgate_up, const float *dact, const float *gate_up, int n, int F);

/** x (n, C) += bias (C) in each row. */
void bias_forward(float *x, const float *bias, int n, int C);

/** db (C) += column sums of dy (n rows of `stride` elements, C of them used). */
void bias_backward(float *db, const float *dy, int stride, int n, int C);

/** x (n, C) = rows of table (V, C) chosen by tokens (n). */
void embedding_forward(float *x, const float *table, const int32_t *tokens, int n, int C);

/** dtable (V, C) += rows of dx (n, C), in token order. */
void embedding_backward(float *dtable, const float *dx, const int32_t *tokens, int n, int C);

/**
 * Softmax cross-entropy of n rows, in place.
 *
 * @param[in,out] logits  (n, V); with want_gradient it becomes softmax - onehot (0 in rows whose
 *                        target is -1), the gradient of the SUM of the losses; else unspecified
 * @param[out]    losses  (n) -log softmax[target]; 0 where target is -1
 * @param[in]     targets (n) in 0 ... V-1, or -1
 */
void cross_entropy(float *logits, float *losses, const int32_t *targets, int n, int V,
                   int want_gradient);

/** y (n elements) += x. */
void add_in_place(float *y, const float *x, int64_t n);

#endif
