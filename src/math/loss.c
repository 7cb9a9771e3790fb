#include "math/loss.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "math/kernel.h"
#include "math/row.h"

/* x = exp(x - top); returns the sum. In blocks, so that the f32 sum over a large vocabulary does
 * not lose low bits. */
FT_KERNEL static float row_exp_sum(float *x, float top, int n)
{
    double total = 0;
    for (int at = 0; at < n; at += 1024) {
        const int end = n - at < 1024 ? n : at + 1024;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int i = at; i < end; i++) {
            const float e = expf(x[i] - top);
            x[i] = e;
            sum += e;
        }
        total += (double)sum;
    }
    return (float)total;
}

/* What row_exp_sum returns; x stays as it is. */
FT_KERNEL static float row_exp_total(const float *x, float top, int n)
{
    double total = 0;
    for (int at = 0; at < n; at += 1024) {
        const int end = n - at < 1024 ? n : at + 1024;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int i = at; i < end; i++)
            sum += expf(x[i] - top);
        total += (double)sum;
    }
    return (float)total;
}

void softcap_forward(float *x, int n, int V, float softcap)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++)
        row_softcap(x + (int64_t)t * V, 1.0f, softcap, V);
}

/* x = (exp(x - log_sum) - the target's 1) * (1 - (x / softcap)^2) */
FT_KERNEL static void row_capped_gradient(float *x, float log_sum, int target, float softcap, int V)
{
    const float inverse = 1.0f / softcap, right = x[target] * inverse;
#pragma omp simd
    for (int i = 0; i < V; i++) {
        const float capped = x[i] * inverse;
        x[i] = expf(x[i] - log_sum) * (1.0f - capped * capped);
    }
    x[target] -= 1.0f - right * right;
}

/* One row; the sum of its exponentials is made in place, so a capped row needs a second look. */
static float row_cross_entropy(float *row, int target, int V, float softcap, int want_gradient)
{
    const float top = row_max(row, V), right = row[target];
    const bool keeps = softcap > 0.0f && want_gradient;
    const float sum = keeps ? row_exp_total(row, top, V) : row_exp_sum(row, top, V);
    if (keeps) {
        row_capped_gradient(row, top + logf(sum), target, softcap, V);
    } else if (want_gradient) {
        row_scale(row, row, 1.0f / sum, V);
        row[target] -= 1.0f;
    }
    return logf(sum) - (right - top);
}

void cross_entropy(float *logits, float *losses, const int32_t *targets, int n, int V,
                   float softcap, int want_gradient, enum elem type)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++) {
        float *row = logits + (int64_t)t * V;
        losses[t] = 0.0f;
        if (targets[t] >= 0)
            losses[t] = row_cross_entropy(row, targets[t], V, softcap, want_gradient);
        else if (want_gradient)
            memset(row, 0, (size_t)V * sizeof *row);
        if (want_gradient && type == ELEM_BF16)
            row_shrink(row, V);
    }
}

struct smoothing {
    const float *weights; /* (K) or NULL */
    double share;         /* what each class gets of the target: smoothing / K */
    double weight_sum;    /* of all classes */
    int K;
};

static double weight_of(const struct smoothing *s, int c)
{
    return s->weights ? (double)s->weights[c] : 1.0;
}

/* Classes are few: in f64 and without vectors. */
static float row_class_loss(float *row, int label, const struct smoothing *s, int want_gradient)
{
    const double own = (1.0 - s->share * s->K) * weight_of(s, label);
    const double top = (double)row_max(row, s->K);
    double sum = 0;
    for (int c = 0; c < s->K; c++)
        sum += exp((double)row[c] - top);
    const double log_sum = top + log(sum);
    double loss = own * (log_sum - (double)row[label]);
    for (int c = 0; c < s->K; c++) {
        const double smooth = s->share * weight_of(s, c), minus_log_p = log_sum - (double)row[c];
        loss += smooth * minus_log_p;
        if (want_gradient)
            row[c] = (float)((own + s->share * s->weight_sum) * exp(-minus_log_p) - smooth -
                             (c == label ? own : 0.0));
    }
    return (float)loss;
}

void class_cross_entropy(float *logits, float *losses, const int32_t *labels,
                         const float *class_weights, float label_smoothing, int n, int K,
                         int want_gradient)
{
    struct smoothing s = {.weights = class_weights, .share = (double)label_smoothing / K, .K = K};
    for (int c = 0; c < K; c++)
        s.weight_sum += weight_of(&s, c);
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++) {
        float *row = logits + (int64_t)t * K;
        losses[t] = 0.0f;
        if (labels[t] >= 0)
            losses[t] = row_class_loss(row, labels[t], &s, want_gradient);
        else if (want_gradient)
            memset(row, 0, (size_t)K * sizeof *row);
    }
}
