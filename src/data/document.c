#include "data/document.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "data/label_names.h"
#include "data/record_text.h"
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
                           reader->text.name, json_type_name(value));
    return buffer_append(&reader->text.value, json_string_value(value), json_string_length(value));
}

/* A string decoded; a number, true or false as it stands in the line. */
static ft_status take_label(struct csv_field *label, const struct record *record, json_t *line)
{
    json_t *value;
    bool found;
    size_t from = 0, bytes = 0;
    FT_TRY(find_member(&value, label->name, record, line));
    FT_TRY(json_find_raw(&found, &from, &bytes, record->data, record->bytes, label->name));
    label->at = record->offset + (int64_t)from;
    if (json_is_string(value))
        return buffer_append(&label->value, json_string_value(value), json_string_length(value));
    if (json_is_number(value) || json_is_boolean(value))
        return buffer_append(&label->value, record->data + from, bytes);
    return source_fail(record->file, label->at,
                       "label \"%s\" is %s, not a string, a number, true or false", label->name,
                       json_type_name(value));
}

static ft_status take_members(struct document_reader *reader, const struct record *record,
                              json_t *line)
{
    if (!json_is_object(line))
        return source_fail(record->file, record->offset,
                           "the line is %s, not an object like {\"%s\": \"...\"}",
                           json_type_name(line), reader->text.name);
    FT_TRY(take_text(reader, record, line));
    return reader->label.name ? take_label(&reader->label, record, line) : FT_OK;
}

static ft_status read_json(struct document_reader *reader, const struct record *record)
{
    json_t *line = NULL;
    FT_TRY(record_parse_json(&line, record));
    const ft_status status = take_members(reader, record, line);
    json_decref(line);
    return status;
}

ft_status document_reader_columns(struct document_reader *reader,
                                  const struct record_cursor *cursor, const struct source *file)
{
    struct csv_field *const fields[] = {&reader->text, &reader->label};
    FT_TRY(csv_find_columns(&reader->n_columns, fields, reader->label.name ? 2 : 1, cursor, file));
    reader->file = file;
    return FT_OK;
}

static ft_status read_csv(struct document_reader *reader, const struct record_cursor *cursor,
                          const struct record *record)
{
    struct csv_field *const fields[] = {&reader->text, &reader->label};
    if (reader->file != record->file)
        FT_TRY(document_reader_columns(reader, cursor, record->file));
    return csv_read_row(fields, reader->label.name ? 2 : 1, reader->n_columns, record);
}

static ft_status check_label(const struct csv_field *label, const struct source *file)
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
    FT_TRY(record_check_utf8(record->file, record->offset, record->data, record->bytes));
    if (record->file->kind != SOURCE_TXT)
        return read_fields(document, reader, cursor, record);
    return reader->label.name
               ? source_fail(record->file, record->offset,
                             "a .txt file holds no labels: classification reads .jsonl or .csv")
               : FT_OK;
}
