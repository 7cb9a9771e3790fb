/* Operators on bf16 rows give the rounded result of the same operator on f32 rows, bit for bit:
 * they run the same kernel on the same pieces. */
#include "math/activation.h"
#include "math/bf16.h"
#include "math/loss.h"
#include "math/norm.h"
#include "math/ops.h"
#include "support/derivative.h"

enum { ROWS = 5, WIDTH = 1100, COUNT = ROWS * 2 * WIDTH };

/* The same values twice. */
struct pair {
    float f[COUNT];
    uint16_t h[COUNT];
};
static struct pair x, y, z;

static void fill_pair(struct pair *p)
{
    fill(p->f, COUNT);
    for (int i = 0; i < COUNT; i++) {
        p->f[i] *= 3.0f;
        p->h[i] = bf16_from_f32(p->f[i]);
        p->f[i] = bf16_to_f32(p->h[i]);
    }
}

static void start(void)
{
    fill_pair(&x);
    fill_pair(&y);
    fill_pair(&z);
}

static void check_pair(const char *what, const struct pair *p)
{
    int wrong = 0;
    for (int i = 0; i < COUNT; i++)
        wrong += bf16_from_f32(p->f[i]) != p->h[i];
    CHECK(wrong == 0);
    if (wrong)
        (void)fprintf(stderr, "%s: %d of %d elements differ\n", what, wrong, (int)COUNT);
}

static void test_activations(void)
{
    static float bias[WIDTH];
    fill(bias, WIDTH);
    start();
    gated_forward(FUNCTION_SILU, y.f, x.f, ROWS, WIDTH, ELEM_F32);
    gated_forward(FUNCTION_SILU, y.h, x.h, ROWS, WIDTH, ELEM_BF16);
    check_pair("swiglu", &y);
    start();
    gated_backward(FUNCTION_SILU, z.f, y.f, x.f, ROWS, WIDTH, ELEM_F32);
    gated_backward(FUNCTION_SILU, z.h, y.h, x.h, ROWS, WIDTH, ELEM_BF16);
    check_pair("swiglu backward", &z);
    start();
    activation_forward(FUNCTION_GELU, y.f, x.f, ROWS, WIDTH, ELEM_F32);
    activation_forward(FUNCTION_GELU, y.h, x.h, ROWS, WIDTH, ELEM_BF16);
    check_pair("gelu", &y);
    start();
    bias_activation_forward(FUNCTION_GELU, y.f, x.f, bias, ROWS, WIDTH, ELEM_F32);
    bias_activation_forward(FUNCTION_GELU, y.h, x.h, bias, ROWS, WIDTH, ELEM_BF16);
    check_pair("bias and gelu", &y);
    check_pair("before the gelu", &x);
    start();
    activation_backward(FUNCTION_GELU, y.f, y.f, x.f, ROWS, WIDTH, ELEM_F32);
    activation_backward(FUNCTION_GELU, y.h, y.h, x.h, ROWS, WIDTH, ELEM_BF16);
    check_pair("gelu backward, in place", &y);
}

static void test_ops(void)
{
    static float bias[WIDTH], db[WIDTH], expected[WIDTH], cosine[ROWS * 20], sine[ROWS * 20];
    const int32_t positions[ROWS] = {4, 0, 2, 1, 3};
    const struct heads heads = {.at = 3, .step = 42, .n = 7};
    const struct rotation rotation = {cosine, sine, 40};
    start();
    fill(bias, WIDTH);
    bias_forward(x.f, bias, ROWS, WIDTH, ELEM_F32);
    bias_forward(x.h, bias, ROWS, WIDTH, ELEM_BF16);
    check_pair("bias", &x);
    start();
    bias_backward(expected, x.f, 2 * WIDTH, ROWS, WIDTH, ELEM_F32);
    bias_backward(db, x.h, 2 * WIDTH, ROWS, WIDTH, ELEM_BF16);
    CHECK(memcmp(db, expected, sizeof db) == 0);
    fill(cosine, ROWS * 20);
    fill(sine, ROWS * 20);
    rope_rotate(x.f, 2 * WIDTH, &heads, &rotation, positions, ROWS, 1.0f, ELEM_F32);
    rope_rotate(x.h, 2 * WIDTH, &heads, &rotation, positions, ROWS, 1.0f, ELEM_BF16);
    check_pair("rope", &x);
    rows_to_bf16(y.h, x.f, COUNT);
    memcpy(y.f, x.f, sizeof y.f);
    check_pair("rounding", &y);
}

/* With y16 alone, with both, and again from what was kept. */
static void test_norms(void)
{
    static const uint16_t zeros[ROWS * WIDTH];
    static float sum[COUNT], mean[ROWS], rstd[ROWS], w[WIDTH], b[WIDTH];
    start();
    fill(w, WIDTH);
    fill(b, WIDTH);
    rmsnorm_forward(z.f, NULL, sum, rstd, x.f, y.f, w, 0.0f, ROWS, WIDTH, 1e-5f);
    rmsnorm_forward(NULL, z.h, sum, rstd, x.f, y.f, w, 0.0f, ROWS, WIDTH, 1e-5f);
    check_pair("rms norm", &z);
    memcpy(z.h, zeros, sizeof zeros);
    rmsnorm_recompute(z.f, z.h, sum, rstd, w, 0.0f, ROWS, WIDTH);
    check_pair("rms norm again", &z);
    layernorm_forward(z.f, NULL, sum, mean, rstd, x.f, y.f, w, b, ROWS, WIDTH, 1e-5f);
    layernorm_forward(NULL, z.h, sum, mean, rstd, x.f, y.f, w, b, ROWS, WIDTH, 1e-5f);
    check_pair("layer norm", &z);
    memcpy(z.h, zeros, sizeof zeros);
    layernorm_recompute(z.f, z.h, sum, mean, rstd, w, b, ROWS, WIDTH);
    check_pair("layer norm again", &z);
}

/* The gradient's bf16 rows begin where the f32 rows began. */
static void test_loss(void)
{
    static float copy[ROWS * WIDTH], losses[ROWS], expected[ROWS];
    const int32_t targets[ROWS] = {3, -1, 0, WIDTH - 1, 512};
    int wrong = 0;
    start();
    memcpy(copy, x.f, sizeof copy);
    cross_entropy(x.f, expected, targets, ROWS, WIDTH, 0.0f, 1, ELEM_F32);
    cross_entropy(copy, losses, targets, ROWS, WIDTH, 0.0f, 1, ELEM_BF16);
    CHECK(memcmp(losses, expected, sizeof losses) == 0);
    for (int t = 0; t < ROWS; t++)
        for (int i = 0; i < WIDTH; i++) {
            uint16_t half;
            memcpy(&half, (const char *)(copy + t * WIDTH) + i * 2, sizeof half);
            wrong += half != bf16_from_f32(x.f[t * WIDTH + i]);
        }
    CHECK(wrong == 0);
}

int main(void)
{
    test_activations();
    test_ops();
    test_norms();
    test_loss();
    return check_end();
}
