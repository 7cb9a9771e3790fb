/** Conversations of a set: which tokens each has, how they share windows, and batches of them. */
#ifndef FT_DATA_CONVERSATIONS_H
#define FT_DATA_CONVERSATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "comm/comm.h"
#include "data/corpus.h"
#include "model/batch.h"

/**
 * A sample is one conversation or, packed, a window of several. 8 bytes a conversation on every
 * rank, packed 24. Conversations count in the order of the files; the numbers are the same at every
 * rank count.
 */
struct conversation_set {
    struct corpus *corpus; /**< borrowed */
    int seq_len;           /**< most tokens of a conversation, and of a window */
    int64_t n_conversations;
    int64_t *first;   /**< (n_conversations + 1) places in the corpus's token stream */
    int64_t n;        /**< samples */
    int64_t *members; /**< (n_conversations) packed: conversations, sample by sample; else NULL */
    int64_t *bounds;  /**< (n + 1) packed: where each sample begins in members; else NULL */
};

/**
 * Opens the conversations of a corpus that was opened with `instruct`. Collective; arguments must
 * agree.
 *
 * @param[in] corpus  borrowed until conversation_set_close
 * @param[in] packs   whether samples are windows that hold as many conversations as fit
 * @param[in] max     > 0: only the first so many samples; 0 = all
 * @return FT_OK; FT_ERR_INPUT: damaged shards; FT_ERR_IO
 */
ft_status conversation_set_open(struct conversation_set *s, struct comm *comm,
                                struct corpus *corpus, int seq_len, bool packs, int64_t max);

/** Releases the arrays; a zeroed set is allowed. */
void conversation_set_close(struct conversation_set *s);

/**
 * Packs samples back to back, a segment for each conversation: none sees another, positions count
 * from 0, and each token but the last predicts the next one where that is supervised. Local; no
 * allocation.
 *
 * @param[in,out] b        made by batch_create with the seq_len of s
 * @param[in]     numbers  (n) below s->n
 * @param[in]     n        0 ... micro_batch
 * @return FT_OK, or what corpus_read returned
 */
ft_status conversation_batch_fill(struct batch *b, const struct conversation_set *s,
                                  const int64_t *numbers, int n);

#endif
