/*
 * Records of a corpus are cut into parts for ranks and come from regular files. Here one process
 * reads, and what it reads may be a pipe that somebody types into: read() takes what there is, and
 * poll() tells whether there is more before a caller that still owes answers would have to wait.
 */
#include "data/text_input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/signals.h"
#include "base/utf8.h"
#include "data/document.h"
#include "data/record.h"

#ifndef TEXT_CHUNK /* the fuzz targets have a small one */
#define TEXT_CHUNK (256 << 10)
#endif

#define CHUNK ((size_t)TEXT_CHUNK)
#define TEXT_LINE_MAX ((size_t)1 << 30)

/* Lines of a file descriptor: data[begin ... filled) was read and not given yet. */
struct lines {
    int fd;
    char *data;
    size_t capacity, begin, scanned, filled; /* begin <= scanned <= filled */
    int64_t n;                               /* lines given */
    bool at_end;
};

/* Objects of a .jsonl file. */
struct objects {
    struct source file;
    struct record_cursor cursor;
    struct document_reader reader;
};

struct text_input {
    const char *name;
    bool is_jsonl;
    struct lines lines;
    struct objects objects;
};

const char *text_input_name(const struct text_input *in)
{
    return in->name;
}

static bool is_jsonl(const char *path)
{
    const size_t n = strlen(path), m = strlen(".jsonl");
    return n >= m && strcmp(path + n - m, ".jsonl") == 0;
}

static ft_status open_lines(struct lines *lines, const char *path)
{
    lines->fd = STDIN_FILENO;
    if (!path)
        return FT_OK;
    if (file_is_folder(path))
        return ft_fail(FT_ERR_INPUT, "%s is a folder; name a file of texts", path);
    /* a pipe is read as standard input is; that nobody writes to it yet does not block here */
    lines->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return lines->fd >= 0 ? FT_OK
                          : ft_fail(errno == EIO ? FT_ERR_IO : FT_ERR_INPUT, "cannot open %s: %s",
                                    path, strerror(errno));
}

static ft_status open_objects(struct objects *o, const char *path, const char *text_field)
{
    int fd;
    uint64_t bytes;
    FT_TRY(file_open_read(&fd, &bytes, path));
    (void)close(fd);
    FT_TRY((o->file.path = mem_copy_text(path)) ? FT_OK : FT_ERR_INTERNAL);
    o->file.kind = SOURCE_JSONL;
    o->file.bytes = (int64_t)bytes;
    document_reader_init(&o->reader, text_field, NULL);
    return record_open_all(&o->cursor, &o->file, 1);
}

ft_status text_input_open(struct text_input **out, const char *path, const char *text_field)
{
    struct text_input *in = NULL;
    *out = NULL;
    if (path && strcmp(path, "-") == 0)
        path = NULL;
    FT_TRY(FT_ALLOC(in, 1));
    in->name = path ? path : "standard input";
    in->is_jsonl = path && is_jsonl(path);
    in->lines.fd = in->objects.cursor.fd = -1;
    const ft_status status =
        in->is_jsonl ? open_objects(&in->objects, path, text_field) : open_lines(&in->lines, path);
    if (status != FT_OK)
        text_input_close(&in);
    *out = in;
    return status;
}

void text_input_close(struct text_input **in)
{
    struct text_input *old = *in;
    if (!old)
        return;
    if (old->lines.fd > STDIN_FILENO)
        (void)close(old->lines.fd);
    mem_free(old->lines.data);
    record_close(&old->objects.cursor);
    document_reader_clear(&old->objects.reader);
    mem_free(old->objects.file.path);
    FT_FREE(*in);
}

/* Room for more bytes behind `filled`. */
static ft_status make_room(struct lines *lines, const char *name)
{
    const size_t kept = lines->filled - lines->begin;
    if (kept > TEXT_LINE_MAX)
        return ft_fail(FT_ERR_INPUT, "%s line %lld, byte 1: the line is longer than %zu bytes",
                       name, (long long)lines->n + 1, TEXT_LINE_MAX);
    if (lines->begin > 0) {
        memmove(lines->data, lines->data + lines->begin, kept);
        lines->scanned -= lines->begin;
        lines->begin = 0;
        lines->filled = kept;
    }
    if (lines->capacity - kept >= CHUNK)
        return FT_OK;
    char *larger = mem_resize(lines->data, 2 * lines->capacity + CHUNK, 1);
    if (!larger)
        return FT_ERR_INTERNAL;
    lines->data = larger;
    lines->capacity = 2 * lines->capacity + CHUNK;
    return FT_OK;
}

static ft_status read_more(struct lines *lines, const char *name)
{
    ssize_t n;
    FT_TRY(make_room(lines, name));
    do
        n = read(lines->fd, lines->data + lines->filled, lines->capacity - lines->filled);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return FT_OK;
    if (n < 0)
        return ft_fail(FT_ERR_IO, "cannot read %s: %s", name, strerror(errno));
    lines->at_end = n == 0;
    lines->filled += (size_t)n;
    return FT_OK;
}

/* Whether read() would give something, the end included, within so long [ms]. */
static bool has_more(const struct lines *lines, int patience)
{
    struct pollfd poll_fd = {.fd = lines->fd, .events = POLLIN};
    return poll(&poll_fd, 1, patience) > 0;
}

/* Not in read(), which goes on after a signal. */
static ft_status wait_for_more(const struct lines *lines)
{
    do
        FT_TRY(signals_check("waiting for a text"));
    while (!has_more(lines, 200));
    return FT_OK;
}

/* The line data[begin ... end) without its end. */
static ft_status take_line(struct lines *lines, const char *name, const char **text, size_t *bytes,
                           size_t end)
{
    const char *line = lines->data + lines->begin;
    size_t n = end - lines->begin, bad_at = 0;
    const size_t mark = lines->n == 0 && n >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    lines->n++;
    if (n > mark && line[n - 1] == '\r')
        n--;
    if (!utf8_check(line, n, &bad_at))
        return ft_fail(FT_ERR_INPUT,
                       "%s line %lld, byte %zu: invalid UTF-8 (byte 0x%02x): convert it to UTF-8",
                       name, (long long)lines->n, bad_at + 1, (unsigned char)line[bad_at]);
    *text = line + mark;
    *bytes = n - mark;
    return FT_OK;
}

static ft_status next_line(struct lines *lines, const char *name, const char **text, size_t *bytes,
                           enum text_state *state, bool waits)
{
    const char *newline = NULL;
    for (;;) {
        if (lines->filled > lines->scanned)
            newline = memchr(lines->data + lines->scanned, '\n', lines->filled - lines->scanned);
        lines->scanned = newline ? (size_t)(newline - lines->data) + 1 : lines->filled;
        if (newline || lines->at_end)
            break;
        *state = TEXT_WAITING;
        if (!waits && !has_more(lines, 0))
            return FT_OK;
        FT_TRY(wait_for_more(lines));
        FT_TRY(read_more(lines, name));
    }
    *state = lines->scanned > lines->begin ? TEXT_READY : TEXT_END;
    if (*state == TEXT_END)
        return FT_OK;
    FT_TRY(take_line(lines, name, text, bytes, lines->scanned - (newline != NULL)));
    lines->begin = lines->scanned;
    return FT_OK;
}

static ft_status next_object(struct objects *o, const char **text, size_t *bytes,
                             enum text_state *state)
{
    struct record record;
    struct document document;
    bool has = false;
    *state = TEXT_END;
    FT_TRY(record_next(&o->cursor, &record, &has, INT64_MAX));
    if (!has)
        return FT_OK;
    FT_TRY(document_read(&document, &o->reader, &o->cursor, &record));
    *state = TEXT_READY;
    *text = document.text;
    *bytes = document.bytes;
    return FT_OK;
}

ft_status text_input_next(struct text_input *in, const char **text, size_t *bytes,
                          enum text_state *state, bool waits)
{
    return in->is_jsonl ? next_object(&in->objects, text, bytes, state)
                        : next_line(&in->lines, in->name, text, bytes, state, waits);
}
