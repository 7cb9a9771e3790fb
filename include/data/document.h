/** The text in a record: field of a JSON object, column of a CSV row, or the whole .txt file. */
#ifndef FT_DATA_DOCUMENT_H
#define FT_DATA_DOCUMENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"
#include "data/record.h"

/** Reads one field of records; remembers where the column is while the file stays the same. */
struct document_reader {
    const char *field;         /**< borrowed: name of the JSON member or CSV column */
    const struct source *file; /**< CSV: the file that column and n_columns belong to */
    int64_t column, n_columns;
    struct buffer text;
};

void document_reader_init(struct document_reader *reader, const char *field);
void document_reader_clear(struct document_reader *reader);

/**
 * Decodes the field of a record. Local.
 *
 * @param[out] text   borrowed until the next call or until the cursor moves; may hold zero bytes
 * @return FT_OK; FT_ERR_INPUT with file, line and byte: invalid UTF-8 or JSON, no object, field
 * missing or no string; CSV: ragged row, stray quote or carriage return, header without the column
 *         or with it twice
 */
ft_status document_read(const char **text, size_t *bytes, struct document_reader *reader,
                        const struct record_cursor *cursor, const struct record *record);

#endif
