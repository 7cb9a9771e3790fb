/**
 * Causal grouped-query attention over packed sequences, in tiles of query rows.
 *
 * Local; parallel over (sequence, head) pairs; results do not depend on the number of threads.
 * Memory for scores is ATTENTION_TILE rows of the longest sequence per thread, never T x T.
 *
 * Source: Vaswani et al. 2017; Ainslie et al. 2023 (grouped queries); the backward pass recomputes
 * the probabilities from the log-sum-exp as Dao et al. 2022, section 3.1.
 */
#ifndef FT_MATH_ATTENTION_H
#define FT_MATH_ATTENTION_H

#include <stddef.h>
#include <stdint.h>

enum { ATTENTION_TILE = 64 };

/** The packed batch and the head counts. */
struct attention_shape {
    int n_tokens;
    int n_segments;
    const int32_t *segment_start; /**< (n_segments + 1) first row of each sequence */
    int Hq, Hkv, D;               /**< query heads, key/value heads (divides Hq), head size */
};

/** Elements of scratch that both functions need for sequences of up to T_max tokens. */
size_t attention_scratch_count(int T_max, int n_threads);

/**
 * @param[out] out     (n_tokens, Hq * D)
 * @param[out] lse     (n_tokens, Hq) log-sum-exp of the scaled scores, kept for the backward pass
 * @param[in]  qkv     (n_tokens, (Hq + 2 Hkv) * D): queries, keys, values of a row side by side
 * @param[in]  scratch (attention_scratch_count)
 */
void attention_forward(float *out, float *lse, const float *qkv, const struct attention_shape *s,
                       float *scratch, int T_max);

/**
 * @param[out] dqkv    (n_tokens, (Hq + 2 Hkv) * D), overwritten
 * @param[in]  dout    (n_tokens, Hq * D)
 * @param[in]  dkv     scratch of 2 * n_tokens * Hq * D elements
 */
void attention_backward(float *dqkv, const float *dout, const float *out, const float *lse,
                        const float *qkv, const struct attention_shape *s, float *dkv,
                        float *scratch, int T_max);

#endif
