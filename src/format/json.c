#include "format/json.h"

#include <math.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/mem.h"

/* What is left of a text outside of its strings, one byte at a time. */
struct scanner {
    const char *text;
    size_t bytes, at;
    bool in_string;
};

/* The next byte outside of strings (quotes included), or -1 at the end. */
static int scan(struct scanner *s)
{
    while (s->at < s->bytes) {
        const char c = s->text[s->at++];
        if (!s->in_string) {
            s->in_string = c == '"';
            return (unsigned char)c;
        }
        if (c == '\\')
            s->at++;
        else if (c == '"')
            s->in_string = false;
    }
    return -1;
}

static ft_status check_depth(const char *text, size_t bytes, const char *name)
{
    struct scanner s = {.text = text, .bytes = bytes};
    int depth = 0, line = 1;
    for (int c; (c = scan(&s)) >= 0;) {
        line += c == '\n';
        depth += (c == '[' || c == '{') - (c == ']' || c == '}');
        if (depth > JSON_DEPTH_MAX)
            return ft_fail(FT_ERR_INPUT, "%s: line %d: nested deeper than %d levels", name, line,
                           JSON_DEPTH_MAX);
    }
    return FT_OK;
}

static bool is_number_byte(char c)
{
    return (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-';
}

/* Copies text with ".0" behind every integer of more than 18 digits, so that jansson reads a real.
 */
static ft_status widen_integers(struct buffer *out, const char *text, size_t bytes)
{
    struct scanner s = {.text = text, .bytes = bytes};
    size_t copied = 0;
    for (int c; (c = scan(&s)) >= 0;) {
        if (c < '0' || c > '9')
            continue;
        const size_t start = s.at - 1;
        bool is_integer = true;
        for (; s.at < bytes && is_number_byte(text[s.at]); s.at++)
            is_integer = is_integer && text[s.at] >= '0' && text[s.at] <= '9';
        if (!is_integer || s.at - start <= 18)
            continue;
        FT_TRY(buffer_append(out, text + copied, s.at - copied));
        FT_TRY(buffer_append(out, ".0", 2));
        copied = s.at;
    }
    return buffer_append(out, text + copied, bytes - copied);
}

/*
 * jansson does not look at all of its allocations: without memory a string may lose letters, a list
 * elements, and a number whose digits went ends the process by an assertion. So the first failure
 * within json_load leaves the parser at once, and what it had allocated until then is released: the
 * blocks of one document form a ring, so that only one thread at a time may take it apart.
 * Elsewhere a failure is remembered until json_print.
 */
struct block {
    _Alignas(max_align_t) struct block *next;
    struct block *previous;
};

static _Thread_local bool memory_failed;
static _Thread_local struct block *loading; /* the ring of the json_load under way; else NULL */
static _Thread_local jmp_buf leave_parser;

static void *allocate(size_t bytes)
{
    struct block *block = bytes <= SIZE_MAX - sizeof *block ? malloc(sizeof *block + bytes) : NULL;
    if (!block) {
        memory_failed = true;
        if (loading)
            longjmp(leave_parser, 1);
        return NULL;
    }
    struct block *before = loading ? loading : block;
    block->previous = before;
    block->next = loading ? before->next : block;
    block->next->previous = block;
    before->next = block;
    return block + 1;
}

static void take_out(struct block *block)
{
    block->next->previous = block->previous;
    block->previous->next = block->next;
}

static void release(void *data)
{
    if (!data)
        return;
    struct block *block = (struct block *)data - 1;
    take_out(block);
    free(block);
}

__attribute__((constructor)) static void watch_memory(void)
{
    json_set_alloc_funcs(allocate, release);
}

/* Whether memory was short since the last call. */
static bool take_memory_failure(void)
{
    const bool failed = memory_failed;
    memory_failed = false;
    return failed;
}

static json_t *load(const char *text, size_t bytes, size_t flags, json_error_t *error)
{
    return setjmp(leave_parser) == 0 ? json_loadb(text, bytes, flags, error) : NULL;
}

ft_status json_load(json_t **out, const char *text, size_t bytes, size_t flags, json_error_t *error)
{
    struct block ring = {.next = &ring, .previous = &ring};
    (void)take_memory_failure();
    loading = &ring;
    *out = load(text, bytes, flags, error);
    loading = NULL;
    if (take_memory_failure()) {
        while (ring.next != &ring)
            release(ring.next + 1);
        return ft_fail(FT_ERR_INTERNAL, "out of memory: JSON text of %zu bytes", bytes);
    }
    take_out(&ring);
    return *out ? FT_OK : FT_ERR_INPUT;
}

ft_status json_print(char **out, const json_t *value, size_t flags, const char *what)
{
    char *text = value ? json_dumps(value, flags | JSON_ENCODE_ANY) : NULL;
    *out = text ? strdup(text) : NULL;
    const bool failed = take_memory_failure() || (text && !*out);
    release(text);
    if (*out && !failed)
        return FT_OK;
    free(*out);
    *out = NULL;
    return failed ? ft_fail(FT_ERR_INTERNAL, "out of memory: %s", what)
                  : ft_fail(FT_ERR_INPUT, "%s cannot be written: a text in it is no UTF-8", what);
}

static ft_status fail_parse(const json_error_t *error, const char *name)
{
    return ft_fail(FT_ERR_INPUT, "%s: line %d, column %d: %s%s", name, error->line, error->column,
                   error->text,
                   json_error_code(error) == json_error_invalid_utf8 ? " (not UTF-8)" : "");
}

ft_status json_parse(json_t **out, const char *text, size_t bytes, const char *name)
{
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
    json_error_t error;
    FT_TRY(check_depth(text, bytes, name));
    ft_status status = json_load(out, text, bytes, flags, &error);
    if (status == FT_ERR_INPUT && json_error_code(&error) == json_error_numeric_overflow) {
        struct buffer wide = {0};
        status = widen_integers(&wide, text, bytes);
        if (status == FT_OK)
            status = json_load(out, wide.data, wide.used, flags, &error);
        buffer_clear(&wide);
    }
    return status == FT_ERR_INPUT ? fail_parse(&error, name) : status;
}

ft_status json_read_file(json_t **out, const char *path, uint64_t max_bytes)
{
    char *text;
    size_t bytes;
    *out = NULL;
    FT_TRY(file_read_all(&text, &bytes, path, max_bytes));
    const ft_status status = json_parse(out, text, bytes, path);
    mem_free(text);
    return status;
}

static const char *type_text(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a real number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    default:
        return "null";
    }
}

/* The member, or NULL with *status FT_OK when it may be absent and is. */
static const json_t *member(ft_status *status, const json_t *object, const char *key, bool *found)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_null(value))
        value = NULL;
    *status = FT_OK;
    if (found)
        *found = value != NULL;
    else if (!value)
        *status = ft_fail(FT_ERR_INPUT, "key \"%s\" is missing", key);
    return value;
}

static ft_status wrong_type(const json_t *value, const char *key, const char *wanted)
{
    return ft_fail(FT_ERR_INPUT, "key \"%s\" is %s, %s is needed", key, type_text(value), wanted);
}

ft_status json_get_int(const json_t *object, const char *key, int64_t min, int64_t max,
                       int64_t *out, bool *found)
{
    ft_status status;
    const json_t *value = member(&status, object, key, found);
    if (!value)
        return status;
    if (!json_is_integer(value))
        return wrong_type(value, key, "an integer");
    const int64_t number = json_integer_value(value);
    if (number < min || number > max)
        return ft_fail(FT_ERR_INPUT, "key \"%s\" is %lld, not from %lld to %lld", key,
                       (long long)number, (long long)min, (long long)max);
    *out = number;
    return FT_OK;
}

ft_status json_get_real(const json_t *object, const char *key, double min, double max, double *out,
                        bool *found)
{
    ft_status status;
    const json_t *value = member(&status, object, key, found);
    if (!value)
        return status;
    if (!json_is_number(value))
        return wrong_type(value, key, "a number");
    const double number = json_number_value(value);
    if (!(number >= min && number <= max))
        return ft_fail(FT_ERR_INPUT, "key \"%s\" is %g, not from %g to %g", key, number, min, max);
    *out = number;
    return FT_OK;
}

ft_status json_get_bool(const json_t *object, const char *key, bool *out, bool *found)
{
    ft_status status;
    const json_t *value = member(&status, object, key, found);
    if (!value)
        return status;
    if (!json_is_boolean(value))
        return wrong_type(value, key, "true or false");
    *out = json_is_true(value);
    return FT_OK;
}

ft_status json_get_text(const json_t *object, const char *key, const char **out, bool *found)
{
    ft_status status;
    const json_t *value = member(&status, object, key, found);
    if (!value)
        return status;
    if (!json_is_string(value))
        return wrong_type(value, key, "a string");
    *out = json_string_value(value);
    return FT_OK;
}

ft_status json_get_object(const json_t *object, const char *key, json_t **out, bool *found)
{
    ft_status status;
    const json_t *value = member(&status, object, key, found);
    if (!value)
        return status;
    if (!json_is_object(value))
        return wrong_type(value, key, "an object");
    *out = json_object_get(object, key);
    return FT_OK;
}

ft_status json_get_array(const json_t *object, const char *key, json_t **out, bool *found)
{
    ft_status status;
    const json_t *value = member(&status, object, key, found);
    if (!value)
        return status;
    if (!json_is_array(value))
        return wrong_type(value, key, "an array");
    *out = json_object_get(object, key);
    return FT_OK;
}
