/** What the text of a record must be, whatever is read from it: UTF-8, and JSON in JSONL. */
#ifndef FT_DATA_RECORD_TEXT_H
#define FT_DATA_RECORD_TEXT_H

#include "base/err.h"
#include "data/record.h"
#include "format/json.h"

/** FT_ERR_INPUT with file, line and byte where data, which begin at that offset, are not UTF-8. */
ft_status record_check_utf8(const struct source *file, int64_t offset, const char *data,
                            size_t bytes);

/**
 * The value on a line of JSONL; numbers are reals, strings may hold zero bytes.
 *
 * @param[out] line  gives it (json_decref)
 * @return FT_OK; FT_ERR_INPUT with file, line and byte
 */
ft_status record_parse_json(json_t **line, const struct record *record);

/** "an object", "a string", ...: for messages. */
const char *json_type_name(const json_t *value);

#endif
