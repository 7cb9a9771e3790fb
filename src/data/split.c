#include "data/split.h"

#include "base/rng.h"

/* Separates this use of the seed from all others. */
static const uint64_t stream = UINT64_C(0x73706c6974) << 24;

bool split_is_validation(int64_t seed, int64_t number, double fraction)
{
    const uint64_t bits = rng_u64((uint64_t)seed, stream, (uint64_t)number);
    return (double)(bits >> 11) * 0x1p-53 < fraction;
}
