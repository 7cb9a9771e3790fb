/** Torture texts of tests/golden/tokenizer, and the reference ids and texts that belong to them. */
#ifndef FT_TESTS_TOKEN_CASES_H
#define FT_TESTS_TOKEN_CASES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "support/check.h"
#include "token/tokenizer.h"

#define TOKEN_GOLDEN TESTS_DIR "/golden/tokenizer/"

#if defined(__SANITIZE_ADDRESS__)
#define TOKEN_CASE_SECONDS 20.0
#else
#define TOKEN_CASE_SECONDS 1.0
#endif

/** Processor time of this process: what others do on the machine does not count. */
static inline double cpu_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/** Parses a golden file; jansson's own parser, for the texts hold zero bytes. */
static inline json_t *golden_json(const char *name)
{
    char path[FILE_PATH_MAX];
    json_error_t error;
    CHECK_STATUS(file_join(path, TOKEN_GOLDEN, name), FT_OK);
    json_t *root = json_load_file(path, JSON_ALLOW_NUL, &error);
    if (!root) {
        (void)fprintf(stderr, "%s:%d: %s\n", path, error.line, error.text);
        check_failures++;
    }
    return root;
}

/** U+FFFD for each maximal part that is not UTF-8, as Rust's from_utf8_lossy. */
static inline void make_lossy(struct buffer *out, const char *text, size_t bytes)
{
    size_t at = 0;
    while (at < bytes) {
        size_t bad = bytes - at;
        (void)utf8_check(text + at, bytes - at, &bad);
        CHECK_STATUS(buffer_append(out, text + at, bad), FT_OK);
        at += bad;
        if (at == bytes)
            break;
        /* the part: as many bytes as could still begin a character */
        static const char ends[][4] = {"\x80\x80\x80", "\xa0\x80\x80", "\x90\x80\x80",
                                       "\xbf\xbf\xbf", "\x9f\xbf\xbf", "\x8f\xbf\xbf"};
        size_t part = 1;
        for (size_t k = 2; k <= 3 && at + k <= bytes; k++) {
            for (size_t e = 0; e < 6 && part < k; e++) {
                for (size_t more = 1; more <= 4 - k && part < k; more++) {
                    char whole[8];
                    memcpy(whole, text + at, k);
                    memcpy(whole + k, ends[e] + 3 - more, more);
                    part = utf8_check(whole, k + more, NULL) ? k : part;
                }
            }
        }
        CHECK_STATUS(buffer_append(out, "\xef\xbf\xbd", 3), FT_OK);
        at += part;
    }
}

static inline bool has_hash(const json_t *object, const char *key, const void *data, size_t bytes)
{
    char text[HASH_TEXT];
    hash_format(text, hash_bytes(data, bytes));
    const char *wanted = json_string_value(json_object_get(object, key));
    return wanted && strcmp(text, wanted) == 0;
}

/** Encodes and decodes one text and compares with {n, xxh3_128, decoded_xxh3_128, same}. */
static inline void check_case(struct tokenizer *t, const char *label, const char *name,
                              const json_t *wanted, const char *text, size_t bytes)
{
    struct token_list list = {0};
    struct buffer decoded = {0}, lossy = {0};
    const double start = cpu_seconds();
    CHECK_STATUS(tokenizer_encode(t, &list, text, bytes), FT_OK);
    const double seconds = cpu_seconds() - start;
    CHECK_STATUS(tokenizer_decode(t, &decoded, list.ids, list.n), FT_OK);
    const bool same = decoded.used == bytes && (bytes == 0 || !memcmp(decoded.data, text, bytes));
    make_lossy(&lossy, decoded.data ? decoded.data : "", decoded.used);
    const bool ok =
        list.n == json_integer_value(json_object_get(wanted, "n")) &&
        has_hash(wanted, "xxh3_128", list.n ? (const void *)list.ids : "", (size_t)list.n * 4) &&
        has_hash(wanted, "decoded_xxh3_128", lossy.data ? lossy.data : "", lossy.used) &&
        same == json_is_true(json_object_get(wanted, "same")) && seconds < TOKEN_CASE_SECONDS;
    if (!ok) {
        (void)fprintf(stderr, "%s, %s: %lld ids, %s decoded, %.2f s; expected ", label, name,
                      (long long)list.n, same ? "equal" : "unequal", seconds);
        (void)json_dumpf(wanted, stderr, JSON_COMPACT);
        (void)fputc('\n', stderr);
        check_failures++;
    }
    token_list_clear(&list);
    buffer_clear(&decoded);
    buffer_clear(&lossy);
}

/** The text of a rule: repeated, or a range of the assigned code points. */
static inline void build_text(struct buffer *out, const json_t *rule, const json_t *assigned)
{
    const json_t *repeat = json_object_get(rule, "repeat"), *range, *wanted;
    for (json_int_t i = json_integer_value(json_object_get(rule, "count")); i > 0; i--)
        CHECK_STATUS(buffer_append(out, json_string_value(repeat), json_string_length(repeat)),
                     FT_OK);
    wanted = json_object_get(rule, "assigned");
    if (!wanted)
        return;
    const json_int_t low = json_integer_value(json_array_get(wanted, 0));
    const json_int_t high = json_integer_value(json_array_get(wanted, 1));
    const json_t *separator = json_object_get(rule, "separator");
    size_t i;
    json_array_foreach(assigned, i, range)
    {
        const json_int_t last = json_integer_value(json_array_get(range, 1));
        for (json_int_t code = json_integer_value(json_array_get(range, 0)); code <= last; code++) {
            char text[4];
            if (code < low || code > high)
                continue;
            if (out->used)
                CHECK_STATUS(
                    buffer_append(out, json_string_value(separator), json_string_length(separator)),
                    FT_OK);
            CHECK_STATUS(buffer_append(out, text, (size_t)utf8_encode(text, (uint32_t)code)),
                         FT_OK);
        }
    }
}

typedef void (*text_visitor)(void *context, const char *name, const char *text, size_t bytes);

/** Visits the texts of torture.jsonl; gives their number. */
static inline size_t visit_texts(text_visitor visit, void *context)
{
    size_t n = 0;
    FILE *texts = fopen(TOKEN_GOLDEN "torture.jsonl", "r");
    CHECK(texts != NULL);
    for (json_t *line;
         texts && (line = json_loadf(texts, JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK, NULL)) != NULL;
         json_decref(line), n++) {
        const json_t *text = json_object_get(line, "text");
        visit(context, json_string_value(json_object_get(line, "name")), json_string_value(text),
              json_string_length(text));
    }
    if (texts)
        (void)fclose(texts);
    CHECK(n > 250);
    return n;
}

/** Visits the texts of torture_rules.json; gives their number. */
static inline size_t visit_rules(text_visitor visit, void *context)
{
    json_t *rules = golden_json("torture_rules.json"), *assigned = golden_json("assigned14.json");
    json_t *rule;
    size_t i, n = 0;
    json_array_foreach(rules, i, rule)
    {
        struct buffer text = {0};
        build_text(&text, rule, assigned);
        visit(context, json_string_value(json_object_get(rule, "name")), text.data ? text.data : "",
              text.used);
        buffer_clear(&text);
        n++;
    }
    json_decref(rules);
    json_decref(assigned);
    CHECK(n > 50);
    return n;
}

struct case_context {
    struct tokenizer *t;
    const char *label;
    const json_t *wanted;
};

static inline void visit_case(void *context, const char *name, const char *text, size_t bytes)
{
    const struct case_context *c = context;
    check_case(c->t, c->label, name, json_object_get(c->wanted, name), text, bytes);
}

/** Texts against hashes_<name>.json: all of them, or without those that a rule makes. */
static inline void check_cases(struct tokenizer *t, const char *name, bool all)
{
    char file[256];
    (void)snprintf(file, sizeof file, "hashes_%s.json", name);
    json_t *hashes = golden_json(file);
    struct case_context context = {t, name, json_object_get(hashes, name)};
    const size_t n_texts = visit_texts(visit_case, &context);
    if (all)
        CHECK(n_texts + visit_rules(visit_case, &context) == json_object_size(context.wanted));
    json_decref(hashes);
}

/** Ids that no text gives: decode.json. */
static inline void check_decoding(const struct tokenizer *t, const char *name)
{
    json_t *root = golden_json("decode.json"), *entry;
    const json_t *list = json_object_get(root, name);
    size_t i;
    CHECK(json_array_size(list) > 20);
    json_array_foreach(list, i, entry)
    {
        int32_t ids[64];
        const json_t *array = json_object_get(entry, "ids"), *text = json_object_get(entry, "text");
        const size_t n = json_array_size(array);
        struct buffer decoded = {0}, lossy = {0};
        CHECK(n <= 64);
        for (size_t k = 0; k < n; k++)
            ids[k] = (int32_t)json_integer_value(json_array_get(array, k));
        CHECK_STATUS(tokenizer_decode(t, &decoded, ids, (int64_t)n), FT_OK);
        make_lossy(&lossy, decoded.data ? decoded.data : "", decoded.used);
        if (lossy.used != json_string_length(text) ||
            (lossy.used && memcmp(lossy.data, json_string_value(text), lossy.used) != 0)) {
            (void)fprintf(stderr, "%s: entry %zu of decode.json gives \"%s\"\n", name, i,
                          lossy.data ? lossy.data : "");
            check_failures++;
        }
        buffer_clear(&decoded);
        buffer_clear(&lossy);
    }
    json_decref(root);
}

#endif
