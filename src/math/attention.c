/*
 * One task is one head of one sequence. A tile of 64 query rows meets all keys it may see in one
 * matrix product, so a row of scores is complete and softmax needs no running maximum; the block is
 * 64 x T floats per thread (1 MB at T = 4096), which stays in the second-level cache at usual
 * lengths. Online softmax over key tiles would bound it further, at the price of smaller products
 * and of rescaling the output; it would win from about T = 32k on.
 *
 * Short sequences go another way: attention_short.c.
 *
 * Backward: query heads of one group add to the same dk and dv. Each head writes its own copy
 * (n_tokens, D), summed afterwards in head order: no locks, and the same bits at every thread
 * count.
 */
#include "math/attention.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "attention_head.h"
#include "math/gemm.h"
#include "math/kernel.h"
#include "math/row.h"

/* Scores, their gradients and the dropout mask of one tile. */
static size_t tile_scratch_count(int T_max)
{
    return 3 * (size_t)ATTENTION_TILE * (size_t)T_max;
}

size_t attention_scratch_count(int T_max, int D, int n_threads)
{
    const size_t tile = tile_scratch_count(T_max), whole = short_scratch_count(T_max, D);
    return (tile > whole ? tile : whole) * (size_t)n_threads;
}

/* p = softmax(scale * s) over the first n entries, the rest up to width 0; returns log-sum-exp. */
FT_KERNEL static float row_softmax(float *s, float scale, int n, int width)
{
    float top = s[0], sum = 0;
#pragma omp simd reduction(max : top)
    for (int i = 0; i < n; i++)
        top = s[i] > top ? s[i] : top;
    top *= scale;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++) {
        const float e = expf(s[i] * scale - top);
        s[i] = e;
        sum += e;
    }
    const float inverse = 1.0f / sum;
#pragma omp simd
    for (int i = 0; i < n; i++)
        s[i] *= inverse;
    for (int i = n; i < width; i++)
        s[i] = 0.0f;
    return top + logf(sum);
}

/* p = exp(scale * s - lse), ds = p * (dp - delta) * scale, both 0 beyond n; ds overwrites dp. */
FT_KERNEL static void row_softmax_backward(float *s, float *dp, float scale, float lse, float delta,
                                           int n, int width)
{
#pragma omp simd
    for (int i = 0; i < n; i++) {
        const float p = expf(s[i] * scale - lse);
        s[i] = p;
        dp[i] = p * (dp[i] - delta) * scale;
    }
    for (int i = n; i < width; i++)
        s[i] = dp[i] = 0.0f;
}

/* p = exp(cap(scale * s) - lse), ds = p * (dp - delta) * the slope of cap, which is 1 - (x/cap)^2
 * at the capped x; ds overwrites dp. */
FT_KERNEL static void row_capped_backward(float *s, float *dp, float scale, float cap, float lse,
                                          float delta, int n)
{
    row_softcap(s, scale, cap, n);
#pragma omp simd
    for (int i = 0; i < n; i++) {
        const float p = expf(s[i] - lse), share = s[i] / cap;
        s[i] = p;
        dp[i] = p * (dp[i] - delta) * scale * (1.0f - share * share);
    }
}

/* Query rows from ... from+rows-1 of a head, and the keys that any of them sees: first ...
 * first+keys-1. */
struct tile {
    int from, rows, first, keys;
};

/* Where the keys of a key/value head lie in a row, and how far behind them its values. */
static int key_at(const struct attention_shape *s, int kv)
{
    return (s->interleaved ? 3 * kv + 1 : s->Hq + kv) * s->D;
}

static int value_step(const struct attention_shape *s)
{
    return (s->interleaved ? 1 : s->Hkv) * s->D;
}

static struct head find_head(const void *qkv, const struct attention_shape *s, int task)
{
    struct head head = {.s = s, .segment = task / s->Hq, .h = task % s->Hq};
    head.type = s->gemm16 ? ELEM_BF16 : ELEM_F32;
    head.row = (s->Hq + 2 * s->Hkv) * s->D;
    head.out_row = s->Hq * s->D;
    head.first = s->segment_start[head.segment];
    head.T = s->segment_start[head.segment + 1] - s->segment_start[head.segment];
    head.kv = head.h / (s->Hq / s->Hkv);
    head.q_at = (s->interleaved ? 3 * head.h : head.h) * s->D;
    head.k_at = key_at(s, head.kv);
    head.v_at = head.k_at + value_step(s);
    head.scale = s->scale > 0.0f ? s->scale : 1.0f / sqrtf((float)s->D);
    const int64_t at = head.first * head.row;
    head.q = elem_const_at(qkv, head.type, at + head.q_at);
    head.k = elem_const_at(qkv, head.type, at + head.k_at);
    head.v = elem_const_at(qkv, head.type, at + head.v_at);
    return head;
}

struct key_range keys_of_row(const struct head *a, int row)
{
    const int reach = a->s->reach > 0 ? a->s->reach : a->T;
    const int begin = row > reach ? row - reach : 0;
    const int end = a->s->causal || reach >= a->T - row ? a->T : row + reach + 1;
    return (struct key_range){begin, a->s->causal ? row + 1 : end};
}

static struct tile tile_at(const struct head *a, int from)
{
    struct tile tile = {.from = from, .rows = a->T - from};
    if (tile.rows > ATTENTION_TILE)
        tile.rows = ATTENTION_TILE;
    tile.first = keys_of_row(a, from).begin;
    tile.keys = keys_of_row(a, from + tile.rows - 1).end - tile.first;
    return tile;
}

bool head_mask(float *mask, const struct head *a, int from, int rows)
{
    const struct attention_shape *s = a->s;
    if (!s->dropout || s->dropout->rate <= 0.0)
        return false;
    dropout_mask(mask, s->dropout, s->segment_ids[a->segment], s->site, (uint32_t)a->h,
                 (int64_t)from * a->T, (int64_t)rows * a->T);
    return true;
}

/* x (rows, keys) *= the mask of the tile. */
static void drop_tile(float *x, const float *mask, const struct head *a, const struct tile *tile)
{
    for (int i = 0; i < tile->rows; i++)
        row_multiply(x + (int64_t)i * tile->keys, mask + (int64_t)i * a->T + tile->first,
                     tile->keys);
}

/* A matrix as a product reads it: rows of ld elements of the head's type. */
struct rows {
    const void *x;
    int ld;
};

static struct rows rows_from(const struct head *a, const void *x, int ld, int64_t row)
{
    return (struct rows){elem_const_at(x, a->type, row * ld), ld};
}

/* Scores and their gradients as they enter a product: rounded in place to the head's type. */
static struct rows rounded(const struct head *a, float *p, const struct tile *tile)
{
    if (a->type == ELEM_F32)
        return (struct rows){p, tile->keys};
    for (int i = 0; i < tile->rows; i++)
        row_shrink(p + (int64_t)i * tile->keys, tile->keys);
    return (struct rows){p, 2 * tile->keys};
}

static void product_nt(const struct head *a, float *c, int ldc, struct rows x, struct rows y, int m,
                       int n, int k)
{
    if (a->s->gemm16)
        gemm16_nt(a->s->gemm16, (struct gemm16_result){c, ldc, ELEM_F32, false}, x.x, x.ld, y.x,
                  y.ld, m, n, k);
    else
        gemm_nt(c, ldc, x.x, x.ld, y.x, y.ld, m, n, k, 0.0f);
}

static void product_nn(const struct head *a, struct gemm16_result c, struct rows x, struct rows y,
                       int m, int n, int k)
{
    if (a->s->gemm16)
        gemm16_nn(a->s->gemm16, c, x.x, x.ld, y.x, y.ld, m, n, k);
    else
        gemm_nn(c.c, c.ld, x.x, x.ld, y.x, y.ld, m, n, k, 0.0f);
}

static void product_tn(const struct head *a, struct gemm16_result c, struct rows x, struct rows y,
                       int m, int n, int k)
{
    if (a->s->gemm16)
        gemm16_tn(a->s->gemm16, c, x.x, x.ld, y.x, y.ld, m, n, k);
    else
        gemm_tn(c.c, c.ld, x.x, x.ld, y.x, y.ld, m, n, k, c.adds ? 1.0f : 0.0f);
}

/* One row of probabilities over the tile's keys; returns its log-sum-exp. */
static float tile_row_softmax(float *p, const struct head *a, const struct tile *tile, int i)
{
    const struct key_range seen = keys_of_row(a, tile->from + i);
    const int skipped = seen.begin - tile->first, n = seen.end - seen.begin;
    float scale = a->scale;
    for (int k = 0; k < skipped; k++)
        p[k] = 0.0f;
    if (a->s->softcap > 0.0f) {
        row_softcap(p + skipped, scale, a->s->softcap, n);
        scale = 1.0f;
    }
    return row_softmax(p + skipped, scale, n, tile->keys - skipped);
}

static void head_forward(void *out, float *lse, const struct head *a, float *p, float *mask)
{
    const int D = a->s->D;
    void *o = elem_at(out, a->type, a->first * a->out_row + (int64_t)a->h * D);
    for (int from = 0; from < a->T; from += ATTENTION_TILE) {
        const struct tile tile = tile_at(a, from);
        const int keys = tile.keys;
        product_nt(a, p, keys, rows_from(a, a->q, a->row, from),
                   rows_from(a, a->k, a->row, tile.first), tile.rows, keys, D);
        for (int i = 0; i < tile.rows; i++)
            lse[(a->first + from + i) * a->s->Hq + a->h] =
                tile_row_softmax(p + (int64_t)i * keys, a, &tile, i);
        if (head_mask(mask, a, from, tile.rows))
            drop_tile(p, mask, a, &tile);
        product_nn(a,
                   (struct gemm16_result){elem_at(o, a->type, (int64_t)from * a->out_row),
                                          a->out_row, a->type, false},
                   rounded(a, p, &tile), rows_from(a, a->v, a->row, tile.first), tile.rows, D,
                   keys);
    }
}

/* Heads that a thread takes at a time: one of a short sequence is hardly worth the asking. */
static int chunk_of(int T_max)
{
    return T_max <= 2 * ATTENTION_TILE ? 4 : 1;
}

void attention_forward(void *out, float *lse, const void *qkv, const struct attention_shape *s,
                       float *scratch, int T_max)
{
#pragma omp parallel for schedule(dynamic, chunk_of(T_max))
    for (int task = 0; task < s->n_segments * s->Hq; task++) {
        const struct head head = find_head(qkv, s, task);
        float *p = scratch + attention_scratch_count(T_max, s->D, omp_get_thread_num());
        if (head_is_short(&head))
            short_forward(out, lse, &head, p);
        else
            head_forward(out, lse, &head, p, p + 2 * (size_t)ATTENTION_TILE * (size_t)T_max);
    }
}

/* A row of out . dout. */
static float output_dot(const struct head *a, const void *x, const void *y, int64_t at)
{
    float buffers[2][PIECE];
    return row_dot(row_read(buffers[0], x, a->type, at, a->s->D),
                   row_read(buffers[1], y, a->type, at, a->s->D), a->s->D);
}

/* One row of p and dp over the tile's keys: probabilities and the gradient of the scores. */
static void tile_row_backward(float *p, float *dp, const struct head *a, const struct tile *tile,
                              int i, float lse, float delta)
{
    const struct key_range seen = keys_of_row(a, tile->from + i);
    const int skipped = seen.begin - tile->first, n = seen.end - seen.begin;
    const int width = tile->keys - skipped;
    for (int k = 0; k < skipped; k++)
        p[k] = dp[k] = 0.0f;
    p += skipped, dp += skipped;
    if (a->s->softcap <= 0.0f) {
        row_softmax_backward(p, dp, a->scale, lse, delta, n, width);
        return;
    }
    row_capped_backward(p, dp, a->scale, a->s->softcap, lse, delta, n);
    for (int k = n; k < width; k++)
        p[k] = dp[k] = 0.0f;
}

/* p and dp, then their masked and their softmax gradients, of one tile. With dropout the gradient
 * of the probabilities is masked as they were; out . dout is still the sum of p * dp. */
static void tile_probabilities(float *p, float *dp, float *mask, struct rows d_o, const void *o,
                               const float *lse, const struct head *a, const struct tile *tile)
{
    const int D = a->s->D, Hq = a->s->Hq, keys = tile->keys;
    product_nt(a, p, keys, rows_from(a, a->q, a->row, tile->from),
               rows_from(a, a->k, a->row, tile->first), tile->rows, keys, D);
    product_nt(a, dp, keys, d_o, rows_from(a, a->v, a->row, tile->first), tile->rows, keys, D);
    const bool dropped = head_mask(mask, a, tile->from, tile->rows);
    if (dropped)
        drop_tile(dp, mask, a, tile);
    for (int i = 0; i < tile->rows; i++)
        tile_row_backward(p + (int64_t)i * keys, dp + (int64_t)i * keys, a, tile, i,
                          lse[(a->first + tile->from + i) * Hq + a->h],
                          output_dot(a, d_o.x, o, (int64_t)i * a->out_row));
    if (dropped)
        drop_tile(p, mask, a, tile);
}

static void clear_rows(float *x, int row, int n, int width)
{
    for (int t = 0; t < n; t++)
        memset(x + (int64_t)t * row, 0, (size_t)width * sizeof *x);
}

/* From the last tile to the first: the last one sees every key, so it may overwrite dk and dv,
 * unless the reach is limited. */
static void head_backward(void *dqkv, const struct key_gradient *g, const void *dout,
                          const void *out, const float *lse, const struct head *a, int T_max,
                          float *p)
{
    const int D = a->s->D;
    const int64_t o_at = a->first * a->out_row + (int64_t)a->h * D;
    const int64_t q_at = a->first * a->row + a->q_at;
    const bool sees_all = a->s->reach == 0 || a->s->reach >= a->T - 1;
    float *dp = p + (int64_t)ATTENTION_TILE * T_max, *mask = dp + (int64_t)ATTENTION_TILE * T_max;
    const int last = (a->T - 1) / ATTENTION_TILE * ATTENTION_TILE;
    if (!sees_all) {
        clear_rows(g->dk, g->row, a->T, D);
        clear_rows(g->dv, g->row, a->T, D);
    }
    for (int from = last; from >= 0; from -= ATTENTION_TILE) {
        const struct tile tile = tile_at(a, from);
        const int64_t key_row = (int64_t)tile.first * g->row;
        const int rows = tile.rows, keys = tile.keys;
        const int64_t o_row = o_at + (int64_t)from * a->out_row;
        const struct rows q = rows_from(a, a->q, a->row, from);
        const struct rows d_o = {elem_const_at(dout, a->type, o_row), a->out_row};
        const bool adds = from != last || !sees_all;
        tile_probabilities(p, dp, mask, d_o, elem_const_at(out, a->type, o_row), lse, a, &tile);
        const struct rows ds = rounded(a, dp, &tile), weights = rounded(a, p, &tile);
        void *dq = elem_at(dqkv, a->type, q_at + (int64_t)from * a->row);
        product_nn(a, (struct gemm16_result){dq, a->row, a->type, false}, ds,
                   rows_from(a, a->k, a->row, tile.first), rows, D, keys);
        product_tn(a, (struct gemm16_result){g->dk + key_row, g->row, ELEM_F32, adds}, ds, q, keys,
                   D, rows);
        product_tn(a, (struct gemm16_result){g->dv + key_row, g->row, ELEM_F32, adds}, weights, d_o,
                   keys, D, rows);
    }
}

/* to = the sum of `group` planes' rows; D elements each. */
static void sum_row(void *to, enum elem type, int64_t at, const float *from, int64_t plane,
                    int group, int D)
{
    float sum[PIECE];
    memcpy(sum, from, (size_t)D * sizeof *sum);
    for (int g = 1; g < group; g++)
        row_add(sum, from + g * plane, D);
    if (type == ELEM_F32)
        memcpy((float *)to + at, sum, (size_t)D * sizeof *sum);
    else
        row_to_bf16((uint16_t *)to + at, sum, D);
}

/* dk and dv of a key/value head: the sum over the query heads of its group. */
static void sum_groups(void *dqkv, const float *dk, const float *dv,
                       const struct attention_shape *s)
{
    const int D = s->D, group = s->Hq / s->Hkv, row = (s->Hq + 2 * s->Hkv) * D;
    const int64_t plane = (int64_t)s->n_tokens * D;
    const enum elem type = s->gemm16 ? ELEM_BF16 : ELEM_F32;
#pragma omp parallel for schedule(static)
    for (int t = 0; t < s->n_tokens; t++) {
        for (int kv = 0; kv < s->Hkv; kv++) {
            const int64_t to = (int64_t)t * row + key_at(s, kv);
            const int64_t from = (int64_t)kv * group * plane + (int64_t)t * D;
            sum_row(dqkv, type, to, dk + from, plane, group, D);
            sum_row(dqkv, type, to + value_step(s), dv + from, plane, group, D);
        }
    }
}

/* Whether heads write copies that are summed afterwards: query heads of a group meet in one dk and
 * dv, and a sum over tiles must not be rounded on the way. */
static bool sums_groups(const struct attention_shape *s)
{
    return s->Hq != s->Hkv || s->gemm16;
}

/* Without copies a head writes where the sum would go. */
static struct key_gradient key_gradient(void *dqkv, float *dkv, const struct head *a)
{
    const struct attention_shape *s = a->s;
    const int64_t plane = (int64_t)s->n_tokens * s->D; /* one head's (n_tokens, D) */
    if (!sums_groups(s)) {
        float *dk = (float *)dqkv + a->first * a->row + a->k_at;
        return (struct key_gradient){dk, dk + value_step(s), a->row};
    }
    float *dk = dkv + a->h * plane + a->first * s->D;
    return (struct key_gradient){dk, dk + s->Hq * plane, s->D};
}

void attention_backward(void *dqkv, const void *dout, const void *out, const float *lse,
                        const void *qkv, const struct attention_shape *s, float *dkv,
                        float *scratch, int T_max)
{
#pragma omp parallel for schedule(dynamic, chunk_of(T_max))
    for (int task = 0; task < s->n_segments * s->Hq; task++) {
        const struct head head = find_head(qkv, s, task);
        const struct key_gradient g = key_gradient(dqkv, dkv, &head);
        float *p = scratch + attention_scratch_count(T_max, s->D, omp_get_thread_num());
        if (head_is_short(&head))
            short_backward(dqkv, &g, dout, lse, &head, p);
        else
            head_backward(dqkv, &g, dout, out, lse, &head, T_max, p);
    }
    if (sums_groups(s))
        sum_groups(dqkv, dkv, dkv + (int64_t)s->n_tokens * s->Hq * s->D, s);
}
