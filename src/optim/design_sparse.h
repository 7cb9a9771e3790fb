/** The sparse side of a design, and what both sides share. Only for design*.c. */
#ifndef FT_OPTIM_DESIGN_SPARSE_H
#define FT_OPTIM_DESIGN_SPARSE_H

#include "optim/design.h"

/** sums[k * stride] = sum of row k of r (p, n), in f64. */
void design_row_sums(float *sums, int stride, const float *r, int p, int n);

/** Elements of scratch for each row or column: p rounded up to whole vectors. */
int sparse_stride(int p);

void sparse_forward(float *z, const struct design *s, const float *w, int p, float *scratch);
void sparse_backward(float *dw, const struct design *s, const float *r, int p, float *scratch);
void sparse_diagonal(float *diagonal, const struct design *s);

#endif
