/** What a training step counts: windows of a stream, labelled documents, or conversations. */
#ifndef FT_DATA_SAMPLES_H
#define FT_DATA_SAMPLES_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"
#include "data/conversations.h"
#include "data/documents.h"
#include "data/loader.h"

/** One of the three; n is what loader_plan and loader_window take as n_windows. */
struct sample_set {
    const struct window_set *windows; /**< borrowed, as those below; NULL: not these */
    const struct document_set *documents;
    const struct conversation_set *conversations;
    int64_t n;
};

struct sample_set sample_set_of_windows(const struct window_set *windows);
struct sample_set sample_set_of_documents(const struct document_set *documents);
struct sample_set sample_set_of_conversations(const struct conversation_set *conversations);

/** What a sample is, for messages: "windows", "documents", "conversations". */
const char *sample_set_unit(const struct sample_set *s);

/** batch_fill, document_batch_fill or conversation_batch_fill. Local; no allocation. */
ft_status sample_set_fill(struct batch *b, const struct sample_set *s, const int64_t *numbers,
                          int n);

/** Appends the numbers of a sample's documents or conversations in the corpus, as int64_t. */
ft_status sample_set_documents(struct buffer *out, const struct sample_set *s, int64_t number);

#endif
