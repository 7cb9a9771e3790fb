/**
 * Grouped-query attention over packed sequences, causal or not: short sequences whole, longer ones
 * in tiles of query rows.
 *
 * Local; parallel over (sequence, head) pairs; results do not depend on the number of threads.
 * Memory for scores is ATTENTION_TILE rows of the longest sequence per thread, for short sequences
 * T x T.
 *
 * Source: Vaswani et al. 2017; Ainslie et al. 2023 (grouped queries); Beltagy et al. 2020 (limited
 * reach); the backward pass recomputes the probabilities from the log-sum-exp as Dao et al. 2022,
 * section 3.1.
 */
#ifndef FT_MATH_ATTENTION_H
#define FT_MATH_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "math/dropout.h"
#include "math/gemm16.h"

enum { ATTENTION_TILE = 64 };

/** The packed batch and the head counts. */
struct attention_shape {
    int n_tokens;
    int n_segments;
    const int32_t *segment_start; /**< (n_segments + 1) first row of each sequence */
    int Hq, Hkv, D;               /**< query heads, key/value heads (divides Hq), head size */
    bool interleaved; /**< a row holds q, k, v of head 0, then of head 1 ...; needs Hkv = Hq. Else
                           all queries, all keys, all values */
    bool causal;      /**< a token sees itself and what is before it; else all */
    int reach;        /**< > 0: and nothing that is further away than so many tokens */
    float scale;      /**< of the scores; 0 = 1 / sqrt(D) */
    float softcap;    /**< > 0: scaled scores x become softcap * tanh(x / softcap) */

    /** NULL, or dropout of the probabilities: the mask of (query row q, key k) of head h in a
     * sequence of T tokens is element q * T + k of the stream (segment id, site, lane h). */
    const struct dropout *dropout;
    const int64_t *segment_ids; /**< (n_segments) the sample's number, where dropout is given */
    int site;                   /**< as dropout_mask's */

    /** NULL: out, qkv and their gradients are f32. Else they are bf16; scores, probabilities' sums
     * and lse stay f32. */
    struct gemm16 *gemm16;
};

/** Elements of scratch that both functions need for sequences of up to T_max tokens of head size D.
 */
size_t attention_scratch_count(int T_max, int D, int n_threads);

/**
 * @param[out] out     (n_tokens, Hq * D)
 * @param[out] lse     (n_tokens, Hq) log-sum-exp of the scaled scores, kept for the backward pass
 * @param[in]  qkv     (n_tokens, (Hq + 2 Hkv) * D): queries, keys, values in a row
 * @param[in]  scratch (attention_scratch_count)
 */
void attention_forward(void *out, float *lse, const void *qkv, const struct attention_shape *s,
                       float *scratch, int T_max);

/**
 * @param[out] dqkv    (n_tokens, (Hq + 2 Hkv) * D), overwritten
 * @param[in]  dout    (n_tokens, Hq * D)
 * @param[in]  dkv     scratch of 2 * n_tokens * Hq * D elements; NULL where Hkv = Hq and f32
 */
void attention_backward(void *dqkv, const void *dout, const void *out, const float *lse,
                        const void *qkv, const struct attention_shape *s, float *dkv,
                        float *scratch, int T_max);

#endif
