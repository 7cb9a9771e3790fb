/** The forward pass of the frozen backbone over the documents of one part. */
#ifndef FT_DATA_FEATURE_PASS_H
#define FT_DATA_FEATURE_PASS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "data/documents.h"
#include "model/model.h"

enum {
    FEATURE_BATCH_TOKENS = 4096, /**< of a forward pass, or one document where that is longer */
    FEATURE_BATCH_SEGMENTS = 512 /**< documents of a forward pass at most */
};

struct feature_pass {
    struct model *model;                  /**< borrowed */
    const struct document_set *documents; /**< borrowed */
    struct batch batch;
    int64_t *numbers; /**< (FEATURE_BATCH_SEGMENTS) documents of the batch */
    float *pooled;    /**< (FEATURE_BATCH_SEGMENTS, C) */

    const bool *kinds; /**< the part at work */
    float *data;
    int64_t first, n_documents;

    const char *what; /**< borrowed: for the log */
    int64_t n_done, n_total, tokens_done;
    double start, said; /**< when the first pass began, and when the log was written last */
};

/** Takes all memory. The log counts up to n_total documents. */
ft_status feature_pass_open(struct feature_pass *pass, struct model *model,
                            const struct document_set *documents, const char *what,
                            int64_t n_total);

/** A zeroed pass is allowed. */
void feature_pass_close(struct feature_pass *pass);

/**
 * Features of documents first ... first + n - 1.
 *
 * @param[out] data  (kinds in order of their numbers, n, C)
 * @param[in]  kinds (L * FEATURE_POOLINGS) what is wanted
 * @param[in]  order (n) these documents in the order in which they go into batches: it and nothing
 *                   else decides which of them share one
 * @return FT_OK; FT_STOPPED; FT_ERR_INTERNAL when a number is not finite; what reading gives
 */
ft_status feature_pass_run(struct feature_pass *pass, float *data, const bool *kinds,
                           const int64_t *order, int64_t first, int64_t n);

#endif
