/* Losses against the definition and PyTorch, gradients against finite differences. */
#include "golden/kernels.h"
#include "math/loss.h"
#include "support/derivative.h"

enum { N = 5 };

enum { V = 1500 };
static float logits[N * V], softcap;
static const int32_t targets[N] = {3, -1, 1499, 0, 77};

static double entropy_value(void)
{
    static float copy[N * V];
    float losses[N];
    memcpy(copy, logits, sizeof copy);
    if (softcap > 0)
        softcap_forward(copy, N, V, softcap);
    cross_entropy(copy, losses, targets, N, V, softcap, 0, ELEM_F32);
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
    cross_entropy(d, losses, targets, N, V, softcap, 1, ELEM_F32);
    CHECK_CLOSE(losses[0], log(sum) - 4.0, 1e-5);
    check_derivative("cross entropy", entropy_value, logits, d, N * V, 31);
}

/* Capped logits: their loss is of the capped, the gradient of what was there before. */
static void test_softcap(void)
{
    static float d[N * V];
    float losses[N];
    fill(logits, N * V);
    for (int i = 0; i < N * V; i++)
        logits[i] *= 9.0f;
    memcpy(d, logits, sizeof d);
    softcap = 5.0f;
    softcap_forward(d, N, V, softcap);
    for (int i = 0; i < N * V; i++)
        CHECK_CLOSE(d[i], 5.0 * tanh((double)logits[i] / 5.0), 2e-6);
    cross_entropy(d, losses, targets, N, V, softcap, 1, ELEM_F32);
    check_derivative("capped cross entropy", entropy_value, logits, d, N * V, 31);
    softcap = 0;
}

enum { ROWS = 6, K = 5 };

static void check_case(const char *name, const float *weights, float smoothing, const float *losses,
                       const float *slope)
{
    float z[ROWS * K], got[ROWS], without[ROWS];
    memcpy(z, golden_loss_logits, sizeof z);
    class_cross_entropy(z, got, golden_loss_labels, weights, smoothing, ROWS, K, 1);
    check_tensor(name, got, losses, ROWS, 1e-6);
    check_tensor(name, z, slope, ROWS * K, 1e-6);
    CHECK(got[2] == 0.0f && z[2 * K] == 0.0f); /* the row without a label */
    memcpy(z, golden_loss_logits, sizeof z);
    class_cross_entropy(z, without, golden_loss_labels, weights, smoothing, ROWS, K, 0);
    CHECK(memcmp(got, without, sizeof got) == 0);
}

static void test_class_golden(void)
{
    check_case("plain", NULL, 0.0f, golden_loss_plain_rows, golden_loss_plain_slope);
    check_case("weights", golden_loss_weights, 0.0f, golden_loss_weights_rows,
               golden_loss_weights_slope);
    check_case("smooth", NULL, 0.1f, golden_loss_smooth_rows, golden_loss_smooth_slope);
    check_case("both", golden_loss_weights, 0.1f, golden_loss_both_rows, golden_loss_both_slope);
}

enum { MANY = 1000 };
static float many[MANY * K], many_out[MANY * K + MANY];
static int32_t many_labels[MANY];

static void class_run(void)
{
    memcpy(many_out, many, sizeof many);
    class_cross_entropy(many_out, many_out + MANY * K, many_labels, golden_loss_weights, 0.2f, MANY,
                        K, 1);
}

/* Far apart logits neither overflow nor lose the loss. */
static void test_class_ends(void)
{
    const int32_t label = 1;
    float z[2] = {3e4f, -3e4f}, loss;
    class_cross_entropy(z, &loss, &label, NULL, 0.0f, 1, 2, 1);
    CHECK(loss == 6e4f && z[0] == 1.0f && z[1] == -1.0f);
    z[0] = NAN;
    class_cross_entropy(z, &loss, &label, NULL, 0.0f, 1, 2, 1);
    CHECK(isnan(loss));
}

int main(void)
{
    test_cross_entropy();
    test_softcap();
    test_class_golden();
    test_class_ends();
    fill(many, MANY * K);
    for (int i = 0; i < MANY; i++)
        many_labels[i] = i % (K + 1) - 1;
    check_threads("class loss", class_run, many_out, MANY * K + MANY);
    return check_end();
}
