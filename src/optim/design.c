/*
 * Dense designs. X is kept standardised rather than folded into every product: features of encoders
 * have columns whose mean is many deviations, and x w - mean w would cancel in f32.
 *
 * Rows are cut into at most GROUPS groups by their number alone. A product is one single-threaded
 * sgemm a group, partial results are added in the order of the groups: the same bits for every
 * number of threads, and one barrier a product.
 */
#include "optim/design.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "math/gemm.h"
#include "design_sparse.h"

enum { GROUPS = 16, GROUP_ROWS_MIN = 64, SUM_BLOCK = 1024, DIAGONAL_TILE = 128 };
enum { GRAM_TILE = 512, GRAM_BYTES = 32 << 20 };

static int count_groups(int n)
{
    const int groups = n / GROUP_ROWS_MIN;
    return groups < 1 ? 1 : groups > GROUPS ? GROUPS : groups;
}

static int group_start(int n, int groups, int g)
{
    return (int)((int64_t)n * g / groups);
}

/* sums (groups, d) of x[i][j] (pass 0) or of (x[i][j] - mean[j])^2 (pass 1), then all of them in
 * the first row. */
static void group_moments(double *sums, const float *x, const double *mean, int n, int d, int pass)
{
    const int groups = count_groups(n);
#pragma omp parallel for schedule(dynamic)
    for (int g = 0; g < groups; g++) {
        double *sum = sums + (int64_t)g * d;
        memset(sum, 0, (size_t)d * sizeof *sum);
        for (int i = group_start(n, groups, g); i < group_start(n, groups, g + 1); i++) {
            const float *row = x + (int64_t)i * d;
            if (pass == 0)
                for (int j = 0; j < d; j++)
                    sum[j] += (double)row[j];
            else
                for (int j = 0; j < d; j++)
                    sum[j] += ((double)row[j] - mean[j]) * ((double)row[j] - mean[j]);
        }
    }
    for (int g = 1; g < groups; g++)
        for (int j = 0; j < d; j++)
            sums[j] += sums[(int64_t)g * d + j];
}

static ft_status find_moments(struct design *s, const float *x, bool standardise, double *sums)
{
    group_moments(sums, x, NULL, s->n, s->d, 0);
    for (int j = 0; j < s->d; j++) {
        s->mean[j] = sums[j] / s->n;
        if (!isfinite(s->mean[j]))
            return ft_fail(FT_ERR_INTERNAL, "column %d of the features is not finite", j);
    }
    group_moments(sums, x, s->mean, s->n, s->d, 1);
    for (int j = 0; j < s->d; j++) {
        const double deviation = sqrt(sums[j] / s->n);
        const bool constant = deviation <= 1e-7 * fabs(s->mean[j]) || deviation < 1e-30;
        s->scale[j] = constant ? 0.0 : standardise ? 1.0 / deviation : 1.0;
    }
    return FT_OK;
}

void design_standardise(float *out, const struct design *s, const float *x, int64_t n)
{
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        const float *from = x + i * s->d;
        float *to = out + i * s->d;
        for (int j = 0; j < s->d; j++)
            to[j] = (float)(((double)from[j] - s->mean[j]) * s->scale[j]);
    }
}

ft_status design_create_dense(struct design **out, const float *x, int64_t n, int d,
                              bool standardise)
{
    struct design *s = NULL;
    double *sums = NULL;
    ft_status status = FT_OK;
    *out = NULL;
    if (n < 1 || n > INT32_MAX || d < 1 || d >= INT32_MAX)
        return ft_fail(FT_ERR_INTERNAL, "features of %lld rows and %d columns cannot be fitted",
                       (long long)n, d);
    FT_TRY(FT_ALLOC(s, 1));
    s->n = (int)n;
    s->d = d;
    FT_TRY_OUT(FT_ALLOC(s->mean, d));
    FT_TRY_OUT(FT_ALLOC(s->scale, d));
    FT_TRY_OUT(FT_ALLOC(sums, (size_t)d * GROUPS));
    s->x = mem_alloc_raw((size_t)n * (size_t)d, sizeof *s->x);
    FT_TRY_OUT(s->x ? FT_OK : FT_ERR_INTERNAL);
    FT_TRY_OUT(find_moments(s, x, standardise, sums));
    design_standardise(s->x, s, x, s->n);
    *out = s;
    s = NULL;
out:
    mem_free(sums);
    design_destroy(&s);
    return status;
}

void design_destroy(struct design **design)
{
    struct design *s = *design;
    if (!s)
        return;
    mem_free(s->value);
    mem_free(s->row);
    mem_free(s->column_start);
    mem_free(s->gram);
    mem_free(s->x);
    mem_free(s->scale);
    mem_free(s->mean);
    FT_FREE(*design);
}

size_t design_scratch_count(const struct design *s, int p)
{
    const size_t per_row = (size_t)s->d + 1;
    if (s->x)
        return (size_t)count_groups(s->n) * (size_t)p * per_row;
    return (size_t)sparse_stride(p) * ((size_t)s->n > per_row ? (size_t)s->n : per_row);
}

void design_forward(float *z, const struct design *s, const float *w, int p, float *scratch)
{
    const int groups = count_groups(s->n), ld = s->d + 1;
    if (!s->x) {
        sparse_forward(z, s, w, p, scratch);
        return;
    }
#pragma omp parallel for schedule(dynamic)
    for (int g = 0; g < groups; g++) {
        const int from = group_start(s->n, groups, g), to = group_start(s->n, groups, g + 1);
        gemm_nt(z + from, s->n, w, ld, s->x + (int64_t)from * s->d, s->d, p, to - from, s->d, 0.0f);
        for (int k = 0; k < p; k++)
            for (int i = from; i < to; i++)
                z[(int64_t)k * s->n + i] += w[(int64_t)k * ld + s->d];
    }
}

void design_row_sums(float *sums, int stride, const float *r, int p, int n)
{
#pragma omp parallel for schedule(static)
    for (int k = 0; k < p; k++) {
        double sum = 0;
        for (int i = 0; i < n; i++)
            sum += (double)r[(int64_t)k * n + i];
        sums[(int64_t)k * stride] = (float)sum;
    }
}

void design_backward(float *dw, const struct design *s, const float *r, int p, float *scratch)
{
    const int groups = count_groups(s->n), ld = s->d + 1;
    const int64_t part = (int64_t)p * ld;
    if (!s->x) {
        sparse_backward(dw, s, r, p, scratch);
        return;
    }
#pragma omp parallel for schedule(dynamic)
    for (int g = 0; g < groups; g++) {
        const int from = group_start(s->n, groups, g), to = group_start(s->n, groups, g + 1);
        gemm_nn(scratch + g * part, ld, r + from, s->n, s->x + (int64_t)from * s->d, s->d, p, s->d,
                to - from, 0.0f);
    }
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < part; at += SUM_BLOCK)
        for (int64_t e = at; e < at + SUM_BLOCK && e < part; e++) {
            double sum = 0;
            for (int g = 0; g < groups; g++)
                sum += (double)scratch[g * part + e];
            dw[e] = (float)sum;
        }
    design_row_sums(dw + s->d, ld, r, p, s->n);
}

/* How many groups of rows get a sum of their own: as many as GRAM_BYTES hold. */
static int count_parts(int n, int d)
{
    const int64_t fit = GRAM_BYTES / ((int64_t)d * d * (int64_t)sizeof(float));
    const int groups = count_groups(n);
    return fit < 1 ? 1 : fit < groups ? (int)fit : groups;
}

/* One tile on or below the diagonal of one part's sum. */
static void gram_tile(float *part, const struct design *s, int from, int to, int i, int j)
{
    const int d = s->d, rows = d - i < GRAM_TILE ? d - i : GRAM_TILE;
    const int columns = d - j < GRAM_TILE ? d - j : GRAM_TILE;
    const float *x = s->x + (int64_t)from * d;
    float *out = part + (int64_t)i * d + j;
    if (i == j)
        gemm_tn_lower(out, d, x + i, d, rows, to - from, 0.0f);
    else
        gemm_tn(out, d, x + i, d, x + j, d, rows, columns, to - from, 0.0f);
}

static void add_parts(float *gram, const float *parts, int n_parts, int64_t count, int n)
{
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < count; at += SUM_BLOCK)
        for (int64_t e = at; e < at + SUM_BLOCK && e < count; e++) {
            double sum = 0;
            for (int part = 0; part < n_parts; part++)
                sum += (double)parts[part * count + e];
            gram[e] = (float)(sum / n);
        }
}

ft_status design_gram(struct design *s)
{
    const int n_parts = count_parts(s->n, s->d), tiles = (s->d + GRAM_TILE - 1) / GRAM_TILE;
    const int64_t count = (int64_t)s->d * s->d;
    float *parts = NULL;
    if (s->gram)
        return FT_OK;
    FT_TRY(FT_ALLOC(parts, count * n_parts));
    const ft_status status = FT_ALLOC(s->gram, count);
#pragma omp parallel for schedule(dynamic) if (status == FT_OK)
    for (int task = 0; task < n_parts * tiles * tiles; task++) {
        const int part = task / (tiles * tiles), i = task / tiles % tiles, j = task % tiles;
        if (j <= i && status == FT_OK)
            gram_tile(parts + part * count, s, group_start(s->n, n_parts, part),
                      group_start(s->n, n_parts, part + 1), i * GRAM_TILE, j * GRAM_TILE);
    }
    if (status == FT_OK)
        add_parts(s->gram, parts, n_parts, count, s->n);
    mem_free(parts);
    return status;
}

void design_diagonal(float *diagonal, const struct design *s)
{
    if (!s->x) {
        sparse_diagonal(diagonal, s);
        return;
    }
#pragma omp parallel for schedule(static)
    for (int at = 0; at < s->d; at += DIAGONAL_TILE) {
        const int to = at + DIAGONAL_TILE < s->d ? at + DIAGONAL_TILE : s->d;
        double sum[DIAGONAL_TILE] = {0};
        for (int i = 0; i < s->n; i++)
            for (int j = at; j < to; j++)
                sum[j - at] +=
                    (double)s->x[(int64_t)i * s->d + j] * (double)s->x[(int64_t)i * s->d + j];
        for (int j = at; j < to; j++)
            diagonal[j] = (float)(sum[j - at] / s->n);
    }
}

void design_unfold(float *weight, float *bias, const struct design *s, const float *w)
{
    double shift = (double)w[s->d];
    for (int j = 0; j < s->d; j++) {
        const double folded = (double)w[j] * (s->x ? s->scale[j] : 1.0);
        weight[j] = (float)folded;
        shift -= s->x ? folded * s->mean[j] : 0.0;
    }
    *bias = (float)shift;
}
