#include "optim/folds.h"

#include "base/rng.h"

/* Separates this use of the seed from all others. */
static const uint64_t stream = UINT64_C(0x666f6c6473) << 24;

int folds_assign(int64_t seed, int64_t n, int64_t number, int n_folds)
{
    return (int)(rng_permute((uint64_t)seed, stream, n, number) % n_folds);
}
