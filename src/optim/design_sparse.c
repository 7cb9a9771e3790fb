/*
 * Sparse designs are kept by rows and by columns: the forward product gathers along rows, the
 * transposed one along columns, so that each element of a result has one owner and one order of
 * summation, whatever the number of threads. The coefficients (or residuals) of a batch are
 * transposed first, so that one entry of x meets all p of them in one place.
 */
#include "design_sparse.h"

#include <string.h>

#include "base/mem.h"

enum { LANES = 16, CHUNK = 256 };

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

/* to (columns, p) = from (p, columns)^T, rows of `from` being ld apart. */
static void transpose(float *to, const float *from, int64_t ld, int p, int columns)
{
#pragma omp parallel for schedule(static)
    for (int at = 0; at < columns; at += CHUNK)
        for (int k = 0; k < p; k++)
            for (int j = at; j < at + CHUNK && j < columns; j++)
                to[(int64_t)j * p + k] = from[k * ld + j];
}

/* sum[lane] += value * dense[index][from + lane] over the entries first ... last-1. */
static void gather(double sum[LANES], const int32_t *index, const float *value, int64_t first,
                   int64_t last, const float *dense, int p, int from, int lanes)
{
    for (int64_t e = first; e < last; e++) {
        const float *row = dense + (int64_t)index[e] * p + from;
        for (int k = 0; k < lanes; k++)
            sum[k] += (double)(value[e] * row[k]);
    }
}

void sparse_forward(float *z, const struct design *s, const float *w, int p, float *scratch)
{
    const struct sparse_rows *rows = s->rows;
    const int64_t ld = s->d + 1;
    transpose(scratch, w, ld, p, s->d);
#pragma omp parallel for schedule(dynamic, CHUNK)
    for (int i = 0; i < s->n; i++)
        for (int from = 0; from < p; from += LANES) {
            const int lanes = p - from < LANES ? p - from : LANES;
            double sum[LANES] = {0};
            gather(sum, rows->column, rows->value, rows->row_start[i], rows->row_start[i + 1],
                   scratch, p, from, lanes);
            for (int k = 0; k < lanes; k++)
                z[(int64_t)(from + k) * s->n + i] =
                    (float)(sum[k] + (double)w[(from + k) * ld + s->d]);
        }
}

void sparse_backward(float *dw, const struct design *s, const float *r, int p, float *scratch)
{
    const int64_t ld = s->d + 1;
    transpose(scratch, r, s->n, p, s->n);
#pragma omp parallel for schedule(dynamic, CHUNK)
    for (int j = 0; j < s->d; j++)
        for (int from = 0; from < p; from += LANES) {
            const int lanes = p - from < LANES ? p - from : LANES;
            double sum[LANES] = {0};
            gather(sum, s->row, s->value, s->column_start[j], s->column_start[j + 1], scratch, p,
                   from, lanes);
            for (int k = 0; k < lanes; k++)
                dw[(from + k) * ld + j] = (float)sum[k];
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
