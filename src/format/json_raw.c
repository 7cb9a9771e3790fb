/*
 * jansson gives a number as a double and forgets how it was written. This walks the text of an
 * object that jansson has accepted, so nothing needs to be checked again: only where a string ends
 * and how deep brackets are nested matters.
 */
#include "format/json.h"

#include <string.h>

static size_t skip_space(const char *text, size_t bytes, size_t at)
{
    while (at < bytes &&
           (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r'))
        at++;
    return at;
}

/* Behind the string whose opening quote is at `at`. */
static size_t skip_string(const char *text, size_t bytes, size_t at)
{
    for (at++; at < bytes && text[at] != '"'; at++)
        at += text[at] == '\\';
    return at < bytes ? at + 1 : bytes;
}

static size_t skip_value(const char *text, size_t bytes, size_t at)
{
    int depth = 0;
    while (at < bytes) {
        const char c = text[at];
        if (depth == 0 && (c == ',' || c == '}' || c == ' ' || c == '\t' || c == '\n' || c == '\r'))
            return at;
        if (c == '"') {
            at = skip_string(text, bytes, at);
        } else {
            depth += (c == '{' || c == '[') - (c == '}' || c == ']');
            at++;
        }
        if (depth == 0 && (c == '"' || c == '}' || c == ']'))
            return at;
    }
    return bytes;
}

/* Whether the string with its quotes is the key; only one with escapes needs to be decoded. */
static ft_status is_key(bool *is_equal, const char *string, size_t bytes, const char *key)
{
    const size_t length = strlen(key);
    json_t *decoded = NULL;
    json_error_t error;
    *is_equal = bytes == length + 2 && memcmp(string + 1, key, length) == 0;
    if (!memchr(string, '\\', bytes))
        return FT_OK;
    const ft_status status = json_load(&decoded, string, bytes, JSON_DECODE_ANY, &error);
    *is_equal = decoded && strcmp(json_string_value(decoded), key) == 0;
    json_decref(decoded);
    return status == FT_ERR_INPUT ? FT_OK : status; /* a zero byte in it: not the key */
}

ft_status json_find_raw(bool *found, size_t *from, size_t *n, const char *text, size_t bytes,
                        const char *key)
{
    size_t at = skip_space(text, bytes, 0) + 1; /* behind the brace */
    for (*found = false;;) {
        const size_t name = skip_space(text, bytes, at);
        if (name >= bytes || text[name] != '"')
            return FT_OK;
        const size_t behind = skip_string(text, bytes, name);
        const size_t value = skip_space(text, bytes, skip_space(text, bytes, behind) + 1);
        const size_t end = skip_value(text, bytes, value);
        FT_TRY(is_key(found, text + name, behind - name, key));
        if (*found) {
            *from = value;
            *n = end - value;
            return FT_OK;
        }
        at = skip_space(text, bytes, end) + 1; /* behind the comma */
    }
}
