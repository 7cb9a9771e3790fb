/** What a training step counts: windows of a stream, or labelled documents. */
#ifndef FT_DATA_SAMPLES_H
#define FT_DATA_SAMPLES_H

#include <stdint.h>

#include "base/err.h"
#include "data/documents.h"
#include "data/loader.h"

/** One of the two; n is what loader_plan and loader_window take as n_windows. */
struct sample_set {
    const struct window_set *windows;     /**< borrowed; NULL: documents */
    const struct document_set *documents; /**< borrowed; NULL: windows */
    int64_t n;
};

/** The samples of windows (may be NULL), else of documents. */
struct sample_set sample_set_of(const struct window_set *windows,
                                const struct document_set *documents);

/** batch_fill or document_batch_fill. Local; no allocation. */
ft_status sample_set_fill(struct batch *b, const struct sample_set *s, const int64_t *numbers,
                          int n);

#endif
