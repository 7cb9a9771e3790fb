/**
 * Cross-entropy of rows of logits, and its gradient in place. All buffers are f32.
 *
 * Local; parallel over OpenMP threads; every result is independent of the number of threads.
 */
#ifndef FT_MATH_LOSS_H
#define FT_MATH_LOSS_H

#include <stdint.h>

#include "math/elem.h"

/**
 * Softmax cross-entropy of n rows, in place.
 *
 * @param[in,out] logits  (n, V); with want_gradient it becomes softmax - onehot (0 in rows whose
 *                        target is -1), the gradient of the SUM of the losses; else unspecified.
 *                        With ELEM_BF16 the gradient's rows are bf16, still 4 V bytes apart
 * @param[out]    losses  (n) -log softmax[target]; 0 where target is -1
 * @param[in]     targets (n) in 0 ... V-1, or -1
 * @param[in]     softcap 0, or the bound c of capped logits c * tanh(x / c): logits are capped as
 *                        they come from softcap_forward, the gradient is that of x
 */
void cross_entropy(float *logits, float *losses, const int32_t *targets, int n, int V,
                   float softcap, int want_gradient, enum elem type);

/** x (n, V) = softcap * tanh(x / softcap), in place. Source: Bello et al. 2016, as in Gemma 2. */
void softcap_forward(float *x, int n, int V, float softcap);

/**
 * Cross-entropy with class weights and label smoothing, in place: with s = label_smoothing and
 * w = 1 where no weights are given, the loss of a row of class y is
 *
 *     -(1 - s) w[y] log p[y] - s / K * sum over c of w[c] log p[c]
 *
 * as PyTorch's cross_entropy(weight, label_smoothing, reduction="sum"). A mean divides the sum by
 * the sum of w[y]; that is the caller's.
 *
 * @param[in,out] logits          (n, K); with want_gradient it becomes the gradient of the SUM of
 *                                the losses (0 in rows whose label is -1); else unspecified
 * @param[out]    losses          (n); 0 where the label is -1
 * @param[in]     labels          (n) in 0 ... K-1, or -1
 * @param[in]     class_weights   (K), or NULL
 * @param[in]     label_smoothing 0 ... 1
 *
 * Source: Szegedy et al. 2016, section 7.
 */
void class_cross_entropy(float *logits, float *losses, const int32_t *labels,
                         const float *class_weights, float label_smoothing, int n, int K,
                         int want_gradient);

#endif
