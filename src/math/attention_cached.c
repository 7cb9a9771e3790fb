#include "math/attention_cached.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "math/kernel.h"
#include "math/row.h"

size_t attention_cached_scratch_count(int max_tokens, int n_threads)
{
    return (size_t)max_tokens * (size_t)n_threads;
}

/* x = exp(scale * x - the largest), not yet divided by their sum, which is returned. */
FT_KERNEL static float row_exponentials(float *x, float scale, int n)
{
    const float top = row_max(x, n) * scale;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++) {
        x[i] = expf(x[i] * scale - top);
        sum += x[i];
    }
    return sum;
}

FT_KERNEL static void row_add_times(float *y, const float *x, float factor, int n)
{
#pragma omp simd
    for (int i = 0; i < n; i++)
        y[i] += factor * x[i];
}

static float scale_of(const struct cached_attention *s)
{
    return s->scale > 0.0f ? s->scale : 1.0f / sqrtf((float)s->D);
}

/* out (D) of one query q (D) that sees keys first ... end-1 of its head. */
static void one_head(float *out, const float *q, const void *keys, const void *values, int kv,
                     int first, int end, const struct cached_attention *s, float *scores)
{
    const int D = s->D, row = s->Hkv * D;
    float buffer[PIECE], scale = scale_of(s);
    for (int t = first; t < end; t++)
        scores[t - first] =
            row_dot(q, row_read(buffer, keys, s->type, (int64_t)t * row + kv * D, D), D);
    if (s->softcap > 0.0f) {
        row_softcap(scores, scale, s->softcap, end - first);
        scale = 1.0f;
    }
    const float sum = row_exponentials(scores, scale, end - first);
    memset(out, 0, (size_t)D * sizeof *out);
    for (int t = first; t < end; t++)
        row_add_times(out, row_read(buffer, values, s->type, (int64_t)t * row + kv * D, D),
                      scores[t - first] / sum, D);
}

void attention_cached(void *out, const void *queries, int stride, const void *keys,
                      const void *values, const struct cached_attention *s, float *scratch,
                      int max_tokens)
{
    const int D = s->D, before = s->n_tokens - s->n_new;
#pragma omp parallel for schedule(static)
    for (int task = 0; task < s->n_new * s->q.n; task++) {
        const int t = task / s->q.n, h = task % s->q.n, end = before + t + 1;
        const int first = s->reach > 0 && end - 1 > s->reach ? end - 1 - s->reach : 0;
        const int64_t to = (int64_t)task * D;
        const int64_t from = (int64_t)t * stride + s->q.at + (int64_t)h * s->q.step;
        float *scores = scratch + (size_t)max_tokens * (size_t)omp_get_thread_num();
        float q_buffer[PIECE], out_buffer[PIECE];
        float *y = row_place(out_buffer, out, s->type, to);
        one_head(y, row_read(q_buffer, queries, s->type, from, D), keys, values,
                 h / (s->q.n / s->Hkv), first, end, s, scores);
        row_write(out, s->type, to, y, D);
    }
}
