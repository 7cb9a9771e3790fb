#include "data/record_text.h"

#include "base/utf8.h"
#include "format/json.h"

const char *json_type_name(const json_t *value)
{
    static const char *const names[] = {"an object", "an array", "a string", "a number",
                                        "a number",  "true",     "false",    "null"};
    return names[json_typeof(value)];
}

ft_status record_check_utf8(const struct source *file, int64_t offset, const char *data,
                            size_t bytes)
{
    size_t bad_at = 0;
    if (utf8_check(data, bytes, &bad_at))
        return FT_OK;
    return source_fail(file, offset + (int64_t)bad_at,
                       "invalid UTF-8 (byte 0x%02x): convert the file to UTF-8",
                       (unsigned char)data[bad_at]);
}

ft_status record_parse_json(json_t **line, const struct record *record)
{
    json_error_t error;
    const ft_status status = json_load(line, record->data, record->bytes,
                                       JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL |
                                           JSON_DECODE_INT_AS_REAL,
                                       &error);
    if (status != FT_ERR_INPUT)
        return status;
    const int64_t at = error.position > 0 ? error.position - 1 : 0;
    return source_fail(record->file, record->offset + at, "invalid JSON: %s", error.text);
}
