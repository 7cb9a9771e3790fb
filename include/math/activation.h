/**
 * Activation functions, element by element. All buffers are f32.
 *
 * Local; parallel over OpenMP threads; every result is independent of the number of threads.
 */
#ifndef FT_MATH_ACTIVATION_H
#define FT_MATH_ACTIVATION_H

#include <stdint.h>

/** act (n, F) = silu(gate) * up, gate and up side by side in gate_up (n, 2F). */
void swiglu_forward(float *act, const float *gate_up, int n, int F);

/** dgate_up (n, 2F) from dact (n, F). */
void swiglu_backward(float *dgate_up, const float *dact, const float *gate_up, int n, int F);

/**
 * act (n elements) = pre * Phi(pre), Phi the normal distribution function: the exact GELU, not its
 * tanh form. The absolute error of Phi is below 2e-7 (activation.c says how). act may be pre.
 *
 * Source: Hendrycks & Gimpel 2016.
 */
void gelu_forward(float *act, const float *pre, int64_t n);

/** pre (n, F) += bias (F) in each row, then act (n, F) = gelu(pre), in one pass. */
void bias_gelu_forward(float *act, float *pre, const float *bias, int n, int F);

/** dpre (n elements) = dact * gelu'(pre). dpre may be dact. */
void gelu_backward(float *dpre, const float *dact, const float *pre, int64_t n);

/** y (n elements) = tanh(x). y may be x. */
void tanh_forward(float *y, const float *x, int64_t n);

/** dx (n elements) = dy * (1 - y^2), y being the forward pass's result. dx may be dy. */
void tanh_backward(float *dx, const float *dy, const float *y, int64_t n);

#endif
