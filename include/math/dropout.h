/**
 * Dropout whose mask is a pure function of (seed, epoch, sample, place in the network, element):
 * the same at every rank count, batch composition and thread count, and made again in the backward
 * pass instead of being kept.
 *
 * An element is kept with probability 1 - rate and then multiplied by 1 / (1 - rate); the rate
 * counts in steps of 1/65536.
 *
 * Source: Srivastava et al. 2014; the random bits are Philox4x32-10 (base/rng.h), 8 x 16 of a call.
 */
#ifndef FT_MATH_DROPOUT_H
#define FT_MATH_DROPOUT_H

#include <stdint.h>

struct dropout {
    double rate;  /**< 0 ... 1; 0 = nothing happens */
    uint64_t key; /**< dropout_key: equal on all ranks */
};

/** The key of an epoch, so that a sample is masked otherwise in the next one. */
uint64_t dropout_key(uint64_t seed, int64_t epoch);

/**
 * mask (n) = 0 or 1 / (1 - rate) for the elements from ... from+n-1 of the stream that
 * (key, sample, site, lane) names.
 *
 * @param[in] sample 0 ... 2^48-1
 * @param[in] site   0 ... 65535: where in the network, layer * 8 + place
 * @param[in] lane   the row or head within the sample
 * @param[in] from   from + n at most 2^35
 */
void dropout_mask(float *mask, const struct dropout *d, int64_t sample, int site, uint32_t lane,
                  int64_t from, int64_t n);

/**
 * x (n_rows, width) *= mask: forwards on values, backwards on the gradient. Row r at position p of
 * segment s takes the mask of (segment_ids[s], p), whatever else is in the batch.
 *
 * Local; parallel over OpenMP threads.
 *
 * @param[in] segment_start (n_segments + 1) first row of each segment; NULL: every row is a segment
 * @param[in] segment_ids   (n_segments) the sample's number, 0 ... 2^48-1
 */
void dropout_rows(float *x, int width, const struct dropout *d, int site,
                  const int32_t *segment_start, const int64_t *segment_ids, int n_segments);

#endif
