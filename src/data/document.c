#include "data/document.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

void document_reader_init(struct document_reader *reader, const char *field)
{
    *reader = (struct document_reader){.field = field};
}

void document_reader_clear(struct document_reader *reader)
{
    buffer_clear(&reader->text);
}

/* "id, title, body" for messages. */
static void list_members(char *out, size_t bytes, json_t *object)
{
    const char *key;
    json_t *value;
    size_t used = 0;
    out[0] = '\0';
    json_object_foreach(object, key, value)
    {
        const int n = snprintf(out + used, bytes - used, "%s%s", used ? ", " : "", key);
        if (n < 0 || (size_t)n >= bytes - used)
            return;
        used += (size_t)n;
    }
}

static const char *type_name(const json_t *value)
{
    static const char *const names[] = {"an object", "an array", "a string", "a number",
                                        "a number",  "true",     "false",    "null"};
    return names[json_typeof(value)];
}

static ft_status take_member(struct document_reader *reader, const struct record *record,
                             json_t *line)
{
    char members[200];
    if (!json_is_object(line))
        return source_fail(record->file, record->offset,
                           "the line is %s, not an object like {\"%s\": \"...\"}", type_name(line),
                           reader->field);
    const json_t *value = json_object_get(line, reader->field);
    list_members(members, sizeof members, line);
    if (!value)
        return source_fail(
            record->file, record->offset,
            "no field \"%s\" (fields here: %s): set data.text_field or data.label_field",
            reader->field, members);
    if (!json_is_string(value))
        return source_fail(record->file, record->offset, "field \"%s\" is %s, not a string",
                           reader->field, type_name(value));
    return buffer_append(&reader->text, json_string_value(value), json_string_length(value));
}

static ft_status read_json(struct document_reader *reader, const struct record *record)
{
    json_error_t error;
    json_t *line = json_loadb(record->data, record->bytes,
                              JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL |
                                  JSON_DECODE_INT_AS_REAL,
                              &error);
    if (!line) {
        const int64_t at = error.position > 0 ? error.position - 1 : 0;
        return source_fail(record->file, record->offset + at, "invalid JSON: %s", error.text);
    }
    const ft_status status = take_member(reader, record, line);
    json_decref(line);
    return status;
}

/* A row under way; `at` stands at the beginning of a field. */
struct row {
    const struct source *file;
    const char *data;
    size_t bytes, at;
    int64_t offset;
};

static ft_status row_fail(const struct row *row, size_t at, const char *reason)
{
    return source_fail(row->file, row->offset + (int64_t)at, "%s", reason);
}

/* The rest of a quoted field, whose opening quote was passed. */
static ft_status quoted_field(struct row *row, struct buffer *out)
{
    for (;;) {
        const char *from = row->data + row->at;
        const char *quote = memchr(from, '"', row->bytes - row->at);
        if (!quote)
            return row_fail(row, row->at, "a quoted field is never closed");
        row->at += (size_t)(quote - from) + 1;
        const bool is_escaped = row->at < row->bytes && row->data[row->at] == '"';
        if (out)
            FT_TRY(buffer_append(out, from, (size_t)(quote - from) + is_escaped));
        if (!is_escaped)
            break;
        row->at++;
    }
    if (row->at < row->bytes && row->data[row->at] != ',')
        return row_fail(
            row, row->at,
            "text behind the closing quote of a field: write \" within a field as \"\"");
    return FT_OK;
}

static ft_status plain_field(struct row *row, struct buffer *out)
{
    const size_t from = row->at;
    while (row->at < row->bytes && row->data[row->at] != ',') {
        const char c = row->data[row->at];
        if (c == '"')
            return row_fail(row, row->at,
                            "quote in a field that does not begin with one: quote the whole field");
        if (c == '\r' || c == '\n')
            return row_fail(row, row->at,
                            "carriage return within a row: end rows with LF or CR LF");
        row->at++;
    }
    return out ? buffer_append(out, row->data + from, row->at - from) : FT_OK;
}

/* One field; has_more: a comma followed, and so another field does. out may be NULL. */
static ft_status next_field(struct row *row, struct buffer *out, bool *has_more)
{
    if (row->at < row->bytes && row->data[row->at] == '"') {
        row->at++;
        FT_TRY(quoted_field(row, out));
    } else {
        FT_TRY(plain_field(row, out));
    }
    *has_more = row->at < row->bytes;
    row->at += *has_more;
    return FT_OK;
}

static ft_status check_utf8(const struct source *file, int64_t offset, const char *data,
                            size_t bytes)
{
    size_t bad_at = 0;
    if (utf8_check(data, bytes, &bad_at))
        return FT_OK;
    return source_fail(file, offset + (int64_t)bad_at,
                       "invalid UTF-8 (byte 0x%02x): convert the file to UTF-8",
                       (unsigned char)data[bad_at]);
}

/* Finds the column in the header of the file that the cursor reads. */
static ft_status read_header(struct document_reader *reader, const struct record_cursor *cursor,
                             const struct source *file)
{
    const struct buffer *header = &cursor->header;
    struct row row = {file, header->data, header->used, 0, cursor->header_offset};
    bool has_more = true;
    FT_TRY(check_utf8(file, row.offset, row.data, row.bytes));
    reader->column = -1;
    for (reader->n_columns = 0; has_more; reader->n_columns++) {
        const size_t at = row.at;
        reader->text.used = 0;
        FT_TRY(next_field(&row, &reader->text, &has_more));
        const size_t length = strlen(reader->field);
        if (reader->text.used != length || memcmp(reader->text.data, reader->field, length) != 0)
            continue;
        if (reader->column >= 0)
            return source_fail(file, row.offset + (int64_t)at,
                               "the header names column \"%s\" twice: rename one of them",
                               reader->field);
        reader->column = reader->n_columns;
    }
    if (reader->column < 0)
        return source_fail(
            file, row.offset,
            "no column \"%s\" (header: %.*s): set data.text_field or data.label_field",
            reader->field, (int)(row.bytes < 200 ? row.bytes : 200), row.data);
    reader->file = file;
    return FT_OK;
}

static ft_status read_csv(struct document_reader *reader, const struct record_cursor *cursor,
                          const struct record *record)
{
    struct row row = {record->file, record->data, record->bytes, 0, record->offset};
    bool has_more = true;
    int64_t n = 0;
    if (reader->file != record->file)
        FT_TRY(read_header(reader, cursor, record->file));
    reader->text.used = 0;
    for (; has_more; n++)
        FT_TRY(next_field(&row, n == reader->column ? &reader->text : NULL, &has_more));
    if (n != reader->n_columns)
        return source_fail(
            record->file, record->offset,
            "the row has %lld fields, the header has %lld: quote fields that hold commas",
            (long long)n, (long long)reader->n_columns);
    return FT_OK;
}

ft_status document_read(const char **text, size_t *bytes, struct document_reader *reader,
                        const struct record_cursor *cursor, const struct record *record)
{
    FT_TRY(check_utf8(record->file, record->offset, record->data, record->bytes));
    *text = record->data;
    *bytes = record->bytes;
    if (record->file->kind == SOURCE_TXT)
        return FT_OK;
    reader->text.used = 0;
    FT_TRY(buffer_reserve(&reader->text, 1));
    FT_TRY(record->file->kind == SOURCE_JSONL ? read_json(reader, record)
                                              : read_csv(reader, cursor, record));
    *text = reader->text.data;
    *bytes = reader->text.used;
    return FT_OK;
}
