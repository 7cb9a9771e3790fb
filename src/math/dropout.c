/*
 * A group is 16 consecutive counters, that is 16 x 8 = 128 elements. Element 16 s + i of a group
 * takes the 16 bits number s of the group's counter i (word s / 2, its low or high half), so that
 * neighbours come from neighbouring counters and everything is whole vectors. An element costs
 * about 0.8 ns of one core (AVX2).
 *
 *     counter:  hi = site (16 bits), sample (48);  lo = lane (32 bits), number of the counter (32)
 */
#include "math/dropout.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "math/kernel.h"
#include "math/row.h"

enum { COUNTERS = 16, GROUP = 8 * COUNTERS, BATCH = 4 * COUNTERS, CHUNK = 8 * BATCH };

uint64_t dropout_key(uint64_t seed, int64_t epoch)
{
    const uint64_t stream = UINT64_C(0x64726f706f7574); /* "dropout" */
    return rng_u64(seed, stream, (uint64_t)epoch);
}

struct mask_bits {
    uint64_t key, hi, lo; /* of the first counter */
    uint32_t threshold;   /* 16 bits below it: dropped */
    float keep;           /* 1 / (1 - rate) */
};

static struct mask_bits mask_bits(const struct dropout *d, int64_t sample, int site, uint32_t lane)
{
    const double threshold = nearbyint(d->rate * 65536.0);
    return (struct mask_bits){.key = d->key,
                              .hi = (uint64_t)site << 48 | (uint64_t)sample,
                              .lo = (uint64_t)lane << 32,
                              .threshold = (uint32_t)threshold,
                              .keep = (float)(65536.0 / fmax(65536.0 - threshold, 1.0))};
}

static inline uint32_t high_half(uint32_t a, uint32_t b)
{
    return (uint32_t)((uint64_t)a * b >> 32);
}

/* rng_philox of n counters, a multiple of COUNTERS, at most BATCH. Round by round, so that the
 * processor has many products under way. */
static inline void philox_batch(uint32_t words[4][BATCH], uint64_t key, uint64_t hi, uint64_t lo,
                                int n)
{
    uint32_t *c0 = words[0], *c1 = words[1], *c2 = words[2], *c3 = words[3];
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int i = 0; i < n; i++) {
        c0[i] = (uint32_t)lo + (uint32_t)i, c1[i] = (uint32_t)(lo >> 32);
        c2[i] = (uint32_t)hi, c3[i] = (uint32_t)(hi >> 32);
    }
    for (int round = 0; round < 10; round++) {
#pragma omp simd
        for (int i = 0; i < n; i++) {
            const uint32_t high0 = high_half(0xD2511F53, c0[i]), low0 = 0xD2511F53 * c0[i];
            const uint32_t high1 = high_half(0xCD9E8D57, c2[i]), low1 = 0xCD9E8D57 * c2[i];
            c0[i] = high1 ^ c1[i] ^ k0, c1[i] = low1;
            c2[i] = high0 ^ c3[i] ^ k1, c3[i] = low0;
        }
        k0 += UINT32_C(0x9E3779B9);
        k1 += UINT32_C(0xBB67AE85);
    }
}

/* Masks of n_groups groups from group `first` of the stream on. */
FT_KERNEL static void groups_mask(float *mask, const struct mask_bits *m, int64_t first,
                                  int64_t n_groups)
{
    uint32_t words[4][BATCH];
    const uint32_t threshold = m->threshold;
    const float keep = m->keep;
    for (int64_t at = 0; at < n_groups; at += BATCH / COUNTERS) {
        const int n = n_groups - at < BATCH / COUNTERS ? (int)(n_groups - at) : BATCH / COUNTERS;
        philox_batch(words, m->key, m->hi, m->lo + (uint64_t)(first + at) * COUNTERS, n * COUNTERS);
        for (int g = 0; g < n; g++)
            for (int w = 0; w < 4; w++) {
                float *low = mask + (at + g) * GROUP + (int64_t)w * 2 * COUNTERS;
                const uint32_t *word = words[w] + (int64_t)g * COUNTERS;
#pragma omp simd
                for (int i = 0; i < COUNTERS; i++) {
                    low[i] = (word[i] & 0xffff) < threshold ? 0.0f : keep;
                    low[i + COUNTERS] = word[i] >> 16 < threshold ? 0.0f : keep;
                }
            }
    }
}

/* Elements from ... from+n-1 of the stream; those of groups that n cuts go through a buffer. */
static void fill_mask(float *mask, const struct mask_bits *m, int64_t from, int64_t n)
{
    float group[GROUP];
    while (n > 0) {
        const int64_t skip = from % GROUP;
        int64_t taken = n / GROUP * GROUP;
        if (skip == 0 && taken > 0) {
            groups_mask(mask, m, from / GROUP, n / GROUP);
        } else {
            taken = GROUP - skip < n ? GROUP - skip : n;
            groups_mask(group, m, from / GROUP, 1);
            memcpy(mask, group + skip, (size_t)taken * sizeof *mask);
        }
        mask += taken, from += taken, n -= taken;
    }
}

void dropout_mask(float *mask, const struct dropout *d, int64_t sample, int site, uint32_t lane,
                  int64_t from, int64_t n)
{
    const struct mask_bits m = mask_bits(d, sample, site, lane);
    fill_mask(mask, &m, from, n);
}

/* The segment that holds this row: the last one that starts at or before it. */
static int find_segment(const int32_t *segment_start, int n_segments, int row)
{
    int low = 0, high = n_segments;
    while (high - low > 1) {
        const int middle = low + (high - low) / 2;
        if (segment_start[middle] <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

void dropout_rows(float *x, int width, const struct dropout *d, int site,
                  const int32_t *segment_start, const int64_t *segment_ids, int n_segments)
{
    const int n_rows = segment_start ? segment_start[n_segments] : n_segments;
    if (d->rate <= 0.0)
        return;
#pragma omp parallel for schedule(static)
    for (int row = 0; row < n_rows; row++) {
        const int s = segment_start ? find_segment(segment_start, n_segments, row) : row;
        const int position = segment_start ? row - segment_start[s] : 0;
        const struct mask_bits m = mask_bits(d, segment_ids[s], site, (uint32_t)position);
        float mask[CHUNK];
        for (int at = 0; at < width; at += CHUNK) {
            const int n = width - at < CHUNK ? width - at : CHUNK;
            fill_mask(mask, &m, at, n);
            row_multiply(x + (int64_t)row * width + at, mask, n);
        }
    }
}
