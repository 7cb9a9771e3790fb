/**
 * Counter-based random numbers: a pure function of (seed, stream, index), nothing to store or
 * resume.
 *
 * Source: Salmon et al. 2011, Philox4x32-10.
 */
#ifndef FT_BASE_RNG_H
#define FT_BASE_RNG_H

#include <stdint.h>

/** 128 random bits of counter (hi, lo) under key. */
void rng_philox(uint32_t out[4], uint64_t key, uint64_t hi, uint64_t lo);

/** 64 random bits; stream separates purposes. */
uint64_t rng_u64(uint64_t seed, uint64_t stream, uint64_t index);

/**
 * Where position (0 <= position < n) goes in a random permutation of 0 ... n-1 chosen by
 * (seed, stream). O(1) expected time and no memory: a Feistel network with cycle walking.
 */
int64_t rng_permute(uint64_t seed, uint64_t stream, int64_t n, int64_t position);

#endif
