/** Sequences of different lengths into windows of one size. Not collective. */
#ifndef FT_DATA_PACKING_H
#define FT_DATA_PACKING_H

#include <stdint.h>

#include "base/err.h"

/**
 * Best fit, longest first: each sequence goes into the fullest window that still holds it. Windows
 * count in the order of their first sequences, sequences within a window in their order; so the
 * result depends on the lengths alone.
 *
 * Time O(n log n + n capacity / 64), memory 24 bytes a sequence while it runs.
 *
 * @param[out] order     (n) the sequences' numbers, window by window
 * @param[out] first     (n + 1) where each window begins in order, and where the last one ends
 * @param[out] n_windows how many there are
 * @param[in]  lengths   (n) 1 ... capacity
 * @param[in]  capacity  of a window
 */
ft_status packing_best_fit(int64_t *order, int64_t *first, int64_t *n_windows,
                           const int32_t *lengths, int64_t n, int32_t capacity);

#endif
