/*
 * How ranks share a file without reading it twice: rank r owns the records that START in bytes
 * [a, b) of the row of files. It looks at byte a - 1, passes over the record that is already
 * under way there, and reads on beyond b to the end of its last record:
 *
 *     ... {"text": 1}\n{"text": 2}\n{"text": 3}\n ...
 *               a^      |------ mine ----------|   b is anywhere in {"text": 3}
 *
 * In CSV a newline ends a record only outside quotes, and whether a byte is inside depends on all
 * bytes before it - but only on the parity of the quotes, which adds up. So every rank counts the
 * quotes of the file that its part ends in, the counts are gathered, and each rank knows the state
 * at its first byte: one more pass over its own bytes, no pass over others'.
 */
#include "data/record.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/pulse.h"
#include "base/signals.h"

#ifndef RECORD_CHUNK /* the fuzz targets have a small one */
#define RECORD_CHUNK (4 << 20)
#endif

enum { CHUNK = RECORD_CHUNK, HEADER_MAX = 1 << 20 };
static const int64_t record_max = INT64_C(1) << 30;

static int64_t file_end(const struct source *file)
{
    return file->first + file->bytes + 1;
}

/* First file whose place reaches beyond `at`. */
static int64_t find_file(const struct source *files, int64_t n_files, int64_t at)
{
    int64_t low = 0, high = n_files;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (file_end(&files[middle]) <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static ft_status open_source(int *fd, const struct source *file)
{
    uint64_t bytes;
    FT_TRY(fault_point("prepare-read"));
    FT_TRY(file_open_read(fd, &bytes, file->path));
    if ((int64_t)bytes == file->bytes)
        return FT_OK;
    (void)close(*fd);
    *fd = -1;
    return ft_fail(FT_ERR_INPUT,
                   "%s changed from %lld to %llu bytes while it was being read: start "
                   "again when it is complete",
                   file->path, (long long)file->bytes, (unsigned long long)bytes);
}

/* Quotes in bytes [from, to) of a file. */
static ft_status count_quotes(int64_t *n_quotes, const struct source *file, int64_t from,
                              int64_t to)
{
    int fd = -1;
    char *chunk = mem_alloc_raw(CHUNK, 1);
    ft_status status = chunk ? open_source(&fd, file) : FT_ERR_INTERNAL;
    while (status == FT_OK && from < to) {
        const size_t want = (size_t)(to - from < CHUNK ? to - from : CHUNK);
        status = signals_check("the rows of a CSV file were being counted");
        if (status == FT_OK)
            status = file_read_at(fd, chunk, want, (uint64_t)from, file->path);
        for (size_t i = 0; status == FT_OK && i < want; i++)
            *n_quotes += chunk[i] == '"';
        from += (int64_t)want;
    }
    if (fd >= 0)
        (void)close(fd);
    mem_free(chunk);
    return status;
}

/* What a rank tells about the file that its part ends in. */
struct tail {
    int64_t file, n_quotes;
};

static ft_status measure_tail(struct tail *tail, const struct record_cursor *cursor)
{
    *tail = (struct tail){.file = -1};
    if (cursor->first >= cursor->end)
        return FT_OK;
    const int64_t index = find_file(cursor->files, cursor->n_files, cursor->end - 1);
    const struct source *file = &cursor->files[index];
    const int64_t from = cursor->first > file->first ? cursor->first - file->first : 0;
    if (file->kind != SOURCE_CSV || file_end(file) == cursor->end)
        return FT_OK;
    tail->file = index;
    return count_quotes(&tail->n_quotes, file, from, cursor->end - file->first);
}

static ft_status share_quotes(struct record_cursor *cursor, struct comm *comm)
{
    struct tail mine = {0}, *all = NULL;
    ft_status status = FT_OK;
    FT_AGREE_OUT(comm, FT_ALLOC(all, comm_size(comm)));
    FT_AGREE_OUT(comm, measure_tail(&mine, cursor));
    comm_allgather(comm, all, &mine, sizeof mine);
    int64_t n_quotes = 0;
    for (int rank = 0; rank < comm_rank(comm); rank++)
        if (all[rank].file == cursor->index)
            n_quotes += all[rank].n_quotes;
    cursor->first_in_quotes = n_quotes % 2 != 0;
out:
    mem_free(all);
    return status;
}

static int64_t part_begin(int64_t total, int rank, int size)
{
    return total / size * rank + total % size * rank / size;
}

/* The part `rank` of `size` without memory yet. */
static void take_part(struct record_cursor *cursor, const struct source *files, int64_t n_files,
                      int rank, int size)
{
    const int64_t origin = files[0].first, total = file_end(&files[n_files - 1]) - origin;
    *cursor = (struct record_cursor){.files = files,
                                     .n_files = n_files,
                                     .first = origin + part_begin(total, rank, size),
                                     .end = origin + part_begin(total, rank + 1, size),
                                     .longest = record_max,
                                     .fd = -1};
    cursor->index = find_file(files, n_files, cursor->first);
}

ft_status record_open_all(struct record_cursor *cursor, const struct source *files, int64_t n_files)
{
    take_part(cursor, files, n_files, 0, 1);
    cursor->buffer = mem_alloc_raw(CHUNK, 1);
    cursor->capacity = CHUNK;
    return cursor->buffer ? FT_OK : FT_ERR_INTERNAL;
}

ft_status record_open(struct record_cursor *cursor, struct comm *comm, const struct source *files,
                      int64_t n_files, bool skips_text)
{
    take_part(cursor, files, n_files, comm_rank(comm), comm_size(comm));
    cursor->skips_text = skips_text;
    FT_TRY(share_quotes(cursor, comm));
    cursor->buffer = mem_alloc_raw(CHUNK, 1);
    cursor->capacity = CHUNK;
    const ft_status status = comm_agree(comm, cursor->buffer ? FT_OK : FT_ERR_INTERNAL);
    if (status != FT_OK)
        record_close(cursor);
    return status;
}

static void close_file(struct record_cursor *cursor)
{
    if (cursor->fd >= 0)
        (void)close(cursor->fd);
    cursor->fd = -1;
    cursor->header.used = 0;
}

void record_close(struct record_cursor *cursor)
{
    close_file(cursor);
    buffer_clear(&cursor->header);
    FT_FREE(cursor->buffer);
}

static void next_file(struct record_cursor *cursor)
{
    close_file(cursor);
    cursor->first = file_end(&cursor->files[cursor->index]);
    cursor->first_in_quotes = false;
    cursor->index++;
}

/* Reads more of the file behind `filled`; the bytes before `begin` are given up. False at its end.
 */
static ft_status refill(struct record_cursor *cursor, bool *has_more)
{
    const struct source *file = &cursor->files[cursor->index];
    const size_t kept = cursor->filled - cursor->begin;
    const int64_t at = cursor->offset + (int64_t)cursor->filled;
    *has_more = at < file->bytes;
    if (!*has_more)
        return FT_OK;
    FT_TRY(fault_point("prepare-read"));
    if ((int64_t)kept > cursor->longest)
        return source_fail(file, cursor->offset + (int64_t)cursor->begin,
                           "the %s that begins here is longer than %lld bytes%s",
                           cursor->longest < record_max ? "header" : "record",
                           (long long)cursor->longest,
                           cursor->in_quotes ? ": is a quote never closed?" : "");
    memmove(cursor->buffer, cursor->buffer + cursor->begin, kept);
    cursor->offset += (int64_t)cursor->begin;
    cursor->scanned -= cursor->begin;
    cursor->begin = 0;
    cursor->filled = kept;
    if (cursor->capacity - kept < CHUNK) {
        char *larger = mem_resize(cursor->buffer, 2 * cursor->capacity + CHUNK, 1);
        if (!larger)
            return FT_ERR_INTERNAL;
        cursor->buffer = larger;
        cursor->capacity = 2 * cursor->capacity + CHUNK;
    }
    const size_t room = cursor->capacity - kept;
    const size_t want = file->bytes - at < (int64_t)room ? (size_t)(file->bytes - at) : room;
    FT_TRY(file_read_at(cursor->fd, cursor->buffer + kept, want, (uint64_t)at, file->path));
    cursor->filled += want;
    return FT_OK;
}

/* Moves `scanned` behind the newline that ends the record under way; false where the bytes end
 * first. */
static bool scan_line(struct record_cursor *cursor, bool is_csv)
{
    const char *at = cursor->buffer + cursor->scanned, *end = cursor->buffer + cursor->filled;
    if (!is_csv) {
        const char *newline = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        cursor->scanned = newline ? (size_t)(newline - cursor->buffer) + 1 : cursor->filled;
        return newline != NULL;
    }
    bool in_quotes = cursor->in_quotes;
    for (; at < end; at++) {
        if (*at == '"')
            in_quotes = !in_quotes;
        else if (*at == '\n' && !in_quotes)
            break;
    }
    cursor->in_quotes = in_quotes;
    cursor->scanned = (size_t)(at - cursor->buffer) + (at < end);
    return at < end;
}

/* The record up to the next end of line, or to the end of the file; has is false when nothing is
 * left. */
static ft_status take_line(struct record_cursor *cursor, struct record *record, bool *has)
{
    const struct source *file = &cursor->files[cursor->index];
    bool has_more = true, is_complete = scan_line(cursor, file->kind == SOURCE_CSV);
    while (!is_complete && has_more) {
        FT_TRY(refill(cursor, &has_more));
        is_complete = scan_line(cursor, file->kind == SOURCE_CSV);
    }
    size_t bytes = cursor->scanned - cursor->begin - (is_complete ? 1 : 0);
    *has = is_complete || bytes > 0;
    *record = (struct record){.file = file,
                              .offset = cursor->offset + (int64_t)cursor->begin,
                              .data = cursor->buffer + cursor->begin};
    cursor->begin = cursor->scanned;
    if (cursor->in_quotes)
        return source_fail(file, record->offset,
                           "the row that begins here opens a quote (\") that is never closed");
    if (bytes > 0 && record->data[bytes - 1] == '\r')
        bytes--;
    record->bytes = bytes;
    return FT_OK;
}

static const char *foreign_format(const unsigned char *start, size_t bytes)
{
    static const struct {
        const char *name, *magic;
        size_t bytes;
    } formats[] = {{"gzip-compressed: unpack it first", "\x1f\x8b", 2},
                   {"zstd-compressed: unpack it first", "\x28\xb5\x2f\xfd", 4},
                   {"a zip archive: unpack it first", "PK\3\4", 4},
                   {"an HDF5 file: prepared shards are named *.h5", "\x89HDF\r\n\x1a\n", 8},
                   {"a Parquet file: write it as JSONL", "PAR1", 4},
                   {"UTF-16 text: convert it to UTF-8", "\xff\xfe", 2},
                   {"UTF-16 text: convert it to UTF-8", "\xfe\xff", 2}};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (bytes >= formats[i].bytes && memcmp(start, formats[i].magic, formats[i].bytes) == 0)
            return formats[i].name;
    return NULL;
}

/* At the beginning of a file: names foreign formats and passes over a byte-order mark. */
static ft_status begin_file(struct record_cursor *cursor)
{
    const struct source *file = &cursor->files[cursor->index];
    bool has_more;
    FT_TRY(refill(cursor, &has_more));
    const char *foreign = foreign_format((const unsigned char *)cursor->buffer, cursor->filled);
    if (foreign)
        return ft_fail(FT_ERR_INPUT, "%s line 1: the file is %s", file->path, foreign);
    if (cursor->filled >= 3 && memcmp(cursor->buffer, "\xef\xbb\xbf", 3) == 0)
        cursor->begin = cursor->scanned = 3;
    return FT_OK;
}

/* A part that begins inside a file: to the first record that starts at or behind its beginning. */
static ft_status skip_started(struct record_cursor *cursor, int64_t from, int64_t to)
{
    const struct source *file = &cursor->files[cursor->index];
    bool has_more = true;
    cursor->offset = from - 1;
    FT_TRY(refill(cursor, &has_more));
    cursor->in_quotes =
        file->kind == SOURCE_CSV && cursor->first_in_quotes != (cursor->buffer[0] == '"');
    while (!scan_line(cursor, file->kind == SOURCE_CSV) && has_more &&
           cursor->offset + (int64_t)cursor->filled < to) {
        cursor->begin = cursor->scanned;
        FT_TRY(refill(cursor, &has_more));
    }
    cursor->begin = cursor->scanned;
    if (cursor->offset + (int64_t)cursor->begin >= to)
        cursor->in_quotes = false; /* no record of this rank: the file is left here */
    return FT_OK;
}

/* Every rank that has a part of a CSV file reads its first row. */
static ft_status read_header(struct record_cursor *cursor)
{
    const struct source *file = &cursor->files[cursor->index];
    struct record row = {0};
    bool has = false;
    FT_TRY(begin_file(cursor));
    cursor->longest = HEADER_MAX;
    while (!has && cursor->offset + (int64_t)cursor->begin < file->bytes) {
        FT_TRY(take_line(cursor, &row, &has));
        has = has && row.bytes > 0;
    }
    cursor->longest = record_max;
    if (!has)
        return ft_fail(FT_ERR_INPUT, "%s line 1: no header: the first row must name the columns",
                       file->path);
    if (row.bytes > HEADER_MAX)
        return source_fail(file, row.offset, "the header is longer than %d bytes", HEADER_MAX);
    const char *cr = memchr(row.data, '\r', row.bytes);
    if (cr && cr[1] != '\n') /* the row's end is in the buffer behind it */
        return source_fail(file, row.offset + (cr - row.data),
                           "carriage return within the header: end rows with LF or CR LF");
    cursor->header.used = 0;
    cursor->header_offset = row.offset;
    return buffer_append(&cursor->header, row.data, row.bytes);
}

static ft_status begin_lines(struct record_cursor *cursor)
{
    const struct source *file = &cursor->files[cursor->index];
    const int64_t from = cursor->first - file->first;
    const int64_t to = cursor->end - file->first;
    FT_TRY(open_source(&cursor->fd, file));
    cursor->begin = cursor->scanned = cursor->filled = 0;
    cursor->offset = 0;
    cursor->in_quotes = false;
    if (file->kind == SOURCE_CSV)
        FT_TRY(read_header(cursor));
    else if (from == 0)
        FT_TRY(begin_file(cursor));
    const int64_t at = cursor->offset + (int64_t)cursor->begin;
    if (from == 0 || from <= (file->kind == SOURCE_CSV ? at : 0))
        return FT_OK;
    cursor->begin = cursor->scanned = cursor->filled = 0;
    if (from >= file->bytes) {
        cursor->offset = file->bytes;
        return FT_OK;
    }
    return skip_started(cursor, from, to);
}

static bool is_blank(const struct record *record)
{
    if (record->file->kind == SOURCE_CSV)
        return record->bytes == 0;
    for (size_t i = 0; i < record->bytes; i++)
        if (record->data[i] != ' ' && record->data[i] != '\t' && record->data[i] != '\r')
            return false;
    return true;
}

/* The next line of the current file that starts before limit; is_over: the file has no more for us.
 */
static ft_status next_line(struct record_cursor *cursor, struct record *record, bool *has,
                           bool *is_over, int64_t limit)
{
    const struct source *file = &cursor->files[cursor->index];
    *has = *is_over = false;
    if (cursor->fd < 0)
        FT_TRY(begin_lines(cursor));
    for (;;) {
        const int64_t at = cursor->offset + (int64_t)cursor->begin;
        *is_over = at >= file->bytes || file->first + at >= cursor->end;
        if (*is_over || file->first + at >= limit)
            return FT_OK;
        FT_TRY(take_line(cursor, record, has));
        if (*has && !is_blank(record))
            return FT_OK;
        *has = false;
    }
}

/* A whole .txt file as one record. */
static ft_status take_text(struct record_cursor *cursor, struct record *record)
{
    const struct source *file = &cursor->files[cursor->index];
    bool has_more = true;
    *record = (struct record){.file = file, .data = ""};
    if (cursor->skips_text)
        return FT_OK;
    if (file->bytes > record_max)
        return ft_fail(
            FT_ERR_INPUT,
            "%s has %lld bytes; one document may have %lld: cut it, or write it as JSONL",
            file->path, (long long)file->bytes, (long long)record_max);
    FT_TRY(open_source(&cursor->fd, file));
    cursor->begin = cursor->scanned = cursor->filled = 0;
    cursor->offset = 0;
    cursor->in_quotes = false;
    FT_TRY(begin_file(cursor));
    const size_t begin = cursor->begin;
    cursor->begin = 0;
    while (has_more)
        FT_TRY(refill(cursor, &has_more));
    record->data = cursor->buffer + begin;
    record->bytes = cursor->filled - begin;
    record->offset = (int64_t)begin;
    return FT_OK;
}

ft_status record_next(struct record_cursor *cursor, struct record *record, bool *has, int64_t limit)
{
    *has = false;
    pulse_mark();
    while (cursor->index < cursor->n_files) {
        const struct source *file = &cursor->files[cursor->index];
        bool is_over = true;
        if (cursor->first >= cursor->end || file->first >= limit)
            return FT_OK;
        if (file->kind != SOURCE_TXT) {
            FT_TRY(next_line(cursor, record, has, &is_over, limit));
            if (*has || !is_over)
                return FT_OK;
        } else if (cursor->first <= file->first) {
            FT_TRY(take_text(cursor, record));
            *has = true;
        }
        next_file(cursor);
        if (*has)
            return FT_OK;
    }
    return FT_OK;
}
