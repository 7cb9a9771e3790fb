/* token/: every part of a tokenizer.json, alone and together, against `tokenizers`:
 * pipelines.json. */
#include <unistd.h>

#include "format/gguf_write.h"
#include "support/pipelines.h"
#include "support/token_cases.h"

static json_t *golden; /* pipelines.json */

enum { LONG = 20000 }; /* bytes of a text that only pipelines with cases see */

/* Ids and decoded texts of the torture texts, one after the other. */
struct totals {
    struct tokenizer *t;
    const char *label;
    const json_t *cases; /* NULL: not compared one by one */
    struct token_list ids;
    struct buffer decoded;
};

static void short_hash(char out[13], const void *data, size_t bytes)
{
    char text[HASH_TEXT];
    hash_format(text, hash_bytes(data ? data : "", bytes));
    (void)snprintf(out, 13, "%.12s", text);
}

static void add_text(void *context, const char *name, const char *text, size_t bytes)
{
    struct totals *c = context;
    struct buffer raw = {0}, lossy = {0};
    char of_ids[13], of_text[13], found[64];
    const int64_t start = c->ids.n;
    if (bytes > LONG && !c->cases)
        return;
    const double begin = cpu_seconds();
    CHECK_STATUS(tokenizer_encode(c->t, &c->ids, text, bytes), FT_OK);
    const double seconds = cpu_seconds() - begin;
    const int64_t n = c->ids.n - start;
    CHECK_STATUS(tokenizer_decode(c->t, &raw, c->ids.ids + start, n), FT_OK);
    make_lossy(&lossy, raw.data ? raw.data : "", raw.used);
    if (seconds > TOKEN_CASE_SECONDS) {
        (void)fprintf(stderr, "%s, %s: %.2f s\n", c->label, name, seconds);
        check_failures++;
    }
    short_hash(of_ids, n ? c->ids.ids + start : NULL, (size_t)n * 4);
    short_hash(of_text, lossy.data, lossy.used);
    (void)snprintf(found, sizeof found, "%lld %s %s", (long long)n, of_ids, of_text);
    const char *wanted = json_string_value(json_object_get(c->cases, name));
    if (c->cases && (!wanted || strcmp(wanted, found) != 0)) {
        (void)fprintf(stderr, "%s, %s: %s, expected %s\n", c->label, name, found,
                      wanted ? wanted : "?");
        check_failures++;
    }
    if (bytes <= LONG) {
        CHECK_STATUS(buffer_append(&c->decoded, lossy.data, lossy.used), FT_OK);
        CHECK_STATUS(buffer_append(&c->decoded, "\n", 1), FT_OK);
    } else {
        c->ids.n = start;
    }
    buffer_clear(&raw);
    buffer_clear(&lossy);
}

static void check_torture(struct tokenizer *t, const char *name)
{
    struct totals c = {.t = t, .label = name};
    const json_t *wanted = json_object_get(json_object_get(golden, "totals"), name);
    c.cases = json_object_get(json_object_get(golden, "cases"), name);
    (void)visit_texts(add_text, &c);
    (void)visit_rules(add_text, &c);
    const bool ids = c.ids.n == json_integer_value(json_object_get(wanted, "n")) &&
                     has_hash(wanted, "xxh3_128", c.ids.ids, (size_t)c.ids.n * 4);
    const bool text = !json_object_get(wanted, "decoded_xxh3_128") ||
                      has_hash(wanted, "decoded_xxh3_128", c.decoded.data, c.decoded.used);
    if (!ids || !text) {
        (void)fprintf(stderr, "%s: %lld ids (%s), decoded %s\n", name, (long long)c.ids.n,
                      ids ? "right" : "WRONG", text ? "right" : "WRONG");
        check_failures++;
    }
    token_list_clear(&c.ids);
    buffer_clear(&c.decoded);
}

/* With the template around it, as the reference encodes by itself. */
static void check_template(struct tokenizer *t, const char *name)
{
    const json_t *list = json_object_get(json_object_get(golden, "template"), name);
    json_t *entry;
    size_t i;
    json_array_foreach(list, i, entry)
    {
        struct token_list ids = {0};
        const json_t *text = json_object_get(entry, "text"),
                     *wanted = json_object_get(entry, "ids");
        CHECK_STATUS(tokenizer_encode_document(t, &ids, json_string_value(text),
                                               json_string_length(text), 1000, NULL),
                     FT_OK);
        CHECK(ids.n == (int64_t)json_array_size(wanted));
        for (size_t k = 0; k < json_array_size(wanted) && (int64_t)k < ids.n; k++)
            CHECK(ids.ids[k] == json_integer_value(json_array_get(wanted, k)));
        token_list_clear(&ids);
    }
}

/* Ids that no text gives, at once and one by one. */
static void check_decode(const struct tokenizer *t, const char *name)
{
    const json_t *list = json_object_get(json_object_get(golden, "decode"), name);
    json_t *entry;
    size_t i;
    json_array_foreach(list, i, entry)
    {
        int32_t ids[64];
        struct buffer whole = {0}, shown = {0};
        struct token_stream stream = {0};
        const json_t *array = json_object_get(entry, "ids"), *text = json_object_get(entry, "text");
        const size_t n = json_array_size(array);
        for (size_t k = 0; k < n && k < 64; k++) {
            ids[k] = (int32_t)json_integer_value(json_array_get(array, k));
            CHECK_STATUS(tokenizer_stream(t, &stream, &shown, ids[k]), FT_OK);
            CHECK(utf8_check(shown.data ? shown.data : "", shown.used, NULL));
        }
        CHECK_STATUS(tokenizer_stream_end(t, &stream, &shown), FT_OK);
        CHECK_STATUS(tokenizer_decode(t, &whole, ids, (int64_t)n), FT_OK);
        if (whole.used != json_string_length(text) ||
            (whole.used && memcmp(whole.data, json_string_value(text), whole.used) != 0)) {
            (void)fprintf(stderr, "%s: entry %zu of decode gives \"%.*s\"\n", name, i,
                          (int)whole.used, whole.data ? whole.data : "");
            check_failures++;
        }
        buffer_clear(&whole);
        buffer_clear(&shown);
    }
}

static void check_hash(const struct tokenizer *a, const struct tokenizer *b)
{
    const struct hash_value x = tokenizer_hash(a), y = tokenizer_hash(b);
    CHECK(x.high == y.high && x.low == y.low);
}

/* What is written from the parts gives the same ids, and the same hash. */
static void check_written(const struct tokenizer *t, const char *name)
{
    char folder[64];
    struct tokenizer *again = NULL;
    (void)snprintf(folder, sizeof folder, "token-pipeline-%ld", (long)getpid());
    CHECK_STATUS(file_make_folders(folder), FT_OK);
    CHECK_STATUS(tokenizer_write(t, folder), FT_OK);
    CHECK_STATUS(tokenizer_open(&again, folder), FT_OK);
    if (again) {
        struct token_list a = {0};
        check_hash(t, again);
        CHECK_STATUS(tokenizer_encode(again, &a, "the caf\xc3\xa9 12  x", 14), FT_OK);
        if (check_failures)
            (void)fprintf(stderr, "    written: %s\n", name);
        token_list_clear(&a);
    }
    tokenizer_close(&again);
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
}

/* Another one for another thread gives the same ids. */
static void check_share(struct tokenizer *t)
{
    static const char TEXT[] = "The caf\xc3\xa9's  12 \xef\xac\x81ne, don't\n\n\xf0\x9f\x98\x80 x";
    struct tokenizer *other = NULL;
    struct token_list a = {0}, b = {0};
    CHECK_STATUS(tokenizer_share(&other, t), FT_OK);
    CHECK_STATUS(tokenizer_encode(t, &a, TEXT, sizeof TEXT - 1), FT_OK);
    CHECK_STATUS(tokenizer_encode(other, &b, TEXT, sizeof TEXT - 1), FT_OK);
    CHECK(a.n == b.n && memcmp(a.ids, b.ids, (size_t)a.n * sizeof *a.ids) == 0);
    token_list_clear(&a);
    token_list_clear(&b);
    tokenizer_close(&other);
}

static void test_pipelines(void)
{
    const json_t *list = json_object_get(golden, "pipelines");
    json_t *pipeline;
    size_t i;
    CHECK(json_array_size(list) > 50);
    json_array_foreach(list, i, pipeline)
    {
        const char *name = json_string_value(json_object_get(pipeline, "name"));
        struct tokenizer *t = NULL;
        struct buffer text = {0};
        build_pipeline(&text, pipeline);
        CHECK_STATUS(tokenizer_open_json(&t, text.data, text.used, name), FT_OK);
        if (t) {
            check_torture(t, name);
            check_template(t, name);
            check_decode(t, name);
            check_written(t, name);
            check_share(t);
        }
        tokenizer_close(&t);
        buffer_clear(&text);
    }
}

/* The vocabulary with scores of a GGUF file is the same tokenizer as the JSON that was made from
 * it. */
static void test_gguf(void)
{
    struct tokenizer *t = NULL;
    CHECK_STATUS(tokenizer_open(&t, TOKEN_GOLDEN "spm.gguf"), FT_OK);
    if (!t)
        return;
    CHECK(strcmp(tokenizer_kind(t), "BPE, byte fallback") == 0 && tokenizer_eos(t) == 2);
    CHECK(tokenizer_is_special(t, 1) && !tokenizer_is_special(t, 500));
    check_torture(t, "llama2");
    check_template(t, "llama2");
    check_decode(t, "llama2");
    check_written(t, "spm.gguf");
    tokenizer_close(&t);
}

/* Time stays linear: ten megabytes of one letter, and of letters without a token. */
static void test_long(void)
{
#if defined(__SANITIZE_ADDRESS__)
    enum { BYTES = 1 << 20 };
#else
    enum { BYTES = 10 << 20 };
#endif
    static const char *const names[] = {"llama2", "xlmr", "gpt4o"};
    const json_t *list = json_object_get(golden, "pipelines");
    struct buffer text = {0};
    json_t *pipeline;
    size_t i;
    CHECK_STATUS(buffer_reserve(&text, BYTES), FT_OK);
    json_array_foreach(list, i, pipeline)
    {
        const char *name = json_string_value(json_object_get(pipeline, "name"));
        struct tokenizer *t = NULL;
        size_t k = 0;
        while (k < sizeof names / sizeof *names && strcmp(names[k], name) != 0)
            k++;
        if (k == sizeof names / sizeof *names)
            continue;
        struct buffer json = {0};
        build_pipeline(&json, pipeline);
        CHECK_STATUS(tokenizer_open_json(&t, json.data, json.used, name), FT_OK);
        for (const char *c = "a\x01 "; t && *c; c++) {
            struct token_list ids = {0};
            memset(text.data, *c, BYTES);
            const double start = cpu_seconds();
            CHECK_STATUS(tokenizer_encode(t, &ids, text.data, BYTES), FT_OK);
            const double seconds = cpu_seconds() - start;
            if (seconds > 10 * TOKEN_CASE_SECONDS) {
                (void)fprintf(stderr, "%s: %.1f s for 10 MB of 0x%02x\n", name, seconds,
                              (unsigned)*c);
                check_failures++;
            }
            token_list_clear(&ids);
        }
        tokenizer_close(&t);
        buffer_clear(&json);
    }
    buffer_clear(&text);
}

struct two {
    struct tokenizer *a, *b;
    const char *label;
    int64_t n;
};

static void compare_ids(void *context, const char *name, const char *text, size_t bytes)
{
    struct two *two = context;
    struct token_list x = {0}, y = {0};
    CHECK_STATUS(tokenizer_encode(two->a, &x, text, bytes), FT_OK);
    CHECK_STATUS(tokenizer_encode(two->b, &y, text, bytes), FT_OK);
    two->n += x.n;
    if (x.n != y.n || (x.n > 0 && memcmp(x.ids, y.ids, (size_t)x.n * sizeof *x.ids) != 0)) {
        (void)fprintf(stderr, "%s: other ids to %s\n", two->label, name);
        check_failures++;
    }
    token_list_clear(&x);
    token_list_clear(&y);
}

/* SentencePiece's BPE as scores in a GGUF file: the same ids; what such a file cannot say is told.
 */
static void test_put_gguf(void)
{
    static const char *const names[] = {"llama2", "gemma"};
    char path[64];
    (void)snprintf(path, sizeof path, "/tmp/ft-pipeline-%ld.gguf", (long)getpid());
    for (size_t i = 0; i < 2; i++) {
        struct two two = {.label = names[i]};
        struct gguf_writer w = {0};
        open_pipeline(&two.a, golden, names[i]);
        CHECK_STATUS(tokenizer_put_gguf(two.a, &w, "/tmp", tokenizer_vocab_size(two.a)), FT_OK);
        CHECK_STATUS(gguf_write_file(&w, path, NULL, NULL), FT_OK);
        gguf_writer_clear(&w);
        CHECK_STATUS(tokenizer_open(&two.b, path), FT_OK);
        (void)visit_texts(compare_ids, &two);
        CHECK(two.n > 10000);
        tokenizer_close(&two.b);
        tokenizer_close(&two.a);
    }
    CHECK(unlink(path) == 0);
    struct tokenizer *t = NULL;
    open_pipeline(&t, golden, "xlmr");
    CHECK_FAILS(tokenizer_check_gguf(t, "/tmp"), FT_ERR_USAGE, "is not written as GGUF");
    tokenizer_close(&t);
}

int main(void)
{
    golden = golden_json("pipelines.json");
    test_pipelines();
    test_gguf();
    test_put_gguf();
    test_long();
    json_decref(golden);
    return check_end();
}
