/*
 * Sparse designs are kept by rows and by columns: the forward product gathers along rows, the
 * transposed one along columns, so that each element of a result has one owner and one order of
 * summation, whatever the number of threads. The coefficients (or residuals) of a batch are
 * transposed first, LANES to a vector, so that one entry of x meets all p of them in one place.
 */
#include "design_sparse.h"

#include <string.h>

#include "base/mem.h"
#include "math/kernel.h"

enum { LANES = 8, CHUNK = 256 };

void sparse_rows_clear(struct sparse_rows *rows)
{
    mem_free(rows->value);
    mem_free(rows->column);
    mem_free(rows->row_start);
    *rows = (struct sparse_rows){0};
}

/* Every index that the products will follow. */
static ft_status check_rows(const struct sparse_rows *rows)
{
    if (rows->n < 1 || rows->n > INT32_MAX || rows->d < 1 || rows->d >= INT32_MAX ||
        rows->row_start[0] != 0)
        return ft_fail(FT_ERR_INTERNAL, "features of %lld rows and %d columns cannot be fitted",
                       (long long)rows->n, rows->d);
    for (int64_t i = 0; i < rows->n; i++)
        if (rows->row_start[i] > rows->row_start[i + 1])
            return ft_fail(FT_ERR_INTERNAL, "row %lld of the features ends before it starts",
                           (long long)i);
    for (int64_t e = 0; e < rows->row_start[rows->n]; e++)
        if (rows->column[e] < 0 || rows->column[e] >= rows->d)
            return ft_fail(FT_ERR_INTERNAL, "entry %lld of the features is in column %d of %d",
                           (long long)e, (int)rows->column[e], rows->d);
    return FT_OK;
}

/* Counting sort by columns; rows stay in order within a column. */
static void fill_columns(struct design *s)
{
    const struct sparse_rows *rows = s->rows;
    for (int64_t e = 0; e < rows->row_start[s->n]; e++)
        s->column_start[rows->column[e] + 1]++;
    for (int j = 0; j < s->d; j++)
        s->column_start[j + 1] += s->column_start[j];
    for (int i = 0; i < s->n; i++)
        for (int64_t e = rows->row_start[i]; e < rows->row_start[i + 1]; e++) {
            const int64_t at = s->column_start[rows->column[e]]++;
            s->row[at] = i;
            s->value[at] = rows->value[e];
        }
    memmove(s->column_start + 1, s->column_start, (size_t)s->d * sizeof *s->column_start);
    s->column_start[0] = 0;
}

ft_status design_create_sparse(struct design **out, const struct sparse_rows *rows)
{
    struct design *s = NULL;
    ft_status status = FT_OK;
    *out = NULL;
    FT_TRY(check_rows(rows));
    FT_TRY(FT_ALLOC(s, 1));
    s->n = (int)rows->n;
    s->d = rows->d;
    s->rows = rows;
    FT_TRY_OUT(FT_ALLOC(s->column_start, s->d + 1));
    FT_TRY_OUT(FT_ALLOC(s->row, rows->row_start[s->n]));
    FT_TRY_OUT(FT_ALLOC(s->value, rows->row_start[s->n]));
    fill_columns(s);
    *out = s;
    s = NULL;
out:
    design_destroy(&s);
    return status;
}

int sparse_stride(int p)
{
    return p == 1 ? 1 : (p + LANES - 1) / LANES * LANES;
}

/* to (columns, stride) = from (p, columns)^T, rows of `from` being ld apart; the rest is 0. */
static void transpose(float *to, const float *from, int64_t ld, int p, int columns)
{
    const int stride = sparse_stride(p);
#pragma omp parallel for schedule(static)
    for (int at = 0; at < columns; at += CHUNK)
        for (int k = 0; k < stride; k++)
            for (int j = at; j < at + CHUNK && j < columns; j++)
                to[(int64_t)j * stride + k] = k < p ? from[k * ld + j] : 0.0f;
}

/* A run of entries: a row of x, or a column of it. */
struct run {
    const int32_t *index;
    const float *value;
    int64_t n;
};

FT_KERNEL static double gather_one(const struct run *run, const float *dense)
{
    double sum = 0;
    for (int64_t e = 0; e < run->n; e++)
        sum += (double)(run->value[e] * dense[run->index[e]]);
    return sum;
}

/* sum[k] = sum over the entries of value * dense[index][k], rows of `dense` being stride apart. */
FT_KERNEL static void gather_lanes(double sum[LANES], const struct run *run, const float *dense,
                                   int stride)
{
    double total[LANES] = {0};
    for (int64_t e = 0; e < run->n; e++) {
        const float *row = dense + (int64_t)run->index[e] * stride, value = run->value[e];
#pragma omp simd
        for (int k = 0; k < LANES; k++)
            total[k] += (double)(value * row[k]);
    }
    memcpy(sum, total, sizeof total);
}

/* The same for all p of them, out[k * ld]. */
static void gather(float *out, int64_t ld, const struct run *run, const float *dense, int p)
{
    if (p == 1)
        out[0] = (float)gather_one(run, dense);
    for (int from = 0; p > 1 && from < p; from += LANES) {
        double sum[LANES];
        gather_lanes(sum, run, dense + from, sparse_stride(p));
        for (int k = from; k < from + LANES && k < p; k++)
            out[k * ld] = (float)sum[k - from];
    }
}

void sparse_forward(float *z, const struct design *s, const float *w, int p, float *scratch)
{
    const struct sparse_rows *rows = s->rows;
    const int64_t ld = s->d + 1;
    transpose(scratch, w, ld, p, s->d);
#pragma omp parallel for schedule(dynamic, CHUNK)
    for (int i = 0; i < s->n; i++) {
        const int64_t from = rows->row_start[i];
        const struct run run = {rows->column + from, rows->value + from,
                                rows->row_start[i + 1] - from};
        gather(z + i, s->n, &run, scratch, p);
        for (int k = 0; k < p; k++)
            z[(int64_t)k * s->n + i] += w[k * ld + s->d];
    }
}

void sparse_backward(float *dw, const struct design *s, const float *r, int p, float *scratch)
{
    const int64_t ld = s->d + 1;
    transpose(scratch, r, s->n, p, s->n);
#pragma omp parallel for schedule(dynamic, CHUNK)
    for (int j = 0; j < s->d; j++) {
        const int64_t from = s->column_start[j];
        const struct run run = {s->row + from, s->value + from, s->column_start[j + 1] - from};
        gather(dw + j, ld, &run, scratch, p);
    }
    design_row_sums(dw + s->d, (int)ld, r, p, s->n);
}

void sparse_diagonal(float *diagonal, const struct design *s)
{
#pragma omp parallel for schedule(dynamic, CHUNK)
    for (int j = 0; j < s->d; j++) {
        double sum = 0;
        for (int64_t e = s->column_start[j]; e < s->column_start[j + 1]; e++)
            sum += (double)s->value[e] * (double)s->value[e];
        diagonal[j] = (float)(sum / s->n);
    }
}
