/* Norms against the definition and PyTorch, backward passes against finite differences. */
#include "golden/kernels.h"
#include "math/norm.h"
#include "support/derivative.h"

enum { N = 5, C = 70 };
static float x[N * C], w[C], y[N * C], dy[N * C], rstd[N], shift;

static double norm_value(void)
{
    rmsnorm_forward(y, NULL, NULL, rstd, x, NULL, w, shift, N, C, 1e-5f);
    return weighted_sum(y, dy, N * C);
}

static void check_rmsnorm(void)
{
    float dx[N * C] = {0}, dw[C] = {0}, again[N * C], sum[N * C];
    fill(x, N * C), fill(w, C), fill(dy, N * C);
    (void)norm_value();
    rmsnorm_backward(dx, dw, dy, x, rstd, w, shift, N, C);
    check_derivative("rmsnorm dx", norm_value, x, dx, N * C, 7);
    check_derivative("rmsnorm dw", norm_value, w, dw, C, 3);
    float frozen[N * C] = {0};
    rmsnorm_backward(frozen, NULL, dy, x, rstd, w, shift, N, C);
    CHECK(memcmp(frozen, dx, sizeof dx) == 0);
    (void)norm_value();
    rmsnorm_recompute(again, NULL, x, rstd, w, shift, N, C);
    CHECK(memcmp(again, y, sizeof y) == 0);
    rmsnorm_forward(again, NULL, sum, rstd, x, dy, w, shift, N, C, 1e-5f); /* with a delta to add */
    double square = 0;
    for (int c = 0; c < C; c++) {
        CHECK(sum[c] == x[c] + dy[c]);
        square += (double)sum[c] * (double)sum[c];
    }
    CHECK_CLOSE(rstd[0], 1.0 / sqrt(square / C + 1e-5), 1e-6);
}

/* With weights as they are, and as distances from 1. */
static void test_rmsnorm(void)
{
    static float plain[N * C];
    shift = 1;
    check_rmsnorm();
    shift = 0;
    check_rmsnorm();
    (void)norm_value();
    memcpy(plain, y, sizeof y);
    shift = 1;
    for (int c = 0; c < C; c++)
        w[c] -= 1.0f;
    (void)norm_value();
    shift = 0;
    check_tensor("shifted weights", y, plain, N * C, 1e-6);
}

enum { LN_N = 3, LN_C = 45 };

static void test_layernorm_golden(void)
{
    float sum[LN_N * LN_C], out[LN_N * LN_C], mean[LN_N], scale[LN_N], dx[LN_N * LN_C], dw[LN_C],
        db[LN_C];
    layernorm_forward(out, NULL, sum, mean, scale, golden_layernorm_x, golden_layernorm_delta,
                      golden_layernorm_w, golden_layernorm_b, LN_N, LN_C, 1e-12f);
    check_tensor("layernorm", out, golden_layernorm_y, LN_N * LN_C, 1e-6);
    for (int i = 0; i < LN_N * LN_C; i++)
        dx[i] = 1.0f; /* the gradient is added */
    for (int c = 0; c < LN_C; c++)
        dw[c] = db[c] = 2.0f;
    layernorm_backward(dx, dw, db, golden_layernorm_dy, sum, mean, scale, golden_layernorm_w, LN_N,
                       LN_C);
    for (int i = 0; i < LN_N * LN_C; i++)
        dx[i] -= 1.0f;
    for (int c = 0; c < LN_C; c++)
        dw[c] -= 2.0f, db[c] -= 2.0f;
    check_tensor("layernorm dx", dx, golden_layernorm_dx, LN_N * LN_C, 2e-6);
    check_tensor("layernorm dw", dw, golden_layernorm_dw, LN_C, 2e-6);
    check_tensor("layernorm db", db, golden_layernorm_db, LN_C, 2e-6);
}

static float b[C], mean[N], sums[N * C], gradients[N * C + 2 * C];

static double layernorm_value(void)
{
    layernorm_forward(y, NULL, NULL, mean, rstd, x, NULL, w, b, N, C, 1e-5f);
    return weighted_sum(y, dy, N * C);
}

static void layernorm_backward_run(void)
{
    memset(gradients, 0, sizeof gradients);
    layernorm_backward(gradients, gradients + N * C, gradients + N * C + C, dy, x, mean, rstd, w, N,
                       C);
}

static void layernorm_forward_run(void)
{
    layernorm_forward(y, NULL, sums, mean, rstd, x, dy, w, b, N, C, 1e-5f);
}

static void test_layernorm(void)
{
    float again[N * C], frozen[N * C] = {0}, delta[N * C];
    fill(x, N * C), fill(w, C), fill(b, C), fill(dy, N * C);
    (void)layernorm_value();
    layernorm_backward_run();
    check_derivative("layernorm dx", layernorm_value, x, gradients, N * C, 3);
    check_derivative("layernorm dw", layernorm_value, w, gradients + N * C, C, 3);
    check_derivative("layernorm db", layernorm_value, b, gradients + N * C + C, C, 3);
    (void)layernorm_value();
    layernorm_recompute(again, NULL, x, mean, rstd, w, b, N, C);
    CHECK(memcmp(again, y, sizeof y) == 0);
    layernorm_backward(frozen, NULL, NULL, dy, x, mean, rstd, w, N, C);
    CHECK(memcmp(frozen, gradients, sizeof frozen) == 0);
    check_threads("layernorm backward", layernorm_backward_run, gradients, N * C + 2 * C);
    check_threads("layernorm forward", layernorm_forward_run, y, N * C);
    memcpy(delta, dy, sizeof delta); /* the sum in place of the delta */
    layernorm_forward(NULL, NULL, delta, mean, rstd, x, delta, w, b, N, C, 1e-5f);
    CHECK(memcmp(delta, sums, sizeof delta) == 0);
}

int main(void)
{
    test_rmsnorm();
    test_layernorm_golden();
    test_layernorm();
    return check_end();
}
