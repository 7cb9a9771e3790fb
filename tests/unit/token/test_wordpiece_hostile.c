/* token/: hostile WordPiece files, templates and vocab.txt folders, no two with the same defect,
 * each with its message. */
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "support/check.h"
#include "token/tokenizer.h"

/* A small file that is right. Each case replaces one part of it. */
static const char RIGHT[] =
    "{\"version\": \"1.0\", \"truncation\": null, \"padding\": null,\n"
    "\"added_tokens\": [{\"id\": 1, \"content\": \"[C]\", \"single_word\": false, \"lstrip\": "
    "false, \"rstrip\": false, \"normalized\": false, \"special\": true}],\n"
    "\"normalizer\": {\"type\": \"BertNormalizer\", \"clean_text\": true, "
    "\"handle_chinese_chars\": true, \"strip_accents\": null, \"lowercase\": true},\n"
    "\"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"},\n"
    "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": "
    "{\"id\": \"[C]\", \"type_id\": 0}}, {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}], "
    "\"pair\": [], \"special_tokens\": {\"[C]\": {\"id\": \"[C]\", \"ids\": [1], \"tokens\": "
    "[\"[C]\"]}}},\n"
    "\"decoder\": {\"type\": \"WordPiece\", \"prefix\": \"##\", \"cleanup\": true},\n"
    "\"model\": {\"type\": \"WordPiece\", \"unk_token\": \"[U]\", "
    "\"continuing_subword_prefix\": \"##\", \"max_input_chars_per_word\": 100,\n"
    "\"vocab\": {\"[U]\": 0, \"[C]\": 1, \"a\": 2, \"##b\": 3, \"ab\": 4, \"##ab\": 5}}}\n";

#define POST                                                                                       \
    "{\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"[C]\", "        \
    "\"type_id\": 0}}, {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}], \"pair\": [], "           \
    "\"special_tokens\": {\"[C]\": {\"id\": \"[C]\", \"ids\": [1], \"tokens\": [\"[C]\"]}}}"
#define CLS_SEP(type, sep, cls)                                                                    \
    "{\"type\": \"" type "\", \"sep\": " sep ", \"cls\": " cls                                     \
    ", \"trim_offsets\": true, \"add_prefix_space\": true}"

struct json_case {
    const char *name, *from, *to, *message;
};

static const struct json_case CASES[] = {
    {"normalizer of another kind", "\"BertNormalizer\"", "\"Uppercase\"",
     "normalizer is of type \"Uppercase\", which is not supported; README.md lists what is read"},
    {"setting of the normalizer", "\"clean_text\"", "\"cased\": 1, \"clean_text\"",
     "normalizer BertNormalizer: it has the key \"cased\""},
    {"clean_text missing", "\"clean_text\": true, ", "", "clean_text"},
    {"handle_chinese_chars as text", "\"handle_chinese_chars\": true",
     "\"handle_chinese_chars\": \"yes\"", "handle_chinese_chars"},
    {"strip_accents as a number", "\"strip_accents\": null", "\"strip_accents\": 1",
     "strip_accents"},
    {"lowercase null", "\"lowercase\": true", "\"lowercase\": null", "lowercase"},
    {"pre_tokenizer of another kind", "\"BertPreTokenizer\"", "\"Spaces\"",
     "pre_tokenizer is of type \"Spaces\""},
    {"setting of the pre_tokenizer", "\"BertPreTokenizer\"", "\"BertPreTokenizer\", \"never\": []",
     "\"never\""},
    {"no decoder", "{\"type\": \"WordPiece\", \"prefix\": \"##\", \"cleanup\": true}", "null",
     "decoder is missing; README.md"},
    {"decoder of another kind", "\"decoder\": {\"type\": \"WordPiece\"",
     "\"decoder\": {\"type\": \"BPEDecoder\"", "decoder is of type \"BPEDecoder\""},
    {"decoder with a prefix that is no text", "\"prefix\": \"##\"", "\"prefix\": 5",
     "decoder WordPiece: key \"prefix\""},
    {"decoder without cleanup", ", \"cleanup\": true", "", "decoder WordPiece: "},
    {"model without a type", "\"model\": {\"type\": \"WordPiece\", ", "\"model\": {",
     "model: it has the key \"max_input_chars_per_word\""},
    {"model of a type that is a number", "\"model\": {\"type\": \"WordPiece\"",
     "\"model\": {\"type\": 5", "model: key \"type\""},
    {"model of another kind", "\"model\": {\"type\": \"WordPiece\"",
     "\"model\": {\"type\": \"WordLevel\"", "model is of type \"WordLevel\""},
    {"setting of the model", "\"unk_token\"", "\"merges\": [], \"unk_token\"",
     "model: it has the key \"merges\""},
    {"no unknown token", "\"unk_token\": \"[U]\"", "\"unk_token\": null",
     "model: unk_token is missing"},
    {"unknown token unknown", "\"unk_token\": \"[U]\"", "\"unk_token\": \"[UNK]\"",
     "unk_token \"[UNK]\" is not in the vocabulary"},
    {"prefix missing", "\"continuing_subword_prefix\": \"##\", ", "", "continuing_subword_prefix"},
    {"no characters", "\"max_input_chars_per_word\": 100", "\"max_input_chars_per_word\": 0",
     "max_input_chars_per_word"},
    {"too many characters", "\"max_input_chars_per_word\": 100",
     "\"max_input_chars_per_word\": 1001", "max_input_chars_per_word"},
    {"vocabulary as a list",
     "{\"[U]\": 0, \"[C]\": 1, \"a\": 2, \"##b\": 3, \"ab\": 4, \"##ab\": 5}", "[\"[U]\"]",
     "model: key \"vocab\""},
    {"id twice", "\"##b\": 3", "\"##b\": 2", "both have id 2"},
    {"added token that the rules empty",
     "\"id\": 1, \"content\": \"[C]\", \"single_word\": false, \"lstrip\": false, \"rstrip\": "
     "false, \"normalized\": false",
     "\"id\": 6, \"content\": \"\\u0301\", \"single_word\": false, \"lstrip\": false, "
     "\"rstrip\": false, \"normalized\": true",
     "added_tokens, entry 0: the added token with id 6 has 0 bytes"},
    {"post_processor as text", "\"post_processor\": {", "\"post_processor\": \"x\", \"version\": {",
     "hostile.json"},
    {"post_processor of another kind", "\"TemplateProcessing\"", "\"PairProcessing\"",
     "post_processor is of type \"PairProcessing\""},
    {"template with a setting", "\"pair\": []", "\"pair\": [], \"triple\": []", "\"triple\""},
    {"single missing", "\"single\"", "\"pair_\"", "post_processor TemplateProcessing: "},
    {"single as text",
     "[{\"SpecialToken\": {\"id\": \"[C]\", \"type_id\": 0}}, {\"Sequence\": {\"id\": \"A\", "
     "\"type_id\": 0}}]",
     "\"[C] $A\"", "single"},
    {"no special tokens",
     "\"special_tokens\": {\"[C]\": {\"id\": \"[C]\", \"ids\": [1], "
     "\"tokens\": [\"[C]\"]}}",
     "\"special_tokens\": null", "special_tokens"},
    {"special token that is not listed", "{\"SpecialToken\": {\"id\": \"[C]\"",
     "{\"SpecialToken\": {\"id\": \"[D]\"", "[D]"},
    {"special token without ids", "\"ids\": [1], ", "", "ids"},
    {"id as text", "\"ids\": [1]", "\"ids\": [\"1\"]", "no integers"},
    {"id that no token has", "\"ids\": [1]", "\"ids\": [6]", "the id 6, which no token has"},
    {"negative id", "\"ids\": [1]", "\"ids\": [-1]", "the id -1"},
    {"id of 33 bits", "\"ids\": [1]", "\"ids\": [4294967297]", "the id 4294967297"},
    {"piece as text", "\"single\": [", "\"single\": [\"[C]\", ", "is no object"},
    {"piece of neither kind", "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}",
     "{\"Text\": {\"id\": \"A\", \"type_id\": 0}}", "neither"},
    {"piece of both kinds", "{\"Sequence\": {",
     "{\"SpecialToken\": {\"id\": \"[C]\"}, "
     "\"Sequence\": {",
     "neither"},
    {"text of a pair", "{\"id\": \"A\"", "{\"id\": \"B\"", "just once"},
    {"no text", ", {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}", "", "just once"},
    {"text twice", "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}",
     "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, {\"Sequence\": {\"id\": \"A\"}}",
     "just once"},
    {"type of segment", "\"A\", \"type_id\": 0", "\"A\", \"type_id\": 1", "type_id is 1"},
    {"negative type of segment", "\"A\", \"type_id\": 0", "\"A\", \"type_id\": -1", "type_id"},
    {"no sep", POST, "{\"type\": \"BertProcessing\", \"cls\": [\"[C]\", 1]}",
     "post_processor BertProcessing: key \"sep\""},
    {"sep as text", POST, CLS_SEP("BertProcessing", "\"[C]\"", "[\"[C]\", 1]"), "sep"},
    {"cls of one entry", POST, CLS_SEP("BertProcessing", "[\"[C]\", 1]", "[\"[C]\"]"),
     "cls is not [\"text\", id]"},
    {"cls the wrong way round", POST, CLS_SEP("RobertaProcessing", "[\"[C]\", 1]", "[1, \"[C]\"]"),
     "post_processor RobertaProcessing: cls is not"},
    {"cls that no token is", POST, CLS_SEP("RobertaProcessing", "[\"[C]\", 1]", "[\"[C]\", 9]"),
     "the id 9"},
    {"processors as an object", POST, "{\"type\": \"Sequence\", \"processors\": {}}", "processors"},
    {"processor in a sequence", POST,
     "{\"type\": \"Sequence\", \"processors\": [{\"type\": \"Sequence\"}]}",
     "a step, is of type \"Sequence\""},
    {"two that add tokens", POST,
     "{\"type\": \"Sequence\", \"processors\": [" POST
     ", " CLS_SEP("BertProcessing", "[\"[C]\", 1]", "[\"[C]\", 1]") "]}",
     "BertProcessing is the second that adds tokens"},
};

/** RIGHT with the first `from` replaced. */
static void build(struct buffer *out, const struct json_case *c)
{
    out->used = 0;
    const char *at = strstr(RIGHT, c->from);
    CHECK(at != NULL);
    if (!at)
        return;
    const char *rest = at + strlen(c->from);
    CHECK_STATUS(buffer_append(out, RIGHT, (size_t)(at - RIGHT)), FT_OK);
    CHECK_STATUS(buffer_append(out, c->to, strlen(c->to)), FT_OK);
    CHECK_STATUS(buffer_append(out, rest, strlen(rest)), FT_OK);
}

static void test_right(void)
{
    static const int32_t ids[] = {1, 2, 5, 4, 1, 0, 4, 3};
    struct tokenizer *t = NULL;
    struct token_list list = {0};
    CHECK_STATUS(tokenizer_open_json(&t, RIGHT, sizeof RIGHT - 1, "right.json"), FT_OK);
    if (!t)
        return;
    CHECK_STATUS(tokenizer_encode_document(t, &list, "aab AB[C]ac abb", 15, 99, NULL), FT_OK);
    CHECK(list.n == 8 && memcmp(list.ids, ids, sizeof ids) == 0);
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
        CHECK_FAILS(tokenizer_open_json(&t, text.data, text.used, "hostile.json"), FT_ERR_INPUT,
                    CASES[i].message);
        CHECK(!t && strstr(ft_error_text(), "hostile.json") != NULL);
        if (check_failures != before)
            (void)fprintf(stderr, "    in case: %s\n", CASES[i].name);
        tokenizer_close(&t);
    }
    buffer_clear(&text);
}

/* More special tokens than any text could bear. */
static void test_long_template(void)
{
    struct buffer part = {0}, text = {0};
    struct tokenizer *t = NULL;
    for (int i = 0; i < 65; i++)
        CHECK_STATUS(buffer_print(&part, "%s1", i ? ", " : "\"ids\": ["), FT_OK);
    CHECK_STATUS(buffer_append(&part, "]", 1), FT_OK);
    const struct json_case c = {"long", "\"ids\": [1]", part.data, ""};
    build(&text, &c);
    CHECK_FAILS(tokenizer_open_json(&t, text.data, text.used, "hostile.json"), FT_ERR_INPUT,
                "more than 64 special tokens");
    buffer_clear(&part);
    buffer_clear(&text);
}

/* Whatever byte changes: a tokenizer that works, or an error; no crash and no leak. */
static void test_changed_bytes(void)
{
    char text[sizeof RIGHT];
    int opened = 0;
    for (uint64_t i = 0; i < 10000; i++) {
        struct tokenizer *t = NULL;
        struct token_list list = {0};
        struct buffer decoded = {0};
        memcpy(text, RIGHT, sizeof text);
        for (uint64_t k = 0; k <= i % 3; k++) {
            const uint64_t r = rng_u64(9, k, i);
            text[r % (sizeof text - 1)] =
                (char)(r >> 40 & 1 ? (char)(r >> 32) : RIGHT[r >> 48 & 511]);
        }
        const ft_status status = tokenizer_open_json(&t, text, sizeof text - 1, "hostile.json");
        CHECK(status == FT_OK || status == FT_ERR_INPUT);
        if (status == FT_OK) {
            CHECK_STATUS(
                tokenizer_encode_document(t, &list, "Ab \xc3\xa9[C]abab!\n\n b", 17, 70, NULL),
                FT_OK);
            CHECK_STATUS(tokenizer_decode(t, &decoded, list.ids, list.n), FT_OK);
            opened++;
        }
        token_list_clear(&list);
        buffer_clear(&decoded);
        tokenizer_close(&t);
    }
    CHECK(opened > 100 && mem_live_bytes() == 0);
}

#define VOCAB "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n"

/** A file of a folder: NULL leaves it out. */
struct folder_case {
    const char *name, *vocab, *config, *map, *added, *message;
};

static const struct folder_case FOLDERS[] = {
    {"empty", "", NULL, NULL, NULL, "vocab.txt: no tokens"},
    {"empty lines", "\n \n\xe3\x80\x80\r\n", NULL, NULL, NULL, "vocab.txt: no tokens"},
    {"no UTF-8", VOCAB "ab\xc3(\n", NULL, NULL, NULL,
     "vocab.txt: line 8: not valid UTF-8 at its byte 2"},
    {"without [UNK]", "[CLS]\n[SEP]\n", NULL, NULL, NULL,
     "unk_token \"[UNK]\" is not in vocab.txt"},
    {"without [CLS]", "[UNK]\n[SEP]\n", NULL, NULL, NULL,
     "cls_token \"[CLS]\" is not in vocab.txt"},
    {"without a named token", VOCAB, "{\"mask_token\": \"<mask>\"}", NULL, NULL,
     "mask_token \"<mask>\" is not in vocab.txt"},
    {"without a named token of the map", VOCAB, "{}", "{\"sep_token\": \"</s>\"}", NULL,
     "sep_token \"</s>\" is not in vocab.txt"},
    {"class of another family", VOCAB, "{\"tokenizer_class\": \"BertweetTokenizer\"}", NULL, NULL,
     "tokenizer_class is \"BertweetTokenizer\", whose vocab.txt is not read; save it anew"},
    {"class as a number", VOCAB, "{\"tokenizer_class\": 5}", NULL, NULL, "tokenizer_class"},
    {"do_lower_case as text", VOCAB, "{\"do_lower_case\": \"no\"}", NULL, NULL, "do_lower_case"},
    {"strip_accents as text", VOCAB, "{\"strip_accents\": \"no\"}", NULL, NULL, "strip_accents"},
    {"tokenize_chinese_chars as a number", VOCAB, "{\"tokenize_chinese_chars\": 0}", NULL, NULL,
     "tokenize_chinese_chars"},
    {"flag of a special token", VOCAB,
     "{\"mask_token\": {\"content\": \"[MASK]\", \"lstrip\": true}}", NULL, NULL,
     "mask_token has lstrip = true beside a vocab.txt"},
    {"flag of a special token of the map", VOCAB, NULL,
     "{\"cls_token\": {\"content\": \"[CLS]\", \"normalized\": true}}", NULL,
     "special_tokens_map.json: cls_token has normalized = true"},
    {"special tokens beyond", VOCAB, "{\"additional_special_tokens\": [\"<x>\"]}", NULL, NULL,
     "tokenizer_config.json: additional_special_tokens"},
    {"added tokens as a list", VOCAB, "{\"added_tokens_decoder\": []}", NULL, NULL,
     "added_tokens_decoder"},
    {"added token without a role", VOCAB,
     "{\"added_tokens_decoder\": {\"7\": {\"content\": \"<x>\"}}}", NULL, NULL,
     "added_tokens_decoder has \"<x>\""},
    {"added token without content", VOCAB, "{\"added_tokens_decoder\": {\"7\": 5}}", NULL, NULL,
     "added_tokens_decoder has no content"},
    {"flag of an added token", VOCAB,
     "{\"cls_token\": \"[CLS]\", \"added_tokens_decoder\": {\"2\": {\"content\": \"[CLS]\", "
     "\"single_word\": true}}}",
     NULL, NULL, "a token of added_tokens_decoder has single_word = true"},
    {"added_tokens.json", VOCAB, NULL, NULL, "{}", "added_tokens.json beside a vocab.txt"},
    {"map as a list", VOCAB, NULL, "[]", NULL, "special_tokens_map.json: no JSON object"},
    {"map cut", VOCAB, NULL, "{\"cls_token\"", NULL, "special_tokens_map.json"},
    {"role of the map as a number", VOCAB, NULL, "{\"cls_token\": 5}", NULL, "cls_token"},
    {"nothing", NULL, "{}", "{}", NULL, "tokenizer.json does not exist, nor does a vocab.txt"},
};

static void put(const char *folder, const char *name, const char *text)
{
    char path[FILE_PATH_MAX];
    CHECK_STATUS(file_join(path, folder, name), FT_OK);
    (void)unlink(path);
    if (text)
        CHECK_STATUS(file_replace(path, text, strlen(text)), FT_OK);
}

static void test_folders(void)
{
    char folder[64];
    (void)snprintf(folder, sizeof folder, "token-hostile-%ld", (long)getpid());
    CHECK_STATUS(file_make_folders(folder), FT_OK);
    for (size_t i = 0; i < sizeof FOLDERS / sizeof *FOLDERS; i++) {
        const struct folder_case *c = &FOLDERS[i];
        struct tokenizer *t = NULL;
        const int before = check_failures;
        check_hostile("tokenizer folder", c->name);
        put(folder, "vocab.txt", c->vocab);
        put(folder, "tokenizer_config.json", c->config);
        put(folder, "special_tokens_map.json", c->map);
        put(folder, "added_tokens.json", c->added);
        CHECK_FAILS(tokenizer_open(&t, folder), FT_ERR_INPUT, c->message);
        CHECK(!t && strstr(ft_error_text(), folder) != NULL);
        if (check_failures != before)
            (void)fprintf(stderr, "    in case: %s\n", c->name);
        tokenizer_close(&t);
    }
    char path[FILE_PATH_MAX];
    struct tokenizer *t = NULL;
    CHECK_STATUS(file_join(path, folder, "vocab.txt"), FT_OK);
    CHECK_STATUS(file_replace(path, "[UNK]\na\0b\n", 10), FT_OK);
    CHECK_FAILS(tokenizer_open(&t, folder), FT_ERR_INPUT, "vocab.txt: line 2: a zero byte");
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
}

int main(void)
{
    test_right();
    test_json();
    test_long_template();
    test_changed_bytes();
    test_folders();
    return check_end();
}
