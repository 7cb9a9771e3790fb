/**
 * The records of a rank's own part of a corpus: lines of JSONL, rows of CSV, whole .txt files.
 *
 * A record belongs to the rank in whose part it starts, wherever it ends. Memory is bounded by a
 * chunk of some MiB, or by the longest record where that is larger (at most 1 GiB).
 */
#ifndef FT_DATA_RECORD_H
#define FT_DATA_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"
#include "comm/comm.h"
#include "data/source.h"

/** One record; data is borrowed from the cursor until the next call. */
struct record {
    const struct source *file;
    int64_t offset;   /**< of data in the file */
    const char *data; /**< raw bytes, without the line's end and without a byte-order mark */
    size_t bytes;
};

struct record_cursor {
    const struct source *files; /**< borrowed */
    int64_t n_files;
    int64_t first, end;   /**< this rank's part of the row; first moves on file by file */
    int64_t index;        /**< current file */
    bool skips_text;      /**< .txt records come without data: for counting */
    bool first_in_quotes; /**< CSV: `first` lies inside a quoted field */
    int fd;               /**< of the current file; -1 = not open yet */
    bool in_quotes;       /**< CSV: state at buffer[scanned] */
    char *buffer;
    size_t capacity, begin, scanned, filled; /**< begin <= scanned <= filled */
    int64_t offset;                          /**< of buffer[0] in the file */
    int64_t longest;                         /**< bytes that a record may have */
    struct buffer header;                    /**< CSV: the raw first row of the current file */
    int64_t header_offset;                   /**< where in the file it stands */
};

/**
 * Begins at the first record of this rank's part: part `rank` of `size` equal parts of the row.
 * Collective: ranks tell each other the parity of CSV quotes.
 *
 * @param[in] files  (n_files) borrowed until record_close; no shards among them
 */
ft_status record_open(struct record_cursor *cursor, struct comm *comm, const struct source *files,
                      int64_t n_files, bool skips_text);

/** As record_open for all records, on one rank: local. */
ft_status record_open_all(struct record_cursor *cursor, const struct source *files,
                          int64_t n_files);

/** Releases everything; a zeroed cursor with fd -1 is allowed, and closing twice too. */
void record_close(struct record_cursor *cursor);

/**
 * The next record that starts before `limit` (a place in the row). Blank lines and CSV headers are
 * passed over. Local.
 *
 * @param[out] has  false: there is none before limit; ask again with a larger limit
 * @return FT_OK; FT_ERR_INPUT (gzip, UTF-16, record too long, open quote, file changed), FT_ERR_IO
 */
ft_status record_next(struct record_cursor *cursor, struct record *record, bool *has,
                      int64_t limit);

#endif
