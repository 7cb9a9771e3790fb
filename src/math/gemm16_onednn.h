/* oneDNN behind gemm16: the only place that includes its header. Built without oneDNN it says that
 * nothing can be done. */
#ifndef FT_MATH_GEMM16_ONEDNN_H
#define FT_MATH_GEMM16_ONEDNN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "math/elem.h"

/* One product: c (m, n) = a * b, element (i, j) of a at i * a_row + j * a_column, of b likewise. */
struct product {
    int m, n, k;
    int a_row, a_column, b_row, b_column, ldc;
    enum elem in, out;
    bool adds;
};

struct onednn;

bool onednn_is_built(void);

/* Whether it has products of this type that run on the processor's own instructions. */
bool onednn_is_native(enum elem in);

const char *onednn_name(void);

/* Kernels of so many threads. */
ft_status onednn_create(struct onednn **out, int n_threads);
void onednn_destroy(struct onednn **o);

/* Computes on thread number `thread`; false where oneDNN cannot. */
bool onednn_multiply(struct onednn *o, int thread, const struct product *p, void *c, const void *a,
                     const void *b);

#endif
