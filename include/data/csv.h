/** Rows of CSV files (RFC 4180, with a header): the fields of some columns. Not collective. */
#ifndef FT_DATA_CSV_H
#define FT_DATA_CSV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"
#include "data/record.h"

/** Where a field stands in the rows of one CSV file, and what it holds in the latest record. */
struct csv_field {
    const char *name; /**< borrowed: JSON member or CSV column; NULL = not wanted */
    bool is_optional; /**< the file need not have the column */
    int64_t column;   /**< -1: the file has none */
    struct buffer value;
    int64_t at; /**< where the value begins in the file */
};

/**
 * Finds the columns of n fields in the header of the CSV file in which the cursor is.
 *
 * @param[out] n_columns  of the header
 * @return FT_OK; FT_ERR_INPUT with file, line and byte: invalid UTF-8, stray quote, a column that
 *         is missing or there twice
 */
ft_status csv_find_columns(int64_t *n_columns, struct csv_field *const *fields, int n,
                           const struct record_cursor *cursor, const struct source *file);

/**
 * Appends what a row holds to the values of n fields.
 *
 * @return FT_OK; FT_ERR_INPUT with file, line and byte: ragged row, stray quote or carriage return
 */
ft_status csv_read_row(struct csv_field *const *fields, int n, int64_t n_columns,
                       const struct record *record);

#endif
