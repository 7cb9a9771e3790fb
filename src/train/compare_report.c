#include "train/compare_report.h"

#include <errno.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/mem.h"
#include "format/json.h"
#include "train/advice.h"

static const char format_name[] = "finetune-compare";
enum { FORMAT_VERSION = 1, DIGITS_PER_BYTE = 2, CELL = 24 };

/* The bits of all documents take n/4 digits, n < 2^31. */
static const uint64_t max_file_bytes = UINT64_C(4) << 30;

static void format_seconds(char text[CELL], double seconds)
{
    if (seconds < 100.0)
        (void)snprintf(text, CELL, "%.1f s", seconds);
    else if (seconds < 6000.0)
        (void)snprintf(text, CELL, "%.1f min", seconds / 60.0);
    else
        (void)snprintf(text, CELL, "%.1f h", seconds / 3600.0);
}

static void format_bytes(char text[CELL], int64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    int unit = 0;
    for (; value >= 1000.0 && unit < 4; unit++)
        value /= 1024.0;
    (void)snprintf(text, CELL, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static void format_p(char text[CELL], const struct comparison *c, int method)
{
    const double p = c->pairs[method][c->cheapest].p;
    if (method == c->cheapest)
        (void)snprintf(text, CELL, "cheapest");
    else if (p < 0.001)
        (void)snprintf(text, CELL, "< 0.001");
    else
        (void)snprintf(text, CELL, "%.3f", p);
}

static ft_status put_row(struct buffer *out, const struct comparison *c, int method)
{
    const struct method_result *r = c->methods + method;
    const struct interval *a = &r->interval.accuracy, *f = &r->interval.macro_f1;
    char accuracy[CELL], p[CELL], wall[CELL], peak[CELL], stored[CELL];
    if (!r->done)
        return buffer_print(out, "%-12s  has not run\n", comparison_method_name(method));
    (void)snprintf(accuracy, CELL, "%.1f (%.1f to %.1f)", 100.0 * r->accuracy, 100.0 * a->low,
                   100.0 * a->high);
    format_p(p, c, method);
    format_seconds(wall, r->wall_s);
    format_bytes(peak, r->peak_bytes);
    format_bytes(stored, r->stored_bytes);
    return buffer_print(out, "%-12s  %-22s  %.3f (%.3f to %.3f)  %8s  %9s  %12.1f  %11s  %10s\n",
                        comparison_method_name(method), accuracy, r->macro_f1, f->low, f->high, p,
                        wall, r->core_s, peak, stored);
}

static ft_status put_table(struct buffer *out, const struct comparison *c)
{
    FT_TRY(buffer_print(out, "%-12s  %-22s  %-22s  %8s  %9s  %12s  %11s  %10s\n", "method",
                        "accuracy, %", "macro F1", "p", "wall time", "core-seconds", "peak memory",
                        "to store"));
    for (int m = 0; m < N_COMPARE_METHODS; m++)
        FT_TRY(put_row(out, c, m));
    if (c->cheapest >= 0)
        FT_TRY(buffer_print(out,
                            "%lld test documents; in parentheses: 95 %% bootstrap intervals; p: "
                            "McNemar's exact test against %s\n",
                            (long long)c->methods[c->cheapest].documents,
                            comparison_method_name(c->cheapest)));
    FT_TRY(buffer_print(out, "\n"));
    FT_TRY(advice_put(out, c));
    return buffer_print(out, "\n");
}

ft_status compare_report_print(FILE *file, const struct comparison *c)
{
    struct buffer text = {0};
    ft_status status = put_table(&text, c);
    if (status == FT_OK && (fputs(text.data, file) < 0 || fflush(file) != 0))
        status = ft_fail(FT_ERR_IO, "cannot write the table of compare: %s", strerror(errno));
    buffer_clear(&text);
    return status;
}

static ft_status no_json(void)
{
    return ft_fail(FT_ERR_INTERNAL,
                   "cannot build compare.json: a number is not finite, or memory is exhausted");
}

/* Gives the bits as text. */
static char *bits_text(const uint8_t *correct, int64_t n)
{
    static const char digits[] = "0123456789abcdef";
    const int64_t n_bytes = (n + 7) / 8;
    char *text = mem_alloc((size_t)n_bytes + 1, DIGITS_PER_BYTE);
    for (int64_t i = 0; i < n_bytes && text; i++) {
        unsigned byte = 0;
        for (int64_t bit = 0; bit < 8; bit++)
            byte = byte << 1 | (8 * i + bit < n && correct[8 * i + bit]);
        text[2 * i] = digits[byte >> 4];
        text[2 * i + 1] = digits[byte & 15];
    }
    return text;
}

static json_t *method_json(const struct comparison *c, int method)
{
    const struct method_result *r = c->methods + method;
    char *bits = bits_text(r->correct, r->documents);
    if (!bits)
        return NULL;
    json_t *object = json_pack(
        "{s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:s, s:s, s:s}", "name",
        comparison_method_name(method), "documents", (json_int_t)r->documents, "accuracy",
        r->accuracy, "accuracy_low", r->interval.accuracy.low, "accuracy_high",
        r->interval.accuracy.high, "macro_f1", r->macro_f1, "macro_f1_low",
        r->interval.macro_f1.low, "macro_f1_high", r->interval.macro_f1.high, "mcnemar_p",
        c->pairs[method][c->cheapest].p, "wall_s", r->wall_s, "core_s", r->core_s, "peak_bytes",
        (json_int_t)r->peak_bytes, "stored_bytes", (json_int_t)r->stored_bytes, "key", r->key,
        "labels_hash", r->labels_hash, "correct", bits);
    mem_free(bits);
    return object;
}

static json_t *pair_json(const struct comparison *c, int a, int b)
{
    const struct mcnemar *m = &c->pairs[a][b];
    return json_pack("{s:s, s:s, s:I, s:I, s:f}", "a", comparison_method_name(a), "b",
                     comparison_method_name(b), "a_only", (json_int_t)m->a_only, "b_only",
                     (json_int_t)m->b_only, "p", m->p);
}

static ft_status fill_arrays(json_t *methods, json_t *pairs, const struct comparison *c)
{
    for (int a = 0; a < N_COMPARE_METHODS; a++) {
        if (!c->methods[a].done)
            continue;
        if (json_array_append_new(methods, method_json(c, a)) != 0)
            return no_json();
        for (int b = a + 1; b < N_COMPARE_METHODS; b++)
            if (c->methods[b].done && json_array_append_new(pairs, pair_json(c, a, b)) != 0)
                return no_json();
    }
    return FT_OK;
}

static ft_status report_json(json_t **out, const struct comparison *c)
{
    struct buffer advice = {0};
    ft_status status = advice_put(&advice, c);
    *out = NULL;
    if (status == FT_OK)
        *out = json_pack("{s:s, s:i, s:I, s:s, s:[], s:[], s:s}", "format", format_name, "version",
                         FORMAT_VERSION, "test_documents",
                         (json_int_t)c->methods[c->cheapest].documents, "cheapest",
                         comparison_method_name(c->cheapest), "methods", "pairs", "advice",
                         advice.data);
    buffer_clear(&advice);
    FT_TRY(status);
    if (!*out)
        return no_json();
    return fill_arrays(json_object_get(*out, "methods"), json_object_get(*out, "pairs"), c);
}

ft_status compare_report_write(const struct comparison *c, const char *path)
{
    json_t *json = NULL;
    char *text = NULL;
    if (c->cheapest < 0)
        return ft_fail(FT_ERR_INTERNAL, "%s: no method has a result to write", path);
    ft_status status = report_json(&json, c);
    if (status == FT_OK)
        status = json_print(&text, json, JSON_INDENT(2), path);
    if (status == FT_OK) {
        const size_t bytes = strlen(text);
        text[bytes] = '\n'; /* in place of the terminator, which is not written */
        status = file_replace(path, text, bytes + 1);
    }
    free(text); /* jansson's */
    json_decref(json);
    return status;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Fills correct from the text of ceil(n/8) bytes; the bits behind the last document are zero. */
static ft_status parse_bits(struct method_result *r, const char *text)
{
    const int64_t n = r->documents, n_digits = (n + 7) / 8 * DIGITS_PER_BYTE;
    int64_t right = 0;
    if (strlen(text) != (size_t)n_digits)
        return ft_fail(FT_ERR_INPUT, "key \"correct\" has %zu digits, %lld documents need %lld",
                       strlen(text), (long long)n, (long long)n_digits);
    FT_TRY(FT_ALLOC(r->correct, n));
    for (int64_t i = 0; i < 4 * n_digits; i++) {
        const int digit = digit_of(text[i / 4]);
        const int bit = digit < 0 ? 0 : digit >> (3 - i % 4) & 1;
        if (digit < 0 || (i >= n && bit))
            return ft_fail(FT_ERR_INPUT, "key \"correct\": digit %lld is '%c'",
                           (long long)(i / 4 + 1), text[i / 4]);
        if (i < n)
            r->correct[i] = (uint8_t)bit;
        right += bit;
    }
    if (r->accuracy != (double)right / (double)n)
        return ft_fail(FT_ERR_INPUT, "key \"accuracy\" is %.17g, but %lld of %lld are correct",
                       r->accuracy, (long long)right, (long long)n);
    return FT_OK;
}

static ft_status parse_interval(struct interval *out, const json_t *object, const char *low,
                                const char *high)
{
    FT_TRY(json_get_real(object, low, 0.0, 1.0, &out->low, NULL));
    return json_get_real(object, high, out->low, 1.0, &out->high, NULL);
}

static ft_status parse_scores(struct method_result *r, const json_t *object)
{
    FT_TRY(json_get_int(object, "documents", 1, INT32_MAX, &r->documents, NULL));
    FT_TRY(json_get_real(object, "accuracy", 0.0, 1.0, &r->accuracy, NULL));
    FT_TRY(parse_interval(&r->interval.accuracy, object, "accuracy_low", "accuracy_high"));
    FT_TRY(json_get_real(object, "macro_f1", 0.0, 1.0, &r->macro_f1, NULL));
    return parse_interval(&r->interval.macro_f1, object, "macro_f1_low", "macro_f1_high");
}

/* A hash of 32 digits, or "" where it may be empty. */
static ft_status parse_hash(char out[HASH_TEXT], const json_t *object, const char *key,
                            bool may_be_empty)
{
    const char *text;
    FT_TRY(json_get_text(object, key, &text, NULL));
    const size_t n = strspn(text, "0123456789abcdef");
    if (text[n] || !(n == HASH_TEXT - 1 || (may_be_empty && n == 0)))
        return ft_fail(FT_ERR_INPUT, "key \"%s\" is no hash of %d hexadecimal digits", key,
                       HASH_TEXT - 1);
    memcpy(out, text, n + 1);
    return FT_OK;
}

static ft_status parse_result(struct method_result *r, const json_t *object)
{
    const char *bits;
    FT_TRY(parse_scores(r, object));
    FT_TRY(json_get_real(object, "wall_s", 0.0, DBL_MAX, &r->wall_s, NULL));
    FT_TRY(json_get_real(object, "core_s", 0.0, DBL_MAX, &r->core_s, NULL));
    FT_TRY(json_get_int(object, "peak_bytes", 0, INT64_MAX, &r->peak_bytes, NULL));
    FT_TRY(json_get_int(object, "stored_bytes", 0, INT64_MAX, &r->stored_bytes, NULL));
    FT_TRY(parse_hash(r->key, object, "key", true));
    FT_TRY(parse_hash(r->labels_hash, object, "labels_hash", false));
    FT_TRY(json_get_text(object, "correct", &bits, NULL));
    FT_TRY(parse_bits(r, bits));
    r->done = true;
    return FT_OK;
}

static ft_status parse_method(struct comparison *out, const json_t *object, size_t number)
{
    const char *name;
    if (!json_is_object(object))
        return ft_fail(FT_ERR_INPUT, "methods[%zu] is no object", number);
    ft_status status = json_get_text(object, "name", &name, NULL);
    if (status != FT_OK)
        return ft_fail_within(status, "methods[%zu]", number);
    const int method = comparison_method_of(name);
    if (method < 0)
        return ft_fail(FT_ERR_INPUT, "methods[%zu]: there is no method \"%s\"", number, name);
    if (out->methods[method].done)
        return ft_fail(FT_ERR_INPUT, "methods[%zu]: \"%s\" occurs twice", number, name);
    status = parse_result(out->methods + method, object);
    return status == FT_OK ? FT_OK : ft_fail_within(status, "method \"%s\"", name);
}

static ft_status parse_report(struct comparison *out, const json_t *json)
{
    const char *format;
    int64_t version;
    json_t *methods;
    if (!json_is_object(json))
        return ft_fail(FT_ERR_INPUT, "this is no JSON object");
    FT_TRY(json_get_text(json, "format", &format, NULL));
    if (strcmp(format, format_name) != 0)
        return ft_fail(FT_ERR_INPUT, "key \"format\" is \"%s\", not \"%s\"", format, format_name);
    FT_TRY(json_get_int(json, "version", FORMAT_VERSION, FORMAT_VERSION, &version, NULL));
    FT_TRY(json_get_array(json, "methods", &methods, NULL));
    for (size_t i = 0; i < json_array_size(methods); i++)
        FT_TRY(parse_method(out, json_array_get(methods, i), i));
    return comparison_test(out);
}

ft_status compare_report_read(struct comparison *out, const char *path)
{
    json_t *json = NULL;
    *out = (struct comparison){.cheapest = -1};
    if (!file_exists(path))
        return FT_OK;
    ft_status status = json_read_file(&json, path, max_file_bytes);
    if (status == FT_OK && (status = parse_report(out, json)) != FT_OK)
        status = ft_fail_within(status, "%s", path);
    json_decref(json);
    if (status == FT_ERR_INPUT)
        status =
            ft_fail(status, "%s; move the file away to measure all methods anew", ft_error_text());
    return status;
}
