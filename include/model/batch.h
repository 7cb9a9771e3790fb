/** One micro-batch: token sequences packed back to back without padding. */
#ifndef FT_MODEL_BATCH_H
#define FT_MODEL_BATCH_H

#include <stdint.h>

/**
 * A segment is a stretch whose tokens may attend to each other: a whole window, or with
 * isolate_documents the part of one document in it. A partial window is simply shorter.
 */
struct batch {
    int n_tokens; /**< tokens in use, at most micro_batch * seq_len */
    int n_segments;
    int32_t *tokens;        /**< (n_tokens) ids */
    int32_t *targets;       /**< (n_tokens) id to predict there; -1 = not supervised */
    int32_t *positions;     /**< (n_tokens) position within the segment, from 0 */
    int32_t *segment_start; /**< (n_segments + 1) first token of each segment, then n_tokens */
    int64_t n_supervised;   /**< targets that are not -1; classification: documents */
    int32_t *labels;        /**< (n_segments) classification: label of each document; else NULL */
    int64_t *segment_ids;   /**< (n_segments) names a segment in the whole set: dropout's stream is
                                 keyed by it, so it is the same at every rank count */
    uint64_t dropout_key;   /**< of seed and epoch: math/dropout.h */

    int micro_batch; /**< windows that fit */
    int seq_len;
    int64_t *windows; /**< (micro_batch) window numbers, for whoever fills the batch */
    int64_t *starts;  /**< (seq_len) scratch: document borders of one window */
};

#endif
