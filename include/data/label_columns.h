/**
 * What a token shard of labelled documents says of each of them, beside its tokens:
 *
 *     /label_names       (K) text               the shard's labels in the order of their bytes
 *     /labels            (n_documents) u32      index into /label_names
 *     /cut_tokens        (n_documents) u32      tokens of the text that truncation took off
 *     /document_numbers  (n_documents) i64      number among the documents of all sources, from 0
 *     /document_hashes   (n_documents, 2) i64   XXH3-128 of the ids, high and low half
 *
 * Nothing here is collective.
 */
#ifndef FT_DATA_LABEL_COLUMNS_H
#define FT_DATA_LABEL_COLUMNS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "data/label_names.h"
#include "format/h5.h"

#define COLUMN_NAMES "/label_names"
#define COLUMN_LABELS "/labels"
#define COLUMN_CUT "/cut_tokens"
#define COLUMN_NUMBERS "/document_numbers"
#define COLUMN_HASHES "/document_hashes"

/** What is known of one document when its tokens are. */
struct document_label {
    const char *name; /**< borrowed; UTF-8 without zero bytes */
    size_t bytes;     /**< 1 ... LABEL_BYTES_MAX */
    int64_t number;   /**< among the documents of all sources */
    int64_t n_cut;    /**< tokens that truncation took off */
};

/** The columns of one shard in memory. Zero-initialise to start. */
struct label_columns {
    struct label_table table; /**< while they are filled: names in order of appearance */
    struct label_names names; /**< after reading */
    uint32_t *labels;         /**< (n) into table, or names after reading */
    uint32_t *n_cut;          /**< (n) */
    int64_t *numbers;         /**< (n) */
    int64_t *hashes;          /**< (n, 2) */
    int64_t n, capacity;
};

/** Appends a document with its ids (n_ids). */
ft_status label_columns_add(struct label_columns *columns, const struct document_label *label,
                            const int32_t *ids, int64_t n_ids);

/** Writes the datasets and empties the columns; their memory is kept. */
ft_status label_columns_write(struct label_columns *columns, struct h5_file *file);

/** Reads the datasets of a shard of n documents. FT_ERR_INPUT: other sizes, labels without name. */
ft_status label_columns_read(struct label_columns *columns, const struct h5_file *file, int64_t n);

/** Releases the memory. */
void label_columns_clear(struct label_columns *columns);

#endif
