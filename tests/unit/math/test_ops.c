/* Forward passes against slow obvious loops, backward passes against finite differences. */
#include "math/activation.h"
#include "math/attention.h"
#include "math/embedding.h"
#include "math/loss.h"
#include "math/norm.h"
#include "math/ops.h"
#include "math/reduce.h"
#include "base/rng.h"
#include "support/check.h"

static uint64_t counter;

static void fill(float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)((double)rng_u64(7, 1, counter++) / 0x1p64 * 2.0 - 1.0);
}

static double weighted_sum(const float *x, const float *weight, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)weight[i];
    return sum;
}

/* d f(x) / d x[i] by central differences equals gradient[i] for some i. */
static void check_derivative(const char *what, double (*f)(void), float *x, const float *gradient,
                             int64_t n, int64_t stride)
{
    double scale = 0;
    for (int64_t i = 0; i < n; i++)
        scale = fmax(scale, fabs((double)gradient[i]));
    for (int64_t i = 0; i < n; i += stride) {
        const float kept = x[i], h = 1e-2f;
        x[i] = kept + h;
        const double above = f();
        x[i] = kept - h;
        const double below = f();
        x[i] = kept;
        const double slope = (above - below) / (2.0 * (double)h);
        if (!(fabs(slope - (double)gradient[i]) <= 2e-3 * scale)) {
            (void)fprintf(stderr, "%s[%lld]: slope %g, gradient %g\n", what, (long long)i, slope,
                          (double)gradient[i]);
            check_failures++;
        }
    }
}

enum { N = 5, C = 70 };
static float x[N * C], w[C], y[N * C], dy[N * C], rstd[N];

static double norm_value(void)
{
    rmsnorm_forward(y, NULL, rstd, x, NULL, w, N, C, 1e-5f);
    return weighted_sum(y, dy, N * C);
}

static void test_rmsnorm(void)
{
    float dx[N * C] = {0}, dw[C] = {0}, again[N * C], sum[N * C];
    fill(x, N * C), fill(w, C), fill(dy, N * C);
    (void)norm_value();
    rmsnorm_backward(dx, dw, dy, x, rstd, w, N, C);
    check_derivative("rmsnorm dx", norm_value, x, dx, N * C, 7);
    check_derivative("rmsnorm dw", norm_value, w, dw, C, 3);
    (void)norm_value();
    rmsnorm_recompute(again, x, rstd, w, N, C);
    CHECK(memcmp(again, y, sizeof y) == 0);
    rmsnorm_forward(again, sum, rstd, x, dy, w, N, C, 1e-5f); /* with a delta to add */
    double square = 0;
    for (int c = 0; c < C; c++) {
        CHECK(sum[c] == x[c] + dy[c]);
        square += (double)sum[c] * (double)sum[c];
    }
    CHECK_CLOSE(rstd[0], 1.0 / sqrt(square / C + 1e-5), 1e-6);
}

enum { F = 37 };
static float gate_up[N * 2 * F], act[N * F], dact[N * F];

static double swiglu_value(void)
{
    swiglu_forward(act, gate_up, N, F);
    return weighted_sum(act, dact, N * F);
}

static void test_swiglu(void)
{
    float d[N * 2 * F];
    fill(gate_up, N * 2 * F), fill(dact, N * F);
    (void)swiglu_value();
    CHECK_CLOSE(act[0], (double)gate_up[0] / (1.0 + exp(-(double)gate_up[0])) * (double)gate_up[F],
                1e-5);
    swiglu_backward(d, dact, gate_up, N, F);
    check_derivative("swiglu", swiglu_value, gate_up, d, N * 2 * F, 5);
}

enum { V = 1500 };
static float logits[N * V];
static const int32_t targets[N] = {3, -1, 1499, 0, 77};

static double entropy_value(void)
{
    static float copy[N * V];
    float losses[N];
    memcpy(copy, logits, sizeof copy);
    cross_entropy(copy, losses, targets, N, V, 0);
    CHECK(losses[1] == 0.0f);
    return (double)losses[0] + (double)losses[2] + (double)losses[3] + (double)losses[4];
}

static void test_cross_entropy(void)
{
    static float d[N * V];
    float losses[N];
    fill(logits, N * V);
    logits[3] = 4.0f;
    double sum = 0;
    for (int i = 0; i < V; i++)
        sum += exp((double)logits[i]);
    memcpy(d, logits, sizeof d);
    cross_entropy(d, losses, targets, N, V, 1);
    CHECK_CLOSE(losses[0], log(sum) - 4.0, 1e-5);
    check_derivative("cross entropy", entropy_value, logits, d, N * V, 3);
}

/* Two packed sequences, one shorter than a tile and one longer; grouped heads. */
enum { T0 = 5, T1 = 70, T = T0 + T1, HQ = 4, HKV = 2, D = 8, ROW = (HQ + 2 * HKV) * D };
static float qkv[T * ROW], out[T * HQ * D], lse[T * HQ], dout[T * HQ * D];
static float scratch[3 * ATTENTION_TILE * T1 * 64];
static const int32_t starts[3] = {0, T0, T};
static const struct attention_shape shape = {.n_tokens = T,
                                             .n_segments = 2,
                                             .segment_start = starts,
                                             .Hq = HQ,
                                             .Hkv = HKV,
                                             .D = D,
                                             .causal = true};

static double attention_value(void)
{
    attention_forward(out, lse, qkv, &shape, scratch, T1);
    return weighted_sum(out, dout, T * HQ * D);
}

/* One output row by the definition. */
static void slow_attention(double *o, int row, int first, int h)
{
    double weight[T], total = 0;
    const float *q = qkv + row * ROW + h * D;
    for (int k = first; k <= row; k++) {
        double score = 0;
        for (int i = 0; i < D; i++)
            score += (double)q[i] * (double)qkv[k * ROW + (HQ + h / (HQ / HKV)) * D + i];
        weight[k] = exp(score / sqrt((double)D));
        total += weight[k];
    }
    for (int i = 0; i < D; i++) {
        o[i] = 0;
        for (int k = first; k <= row; k++)
            o[i] += weight[k] / total * (double)qkv[k * ROW + (HQ + HKV + h / (HQ / HKV)) * D + i];
    }
}

static void test_attention(void)
{
    static float d[T * ROW], dkv[2 * T * HQ * D];
    fill(qkv, T * ROW), fill(dout, T * HQ * D);
    (void)attention_value();
    for (int row = 0; row < T; row += 6)
        for (int h = 0; h < HQ; h++) {
            double o[D];
            slow_attention(o, row, row < T0 ? 0 : T0, h);
            for (int i = 0; i < D; i++)
                CHECK(fabs(o[i] - (double)out[row * HQ * D + h * D + i]) < 1e-5);
        }
    attention_backward(d, dout, out, lse, qkv, &shape, dkv, scratch, T1);
    check_derivative("attention", attention_value, qkv, d, T * ROW, 11);
}

static void test_rope(void)
{
    enum { HALF = 3 };
    float row[2 * HALF] = {1, 2, 3, 4, 5, 6}, cosine[2 * HALF], sine[2 * HALF];
    const int32_t position = 1;
    for (int i = 0; i < 2 * HALF; i++) {
        cosine[i] = (float)cos(0.3 * i);
        sine[i] = (float)sin(0.3 * i);
    }
    rope_rotate(row, 2 * HALF, 1, 2 * HALF, cosine, sine, &position, 1, 1.0f);
    CHECK_CLOSE(row[0], 1.0 * cos(0.9) - 4.0 * sin(0.9), 1e-6);
    CHECK_CLOSE(row[3], 4.0 * cos(0.9) + 1.0 * sin(0.9), 1e-6);
    rope_rotate(row, 2 * HALF, 1, 2 * HALF, cosine, sine, &position, 1, -1.0f);
    for (int i = 0; i < 2 * HALF; i++)
        CHECK_CLOSE(row[i], i + 1.0, 1e-6);
}

static void test_embedding_and_bias(void)
{
    const int32_t tokens[4] = {2, 0, 2, 1};
    float table[3 * 2] = {1, 2, 3, 4, 5, 6}, rows[8], dtable[6] = {0}, db[2] = {0};
    embedding_forward(rows, table, tokens, 4, 2);
    CHECK(rows[0] == 5 && rows[3] == 2 && rows[7] == 4);
    embedding_backward(dtable, rows, tokens, 4, 2);
    CHECK(dtable[0] == 1 && dtable[2] == 3 && dtable[4] == 10 && dtable[5] == 12);
    bias_backward(db, rows, 2, 4, 2);
    CHECK(db[0] == 14 && db[1] == 18);
    bias_forward(rows, db, 4, 2);
    CHECK(rows[0] == 19 && rows[7] == 22);
}

static void test_reduce(void)
{
    const int64_t n = 3 * 1048576 * 2 + 12345;
    float *values = mem_alloc((size_t)n, sizeof *values);
    for (int64_t i = 0; i < n; i++)
        values[i] = (float)(i % 7);
    double expected = (double)(n / 7) * 91.0;
    for (int64_t i = n / 7 * 7; i < n; i++)
        expected += (double)((i % 7) * (i % 7));
    CHECK_CLOSE(sum_of_squares(values, n), expected, 1e-12);
    values[n - 1] = NAN;
    CHECK(isnan(sum_of_squares(values, n)));
    mem_free(values);
}

int main(void)
{
    test_rmsnorm();
    test_swiglu();
    test_cross_entropy();
    test_attention();
    test_rope();
    test_embedding_and_bias();
    test_reduce();
    return check_end();
}
