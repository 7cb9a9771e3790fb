/* token/: BERT's rules and WordPiece against `tokenizers`, templates, vocab.txt, and what is
 * written. */
#include <unistd.h>

#include "format/json.h"
#include "support/token_cases.h"
#include "token/bert.h"

static char scratch[FILE_PATH_MAX]; /* a folder of this test's own */

/** The golden tokenizer with a member replaced; value NULL: as it is. */
static struct tokenizer *open_with(const char *name, const char *member, json_t *value)
{
    char file[256];
    struct tokenizer *t = NULL;
    (void)snprintf(file, sizeof file, "%s.json", name);
    json_t *root = golden_json(file);
    if (value)
        CHECK(json_object_set(root, member, value) == 0);
    char *text = NULL;
    CHECK_STATUS(json_print(&text, root, JSON_COMPACT, file), FT_OK);
    CHECK_STATUS(tokenizer_open_json(&t, text ? text : "", text ? strlen(text) : 0, file), FT_OK);
    free(text);
    json_decref(root);
    return t;
}

static bool same_hash(const struct tokenizer *a, const struct tokenizer *b)
{
    const struct hash_value x = tokenizer_hash(a), y = tokenizer_hash(b);
    return x.high == y.high && x.low == y.low;
}

struct rules_context {
    const char *name;
    const json_t *wanted;
    struct bert bert;
    struct normal normal;
    struct buffer out;
};

/** Normal form, and the words behind it, each after a line feed. */
static void visit_rule(void *context, const char *name, const char *text, size_t bytes)
{
    struct rules_context *c = context;
    struct buffer normal = {0};
    size_t at = 0, end = 0;
    const double start = cpu_seconds();
    CHECK_STATUS(bert_normalise(&c->bert, &c->normal, &normal, text, bytes), FT_OK);
    c->out.used = 0;
    CHECK_STATUS(buffer_append(&c->out, normal.data, normal.used), FT_OK);
    while ((end = bert_next_word(normal.data, normal.used, &at)) > at) {
        CHECK_STATUS(buffer_append(&c->out, "\n", 1), FT_OK);
        CHECK_STATUS(buffer_append(&c->out, normal.data + at, end - at), FT_OK);
        at = end;
    }
    char hash[HASH_TEXT];
    hash_format(hash, hash_bytes(c->out.data, c->out.used));
    const char *wanted = json_string_value(json_object_get(c->wanted, name));
    if (!wanted || strcmp(hash, wanted) != 0 || cpu_seconds() - start > TOKEN_CASE_SECONDS) {
        (void)fprintf(stderr, "%s, %s: %.60s\n", c->name, name, c->out.data);
        check_failures++;
    }
    buffer_clear(&normal);
}

/** All code points but surrogates, a line feed between two of them. */
static void build_every(struct buffer *out)
{
    for (uint32_t code = 0; code < 0x110000; code++) {
        char text[5] = "\n";
        if (code >= 0xd800 && code <= 0xdfff)
            continue;
        const size_t n = 1 + (size_t)utf8_encode(text + 1, code);
        CHECK_STATUS(buffer_append(out, text + (code == 0), n - (code == 0)), FT_OK);
    }
}

static void test_rules(void)
{
    static const char meet[] = "x\xe3\x80\xae\x01\xf0\x9d\x85\xa5y\xe3\x80\xae\xe2\x80\x8d"
                               "\xf0\x9d\x85\xa5";
    struct buffer every = {0};
    build_every(&every);
    json_t *root = golden_json("bert_rules.json"), *variant;
    size_t i;
    CHECK(json_array_size(root) == 6);
    json_array_foreach(root, i, variant)
    {
        const json_t *rules = json_object_get(variant, "normalizer");
        const json_t *strip = json_object_get(rules, "strip_accents");
        struct rules_context c = {.name = json_string_value(json_object_get(variant, "name")),
                                  .wanted = json_object_get(variant, "cases")};
        c.bert.clean = json_is_true(json_object_get(rules, "clean_text"));
        c.bert.spaced = json_is_true(json_object_get(rules, "handle_chinese_chars"));
        c.bert.lower = json_is_true(json_object_get(rules, "lowercase"));
        c.bert.strip = json_is_null(strip) ? c.bert.lower : json_is_true(strip);
        bert_prepare(&c.bert);
        (void)visit_texts(visit_rule, &c);
        (void)visit_rules(visit_rule, &c);
        visit_rule(&c, "every", every.data, every.used);
        visit_rule(&c, "meet", meet, sizeof meet - 1);
        normal_clear(&c.normal);
        buffer_clear(&c.out);
    }
    buffer_clear(&every);
    json_decref(root);
}

/* Normalizers by their JSON: what the tokenizer says it is, other hashes, the ids of two. */
static void test_variants(void)
{
    static const char *const KINDS[] = {
        "WordPiece, lower-case", "WordPiece, lower-case with accents",
        "WordPiece, cased",      "WordPiece, cased without accents",
        "WordPiece, lower-case", "WordPiece, cased"};
    struct tokenizer *all[6] = {NULL};
    json_t *root = golden_json("bert_rules.json"), *variant;
    size_t i;
    json_array_foreach(root, i, variant)
    {
        all[i] = open_with("wordpiece", "normalizer", json_object_get(variant, "normalizer"));
        CHECK(all[i] && strcmp(tokenizer_kind(all[i]), KINDS[i]) == 0);
        CHECK(tokenizer_eos(all[i]) == -1 && tokenizer_template_size(all[i]) == 2);
        for (size_t k = 0; k < i; k++)
            CHECK(!same_hash(all[i], all[k]));
    }
    check_cases(all[0], "wordpiece", true);
    check_decoding(all[0], "wordpiece");
    check_cases(all[2], "wordpiece-cased", true);
    for (i = 0; i < 6; i++)
        tokenizer_close(&all[i]);
    json_decref(root);
}

static void check_document(struct tokenizer *t, const json_t *entry)
{
    const json_t *text = json_object_get(entry, "text"), *ids = json_object_get(entry, "ids");
    const int32_t kept = 7;
    struct token_list list = {0};
    int64_t n_text = -1;
    CHECK_STATUS(token_list_append(&list, &kept, 1), FT_OK);
    CHECK_STATUS(
        tokenizer_encode_document(t, &list, json_string_value(text), json_string_length(text),
                                  json_integer_value(json_object_get(entry, "max")), &n_text),
        FT_OK);
    CHECK(n_text == json_integer_value(json_object_get(entry, "n_text")));
    bool same = list.n == 1 + (int64_t)json_array_size(ids) && list.ids[0] == kept;
    for (size_t i = 0; same && i < json_array_size(ids); i++)
        same = list.ids[1 + i] == json_integer_value(json_array_get(ids, i));
    CHECK(same);
    if (!same)
        (void)json_dumpf(entry, stderr, JSON_COMPACT);
    token_list_clear(&list);
}

/* Every form of template, truncated and not, and what is written from it. */
static void test_documents(void)
{
    json_t *root = golden_json("documents.json"), *part, *entry;
    struct tokenizer *before = NULL;
    size_t i, k;
    CHECK(json_array_size(root) >= 8);
    json_array_foreach(root, i, part)
    {
        const char *name = json_string_value(json_object_get(part, "tokenizer"));
        struct tokenizer *again = NULL, *t = open_with(name, "post_processor",
                                                       json_object_get(part, "post_processor"));
        if (!t)
            continue;
        CHECK_STATUS(tokenizer_write(t, scratch), FT_OK);
        CHECK_STATUS(tokenizer_open(&again, scratch), FT_OK);
        CHECK(again && same_hash(t, again));
        if (i > 1) /* the first two have one template in two forms */
            CHECK(!same_hash(t, before));
        json_array_foreach(json_object_get(part, "cases"), k, entry)
        {
            check_document(t, entry);
            if (again)
                check_document(again, entry);
        }
        tokenizer_close(&again);
        tokenizer_close(&before);
        before = t;
    }
    struct token_list list = {0};
    const int32_t kept = 7;
    CHECK_STATUS(token_list_append(&list, &kept, 1), FT_OK);
    CHECK_FAILS(tokenizer_encode_document(before, &list, "a\xff", 2, 100, NULL), FT_ERR_INPUT,
                "byte 1");
    CHECK(list.n == 1 && list.ids[0] == kept);
    token_list_clear(&list);
    tokenizer_close(&before);
    json_decref(root);
}

static void put(const char *name, const char *text)
{
    char path[FILE_PATH_MAX];
    CHECK_STATUS(file_join(path, scratch, name), FT_OK);
    if (text)
        CHECK_STATUS(file_replace(path, text, strlen(text)), FT_OK);
    else
        (void)unlink(path);
}

static const char VOCAB[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nun\n##aff\n##able\nUn\n\xc3\xa9\n"
                            "e\r\n\xe4\xbd\xa0\n\xe5\xa5\xbd\ntwice\n\ntwice \xe3\x80\x80\n##"
                            "\xe4\xbd\xa0\xe5\xa5\xbd\n";

static void put_vocab(const char *vocab, const char *config, const char *map)
{
    put("tokenizer.json", NULL);
    put("added_tokens.json", NULL);
    put("vocab.txt", vocab);
    put("tokenizer_config.json", config);
    put("special_tokens_map.json", map);
}

/* vocab.txt alone, with each setting of tokenizer_config.json; a file written from it is equal. */
static void test_vocab(void)
{
    static const char TEXT[] = "unaffable Un \xc3\xa9 \xe4\xbd\xa0\xe5\xa5\xbd twice [MASK] zz";
    static const struct {
        const char *config, *map, *kind;
        int32_t ids[12];
    } cases[] = {
        {NULL, NULL, "WordPiece, lower-case", {2, 5, 6, 7, 5, 10, 11, 12, 15, 4, 1, 3}},
        {"{\"do_lower_case\": false, \"tokenizer_class\": \"BertTokenizerFast\"}",
         "{}",
         "WordPiece, cased",
         {2, 5, 6, 7, 8, 9, 11, 12, 15, 4, 1, 3}},
        {"{\"strip_accents\": false, \"mask_token\": {\"content\": \"[MASK]\", \"lstrip\": "
         "false}}",
         "{\"cls_token\": \"[SEP]\"}",
         "WordPiece, lower-case with accents",
         {3, 5, 6, 7, 5, 9, 11, 12, 15, 4, 1, 3}},
        {"{\"do_lower_case\": false, \"strip_accents\": true, \"cls_token\": \"[CLS]\", "
         "\"added_tokens_decoder\": {\"2\": {\"content\": \"[CLS]\", \"special\": true}}}",
         "{\"cls_token\": \"[SEP]\"}",
         "WordPiece, cased without accents",
         {2, 5, 6, 7, 8, 10, 11, 12, 15, 4, 1, 3}},
        {"{\"tokenize_chinese_chars\": false, \"strip_accents\": null, \"model_max_length\": 77}",
         NULL,
         "WordPiece, lower-case",
         {2, 5, 6, 7, 5, 10, 1, 15, 4, 1, 3, -1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tokenizer *t = NULL, *again = NULL;
        struct token_list list = {0};
        put_vocab(VOCAB, cases[i].config, cases[i].map);
        CHECK_STATUS(tokenizer_open(&t, scratch), FT_OK);
        if (!t)
            continue;
        const int64_t n = cases[i].ids[11] < 0 ? 11 : 12;
        CHECK(strcmp(tokenizer_kind(t), cases[i].kind) == 0 && tokenizer_vocab_size(t) == 17);
        CHECK_STATUS(tokenizer_encode_document(t, &list, TEXT, sizeof TEXT - 1, 100, NULL), FT_OK);
        CHECK(list.n == n && memcmp(list.ids, cases[i].ids, (size_t)n * sizeof(int32_t)) == 0);
        CHECK_STATUS(tokenizer_write(t, scratch), FT_OK);
        put("vocab.txt", NULL);
        CHECK_STATUS(tokenizer_open(&again, scratch), FT_OK);
        CHECK(again && same_hash(t, again));
        token_list_clear(&list);
        tokenizer_close(&t);
        tokenizer_close(&again);
    }
}

/* tokenizer_config.json as it is written: roles and length kept, the class replaced. */
static void test_roles(void)
{
    static const char *const members[][2] = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                                             {"unk_token", "[UNK]"},
                                             {"sep_token", "[SEP]"},
                                             {"pad_token", "un"},
                                             {"cls_token", "[CLS]"},
                                             {"mask_token", "[MASK]"}};
    struct tokenizer *t = NULL;
    char path[FILE_PATH_MAX], *text = NULL;
    size_t bytes = 0;
    put_vocab(VOCAB, "{\"pad_token\": \"un\", \"model_max_length\": 77}", NULL);
    CHECK_STATUS(tokenizer_open(&t, scratch), FT_OK);
    if (!t)
        return;
    CHECK_STATUS(tokenizer_write(t, scratch), FT_OK);
    tokenizer_close(&t);
    CHECK_STATUS(file_join(path, scratch, "tokenizer_config.json"), FT_OK);
    CHECK_STATUS(file_read_all(&text, &bytes, path, 1 << 20), FT_OK);
    json_t *root = json_loads(text, 0, NULL);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const char *value = json_string_value(json_object_get(root, members[i][0]));
        CHECK(value && strcmp(value, members[i][1]) == 0);
    }
    CHECK(json_integer_value(json_object_get(root, "model_max_length")) == 77);
    CHECK(!json_object_get(root, "eos_token"));
    json_decref(root);
    mem_free(text);
}

/* A word of the longest length there is, of tokens that almost match: bounded time. */
static void test_long_words(void)
{
    enum { WORDS = 300, CHARS = 1000 };
    struct buffer text = {0}, json = {0};
    struct token_list list = {0};
    struct tokenizer *t = NULL;
    CHECK_STATUS(buffer_print(&json,
                              "{\"normalizer\": {\"type\": \"BertNormalizer\", \"clean_text\": "
                              "true, \"handle_chinese_chars\": true, \"lowercase\": true}, "
                              "\"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"}, \"decoder\": "
                              "{\"type\": \"WordPiece\", \"prefix\": \"\", \"cleanup\": false}, "
                              "\"model\": {\"type\": \"WordPiece\", \"unk_token\": \"?\", "
                              "\"continuing_subword_prefix\": \"\", "
                              "\"max_input_chars_per_word\": %d, \"vocab\": {\"?\": 0, \"a\": 1, "
                              "\"",
                              CHARS),
                 FT_OK);
    for (int i = 0; i < 20000; i++)
        CHECK_STATUS(buffer_append(&json, "a", 1), FT_OK);
    CHECK_STATUS(buffer_print(&json, "b\": 2}}}"), FT_OK);
    for (int i = 0; i < WORDS * (CHARS + 1); i++)
        CHECK_STATUS(buffer_append(&text, i % (CHARS + 1) < CHARS ? "a" : " ", 1), FT_OK);
    CHECK_STATUS(tokenizer_open_json(&t, json.data, json.used, "long.json"), FT_OK);
    if (t) {
        const double start = cpu_seconds();
        CHECK_STATUS(tokenizer_encode(t, &list, text.data, text.used), FT_OK);
        CHECK(list.n == WORDS * CHARS && list.ids[0] == 1);
        CHECK(cpu_seconds() - start < 5 * TOKEN_CASE_SECONDS);
        list.n = 0;
        text.data[CHARS] = 'a'; /* one character too many */
        CHECK_STATUS(tokenizer_encode(t, &list, text.data, CHARS + 1), FT_OK);
        CHECK(list.n == 1 && list.ids[0] == 0);
    }
    tokenizer_close(&t);
    token_list_clear(&list);
    buffer_clear(&text);
    buffer_clear(&json);
}

/* Every allocation fails once: an error each time, never a leak. */
static void test_memory(void)
{
    static const char TEXT[] = "Unaffable caf\xc3\xa9 e\xcc\x81 [MASK] \xe4\xbd\xa0";
    int64_t nth = 1;
    put_vocab(VOCAB, "{}", NULL);
    for (ft_status status = FT_ERR_INTERNAL; status != FT_OK && nth < 2000; nth++) {
        struct tokenizer *t = NULL;
        struct token_list list = {0};
        mem_fail_nth(nth, 0);
        status = tokenizer_open(&t, scratch);
        if (status == FT_OK)
            status = tokenizer_encode_document(t, &list, TEXT, sizeof TEXT - 1, 64, NULL);
        if (status == FT_OK)
            status = tokenizer_write(t, scratch);
        mem_fail_nth(0, 0);
        CHECK(status == FT_OK || status == FT_ERR_INTERNAL);
        token_list_clear(&list);
        tokenizer_close(&t);
        put("tokenizer.json", NULL);
        put("tokenizer_config.json", "{}");
    }
    CHECK(nth > 30 && nth < 2000);
    CHECK(mem_live_bytes() == 0);
}

/* Once the scratch memory is there, texts cost no allocation. */
static void test_no_allocation(void)
{
    static const char TEXT[] = "Caf\xc3\xa9 unaffable, \xe4\xbd\xa0\xe5\xa5\xbd!";
    struct tokenizer *t = open_with("wordpiece", NULL, NULL);
    struct token_list list = {0};
    CHECK_STATUS(tokenizer_encode_document(t, &list, TEXT, sizeof TEXT - 1, 64, NULL), FT_OK);
    const int64_t before = mem_alloc_count();
    for (int i = 0; i < 100; i++) {
        list.n = 0;
        CHECK_STATUS(tokenizer_encode_document(t, &list, TEXT, sizeof TEXT - 1, 64, NULL), FT_OK);
    }
    CHECK(mem_alloc_count() == before);
    token_list_clear(&list);
    tokenizer_close(&t);
}

int main(void)
{
    (void)snprintf(scratch, sizeof scratch, "token-wordpiece-%ld", (long)getpid());
    CHECK_STATUS(file_make_folders(scratch), FT_OK);
    test_rules();
    test_variants();
    test_documents();
    test_vocab();
    test_roles();
    test_long_words();
    test_no_allocation();
    test_memory();
    CHECK_STATUS(file_remove_folder(scratch), FT_OK);
    return check_end();
}
