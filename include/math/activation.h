/**
 * Activation functions, element by element. Buffers hold f32, or of the type that is given; what is
 * computed is f32 always, and rounded once.
 *
 * Local; parallel over OpenMP threads; every result is independent of the number of threads.
 */
#ifndef FT_MATH_ACTIVATION_H
#define FT_MATH_ACTIVATION_H

#include <stdint.h>

#include "math/elem.h"

/** act (n, F) = silu(gate) * up, gate and up side by side in gate_up (n, 2F). */
void swiglu_forward(void *act, const void *gate_up, int n, int F, enum elem type);

/** dgate_up (n, 2F) from dact (n, F). */
void swiglu_backward(void *dgate_up, const void *dact, const void *gate_up, int n, int F,
                     enum elem type);

/**
 * act (n, F) = pre * Phi(pre), Phi the normal distribution function: the exact GELU, not its
 * tanh form. The absolute error of Phi is below 2e-7 (activation.c says how). act may be pre.
 *
 * Source: Hendrycks & Gimpel 2016.
 */
void gelu_forward(void *act, const void *pre, int n, int F, enum elem type);

/** pre (n, F) += bias (F) in each row, then act (n, F) = gelu(pre), in one pass. */
void bias_gelu_forward(void *act, void *pre, const float *bias, int n, int F, enum elem type);

/** dpre (n, F) = dact * gelu'(pre). dpre may be dact. */
void gelu_backward(void *dpre, const void *dact, const void *pre, int n, int F, enum elem type);

/** y (n elements) = tanh(x). y may be x. */
void tanh_forward(float *y, const float *x, int64_t n);

/** dx (n elements) = dy * (1 - y^2), y being the forward pass's result. dx may be dy. */
void tanh_backward(float *dx, const float *dy, const float *y, int64_t n);

#endif
