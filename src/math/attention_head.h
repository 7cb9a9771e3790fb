/* One head of one sequence, shared by the two ways to compute it: attention.c in tiles by the BLAS,
 * attention_short.c whole and by kernels of our own. */
#ifndef FT_MATH_ATTENTION_HEAD_H
#define FT_MATH_ATTENTION_HEAD_H

#include "math/attention.h"
#include "math/elem.h"

/* Where it lies in the packed rows. */
struct head {
    const struct attention_shape *s;
    enum elem type;
    const void *q, *k, *v; /* rows of `row` elements */
    int64_t first;         /* first packed row of the sequence */
    int segment, T, row, out_row, h, kv;
    int q_at, k_at, v_at; /* in a row of qkv */
    float scale;
};

/* The keys that a query row sees: begin ... end-1. */
struct key_range {
    int begin, end;
};

struct key_range keys_of_row(const struct head *a, int row);

/* Where its dk and dv go: rows of `row` elements. */
struct key_gradient {
    float *dk, *dv;
    int row;
};

/* mask (rows, T) = the dropout mask of query rows from ... from+rows-1; false: no dropout. */
bool head_mask(float *mask, const struct head *a, int from, int rows);

/* Whether the functions below take this head. */
bool head_is_short(const struct head *a);

/* Elements of scratch that they need for sequences of up to T_max tokens. */
size_t short_scratch_count(int T_max, int D);

/* Rows of out and lse of this head; both point to the whole buffers, as below. */
void short_forward(void *out, float *lse, const struct head *a, float *scratch);

void short_backward(void *dqkv, const struct key_gradient *g, const void *dout, const float *lse,
                    const struct head *a, float *scratch);

#endif
