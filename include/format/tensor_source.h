/** Where the writers of model files take their tensors from. */
#ifndef FT_FORMAT_TENSOR_SOURCE_H
#define FT_FORMAT_TENSOR_SOURCE_H

#include <stdint.h>

#include "base/err.h"

/** Fills out with elements [first, first + n) of tensor `index`; called in order. */
typedef ft_status (*tensor_source)(void *context, int index, float *out, int64_t first, int64_t n);

#endif
