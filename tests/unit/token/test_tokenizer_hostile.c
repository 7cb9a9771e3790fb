/* token/: hostile tokenizer.json and GGUF metadata, no two with the same defect, each with its
 * message. */
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "support/check.h"
#include "support/gguf_build.h"
#include "token/tokenizer.h"

/* A small file that is right. Each case replaces one part of it. */
static const char RIGHT[] =
    "{\"version\": \"1.0\", \"truncation\": null, \"padding\": null,\n"
    "\"added_tokens\": [{\"id\": 4, \"content\": \"<s>\", \"single_word\": false, \"lstrip\": "
    "false, "
    "\"rstrip\": false, \"normalized\": false, \"special\": true}, {\"id\": 5, \"content\": "
    "\"<e>\", "
    "\"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": false, "
    "\"special\": true}],\n"
    "\"normalizer\": null,\n"
    "\"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Digits\", "
    "\"individual_digits\": true}, {\"type\": \"ByteLevel\", \"add_prefix_space\": false, "
    "\"trim_offsets\": true, \"use_regex\": true}]},\n"
    "\"post_processor\": {\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"trim_offsets\": "
    "false},\n"
    "\"decoder\": {\"type\": \"ByteLevel\"},\n"
    "\"model\": {\"type\": \"BPE\", \"dropout\": null, \"unk_token\": null, "
    "\"continuing_subword_prefix\": null, \"end_of_word_suffix\": \"\", \"fuse_unk\": false, "
    "\"byte_fallback\": false, \"ignore_merges\": false,\n"
    "\"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2, \"aba\": 3},\n"
    "\"merges\": [[\"a\", \"b\"], \"ab a\"]}}\n";

#define STEPS                                                                                      \
    "\"pretokenizers\": [{\"type\": \"Digits\", \"individual_digits\": true}, {\"type\": "         \
    "\"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": true}]"
#define SPLIT(pattern, behavior, invert)                                                           \
    "{\"type\": \"Split\", \"pattern\": " pattern ", \"behavior\": \"" behavior                    \
    "\", \"invert\": " invert                                                                      \
    "}, {\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, "           \
    "\"use_regex\": false}]"

struct json_case {
    const char *name, *from, *to, *message;
};

static const struct json_case CASES[] = {
    {"empty file", NULL, "", "hostile.json"},
    {"cut in the vocabulary", "\"ab\": 2, \"aba\": 3},\n\"merges\": [[\"a\", \"b\"], \"ab a\"]}}",
     "\"ab\"", "hostile.json"},
    {"an array at the top", NULL, "[1]", "no JSON object"},
    {"key at the top", "\"version\"", "\"charsmap\": 1, \"version\"", "charsmap"},
    {"two keys alike", "\"a\": 0", "\"a\": 0, \"a\": 9", "hostile.json"},
    {"normalizer of another kind", "\"normalizer\": null", "\"normalizer\": {\"type\": \"NFKQ\"}",
     "normalizer is of type \"NFKQ\""},
    {"normalizer with a setting", "\"normalizer\": null",
     "\"normalizer\": {\"type\": \"NFC\", \"strip\": true}", "\"strip\""},
    {"normalizer as text", "\"normalizer\": null", "\"normalizer\": \"NFC\"",
     "normalizer is no object"},
    {"no type", "{\"type\": \"Digits\", ", "{", "type"},
    {"pre_tokenizer of another kind", "\"Sequence\"", "\"UnicodeScripts\"",
     "pre_tokenizer is of type \"UnicodeScripts\""},
    {"steps as an object", STEPS, "\"pretokenizers\": {}", "pre_tokenizer: key \"pretokenizers\""},
    {"step as text", STEPS, "\"pretokenizers\": [\"Digits\"]",
     "pre_tokenizer, step 1, is no object"},
    {"behind ByteLevel", STEPS,
     "\"pretokenizers\": [{\"type\": \"ByteLevel\", \"add_prefix_space\": false}, {\"type\": "
     "\"Digits\", \"individual_digits\": true}]",
     "step 2, Digits: a step behind ByteLevel"},
    {"behavior of punctuation", "\"Digits\", \"individual_digits\": true",
     "\"Punctuation\", \"behavior\": \"Dropped\"", "step 1, Punctuation: behavior is \"Dropped\""},
    {"second step of another kind", "{\"type\": \"ByteLevel\", \"add_prefix_space\": false",
     "{\"type\": \"Whitespace\", \"add_prefix_space\": false", "Whitespace"},
    {"digits as a number", "\"individual_digits\": true", "\"individual_digits\": 1",
     "individual_digits"},
    {"prefix space missing", "\"add_prefix_space\": false, ", "", "add_prefix_space"},
    {"flag as text", "\"trim_offsets\": true", "\"trim_offsets\": \"yes\"", "trim_offsets"},
    {"setting of ByteLevel", "\"trim_offsets\": true", "\"trim_offset\": true", "\"trim_offset\""},
    {"pattern that is not read", STEPS,
     "\"pretokenizers\": [" SPLIT("{\"Regex\": \"(a\"}", "Isolated", "false"),
     "step 1, Split: the pattern \"(a\" has a group without an end at its byte 2"},
    {"pattern that matches nothing", STEPS,
     "\"pretokenizers\": [" SPLIT("{\"Regex\": \"a*\"}", "Isolated", "false"),
     "matches the empty text"},
    {"empty pattern", STEPS,
     "\"pretokenizers\": [" SPLIT("{\"String\": \"\"}", "Isolated", "false"), "has 0 bytes"},
    {"pattern as a number", STEPS,
     "\"pretokenizers\": [" SPLIT("{\"String\": 5}", "Isolated", "false"), "\"String\""},
    {"pattern of both kinds", STEPS,
     "\"pretokenizers\": [" SPLIT("{\"String\": \"a\", \"Regex\": \"a\"}", "Isolated", "false"),
     "pattern is neither"},
    {"pattern of another kind", STEPS,
     "\"pretokenizers\": [" SPLIT("{\"Glob\": \"*\"}", "Isolated", "false"), "\"Glob\""},
    {"pattern missing", STEPS, "\"pretokenizers\": [" SPLIT("null", "Isolated", "false"),
     "pattern"},
    {"behavior that is not known", STEPS,
     "\"pretokenizers\": [" SPLIT("{\"Regex\": \"x\"}", "isolated", "false"),
     "behavior is \"isolated\""},
    {"invert as text", STEPS,
     "\"pretokenizers\": [" SPLIT("{\"Regex\": \"x\"}", "Isolated", "\"no\""), "invert"},
    {"post_processor of another kind", "\"post_processor\": {\"type\": \"ByteLevel\"",
     "\"post_processor\": {\"type\": \"BertProcessing\"", "BertProcessing"},
    {"step of post_processor",
     "\"post_processor\": {\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"trim_offsets\": "
     "false}",
     "\"post_processor\": {\"type\": \"Sequence\", \"processors\": [{\"type\": "
     "\"RobertaProcessing\"}]}",
     "RobertaProcessing"},
    {"no decoder", "\"decoder\": {\"type\": \"ByteLevel\"}", "\"decoder\": null",
     "decoder is missing"},
    {"decoder of another kind", "\"decoder\": {\"type\": \"ByteLevel\"}",
     "\"decoder\": {\"type\": \"CTC\"}", "decoder is of type \"CTC\""},
    {"model as text", NULL,
     "{\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false}, \"decoder\": "
     "{\"type\": \"ByteLevel\"}, \"model\": \"BPE\"}",
     "model"},
    {"no model", NULL,
     "{\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false}, \"decoder\": "
     "{\"type\": \"ByteLevel\"}}",
     "model"},
    {"model of another kind", "\"BPE\"", "\"WordLevel\"", "model is of type \"WordLevel\""},
    {"setting of the model", "\"fuse_unk\": false", "\"max_input_chars\": 100", "max_input_chars"},
    {"dropout", "\"dropout\": null", "\"dropout\": 0.1", "dropout is 0.1"},
    {"dropout out of range", "\"dropout\": null", "\"dropout\": 1e300", "dropout"},
    {"prefix of parts", "\"continuing_subword_prefix\": null",
     "\"continuing_subword_prefix\": \"##\"", "continuing_subword_prefix is not empty"},
    {"suffix of words", "\"end_of_word_suffix\": \"\"", "\"end_of_word_suffix\": \"</w>\"",
     "end_of_word_suffix is not empty"},
    {"fused unknowns", "\"fuse_unk\": false", "\"fuse_unk\": true", "fuse_unk is true"},
    {"byte fallback", "\"byte_fallback\": false", "\"byte_fallback\": true",
     "byte_fallback is true"},
    {"unknown token unknown", "\"unk_token\": null", "\"unk_token\": \"<unk>\"",
     "unk_token \"<unk>\" is not in the vocabulary"},
    {"ignore_merges as a number", "\"ignore_merges\": false", "\"ignore_merges\": 0",
     "ignore_merges"},
    {"vocabulary as a list", "{\"a\": 0, \"b\": 1, \"ab\": 2, \"aba\": 3}", "[\"a\", \"b\"]",
     "vocab"},
    {"no tokens", "{\"a\": 0, \"b\": 1, \"ab\": 2, \"aba\": 3}", "{}", "vocab has 0 tokens"},
    {"id as text", "\"b\": 1", "\"b\": \"1\"", "id of token \"b\" is no integer"},
    {"id with a fraction", "\"b\": 1", "\"b\": 1.5", "id of token \"b\" is no integer"},
    {"id twice", "\"b\": 1", "\"b\": 2", "both have id 2"},
    {"negative id", "\"b\": 1", "\"b\": -1", "has id -1, outside"},
    {"id of 32 bits", "\"b\": 1", "\"b\": 2147483648", "2147483648"},
    {"id of 64 bits", "\"b\": 1", "\"b\": 9223372036854775807", "9223372036854775807"},
    {"id of 31 digits", "\"b\": 1", "\"b\": 1000000000000000019884624838656",
     "id of token \"b\" is no integer"},
    {"id far beyond the others", "\"b\": 1", "\"b\": 70000", "in a vocabulary of 4"},
    {"empty token", "\"b\": 1", "\"\": 1", "has no text"},
    {"zero byte in a token", "\"b\": 1", "\"b\\u0000\": 1", "hostile.json"},
    {"half a surrogate pair", "\"b\": 1", "\"\\ud800\": 1", "hostile.json"},
    {"token that is no UTF-8", "\"b\": 1", "\"\xc3\x28\": 1", "hostile.json"},
    {"control character in a message", "\"b\": 1", "\"\\u001b[2J\": \"x\"", "\\x1b[2J"},
    {"merges missing", "\"merges\": [[\"a\", \"b\"], \"ab a\"]", "\"merges\": null", "merges"},
    {"merge of an absent token", "\"ab a\"", "\"ab c\"", "needs the token \"c\""},
    {"merge into an absent token", "\"ab a\"", "\"b a\"", "needs the token \"ba\""},
    {"merge of one token", "\"ab a\"", "\"ab\"", "merge 1 is not two tokens"},
    {"merge of three tokens", "\"ab a\"", "\"a b a\"", "merge 1 is not two tokens"},
    {"merge with an empty token", "\"ab a\"", "\" ab\"", "needs the token \"\""},
    {"merge as a number", "\"ab a\"", "7", "neither"},
    {"merge as three texts", "[\"a\", \"b\"]", "[\"a\", \"b\", \"a\"]", "neither"},
    {"merge of numbers", "[\"a\", \"b\"]", "[0, 1]", "neither"},
    {"added tokens as an object", NULL,
     "{\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false}, \"decoder\": "
     "{\"type\": \"ByteLevel\"}, \"model\": {\"vocab\": {\"a\": 0}, \"merges\": []}, "
     "\"added_tokens\": {}}",
     "added_tokens"},
    {"added token as text", "\"added_tokens\": [", "\"added_tokens\": [\"<s>\", ",
     "entry 0: no object"},
    {"added token without content", "\"content\": \"<s>\", ", "", "content"},
    {"added token without text", "\"content\": \"<s>\"", "\"content\": \"\"", "content is empty"},
    {"added token without id", "\"id\": 4, ", "", "id"},
    {"added token with a setting", "\"id\": 4, ", "\"id\": 4, \"trim\": true, ", "\"trim\""},
    {"added token with a flag missing", "\"lstrip\": false, ", "", "lstrip"},
    {"added token out of order", "\"id\": 4", "\"id\": 6", "has id 6, where the vocabulary makes"},
    {"added token over another", "\"id\": 4, \"content\": \"<s>\"",
     "\"id\": 0, \"content\": \"<s>\"", "has id 0, where the vocabulary makes it 4"},
    {"added token at another id than the model's", "\"id\": 4, \"content\": \"<s>\"",
     "\"id\": 4, \"content\": \"ab\"", "makes it 2"},
    {"added token twice", "\"id\": 5, \"content\": \"<e>\"", "\"id\": 4, \"content\": \"<s>\"",
     "was added before"},
};

/** RIGHT with the first `from` replaced; from NULL: `to` alone. */
static void build(struct buffer *out, const struct json_case *c)
{
    out->used = 0;
    const char *at = c->from ? strstr(RIGHT, c->from) : NULL;
    if (c->from && !at) {
        (void)fprintf(stderr, "%s: \"%s\" is not in the file\n", c->name, c->from);
        check_failures++;
        return;
    }
    if (at)
        CHECK_STATUS(buffer_append(out, RIGHT, (size_t)(at - RIGHT)), FT_OK);
    CHECK_STATUS(buffer_append(out, c->to, strlen(c->to)), FT_OK);
    if (at) {
        const char *rest = at + strlen(c->from);
        CHECK_STATUS(buffer_append(out, rest, strlen(rest)), FT_OK);
    }
}

static void test_right(void)
{
    struct tokenizer *t = NULL;
    struct token_list list = {0};
    CHECK_STATUS(tokenizer_open_json(&t, RIGHT, sizeof RIGHT - 1, "right.json"), FT_OK);
    CHECK(t && tokenizer_vocab_size(t) == 6);
    CHECK_STATUS(tokenizer_encode(t, &list, "abab<e>baxa", 11), FT_OK);
    static const int32_t ids[] = {2, 2, 5, 1, 0, 0}; /* x is dropped: the vocabulary lacks it */
    CHECK(list.n == 6 && memcmp(list.ids, ids, sizeof ids) == 0);
    token_list_clear(&list);
    tokenizer_close(&t);
}

static void test_json(void)
{
    struct buffer text = {0};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct tokenizer *t = NULL;
        const int before = check_failures;
        check_hostile("tokenizer.json", CASES[i].name);
        build(&text, &CASES[i]);
        CHECK_FAILS(tokenizer_open_json(&t, text.data ? text.data : "", text.used, "hostile.json"),
                    FT_ERR_INPUT, CASES[i].message);
        CHECK(!t && strstr(ft_error_text(), "hostile.json") != NULL);
        if (check_failures != before)
            (void)fprintf(stderr, "    in case: %s\n", CASES[i].name);
        tokenizer_close(&t);
    }
    buffer_clear(&text);
}

/* Sizes that a literal cannot show: a token, an added token and a depth beyond the limits. */
static void test_sizes(void)
{
    static const struct {
        const char *from, *before, *after, *message;
        int n;
        char fill;
    } cases[] = {
        {"\"b\": 1", "\"", "\": 1", "at most 65536", TOKENIZER_TEXT_MAX + 1, 'b'},
        {"\"content\": \"<s>\"", "\"content\": \"", "\"", "not 1 ... 1024", TOKENIZER_ADDED_MAX + 1,
         's'},
        {"\"truncation\": null", "\"truncation\": ", "", "hostile.json", 100000, '['},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer part = {0}, text = {0};
        struct tokenizer *t = NULL;
        check_hostile("tokenizer.json", cases[i].message);
        CHECK_STATUS(buffer_append(&part, cases[i].before, strlen(cases[i].before)), FT_OK);
        for (int k = 0; k < cases[i].n; k++)
            CHECK_STATUS(buffer_append(&part, &cases[i].fill, 1), FT_OK);
        CHECK_STATUS(buffer_append(&part, cases[i].after, strlen(cases[i].after)), FT_OK);
        const struct json_case c = {"size", cases[i].from, part.data, cases[i].message};
        build(&text, &c);
        CHECK_FAILS(tokenizer_open_json(&t, text.data, text.used, "hostile.json"), FT_ERR_INPUT,
                    c.message);
        buffer_clear(&part);
        buffer_clear(&text);
    }
}

/* Whatever byte changes: a tokenizer that works, or an error; no crash and no leak. */
static void test_changed_bytes(void)
{
    char text[sizeof RIGHT];
    int opened = 0;
    for (uint64_t i = 0; i < 20000; i++) {
        struct tokenizer *t = NULL;
        struct token_list list = {0};
        memcpy(text, RIGHT, sizeof text);
        for (uint64_t k = 0; k <= i % 3; k++) {
            const uint64_t r = rng_u64(7, k, i);
            text[r % (sizeof text - 1)] =
                (char)(r >> 40 & 1 ? (char)(r >> 32) : RIGHT[r >> 48 & 511]);
        }
        const ft_status status = tokenizer_open_json(&t, text, sizeof text - 1, "hostile.json");
        CHECK(status == FT_OK || status == FT_ERR_INPUT);
        if (status == FT_OK) {
            CHECK_STATUS(tokenizer_encode(t, &list, "abab <s>aba<e> 12\n\n b", 21), FT_OK);
            opened++;
        }
        token_list_clear(&list);
        tokenizer_close(&t);
    }
    CHECK(opened > 100 && mem_live_bytes() == 0);
}

/* GGUF metadata: NULL leaves a key out; lists end with NULL, types with 0. */
struct gguf_case {
    const char *name, *model, *pre;
    const char *tokens[8], *merges[4];
    int32_t types[8];
    uint32_t eos;
    const char *message;
};

#define TOKENS                                                                                     \
    {                                                                                              \
        "a", "b", "ab", "<s>"                                                                      \
    }
#define TYPES                                                                                      \
    {                                                                                              \
        1, 1, 1, 3                                                                                 \
    }

static const struct gguf_case GGUF_CASES[] = {
    {"right", "gpt2", "smollm", TOKENS, {"a b"}, TYPES, 3, NULL},
    {"no model", NULL, "smollm", TOKENS, {"a b"}, TYPES, 3, "tokenizer.ggml.model"},
    {"another model", "rwkv", "smollm", TOKENS, {"a b"}, TYPES, 3, "\"rwkv\""},
    {"model cut within a character",
     "llama\xef",
     "smollm",
     TOKENS,
     {"a b"},
     TYPES,
     3,
     "\"llama\\xef\""},
    {"no pre", "gpt2", NULL, TOKENS, {"a b"}, TYPES, 3, "tokenizer.ggml.pre is missing"},
    {"unknown pre", "gpt2", "deepseek-llm", TOKENS, {"a b"}, TYPES, 3, "\"deepseek-llm\""},
    {"empty token", "gpt2", "smollm", {"a", "b", "ab", ""}, {"a b"}, TYPES, 3, "id 3 has no text"},
    {"token twice", "gpt2", "smollm", {"a", "b", "ab", "a"}, {"a b"}, TYPES, 3, "there twice"},
    {"token that is no UTF-8",
     "gpt2",
     "smollm",
     {"a", "b", "ab", "\xff"},
     {"a b"},
     TYPES,
     3,
     "not valid UTF-8"},
    {"merge without a space", "gpt2", "smollm", TOKENS, {"ab"}, TYPES, 3, "entry 0 is not two"},
    {"merge of three", "gpt2", "smollm", TOKENS, {"a b", "a b a"}, TYPES, 3, "entry 1 is not two"},
    {"merge of an absent token", "gpt2", "smollm", TOKENS, {"a c"}, TYPES, 3, "token \"c\""},
    {"too few types", "gpt2", "smollm", TOKENS, {"a b"}, {1, 1, 1}, 3, "3 entries for 4 tokens"},
    {"byte type", "gpt2", "smollm", TOKENS, {"a b"}, {1, 6, 1, 3}, 3, "token 1 has type 6"},
    {"eos outside", "gpt2", "smollm", TOKENS, {"a b"}, TYPES, 4, "eos_token_id is 4"},
};

static void put_texts(struct buffer *b, const char *key, const char *const *texts)
{
    size_t n = 0;
    while (texts[n])
        n++;
    build_key(b, key, 9);
    build_put(b, 8, 4);
    build_put(b, n, 8);
    for (size_t i = 0; i < n; i++)
        build_string(b, texts[i]);
}

static void build_bool(struct buffer *b, const char *key, int value)
{
    if (value < 0)
        return;
    build_key(b, key, 7);
    build_put(b, (uint64_t)value, 1);
}

/** Roles beside EOS: -1 leaves a key out. */
static void build_gguf(struct buffer *b, const struct gguf_case *c, int bos, int add_bos,
                       int add_eos)
{
    size_t n = 0;
    build_start(b, 3, 0,
                4u + (c->model != NULL) + (c->pre != NULL) + (bos >= 0) + (add_bos >= 0) +
                    (add_eos >= 0));
    if (c->model)
        build_text(b, "tokenizer.ggml.model", c->model);
    if (c->pre)
        build_text(b, "tokenizer.ggml.pre", c->pre);
    put_texts(b, "tokenizer.ggml.tokens", c->tokens);
    put_texts(b, "tokenizer.ggml.merges", c->merges);
    while (c->types[n])
        n++;
    build_key(b, "tokenizer.ggml.token_type", 9);
    build_put(b, 5, 4);
    build_put(b, n, 8);
    for (size_t i = 0; i < n; i++)
        build_put(b, (uint64_t)c->types[i], 4);
    build_u32(b, "tokenizer.ggml.eos_token_id", c->eos);
    if (bos >= 0)
        build_u32(b, "tokenizer.ggml.bos_token_id", (uint32_t)bos);
    build_bool(b, "tokenizer.ggml.add_bos_token", add_bos);
    build_bool(b, "tokenizer.ggml.add_eos_token", add_eos);
    build_align(b, 32);
}

static void test_gguf(void)
{
    char path[64];
    (void)snprintf(path, sizeof path, "token-hostile-%ld.gguf", (long)getpid());
    for (size_t i = 0; i < sizeof GGUF_CASES / sizeof *GGUF_CASES; i++) {
        const struct gguf_case *c = &GGUF_CASES[i];
        struct tokenizer *t = NULL;
        struct buffer b = {0};
        const int before = check_failures;
        build_gguf(&b, c, -1, -1, -1);
        CHECK_STATUS(file_replace(path, b.data, b.used), FT_OK);
        if (c->message) {
            check_hostile("GGUF", c->name);
            CHECK_FAILS(tokenizer_open(&t, path), FT_ERR_INPUT, c->message);
            CHECK(!t && strstr(ft_error_text(), path) != NULL);
        } else {
            CHECK_STATUS(tokenizer_open(&t, path), FT_OK);
            CHECK(t && tokenizer_eos(t) == 3);
        }
        if (check_failures != before)
            (void)fprintf(stderr, "    in case: %s\n", c->name);
        tokenizer_close(&t);
        buffer_clear(&b);
    }
    CHECK(unlink(path) == 0);
    struct tokenizer *t = NULL;
    CHECK_FAILS(tokenizer_open(&t, "token-absent"), FT_ERR_INPUT, "token-absent");
    CHECK_STATUS(file_make_folders("token-empty"), FT_OK);
    CHECK_FAILS(tokenizer_open(&t, "token-empty"), FT_ERR_INPUT, "token-empty/tokenizer.json");
    CHECK_STATUS(file_remove_folder("token-empty"), FT_OK);
}

/* BOS and EOS around a text, as the metadata asks for them. */
static void test_gguf_template(void)
{
    static const struct {
        const char *pre;
        int bos, add_bos, add_eos; /* -1: no key */
        int64_t n;
        int32_t ids[4];
        const char *message;
    } cases[] = {
        {"smollm", 0, -1, -1, 1, {2}, NULL},
        {"smollm", 0, 0, 0, 1, {2}, NULL},
        {"smollm", 0, 1, 0, 2, {0, 2}, NULL},
        {"smollm", 0, 1, 1, 3, {0, 2, 3}, NULL},
        {"smollm", -1, 0, 1, 2, {2, 3}, NULL},
        {"llama-bpe", 0, -1, -1, 2, {0, 2}, NULL},
        {"llama-bpe", -1, -1, -1, 1, {2}, NULL},
        {"smollm", -1, 1, -1, 0, {0}, "add_bos_token is true, but tokenizer.ggml.bos_token_id"},
    };
    static const struct gguf_case RIGHT_CASE = {"right", "gpt2", "smollm", TOKENS,
                                                {"a b"}, TYPES,  3,        NULL};
    char path[64];
    (void)snprintf(path, sizeof path, "token-template-%ld.gguf", (long)getpid());
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gguf_case c = RIGHT_CASE;
        struct buffer b = {0};
        struct tokenizer *t = NULL;
        struct token_list list = {0};
        c.pre = cases[i].pre;
        build_gguf(&b, &c, cases[i].bos, cases[i].add_bos, cases[i].add_eos);
        CHECK_STATUS(file_replace(path, b.data, b.used), FT_OK);
        if (cases[i].message) {
            CHECK_FAILS(tokenizer_open(&t, path), FT_ERR_INPUT, cases[i].message);
        } else {
            CHECK_STATUS(tokenizer_open(&t, path), FT_OK);
            CHECK_STATUS(tokenizer_encode_document(t, &list, "abab", 4, cases[i].n, NULL), FT_OK);
            CHECK(tokenizer_template_size(t) == cases[i].n - 1 && list.n == cases[i].n &&
                  memcmp(list.ids, cases[i].ids, (size_t)list.n * sizeof(int32_t)) == 0);
        }
        token_list_clear(&list);
        tokenizer_close(&t);
        buffer_clear(&b);
    }
    CHECK(unlink(path) == 0);
}

int main(void)
{
    test_right();
    test_json();
    test_sizes();
    test_changed_bytes();
    test_gguf();
    test_gguf_template();
    return check_end();
}
