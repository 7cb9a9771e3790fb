#include "data/csv.h"

#include <string.h>

#include "data/record_text.h"

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

/* Whether the header's column number `column` is the field; it must not be so twice. */
static ft_status match_column(struct csv_field *field, const struct buffer *name, int64_t column,
                              const struct source *file, int64_t offset)
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

static ft_status check_column(const struct csv_field *field, const struct row *row)
{
    if (!field->name || field->is_optional || field->column >= 0)
        return FT_OK;
    return source_fail(row->file, row->offset,
                       "no column \"%s\" (header: %.*s): set data.text_field or data.label_field",
                       field->name, (int)(row->bytes < 200 ? row->bytes : 200), row->data);
}

ft_status csv_find_columns(int64_t *n_columns, struct csv_field *const *fields, int n,
                           const struct record_cursor *cursor, const struct source *file)
{
    const struct buffer *header = &cursor->header;
    struct buffer *name = &fields[0]->value; /* scratch */
    struct row row = {file, header->data, header->used, 0, cursor->header_offset};
    bool has_more = true;
    FT_TRY(record_check_utf8(file, row.offset, row.data, row.bytes));
    for (int i = 0; i < n; i++)
        fields[i]->column = -1;
    for (*n_columns = 0; has_more; ++*n_columns) {
        const int64_t at = row.offset + (int64_t)row.at;
        name->used = 0;
        FT_TRY(next_field(&row, name, &has_more));
        for (int i = 0; i < n; i++)
            FT_TRY(match_column(fields[i], name, *n_columns, file, at));
    }
    for (int i = 0; i < n; i++)
        FT_TRY(check_column(fields[i], &row));
    name->used = 0;
    return FT_OK;
}

static struct csv_field *field_of(struct csv_field *const *fields, int n, int64_t column)
{
    for (int i = 0; i < n; i++)
        if (fields[i]->column == column)
            return fields[i];
    return NULL;
}

ft_status csv_read_row(struct csv_field *const *fields, int n, int64_t n_columns,
                       const struct record *record)
{
    struct row row = {record->file, record->data, record->bytes, 0, record->offset};
    bool has_more = true;
    int64_t n_found = 0;
    for (; has_more; n_found++) {
        struct csv_field *field = field_of(fields, n, n_found);
        if (field)
            field->at = row.offset + (int64_t)row.at;
        FT_TRY(next_field(&row, field ? &field->value : NULL, &has_more));
    }
    if (n_found != n_columns)
        return source_fail(
            record->file, record->offset,
            "the row has %lld fields, the header has %lld: quote fields that hold commas",
            (long long)n_found, (long long)n_columns);
    return FT_OK;
}
