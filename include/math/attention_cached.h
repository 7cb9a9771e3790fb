/**
 * Attention of a few new tokens over the keys and values of all tokens of one sequence so far.
 * Results are those of attention_forward on the whole sequence, up to the order of sums.
 *
 * Local; parallel over (token, head) pairs; results do not depend on the number of threads.
 */
#ifndef FT_MATH_ATTENTION_CACHED_H
#define FT_MATH_ATTENTION_CACHED_H

#include <stdbool.h>

#include "math/elem.h"
#include "math/ops.h"

/** One sequence whose last n_new tokens ask. */
struct cached_attention {
    int n_new, n_tokens;  /**< n_tokens with the new ones */
    struct heads q;       /**< in a row of the new tokens' queries */
    int Hkv, D;           /**< Hkv divides q.n */
    int reach;            /**< as in attention_shape: 0 = without limit */
    float scale, softcap; /**< as in attention_shape */
    enum elem type;       /**< of all rows */
};

/** Elements of scratch. */
size_t attention_cached_scratch_count(int max_tokens, int n_threads);

/**
 * @param[out] out     (n_new, q.n * D)
 * @param[in]  queries rows of `stride` elements
 * @param[in]  keys    (n_tokens, Hkv * D), values likewise
 * @param[in]  scratch (attention_cached_scratch_count) for max_tokens tokens
 */
void attention_cached(void *out, const void *queries, int stride, const void *keys,
                      const void *values, const struct cached_attention *s, float *scratch,
                      int max_tokens);

#endif
