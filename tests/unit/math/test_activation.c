/* Activations against the definition and PyTorch, backward passes against finite differences. */
#include "golden/kernels.h"
#include "math/activation.h"
#include "support/derivative.h"

enum { N = 5 };

enum { F = 37 };
static float gate_up[N * 2 * F], act[N * F], dact[N * F];

static enum function gate_function;

static double gated_value(void)
{
    gated_forward(gate_function, act, gate_up, N, F, ELEM_F32);
    return weighted_sum(act, dact, N * F);
}

static double plain_value(void)
{
    activation_forward(gate_function, act, gate_up, N, F, ELEM_F32);
    return weighted_sum(act, dact, N * F);
}

static double definition(enum function f, double x)
{
    const double inner = sqrt(2.0 / acos(-1.0)) * (x + 0.044715 * x * x * x);
    switch (f) {
    case FUNCTION_SILU:
        return x / (1.0 + exp(-x));
    case FUNCTION_GELU:
        return x * 0.5 * erfc(-x / sqrt(2.0));
    case FUNCTION_GELU_TANH:
        return 0.5 * x * (1.0 + tanh(inner));
    case FUNCTION_RELU:
        return fmax(x, 0.0);
    default:
        return tanh(x);
    }
}

/* Every function, alone and as a gate. */
static void test_functions(void)
{
    float d[N * 2 * F];
    for (int f = 0; f < N_FUNCTIONS; f++) {
        gate_function = (enum function)f;
        fill(gate_up, N * 2 * F), fill(dact, N * F);
        for (int i = 0; i < N * 2 * F; i++) /* away from the corner of relu */
            gate_up[i] += copysignf(0.05f, gate_up[i]);
        (void)plain_value();
        for (int i = 0; i < N * F; i++)
            CHECK_CLOSE(act[i], definition(gate_function, (double)gate_up[i]), 1e-6);
        activation_backward(gate_function, d, dact, gate_up, N, F, ELEM_F32);
        check_derivative("function", plain_value, gate_up, d, N * F, 5);
        (void)gated_value();
        CHECK_CLOSE(act[0], definition(gate_function, (double)gate_up[0]) * (double)gate_up[F],
                    1e-6);
        gated_backward(gate_function, d, dact, gate_up, N, F, ELEM_F32);
        check_derivative("gate", gated_value, gate_up, d, N * 2 * F, 5);
    }
}

enum { G = sizeof golden_gelu_x / sizeof *golden_gelu_x };

static void test_gelu_golden(void)
{
    float y[G], slope[G], ones[G];
    for (int i = 0; i < G; i++)
        ones[i] = 1.0f;
    activation_forward(FUNCTION_GELU, y, golden_gelu_x, 1, G, ELEM_F32);
    activation_backward(FUNCTION_GELU, slope, ones, golden_gelu_x, 1, G, ELEM_F32);
    for (int i = 0; i < G; i++) { /* an error of Phi counts |x| times */
        const double bound = 2e-7 * fmax(1.0, fabs((double)golden_gelu_x[i]));
        CHECK(fabs((double)y[i] - (double)golden_gelu_y[i]) <= bound);
        CHECK(fabs((double)slope[i] - (double)golden_gelu_slope[i]) <= 5e-7);
    }
}

/* Phi = gelu(x) / x over the whole range, in steps of 2e-5. */
static void test_gelu_error(void)
{
    enum { POINTS = 1 << 20 };
    float *pre = mem_alloc_raw(POINTS, sizeof *pre), *y = mem_alloc_raw(POINTS, sizeof *y);
    for (int i = 0; i < POINTS; i++)
        pre[i] = (float)(i - POINTS / 2 + 0.5) * 2e-5f;
    activation_forward(FUNCTION_GELU, y, pre, 1, POINTS, ELEM_F32);
    double worst = 0;
    for (int i = 0; i < POINTS; i++) {
        const double x = (double)pre[i], expected = 0.5 * erfc(-x / sqrt(2.0));
        worst = fmax(worst, fabs((double)y[i] / x - expected));
    }
    CHECK(worst < 2e-7);
    if (worst >= 2e-7)
        (void)fprintf(stderr, "Phi is off by %g\n", worst);
    mem_free(pre);
    mem_free(y);
}

static void test_gelu_ends(void)
{
    const float x[6] = {0.0f, -0.0f, 1e30f, -1e30f, INFINITY, NAN}, ones[6] = {1, 1, 1, 1, 1, 1};
    float y[6], slope[6];
    activation_forward(FUNCTION_GELU, y, x, 1, 6, ELEM_F32);
    activation_backward(FUNCTION_GELU, slope, ones, x, 1, 6, ELEM_F32);
    CHECK(y[0] == 0.0f && y[1] == 0.0f && y[2] == 1e30f && y[3] == 0.0f);
    CHECK(!isfinite(y[4]) && isnan(y[5])); /* the guard of the loss must see them */
    CHECK(slope[0] == 0.5f && slope[2] == 1.0f && slope[3] == 0.0f && isnan(slope[5]));
}

enum { ROWS = 40, WIDTH = 1000 }; /* more than one thread's block */
static float pre[ROWS * WIDTH], biased[ROWS * WIDTH], bias[WIDTH], y[2 * ROWS * WIDTH];

static void gelu_run(void)
{
    activation_forward(FUNCTION_GELU, y, pre, ROWS, WIDTH, ELEM_F32);
    activation_backward(FUNCTION_GELU, y + ROWS * WIDTH, y, pre, ROWS, WIDTH, ELEM_F32);
}

static void test_bias_gelu(void)
{
    static float expected[ROWS * WIDTH];
    fill(pre, ROWS * WIDTH), fill(bias, WIDTH);
    check_threads("gelu", gelu_run, y, 2 * ROWS * WIDTH);
    memcpy(biased, pre, sizeof pre);
    bias_activation_forward(FUNCTION_GELU, y, biased, bias, ROWS, WIDTH, ELEM_F32);
    for (int i = 0; i < ROWS * WIDTH; i++)
        CHECK(biased[i] == pre[i] + bias[i % WIDTH]);
    activation_forward(FUNCTION_GELU, expected, biased, ROWS, WIDTH, ELEM_F32);
    check_tensor("bias and gelu", y, expected, ROWS * WIDTH, 1e-6);
}

static void test_tanh(void)
{
    float x[9], dx[9];
    fill(x, 9);
    x[8] = 30.0f;
    tanh_forward(y, x, 9);
    for (int i = 0; i < 9; i++)
        CHECK_CLOSE(y[i], tanh((double)x[i]), 1e-6);
    tanh_backward(dx, bias, y, 9);
    for (int i = 0; i < 8; i++)
        CHECK_CLOSE(dx[i], (double)bias[i] / pow(cosh((double)x[i]), 2), 2e-6);
    CHECK(dx[8] == 0.0f);
}

int main(void)
{
    test_functions();
    test_gelu_golden();
    test_gelu_error();
    test_gelu_ends();
    test_bias_gelu();
    test_tanh();
    return check_end();
}
