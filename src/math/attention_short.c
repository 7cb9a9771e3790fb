/*
 * Short sequences, the usual ones of an encoder: all scores of a head are one block in the cache,
 * and its products take about as long as a call of the BLAS, so they are our own. Against the tiles
 * this takes (one core, AVX2, 12 heads of 32, forward / backward) 0.7 / 0.5 of the time at 26
 * tokens, 0.75 / 0.6 at 64, 0.85 / 0.7 at 128. Causal tiles skip what no one sees, so there the
 * border is lower.
 *
 * Rows of a head lie far apart in qkv, often by a multiple of 512 bytes, and fall on few places of
 * the first-level cache. They are copied once, with many loads under way.
 *
 * Rows of scores are padded to `width` keys, a multiple of the vectors. The products leave anything
 * there; it is overwritten before the exponential and 0 after it.
 */
#include <math.h>

#include "attention_head.h"
#include "math/kernel.h"
#include "math/row.h"
#include "small_gemm.h"

enum { LONGEST = 128, LONGEST_CAUSAL = 64 };

static int padded(int n)
{
    return (n + SMALL_GEMM_LANES - 1) / SMALL_GEMM_LANES * SMALL_GEMM_LANES;
}

bool head_is_short(const struct head *a)
{
    const bool sees_all = a->s->reach == 0 || a->s->reach >= a->T - 1;
    return a->T <= (a->s->causal ? LONGEST_CAUSAL : LONGEST) && a->s->D % SMALL_GEMM_LANES == 0 &&
           sees_all && a->s->softcap <= 0.0f;
}

size_t short_scratch_count(int T_max, int D)
{
    const size_t width = (size_t)padded(T_max < LONGEST ? T_max : LONGEST);
    return 3 * width * width + 6 * (size_t)D * width;
}

/* The scratch of a head. */
struct blocks {
    float *p, *dp;          /* (T, width) */
    float *mask;            /* (T, T) */
    float *kt, *vt;         /* (D, width) transposed keys and values */
    float *q, *k, *v, *d_o; /* (T, D) copies */
    int width;
};

static struct blocks carve(float *scratch, const struct head *a)
{
    struct blocks b = {.width = padded(a->T)};
    const int64_t square = (int64_t)b.width * b.width, panel = (int64_t)b.width * a->s->D;
    b.p = scratch;
    b.dp = b.p + square;
    b.mask = b.dp + square;
    b.kt = b.mask + square;
    b.vt = b.kt + panel;
    b.q = b.vt + panel;
    b.k = b.q + panel;
    b.v = b.k + panel;
    b.d_o = b.v + panel;
    return b;
}

/* p = softmax(scale * p) over the first n of width entries, 0 in the others; returns the
 * log-sum-exp. Beyond n the entries are made equal to the first, so that no exponential overflows.
 */
FT_KERNEL static float padded_softmax(float *p, float scale, int n, int width)
{
    float top = p[0], sum = 0;
    for (int i = n; i < width; i++)
        p[i] = p[0];
#pragma omp simd reduction(max : top)
    for (int i = 0; i < width; i++)
        top = p[i] > top ? p[i] : top;
    top *= scale;
#pragma omp simd
    for (int i = 0; i < width; i++)
        p[i] = expf(p[i] * scale - top);
    for (int i = n; i < width; i++)
        p[i] = 0.0f;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < width; i++)
        sum += p[i];
    const float inverse = 1.0f / sum;
#pragma omp simd
    for (int i = 0; i < width; i++)
        p[i] *= inverse;
    return top + logf(sum);
}

/* p = exp(scale * p - lse), dp = p * (dp - sum of p dp) * scale; both 0 beyond n. The sum is that
 * of out * dout too, but here it costs no look at out. */
FT_KERNEL static void padded_softmax_backward(float *p, float *dp, float scale, float lse, int n,
                                              int width)
{
    float delta = 0;
    for (int i = n; i < width; i++)
        p[i] = p[0], dp[i] = 0.0f;
#pragma omp simd reduction(+ : delta)
    for (int i = 0; i < width; i++) {
        p[i] = expf(p[i] * scale - lse);
        delta += p[i] * dp[i];
    }
#pragma omp simd
    for (int i = 0; i < width; i++)
        dp[i] = p[i] * (dp[i] - delta) * scale;
    for (int i = n; i < width; i++)
        p[i] = dp[i] = 0.0f;
}

static void drop(float *x, const struct head *a, const struct blocks *b)
{
    for (int i = 0; i < a->T; i++)
        row_multiply(x + (int64_t)i * b->width, b->mask + (int64_t)i * a->T, a->T);
}

/* to (T, D) = rows of the head, as f32. */
static void copy_rows(float *to, const struct head *a, const void *x, int stride)
{
    if (a->type == ELEM_F32)
        small_copy(to, x, stride, a->T, a->s->D);
    for (int i = 0; i < (a->type == ELEM_F32 ? 0 : a->T); i++)
        row_from_bf16(to + (int64_t)i * a->s->D, (const uint16_t *)x + (int64_t)i * stride,
                      a->s->D);
}

/* Where a product of (T, D) goes: to its place, or by way of scratch, to be rounded. */
struct target {
    float *c;
    int ld;
};

static struct target target_of(const struct head *a, void *y, int stride, float *scratch)
{
    return a->type == ELEM_F32 ? (struct target){y, stride} : (struct target){scratch, a->s->D};
}

static void finish(const struct head *a, void *y, int stride, const float *scratch)
{
    for (int i = 0; i < (a->type == ELEM_F32 ? 0 : a->T); i++)
        row_to_bf16((uint16_t *)y + (int64_t)i * stride, scratch + (int64_t)i * a->s->D, a->s->D);
}

void short_forward(void *out, float *lse, const struct head *a, float *scratch)
{
    const int D = a->s->D, T = a->T, Hq = a->s->Hq;
    const struct blocks b = carve(scratch, a);
    void *o = elem_at(out, a->type, a->first * a->out_row + (int64_t)a->h * D);
    const struct target to = target_of(a, o, a->out_row, b.q);
    copy_rows(b.q, a, a->q, a->row);
    copy_rows(b.k, a, a->k, a->row);
    copy_rows(b.v, a, a->v, a->row);
    small_transpose(b.kt, b.width, b.k, D, T, D);
    small_gemm(b.p, b.width, b.q, D, 1, b.kt, b.width, T, b.width, D);
    for (int i = 0; i < T; i++)
        lse[(a->first + i) * Hq + a->h] =
            padded_softmax(b.p + (int64_t)i * b.width, a->scale, keys_of_row(a, i).end, b.width);
    if (head_mask(b.mask, a, 0, T))
        drop(b.p, a, &b);
    small_gemm(to.c, to.ld, b.p, b.width, 1, b.v, D, T, D, T);
    finish(a, o, a->out_row, b.q);
}

void short_backward(void *dqkv, const struct key_gradient *g, const void *dout, const float *lse,
                    const struct head *a, float *scratch)
{
    const int D = a->s->D, T = a->T, Hq = a->s->Hq;
    const struct blocks b = carve(scratch, a);
    const bool dropped = head_mask(b.mask, a, 0, T);
    void *dq = elem_at(dqkv, a->type, a->first * a->row + a->q_at);
    const struct target to = target_of(a, dq, a->row, b.kt);
    copy_rows(b.q, a, a->q, a->row);
    copy_rows(b.k, a, a->k, a->row);
    copy_rows(b.v, a, a->v, a->row);
    copy_rows(b.d_o, a, elem_const_at(dout, a->type, a->first * a->out_row + (int64_t)a->h * D),
              a->out_row);
    small_transpose(b.kt, b.width, b.k, D, T, D);
    small_transpose(b.vt, b.width, b.v, D, T, D);
    small_gemm(b.p, b.width, b.q, D, 1, b.kt, b.width, T, b.width, D);
    small_gemm(b.dp, b.width, b.d_o, D, 1, b.vt, b.width, T, b.width, D);
    if (dropped)
        drop(b.dp, a, &b);
    for (int i = 0; i < T; i++) {
        const int64_t at = (int64_t)i * b.width;
        padded_softmax_backward(b.p + at, b.dp + at, a->scale, lse[(a->first + i) * Hq + a->h],
                                keys_of_row(a, i).end, b.width);
    }
    if (dropped)
        drop(b.p, a, &b);
    small_gemm(to.c, to.ld, b.dp, b.width, 1, b.k, D, T, D, T);
    finish(a, dq, a->row, b.kt);
    small_gemm(g->dk, g->row, b.dp, 1, b.width, b.q, D, T, D, T);
    small_gemm(g->dv, g->row, b.p, 1, b.width, b.d_o, D, T, D, T);
}
