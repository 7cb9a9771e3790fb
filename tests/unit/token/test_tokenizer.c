/* token/: ids and text of every family against `tokenizers`, folders, GGUF, and what is written. */
#include <sys/stat.h>
#include <unistd.h>

#include "format/gguf_write.h"
#include "support/token_cases.h"

static char scratch[FILE_PATH_MAX]; /* a folder of this test's own */

static void open_golden(struct tokenizer **t, const char *name)
{
    char path[FILE_PATH_MAX], *text = NULL;
    size_t bytes = 0;
    (void)snprintf(path, sizeof path, "%s%s.json", TOKEN_GOLDEN, name);
    *t = NULL;
    CHECK_STATUS(file_read_all(&text, &bytes, path, 1 << 24), FT_OK);
    CHECK_STATUS(tokenizer_open_json(t, text, bytes, path), FT_OK);
    mem_free(text);
}

static void put(const char *folder, const char *name, const char *text)
{
    char path[FILE_PATH_MAX];
    CHECK_STATUS(file_join(path, folder, name), FT_OK);
    CHECK_STATUS(file_replace(path, text, strlen(text)), FT_OK);
}

static void test_families(void)
{
    static const struct {
        const char *name, *kind;
    } families[] = {{"gpt2", "byte-level BPE, gpt-2 split"},
                    {"llama3", "byte-level BPE, llama-bpe split"},
                    {"qwen2", "byte-level BPE, qwen2 split"},
                    {"smollm2", "byte-level BPE, smollm split"},
                    {"roberta", "byte-level BPE, own normaliser and splitter"}};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        struct tokenizer *t = NULL;
        open_golden(&t, families[i].name);
        if (!t)
            continue;
        CHECK(strcmp(tokenizer_kind(t), families[i].kind) == 0);
        CHECK(tokenizer_eos(t) == -1);
        check_cases(t, families[i].name, true);
        check_decoding(t, families[i].name);
        tokenizer_close(&t);
        CHECK(!t);
    }
}

/* What is built from a tokenizer's parts gives the same ids again, and the same hash. */
static void test_written(void)
{
    static const char *const names[] = {"gpt2", "llama3", "qwen2", "smollm2", "roberta"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct tokenizer *t = NULL, *again = NULL;
        open_golden(&t, names[i]);
        CHECK_STATUS(tokenizer_write(t, scratch), FT_OK);
        CHECK_STATUS(tokenizer_open(&again, scratch), FT_OK);
        const struct hash_value a = tokenizer_hash(t), b = tokenizer_hash(again);
        CHECK(a.high == b.high && a.low == b.low);
        CHECK(tokenizer_vocab_size(t) == tokenizer_vocab_size(again));
        check_cases(again, names[i], false);
        tokenizer_close(&t);
        tokenizer_close(&again);
    }
}

/* A golden tokenizer whose added tokens are found as they stand: GGUF says no more of them. */
static void open_plain(struct tokenizer **t, const char *name)
{
    static const char *const flags[] = {"\"lstrip\": true", "\"rstrip\": true",
                                        "\"single_word\": true", "\"normalized\": true"};
    char path[FILE_PATH_MAX], *text = NULL;
    size_t bytes = 0;
    (void)snprintf(path, sizeof path, "%s%s.json", TOKEN_GOLDEN, name);
    CHECK_STATUS(file_read_all(&text, &bytes, path, 1 << 24), FT_OK);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        for (char *at = text; (at = strstr(at, flags[i])) != NULL;)
            memcpy(strchr(at, ':'), ":false", 6);
    CHECK_STATUS(tokenizer_open_json(t, text, bytes, path), FT_OK);
    mem_free(text);
}

struct pair {
    struct tokenizer *a, *b;
    const char *label;
};

static void check_same_ids(void *context, const char *name, const char *text, size_t bytes)
{
    const struct pair *pair = context;
    struct token_list x = {0}, y = {0};
    CHECK_STATUS(tokenizer_encode(pair->a, &x, text, bytes), FT_OK);
    CHECK_STATUS(tokenizer_encode(pair->b, &y, text, bytes), FT_OK);
    if (x.n != y.n || (x.n > 0 && memcmp(x.ids, y.ids, (size_t)x.n * sizeof *x.ids) != 0)) {
        (void)fprintf(stderr, "%s: other ids to %s\n", pair->label, name);
        CHECK(0);
    }
    token_list_clear(&x);
    token_list_clear(&y);
}

static void write_gguf(const char *path, const struct tokenizer *t, const char *from, int n_tokens)
{
    struct gguf_writer w = {0};
    CHECK_STATUS(tokenizer_put_gguf(t, &w, from, n_tokens), FT_OK);
    CHECK_STATUS(gguf_write_file(&w, path, NULL, NULL), FT_OK);
    gguf_writer_clear(&w);
}

/* As the metadata of a GGUF file: the same ids; ids that no token has are filled. Its entries as
 * those of another file: the same tokenizer. */
static void test_put_gguf(void)
{
    static const char *const names[] = {"gpt2", "llama3", "qwen2", "smollm2"};
    char path[FILE_PATH_MAX], copy[FILE_PATH_MAX];
    CHECK_STATUS(file_join(path, scratch, "t.gguf"), FT_OK);
    CHECK_STATUS(file_join(copy, scratch, "copy.gguf"), FT_OK);
    for (size_t i = 0; i < 4; i++) {
        struct tokenizer *t = NULL, *again = NULL, *third = NULL;
        open_plain(&t, names[i]);
        write_gguf(path, t, scratch, tokenizer_vocab_size(t) + 3);
        CHECK_STATUS(tokenizer_open(&again, path), FT_OK);
        CHECK(tokenizer_vocab_size(t) + 3 == tokenizer_vocab_size(again) &&
              tokenizer_template_size(t) == tokenizer_template_size(again));
        struct pair pair = {t, again, names[i]};
        (void)visit_texts(check_same_ids, &pair);
        write_gguf(copy, again, path, 0);
        CHECK_STATUS(tokenizer_open(&third, copy), FT_OK);
        const struct hash_value a = tokenizer_hash(again), b = tokenizer_hash(third);
        CHECK(a.high == b.high && a.low == b.low);
        tokenizer_close(&third);
        tokenizer_close(&again);
        tokenizer_close(&t);
    }
    CHECK(unlink(path) == 0 && unlink(copy) == 0);
}

static void test_gguf(void)
{
    struct tokenizer *t = NULL, *again = NULL;
    CHECK_STATUS(tokenizer_open(&t, TESTS_DIR "/golden/gguf/llama-tiny.gguf"), FT_OK);
    check_cases(t, "llama-tiny.gguf", true);
    check_decoding(t, "llama-tiny.gguf");
    CHECK_STATUS(tokenizer_write(t, scratch), FT_OK);
    CHECK_STATUS(tokenizer_open(&again, scratch), FT_OK);
    check_cases(again, "llama-tiny.gguf", false);
    const struct hash_value a = tokenizer_hash(t), b = tokenizer_hash(again);
    CHECK(a.high == b.high && a.low == b.low && tokenizer_eos(t) == tokenizer_eos(again));
    tokenizer_close(&t);
    tokenizer_close(&again);
}

/* EOS: tokenizer_config.json before config.json, in each of their spellings. */
static void test_eos(void)
{
    static const struct {
        const char *tokenizer_config, *config;
        int32_t eos; /* -2: refused */
        const char *message;
    } cases[] = {
        {NULL, NULL, -1, NULL},
        {"{\"eos_token\": \"<|im_end|>\", \"model_max_length\": "
         "1000000000000000019884624838656}",
         "{\"eos_token_id\": 3}", 1495, NULL},
        {"{\"eos_token\": {\"content\": \"<|im_start|>\", \"lstrip\": false}}", NULL, 1494, NULL},
        {"{\"eos_token\": null}", "{\"eos_token_id\": 7}", 7, NULL},
        {"{}", "{\"eos_token_id\": [9, 8]}", 9, NULL},
        {"{}", "{\"eos_token_id\": null}", -1, NULL},
        {"{}", "{\"eos_token_id\": []}", -1, NULL},
        {"{\"eos_token\": \"<absent>\"}", "{\"eos_token_id\": 7}", -2, "<absent>"},
        {"{\"eos_token\": 5}", NULL, -2, "eos_token"},
        {"{\"eos_token\": {\"text\": 5}}", NULL, -2, "content"},
        {"{}", "{\"eos_token_id\": 1000000}", -2, "eos_token_id"},
        {"{}", "{\"eos_token_id\": -1}", -2, "eos_token_id"},
        {"{}", "{\"eos_token_id\": 1.5}", -2, "eos_token_id"},
        {"[]", NULL, -2, "no JSON object"},
    };
    struct tokenizer *t = NULL;
    char path[FILE_PATH_MAX];
    open_golden(&t, "qwen2");
    int32_t first = 0;
    struct token_list list = {0};
    CHECK_STATUS(tokenizer_encode(t, &list, "<|im_start|><|im_end|>", 22), FT_OK);
    CHECK(list.n == 2);
    first = list.n == 2 ? list.ids[0] : 0;
    token_list_clear(&list);
    CHECK_STATUS(tokenizer_write(t, scratch), FT_OK);
    tokenizer_close(&t);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)file_join(path, scratch, "tokenizer_config.json");
        (void)unlink(path);
        (void)file_join(path, scratch, "config.json");
        (void)unlink(path);
        if (cases[i].tokenizer_config)
            put(scratch, "tokenizer_config.json", cases[i].tokenizer_config);
        if (cases[i].config)
            put(scratch, "config.json", cases[i].config);
        const int32_t eos = cases[i].eos > 1000 ? cases[i].eos - 1494 + first : cases[i].eos;
        if (eos == -2) {
            CHECK_FAILS(tokenizer_open(&t, scratch), FT_ERR_INPUT, cases[i].message);
        } else {
            CHECK_STATUS(tokenizer_open(&t, scratch), FT_OK);
            CHECK(t && tokenizer_eos(t) == eos);
        }
        tokenizer_close(&t);
    }
}

/* From a folder: tokenizer.json byte for byte, roles and template kept, the class replaced. */
static void test_folder(void)
{
    char golden[FILE_PATH_MAX], path[FILE_PATH_MAX], *text = NULL, *copy = NULL, *config = NULL;
    char out[FILE_PATH_MAX];
    size_t bytes = 0, copied = 0, n = 0;
    struct tokenizer *t = NULL;
    (void)snprintf(golden, sizeof golden, "%sllama3.json", TOKEN_GOLDEN);
    CHECK_STATUS(file_read_all(&text, &bytes, golden, 1 << 24), FT_OK);
    put(scratch, "tokenizer.json", text);
    put(scratch, "tokenizer_config.json",
        "{\"tokenizer_class\": \"LlamaTokenizer\", \"bos_token\": \"<|begin_of_text|>\", "
        "\"eos_token\": \"<|end_of_text|>\", \"pad_token\": {\"content\": \"<|eot_id|>\"}, "
        "\"chat_template\": [{\"name\": \"tool\", \"template\": \"no\"}, {\"name\": \"default\", "
        "\"template\": \"{{ '\\n\\\"x' }}\"}]}");
    CHECK_STATUS(tokenizer_open(&t, scratch), FT_OK);
    CHECK_STATUS(file_join(out, scratch, "out"), FT_OK);
    CHECK_STATUS(file_make_folders(out), FT_OK);
    CHECK_STATUS(tokenizer_write(t, out), FT_OK);
    (void)file_join(path, out, "tokenizer.json");
    CHECK_STATUS(file_read_all(&copy, &copied, path, 1 << 24), FT_OK);
    CHECK(copied == bytes && memcmp(copy, text, bytes) == 0);
    (void)file_join(path, out, "tokenizer_config.json");
    CHECK_STATUS(file_read_all(&config, &n, path, 1 << 24), FT_OK);
    json_t *root = json_loads(config, 0, NULL);
    static const char *const members[][2] = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                                             {"bos_token", "<|begin_of_text|>"},
                                             {"eos_token", "<|end_of_text|>"},
                                             {"pad_token", "<|eot_id|>"},
                                             {"chat_template", "{{ '\n\"x' }}"}};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const char *value = json_string_value(json_object_get(root, members[i][0]));
        CHECK(value && strcmp(value, members[i][1]) == 0);
    }
    json_decref(root);
    tokenizer_close(&t);
    put(scratch, "chat_template.jinja", "newer");
    CHECK_STATUS(tokenizer_open(&t, scratch), FT_OK);
    CHECK_STATUS(tokenizer_write(t, out), FT_OK);
    mem_free(config);
    CHECK_STATUS(file_read_all(&config, &n, path, 1 << 24), FT_OK);
    CHECK(strstr(config, "\"chat_template\": \"newer\"") != NULL);
    tokenizer_close(&t);
    mem_free(config);
    mem_free(copy);
    mem_free(text);
}

static void test_bad_text(void)
{
    struct tokenizer *t = NULL;
    struct token_list list = {0};
    struct buffer out = {0};
    const int32_t kept = 5, negative = -1, beyond = 1 << 20;
    open_golden(&t, "gpt2");
    CHECK_STATUS(token_list_append(&list, &kept, 1), FT_OK);
    CHECK_FAILS(tokenizer_encode(t, &list, "ab\xc3\xa9 \xed\xa0\x80", 8), FT_ERR_INPUT, "byte 5");
    CHECK(list.n == 1 && list.ids[0] == 5);
    CHECK_STATUS(tokenizer_encode(t, &list, "", 0), FT_OK);
    CHECK(list.n == 1);
    CHECK_FAILS(tokenizer_decode(t, &out, &negative, 1), FT_ERR_INPUT, "negative");
    CHECK_STATUS(tokenizer_decode(t, &out, &beyond, 1), FT_OK);
    CHECK(out.used == 0);
    token_list_clear(&list);
    tokenizer_close(&t);
}

/* A run of marks in the worst order: insertion would take minutes. */
static void test_many_marks(void)
{
    enum { N = 100000 };
    struct tokenizer *t = NULL;
    struct token_list list = {0}, sorted = {0};
    struct buffer text = {0}, in_order = {0};
    open_golden(&t, "qwen2");
    CHECK_STATUS(buffer_append(&text, "q", 1), FT_OK);
    CHECK_STATUS(buffer_append(&in_order, "q", 1), FT_OK);
    for (int i = 0; i < 2 * N; i++) {
        CHECK_STATUS(buffer_append(&text, i < N ? "\xcc\x87" : "\xcc\xa3", 2), FT_OK);
        CHECK_STATUS(buffer_append(&in_order, i < N ? "\xcc\xa3" : "\xcc\x87", 2), FT_OK);
    }
    const double start = cpu_seconds();
    CHECK_STATUS(tokenizer_encode(t, &list, text.data, text.used), FT_OK);
    CHECK(cpu_seconds() - start < TOKEN_CASE_SECONDS);
    CHECK_STATUS(tokenizer_encode(t, &sorted, in_order.data, in_order.used), FT_OK);
    CHECK(list.n > 0 && list.n == sorted.n &&
          memcmp(list.ids, sorted.ids, (size_t)list.n * sizeof *list.ids) == 0);
    token_list_clear(&list);
    token_list_clear(&sorted);
    buffer_clear(&text);
    buffer_clear(&in_order);
    tokenizer_close(&t);
}

/* Every allocation of opening, encoding and writing fails once: an error each time, never a leak.
 */
static void test_memory(void)
{
    char text[] = "The licence's 2nd caf\u00e9 e\u0301 <|im_start|> \u4f60\u597d";
    int64_t all = 1, failures = 0;
    for (int64_t nth = 0; nth < all; nth++) { /* 0: none fails, and all are counted */
        const int64_t before = mem_alloc_count();
        struct tokenizer *t = NULL;
        struct token_list list = {0};
        mem_fail_nth(nth, 0);
        ft_status status = tokenizer_open(&t, scratch);
        if (status == FT_OK)
            status = tokenizer_encode(t, &list, text, sizeof text - 1);
        if (status == FT_OK)
            status = tokenizer_write(t, scratch);
        mem_fail_nth(0, 0);
        all = nth == 0 ? mem_alloc_count() - before : all;
        failures += status != FT_OK;
        CHECK(status == FT_OK || status == FT_ERR_INTERNAL || status == FT_ERR_IO);
        token_list_clear(&list);
        tokenizer_close(&t);
        CHECK(mem_live_bytes() == 0);
    }
    CHECK(all > 60 && failures > all / 2);
}

/* Once the lists and the scratch have grown encoding allocates nothing. */
static void test_no_allocation(void)
{
    struct tokenizer *t = NULL;
    struct token_list list = {0};
    char text[4096];
    open_golden(&t, "qwen2");
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "abc dE 12.\n"[i % 11];
    CHECK_STATUS(tokenizer_encode(t, &list, text, sizeof text), FT_OK);
    list.n = 0;
    const int64_t before = mem_alloc_count();
    CHECK_STATUS(tokenizer_encode(t, &list, text, sizeof text), FT_OK);
    CHECK(mem_alloc_count() == before);
    token_list_clear(&list);
    tokenizer_close(&t);
}

int main(void)
{
    (void)snprintf(scratch, sizeof scratch, "token-scratch-%ld", (long)getpid());
    CHECK_STATUS(file_make_folders(scratch), FT_OK);
    test_families();
    test_put_gguf();
    test_gguf();
    test_written();
    test_eos();
    test_bad_text();
    test_many_marks();
    test_no_allocation();
    test_folder();
    test_memory();
    CHECK_STATUS(file_remove_folder(scratch), FT_OK);
    return check_end();
}
