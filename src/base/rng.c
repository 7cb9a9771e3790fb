#include "base/rng.h"

void rng_philox(uint32_t out[4], uint64_t key, uint64_t hi, uint64_t lo)
{
    uint32_t c0 = (uint32_t)lo, c1 = (uint32_t)(lo >> 32);
    uint32_t c2 = (uint32_t)hi, c3 = (uint32_t)(hi >> 32);
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = UINT64_C(0xD2511F53) * c0, p1 = UINT64_C(0xCD9E8D57) * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += UINT32_C(0x9E3779B9);
        k1 += UINT32_C(0xBB67AE85);
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

uint64_t rng_u64(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t words[4];
    rng_philox(words, seed, stream, index);
    return (uint64_t)words[1] << 32 | words[0];
}

/* A balanced Feistel network on 2 * half_bits bits is a permutation of [0, 4^half_bits), which is
 * less than 4 n; walking until the value falls below n makes it one of [0, n). */
int64_t rng_permute(uint64_t seed, uint64_t stream, int64_t n, int64_t position)
{
    int half_bits = 1;
    while (half_bits < 31 && (INT64_C(1) << (2 * half_bits)) < n)
        half_bits++;
    const uint64_t mask = (UINT64_C(1) << half_bits) - 1;
    uint64_t value = (uint64_t)position;
    do {
        uint64_t left = value >> half_bits, right = value & mask;
        for (uint64_t round = 0; round < 6; round++) {
            uint32_t words[4];
            rng_philox(words, seed, stream, right << 3 | round);
            const uint64_t mixed = left ^ (words[0] & mask);
            left = right;
            right = mixed;
        }
        value = left << half_bits | right;
    } while (value >= (uint64_t)n);
    return (int64_t)value;
}
