/** Labelled documents: which tokens each has and which label, and batches of them. */
#ifndef FT_DATA_DOCUMENTS_H
#define FT_DATA_DOCUMENTS_H

#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "comm/comm.h"
#include "data/corpus.h"
#include "data/label_names.h"
#include "model/batch.h"

/**
 * The labelled documents of one set: which tokens, which label. 12 bytes a document on every rank.
 * Document 0 is the first of the files; the numbers are the same at every rank count.
 */
struct document_set {
    struct corpus *corpus; /**< borrowed */
    int64_t n_documents;
    int64_t *first;             /**< (n_documents + 1) places in the corpus's token stream */
    int32_t *labels;            /**< (n_documents) index into the names */
    int32_t n_labels;           /**< K */
    int64_t *n_per_label;       /**< (K) */
    int64_t n_tokens;           /**< of these documents, template included */
    int max_length;             /**< tokens of the longest */
    int64_t n_truncated;        /**< documents whose text was cut */
    int64_t n_empty;            /**< documents of the files that were skipped for want of text */
    char texts_hash[HASH_TEXT]; /**< of ids and borders of these documents; labels do not enter */
};

/**
 * Opens the first documents of a corpus that was opened with labels; says on stderr how many were
 * skipped for want of text. Collective; arguments must agree.
 *
 * @param[in] corpus         borrowed until document_set_close
 * @param[in] names          classes of the model; not kept
 * @param[in] max_documents  > 0: only the first so many; 0 = all
 * @return FT_OK; FT_ERR_INPUT: a label that is not among the names (message: file and line, unless
 * the shards were prepared), damaged shards; FT_ERR_IO
 */
ft_status document_set_open(struct document_set *s, struct comm *comm, struct corpus *corpus,
                            const struct label_names *names, int64_t max_documents);

/** Releases the arrays; a zeroed set is allowed. */
void document_set_close(struct document_set *s);

/**
 * Whether there is something to learn from a training set: FT_ERR_INPUT when its documents have one
 * label only. Warns of labels with one document, and of labels without any. Local; the same on all
 * ranks.
 */
ft_status document_set_check_training(const struct document_set *s,
                                      const struct label_names *names);

/**
 * The documents' numbers from the longest to the shortest, equal ones in their order: for passes
 * whose order is free.
 *
 * @param[out] order  gives (n_documents) numbers (mem_free)
 */
ft_status document_order_by_length(int64_t **order, const struct document_set *s);

/** As batch_create, with room for labels. */
ft_status document_batch_create(struct batch *b, int micro_batch, int seq_len);

/**
 * Packs documents back to back: a segment each, positions from 0, label, and the document's number
 * as segment_ids; targets are all -1. Local; no allocation.
 *
 * @param[in,out] b        made by document_batch_create, seq_len >= s->max_length
 * @param[in]     numbers  (n) below s->n_documents
 * @param[in]     n        0 ... micro_batch
 * @return FT_OK, or what corpus_read returned
 */
ft_status document_batch_fill(struct batch *b, const struct document_set *s, const int64_t *numbers,
                              int n);

#endif
