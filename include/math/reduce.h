/** Reductions over long vectors, in f64 and in an order that does not depend on the thread count.
 */
#ifndef FT_MATH_REDUCE_H
#define FT_MATH_REDUCE_H

#include <stdint.h>

/** Sum of x[i]^2 over n elements; not finite where an element is not. */
double sum_of_squares(const float *x, int64_t n);

#endif
