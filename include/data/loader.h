/**
 * Windows of the token stream and who computes which of them: a pure function of seed, step, rank
 * and number of ranks, so that there is nothing to store and a resumed run goes on in O(1).
 *
 * Nothing here is collective, and nothing after batch_create allocates.
 */
#ifndef FT_DATA_LOADER_H
#define FT_DATA_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "data/corpus.h"
#include "model/batch.h"

/**
 * The windows of one set. Window w reads the tokens w * seq_len ... (w + 1) * seq_len of the
 * stream, both included, and predicts all but the first of them: neighbouring windows share one
 * token, and every token of the stream but the very first is predicted once.
 */
struct window_set {
    struct corpus *corpus; /**< borrowed */
    int seq_len;           /**< tokens predicted by a full window */
    int64_t n_windows;     /**< sequences of one epoch */
    bool is_evaluation;
    bool isolate_documents;
};

/**
 * Cuts a corpus into windows.
 *
 * @param[in] is_evaluation  false: the last partial window counts too; true: it is dropped
 * @param[in] max_windows    > 0: only the first so many windows in file order; 0 = all
 * @param[in] isolate        no attention across document borders
 * @return FT_OK; FT_ERR_INPUT where not one window can be cut (the message names the sizes)
 */
ft_status window_set_init(struct window_set *s, struct corpus *c, int seq_len, bool is_evaluation,
                          int64_t max_windows, bool isolate);

/**
 * Makes room for micro_batch windows of seq_len tokens: a partial window takes fewer, and with
 * isolate_documents a window has one segment for each document in it. FT_ERR_INTERNAL when out of
 * memory.
 */
ft_status batch_create(struct batch *b, int micro_batch, int seq_len);

/** Releases the arrays; a zeroed batch is allowed. */
void batch_destroy(struct batch *b);

/**
 * Reads windows into the batch. Local; no allocation.
 *
 * @param[in,out] b        made with the seq_len of s and micro_batch >= n
 * @param[in]     windows  (n) window numbers below s->n_windows
 * @param[in]     n        0 ... micro_batch; 0 gives an empty batch
 * @return FT_OK, or what corpus_read returned
 */
ft_status batch_fill(struct batch *b, const struct window_set *s, const int64_t *windows, int n);

/** What one rank does in one optimizer step. */
struct step_plan {
    int64_t epoch;          /**< from 0 */
    int64_t first_position; /**< this rank's first sequence, counted from the epoch's beginning */
    int64_t count;          /**< this rank's sequences; 0 = without work */
    int64_t step_count;     /**< sequences of the step over all ranks */
    int n_micro;            /**< this rank's micro-batches; 0 = without work */
};

/** Steps of one epoch: ceil(n_windows / global_batch). */
int64_t loader_steps_per_epoch(int64_t n_windows, int global_batch);

/**
 * The sequences of one optimizer step that belong to one rank: of the B sequences of the step (the
 * last step of an epoch has fewer) rank r of n takes floor(r * B / n) ... floor((r + 1) * B / n)
 * - 1.
 *
 * @param[in] step  from 1, over all epochs
 */
void loader_plan(struct step_plan *p, int64_t step, int64_t n_windows, int global_batch,
                 int micro_batch, int rank, int size);

/**
 * The positions of one micro-batch: the rank's sequences in pieces as equal as possible.
 *
 * @param[out] first_position  within the epoch
 * @param[in]  micro           0 ... p->n_micro - 1
 * @return its number of sequences, 1 ... micro_batch
 */
int loader_micro(int64_t *first_position, const struct step_plan *p, int micro);

/**
 * The window at a position of an epoch's order.
 *
 * @param[in] shuffle   false: file order in every epoch
 * @param[in] epoch     from 0
 * @param[in] position  0 ... n_windows - 1
 */
int64_t loader_window(uint64_t seed, bool shuffle, int64_t n_windows, int64_t epoch,
                      int64_t position);

#endif
