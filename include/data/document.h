/**
 * The text in a record, and its label where one is wanted: fields of a JSON object, columns of a
 * CSV row, or the whole .txt file.
 */
#ifndef FT_DATA_DOCUMENT_H
#define FT_DATA_DOCUMENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "data/csv.h"
#include "data/record.h"

/** Reads fields of records; remembers where the columns are while the file stays the same. */
struct document_reader {
    struct csv_field text, label;
    const struct source *file; /**< CSV: the file that the columns belong to */
    int64_t n_columns;
};

/** What a record holds; borrowed from the reader and the cursor. */
struct document {
    const char *text;
    size_t bytes;
    const char *label; /**< 1 ... LABEL_BYTES_MAX bytes of UTF-8 without a zero byte; NULL where no
                          label is wanted */
    size_t label_bytes;
};

/** @param[in] label_field  NULL = no labels */
void document_reader_init(struct document_reader *reader, const char *text_field,
                          const char *label_field);
void document_reader_clear(struct document_reader *reader);

/**
 * Finds the columns in the header of a CSV file, in which the cursor is. Local.
 *
 * @return as document_read
 */
ft_status document_reader_columns(struct document_reader *reader,
                                  const struct record_cursor *cursor, const struct source *file);

/**
 * Decodes the fields of a record. Local.
 *
 * The label of a JSON object is a string, or a number, true or false as it is written there.
 *
 * @param[in]  cursor    in the record's file; NULL where that is no CSV file, or its columns are
 *                       known
 * @param[out] document  borrowed until the next call or until the cursor moves; the text may hold
 *                       zero bytes
 * @return FT_OK; FT_ERR_INPUT with file, line and byte: invalid UTF-8 or JSON, no object, field
 * missing or of another type; label empty, too long or with a zero byte, or wanted of a .txt file;
 * CSV: ragged row, stray quote or carriage return, header without a column or with it twice
 */
ft_status document_read(struct document *document, struct document_reader *reader,
                        const struct record_cursor *cursor, const struct record *record);

#endif
