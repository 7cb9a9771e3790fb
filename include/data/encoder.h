/**
 * Records of a corpus to ids of tokens, by all OpenMP threads of this process.
 *
 * Records are collected into batches of about 1 MiB a thread (16 MiB at most), the documents of a
 * batch are decoded and tokenised side by side, and used one after the other in the order in which
 * they were added: what comes out, and which of several bad documents is told of, does not depend
 * on the number of threads. One document is the work of one thread, however long it is. Memory: a
 * batch, its ids, and 4 MiB a thread; a record longer than a batch is not copied. Not collective.
 */
#ifndef FT_DATA_ENCODER_H
#define FT_DATA_ENCODER_H

#include <stdint.h>

#include "base/err.h"
#include "data/document.h"
#include "data/instruct.h"
#include "data/record.h"
#include "token/tokenizer.h"

/** A document of tokens. Borrowed while it is used. */
struct encoded {
    int64_t number;       /**< as it was added */
    int64_t text_bytes;   /**< of its text */
    const int32_t *ids;   /**< (n_ids) with the template around them where labels are wanted */
    int64_t n_ids;        /**< 0: a document without tokens; with labels: without text */
    int64_t n_text;       /**< ids of the text itself before it was cut */
    int64_t n_supervised; /**< instruction data: as struct instruct_counts says */
    const char *label;    /**< (label_bytes) NULL where no labels are wanted */
    size_t label_bytes;
};

/** Is told of each document in order. */
typedef ft_status encoded_use(void *context, const struct encoded *document);

/** What documents become, and what happens to them. All borrowed until encoder_close. */
struct encoder_request {
    struct tokenizer *tokenizer;
    const char *text_field, *label_field; /**< as document_reader_init takes them */
    int64_t max_tokens; /**< with labels: what a document is cut to, template included */
    const struct instruct_request *instruct; /**< records are conversations; NULL: documents */
    encoded_use *use;
    void *context;
};

struct encoder;

/** Takes memory for the threads that OpenMP has now; encoder_close. */
ft_status encoder_open(struct encoder **out, const struct encoder_request *request);

/**
 * Adds the record where the cursor stands. Records added before may be used now.
 *
 * @return FT_OK, or the failure of the first bad document: FT_ERR_INPUT with file, line and byte as
 *         document_read and tokenizer_encode say, what `use` said, FT_ERR_INTERNAL (memory)
 */
ft_status encoder_add(struct encoder *e, const struct record_cursor *cursor,
                      const struct record *record, int64_t number);

/** All added records were used when it returns. As encoder_add. */
ft_status encoder_flush(struct encoder *e);

/** Takes *e (may be NULL), whatever it still holds, and sets it to NULL. */
void encoder_close(struct encoder **e);

#endif
