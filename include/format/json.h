/**
 * JSON files over jansson: bounded size and depth, no duplicate keys, messages with file, line,
 * column.
 *
 * Nothing here is collective. Documents are json_t of jansson and released with json_decref.
 */
#ifndef FT_FORMAT_JSON_H
#define FT_FORMAT_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define JSON_DEPTH_MAX 64

/**
 * Parses one JSON document of any type.
 *
 * Nesting beyond JSON_DEPTH_MAX, duplicate keys, invalid UTF-8, "\u0000" and bytes behind the
 * document are refused. An integer that does not fit 64 bits is read as a real.
 *
 * @param[out] out  gives the document
 * @param[in]  text need not be terminated
 * @param[in]  name what messages call the text: a path, or path and line
 * @return FT_OK, FT_ERR_INPUT (message: name, line, column, reason), FT_ERR_INTERNAL (memory)
 */
ft_status json_parse(json_t **out, const char *text, size_t bytes, const char *name);

/**
 * What json_parse stands on: json_loadb, which without memory may say that the text is bad, or give
 * a document that lacks some of it. Here that is FT_ERR_INTERNAL.
 *
 * @param[in]  flags of jansson
 * @param[out] error what is wrong with the text
 * @return FT_OK; FT_ERR_INPUT, without a message; FT_ERR_INTERNAL (memory)
 */
ft_status json_load(json_t **out, const char *text, size_t bytes, size_t flags,
                    json_error_t *error);

/**
 * The text of a value that was built, ended by a zero byte. A value that lacks something for want
 * of memory, in any call since this thread's last json_load or json_print, is not printed: builders
 * need not look at each result.
 *
 * @param[out] out   gives the text (free); NULL on failure
 * @param[in]  value NULL where not even that could be built
 * @param[in]  what  named in the message
 * @return FT_OK, FT_ERR_INPUT (a text in it is no UTF-8), FT_ERR_INTERNAL (memory)
 */
ft_status json_print(char **out, const json_t *value, size_t flags, const char *what);

/** As json_parse for a regular file of at most max_bytes. */
ft_status json_read_file(json_t **out, const char *path, uint64_t max_bytes);

/**
 * Where the value of a top-level member stands in the text of an object, so that a number can be
 * had as it was written. The text must have been parsed without an error.
 *
 * @param[out] found    whether there is such a member
 * @param[out] from, n  first byte and length of the value; untouched where there is none
 * @return FT_OK; FT_ERR_INTERNAL (memory)
 */
ft_status json_find_raw(bool *found, size_t *from, size_t *n, const char *text, size_t bytes,
                        const char *key);

/*
 * Members of an object. A key that is absent or null sets *found to false and leaves *out
 * untouched; with found NULL the key is required. A wrong type or a value out of range is
 * FT_ERR_INPUT and the message names the key; callers put the file's name before it with
 * ft_fail_within.
 */

/** An integer in [min, max]; a real is refused. */
ft_status json_get_int(const json_t *object, const char *key, int64_t min, int64_t max,
                       int64_t *out, bool *found);

/** A finite real or integer in [min, max]. */
ft_status json_get_real(const json_t *object, const char *key, double min, double max, double *out,
                        bool *found);

ft_status json_get_bool(const json_t *object, const char *key, bool *out, bool *found);

/** A string; borrowed from object. */
ft_status json_get_text(const json_t *object, const char *key, const char **out, bool *found);

/** An object; borrowed from object. */
ft_status json_get_object(const json_t *object, const char *key, json_t **out, bool *found);

/** An array; borrowed from object. */
ft_status json_get_array(const json_t *object, const char *key, json_t **out, bool *found);

#endif
