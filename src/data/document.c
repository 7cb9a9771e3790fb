#include "data/document.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "data/label_names.h"
#include "format/json.h"

void document_reader_init(struct document_reader *reader, const char *text_field,
                          const char *label_field)
{
    *reader = (struct document_reader){.text.name = text_field, .label.name = label_field};
}

void document_reader_clear(struct document_reader *reader)
{
    buffer_clear(&reader->text.value);
    buffer_clear(&reader->label.value);
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

static ft_status find_member(json_t **value, const char *name, const struct record *record,
                             json_t *line)
{
    char members[200];
    *value = json_object_get(line, name);
    if (*value)
        return FT_OK;
    list_members(members, sizeof members, line);
    return source_fail(record->file, record->offset,
                       "no field \"%s\" (fields here: %s): set data.text_field or "
                       "data.label_field",
                       name, members);
}

static ft_status take_text(struct document_reader *reader, const struct record *record,
                           json_t *line)
{
    json_t *value;
    FT_TRY(find_member(&value, reader->text.name, record, line));
    if (!json_is_string(value))
        return source_fail(record->file, record->offset, "field \"%s\" is %s, not a string",
                           reader->text.name, type_name(value));
    return buffer_append(&reader->text.value, json_string_value(value), json_string_length(value));
}

/* A string decoded; a number, true or false as it stands in the line. */
static ft_status take_label(struct document_field *label, const struct record *record, json_t *line)
{
    json_t *value;
    size_t from = 0, bytes = 0;
    FT_TRY(find_member(&value, label->name, record, line));
    (void)json_find_raw(&from, &bytes, record->data, record->bytes, label->name);
    label->at = record->offset + (int64_t)from;
    if (json_is_string(value))
        return buffer_append(&label->value, json_string_value(value), json_string_length(value));
    if (json_is_number(value) || json_is_boolean(value))
        return buffer_append(&label->value, record->data + from, bytes);
    return source_fail(record->file, label->at,
                       "label \"%s\" is %s, not a string, a number, true or false", label->name,
                       type_name(value));
}

static ft_status take_members(struct document_reader *reader, const struct record *record,
                              json_t *line)
{
    if (!json_is_object(line))
        return source_fail(record->file, record->offset,
                           "the line is %s, not an object like {\"%s\": \"...\"}", type_name(line),
                           reader->text.name);
    FT_TRY(take_text(reader, record, line));
    return reader->label.name ? take_label(&reader->label, record, line) : FT_OK;
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
    const ft_status status = take_members(reader, record, line);
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

/* Whether the header's column number `column` is the field; it must not be so twice. */
static ft_status match_column(struct document_field *field, const struct buffer *name,
                              int64_t column, const struct source *file, int64_t offset)
{
    if (!field->name || name->used != strlen(field->name) ||
        memcmp(name->data, field->name, name->used) != 0)
        return FT_OK;
    if (field->column >= 0)
        return source_fail(file, offset, "the header names column \"%s\" twice: rename one of them",
                           field->name);
    field->column = column;
    return FT_OK;
}

static ft_status check_column(const struct document_field *field, const struct row *row)
{
    if (!field->name || field->column >= 0)
        return FT_OK;
    return source_fail(row->file, row->offset,
                       "no column \"%s\" (header: %.*s): set data.text_field or data.label_field",
                       field->name, (int)(row->bytes < 200 ? row->bytes : 200), row->data);
}

ft_status document_reader_columns(struct document_reader *reader,
                                  const struct record_cursor *cursor, const struct source *file)
{
    const struct buffer *header = &cursor->header;
    struct buffer *name = &reader->text.value;
    struct row row = {file, header->data, header->used, 0, cursor->header_offset};
    bool has_more = true;
    FT_TRY(check_utf8(file, row.offset, row.data, row.bytes));
    reader->text.column = reader->label.column = -1;
    for (reader->n_columns = 0; has_more; reader->n_columns++) {
        const int64_t at = row.offset + (int64_t)row.at;
        name->used = 0;
        FT_TRY(next_field(&row, name, &has_more));
        FT_TRY(match_column(&reader->text, name, reader->n_columns, file, at));
        FT_TRY(match_column(&reader->label, name, reader->n_columns, file, at));
    }
    FT_TRY(check_column(&reader->text, &row));
    FT_TRY(check_column(&reader->label, &row));
    reader->file = file;
    name->used = 0;
    return FT_OK;
}

static ft_status read_csv(struct document_reader *reader, const struct record_cursor *cursor,
                          const struct record *record)
{
    struct row row = {record->file, record->data, record->bytes, 0, record->offset};
    bool has_more = true;
    int64_t n = 0;
    if (reader->file != record->file)
        FT_TRY(document_reader_columns(reader, cursor, record->file));
    for (; has_more; n++) {
        struct document_field *field = n == reader->text.column    ? &reader->text
                                       : n == reader->label.column ? &reader->label
                                                                   : NULL;
        if (field)
            field->at = row.offset + (int64_t)row.at;
        FT_TRY(next_field(&row, field ? &field->value : NULL, &has_more));
    }
    if (n != reader->n_columns)
        return source_fail(
            record->file, record->offset,
            "the row has %lld fields, the header has %lld: quote fields that hold commas",
            (long long)n, (long long)reader->n_columns);
    return FT_OK;
}

static ft_status check_label(const struct document_field *label, const struct source *file)
{
    const size_t bytes = label->value.used;
    if (bytes == 0)
        return source_fail(file, label->at, "label \"%s\" is empty", label->name);
    if (bytes > LABEL_BYTES_MAX)
        return source_fail(file, label->at,
                           "label \"%s\" has %zu bytes, at most %d are possible: "
                           "data.label_field must name the class of a text",
                           label->name, bytes, LABEL_BYTES_MAX);
    if (memchr(label->value.data, '\0', bytes))
        return source_fail(file, label->at, "label \"%s\" holds a zero byte", label->name);
    return FT_OK;
}

static ft_status read_fields(struct document *document, struct document_reader *reader,
                             const struct record_cursor *cursor, const struct record *record)
{
    reader->text.value.used = reader->label.value.used = 0;
    FT_TRY(buffer_reserve(&reader->text.value, 1));
    FT_TRY(record->file->kind == SOURCE_JSONL ? read_json(reader, record)
                                              : read_csv(reader, cursor, record));
    document->text = reader->text.value.data;
    document->bytes = reader->text.value.used;
    if (!reader->label.name)
        return FT_OK;
    FT_TRY(check_label(&reader->label, record->file));
    document->label = reader->label.value.data;
    document->label_bytes = reader->label.value.used;
    return FT_OK;
}

ft_status document_read(struct document *document, struct document_reader *reader,
                        const struct record_cursor *cursor, const struct record *record)
{
    *document = (struct document){.text = record->data, .bytes = record->bytes};
    FT_TRY(check_utf8(record->file, record->offset, record->data, record->bytes));
    if (record->file->kind != SOURCE_TXT)
        return read_fields(document, reader, cursor, record);
    return reader->label.name
               ? source_fail(record->file, record->offset,
                             "a .txt file holds no labels: classification reads .jsonl or .csv")
               : FT_OK;
}
