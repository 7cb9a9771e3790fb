/**
 * Activation functions, element by element, alone or as the gate of a second half. Buffers hold
 * f32, or of the type that is given; what is computed is f32 always, and rounded once.
 *
 * Local; parallel over OpenMP threads; every result is independent of the number of threads.
 */
#ifndef FT_MATH_ACTIVATION_H
#define FT_MATH_ACTIVATION_H

#include <stdint.h>

#include "math/elem.h"

/**
 * FUNCTION_GELU is x * Phi(x), Phi the normal distribution function; the absolute error of Phi is
 * below 2e-7 (activation.c says how). FUNCTION_GELU_TANH is its tanh form.
 *
 * Source: Hendrycks & Gimpel 2016; FUNCTION_SILU is x / (1 + exp(-x)).
 */
enum function {
    FUNCTION_SILU,
    FUNCTION_GELU,
    FUNCTION_GELU_TANH,
    FUNCTION_RELU,
    FUNCTION_TANH,
    N_FUNCTIONS
};

/** act (n, F) = f(pre). act may be pre. */
void activation_forward(enum function f, void *act, const void *pre, int n, int F, enum elem type);

/** pre (n, F) += bias (F) in each row, then act (n, F) = f(pre), in one pass. */
void bias_activation_forward(enum function f, void *act, void *pre, const float *bias, int n, int F,
                             enum elem type);

/** dpre (n, F) = dact * f'(pre). dpre may be dact. */
void activation_backward(enum function f, void *dpre, const void *dact, const void *pre, int n,
                         int F, enum elem type);

/** act (n, F) = f(gate) * up, gate and up side by side in gate_up (n, 2F). */
void gated_forward(enum function f, void *act, const void *gate_up, int n, int F, enum elem type);

/** dgate_up (n, 2F) from dact (n, F). */
void gated_backward(enum function f, void *dgate_up, const void *dact, const void *gate_up, int n,
                    int F, enum elem type);

/** y (n elements) = tanh(x). y may be x. */
void tanh_forward(float *y, const float *x, int64_t n);

/** dx (n elements) = dy * (1 - y^2), y being the forward pass's result. dx may be dy. */
void tanh_backward(float *dx, const float *dy, const float *y, int64_t n);

#endif
