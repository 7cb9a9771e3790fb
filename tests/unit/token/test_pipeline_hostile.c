/* token/: hostile parts of a tokenizer.json beyond byte-level BPE and WordPiece, and hostile
 * SentencePiece vocabularies in a GGUF file: no two with the same defect, each with its message. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"
#include "support/gguf_build.h"
#include "base/file.h"
#include "base/mem.h"
#include "support/check.h"
#include "token/tokenizer.h"

#if defined(__SANITIZE_ADDRESS__)
#define SLOW_SECONDS 120.0
#else
#define SLOW_SECONDS 15.0
#endif

/* A map without sequences: one unit. */
#define MAP "BAAAAAAAAABhYmMA"

/* A small file that is right. Each case replaces one part of it. */
static const char RIGHT[] =
    "{\"version\": \"1.0\", \"truncation\": null, \"padding\": null,\n"
    "\"added_tokens\": [{\"id\": 0, \"content\": \"<unk>\", \"single_word\": false, \"lstrip\": "
    "false, \"rstrip\": false, \"normalized\": false, \"special\": true}],\n"
    "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFKC\"}, {\"type\": "
    "\"Strip\", \"strip_left\": false, \"strip_right\": true}, {\"type\": \"Replace\", "
    "\"pattern\": "
    "{\"Regex\": \" {2,}\"}, \"content\": \" \"}, {\"type\": \"Prepend\", \"prepend\": \"x\"}]},\n"
    "\"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"_\", \"prepend_scheme\": "
    "\"always\", \"split\": true},\n"
    "\"post_processor\": null,\n"
    "\"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Replace\", \"pattern\": "
    "{\"String\": \"_\"}, \"content\": \" \"}, {\"type\": \"ByteFallback\"}, {\"type\": \"Fuse\"}, "
    "{\"type\": \"Strip\", \"content\": \" \", \"start\": 1, \"stop\": 0}]},\n"
    "\"model\": {\"type\": \"Unigram\", \"unk_id\": 0, \"byte_fallback\": false, \"vocab\": "
    "[[\"<unk>\", 0], [\"_\", -2.5], [\"a\", -3], [\"b\", -3], [\"_a\", -4.5e0], [\"ab\", -4]]}}\n";

struct json_case {
    const char *name, *from, *to, *message;
};

#define NFKC "{\"type\": \"NFKC\"}"
#define REGEX "{\"Regex\": \" {2,}\"}"
#define PATTERN(regex) REGEX, "{\"Regex\": \"" regex "\"}"
#define METASPACE                                                                                  \
    "{\"type\": \"Metaspace\", \"replacement\": \"_\", \"prepend_scheme\": \"always\", "           \
    "\"split\": "                                                                                  \
    "true}"
#define VOCAB                                                                                      \
    "[[\"<unk>\", 0], [\"_\", -2.5], [\"a\", -3], [\"b\", -3], [\"_a\", -4.5e0], [\"ab\", -4]]"
#define CHARSMAP(text) "{\"type\": \"Precompiled\", \"precompiled_charsmap\": " text "}"

static const struct json_case CASES[] = {
    {"normalizers as text", "[" NFKC, "\"NFKC\", \"more\": [" NFKC,
     "normalizer has the key \"more\""},
    {"setting of a form", NFKC, "{\"type\": \"NFKC\", \"strip\": true}",
     "step 1, NFKC: it has the key"},
    {"step without a type", NFKC, "{}", "normalizer, step 1,: key \"type\""},
    {"step of another kind", NFKC, "{\"type\": \"ByteLevel\"}", "step 1, is of type \"ByteLevel\""},
    {"step null", NFKC, "null", "normalizer, step 1, is no object"},
    {"strip without an end", "\"strip_left\": false, ", "", "step 2, Strip: key \"strip_left\""},
    {"strip as a number", "\"strip_right\": true", "\"strip_right\": 1", "strip_right"},
    {"replace without content", ", \"content\": \" \"}, {\"type\": \"Prepend\"",
     "}, {\"type\": \"Prepend\"", "step 3, Replace: key \"content\""},
    {"prepend as a number", "\"prepend\": \"x\"", "\"prepend\": 7",
     "step 4, Prepend: key \"prepend\""},
    {"map null", NFKC, CHARSMAP("null"), "precompiled_charsmap"},
    {"map empty", NFKC, CHARSMAP("\"\""), "no base64 text: it has 0 characters"},
    {"map of a bad length", NFKC, CHARSMAP("\"AAAAA\""), "no base64 text: it has 5 characters"},
    {"map of other characters", NFKC, CHARSMAP("\"AAAA!AAA\""),
     "no base64 text, at its character 4"},
    {"padding within", NFKC, CHARSMAP("\"AA==AAAA\""), "no base64 text, at its character 2"},
    {"map of padding", NFKC, CHARSMAP("\"A===\""), "no base64 text"},
    {"map of three bytes", NFKC, CHARSMAP("\"AAAA\""), "an array of 0 bytes in 3 bytes"},
    {"array beyond the end", NFKC, CHARSMAP("\"/////wAAAAA=\""), "an array of 4294967295 bytes"},
    {"array of odd bytes", NFKC, CHARSMAP("\"BgAAAAAAAAAAAAAAAAAA\""), "an array of 6 bytes"},
    {"no texts", NFKC, CHARSMAP("\"BAAAAAAAAAA=\""), "its texts are not UTF-8"},
    {"texts without an end", NFKC, CHARSMAP("\"BAAAAAAAAABY\""), "its texts are not UTF-8"},
    {"texts that are no UTF-8", NFKC, CHARSMAP("\"BAAAAAAAAAD/AA==\""), "its texts are not UTF-8"},
    {"group without an end", PATTERN("(a|b"), "has a group without an end at its byte 4"},
    {"parenthesis too many", PATTERN("a)"), "closes nothing"},
    {"class without an end", PATTERN("[a-z"), "a class without an end"},
    {"class within a class", PATTERN("[a[b]]"), "a class within a class"},
    {"classes intersected", PATTERN("[a-z&&b]"), "a class within a class"},
    {"range backwards", PATTERN("[z-a]"), "is not read: range out of order"},
    {"border of words", PATTERN("\\\\bx"), "an escape that is not known"},
    {"hexadecimal digit", PATTERN("\\\\h+"), "an escape that is not known"},
    {"escape at the end", PATTERN("a\\\\"), "an escape that is not known"},
    {"script", PATTERN("\\\\p{Han}+"), "a property that is no general category"},
    {"property without an end", PATTERN("\\\\p{L"), "a property that is no general category"},
    {"reference back", PATTERN("(a)\\\\1"), "an escape that is not known"},
    {"atomic group", PATTERN("(?>a+)b"), "a group of another kind"},
    {"recursion", PATTERN("(?R)"), "a group of another kind"},
    {"code", PATTERN("(?{x})"), "a group of another kind"},
    {"start of a line", PATTERN("^a"), "a character with a meaning of its own"},
    {"repeat of nothing", PATTERN("*a"), "is not read"},
    {"repeat of a repeat", PATTERN("a{2}{3}"), "a repeat of a repeat"},
    {"repeat that is possessive here alone", PATTERN("a{2}+"), "a repeat of another kind"},
    {"repeat without a start", PATTERN("a{,2}"), "a repeat of another kind"},
    {"repeat beyond all", PATTERN("a{99999999}"), "is not read"},
    {"look behind without an end", PATTERN("(?<=a+)b"), "is not read"},
    {"letters that fold", PATTERN("(?i:strasse)"), "letters without case that fold"},
    {"letters beyond ASCII that fold", PATTERN("(?i:\xc3\xa9)"), "beyond ASCII without case"},
    {"empty match", PATTERN("a|"), "matches the empty text"},
    {"empty look ahead", PATTERN("(?=a)"), "matches the empty text"},
    {"replacement of two characters", "\"replacement\": \"_\"", "\"replacement\": \"__\"",
     "pre_tokenizer Metaspace: replacement is \"__\", not one character"},
    {"empty replacement", "\"replacement\": \"_\"", "\"replacement\": \"\"", "not one character"},
    {"scheme that is not known", "\"always\"", "\"sometimes\"", "prepend_scheme is \"sometimes\""},
    {"scheme as a flag", "\"always\"", "true", "prepend_scheme"},
    {"contradiction", "\"always\"", "\"first\", \"add_prefix_space\": false",
     "add_prefix_space is false, but prepend_scheme is \"first\""},
    {"split as text", "\"split\": true", "\"split\": \"yes\"", "split"},
    {"setting of Metaspace", "\"split\": true", "\"cut\": true", "it has the key \"cut\""},
    {"Sequence of another part", METASPACE, "{\"type\": \"Sequence\", \"normalizers\": []}",
     "pre_tokenizer has the key \"normalizers\""},
    {"decoder of bytes and more", "{\"type\": \"ByteFallback\"}",
     "{\"type\": \"ByteLevel\"}, "
     "{\"type\": \"ByteFallback\"}",
     "decoder, step 3, ByteFallback: a step behind ByteLevel"},
    {"bytes twice", "{\"type\": \"ByteFallback\"}",
     "{\"type\": \"ByteFallback\"}, "
     "{\"type\": \"ByteFallback\"}",
     "ByteFallback twice"},
    {"a step behind Fuse", "{\"type\": \"Fuse\"}", "{\"type\": \"Fuse\"}, {\"type\": \"Fuse\"}",
     "a step behind Fuse"},
    {"strip at the end of all", "\"stop\": 0", "\"stop\": 1", "a step behind Fuse"},
    {"strip of two characters", "\"content\": \" \", \"start\"", "\"content\": \"  \", \"start\"",
     "not one character"},
    {"strip of less than none", "\"start\": 1", "\"start\": -1", "start"},
    {"strip of 2^63", "\"start\": 1", "\"start\": 9223372036854775807", "start"},
    {"regex in a decoder", "{\"String\": \"_\"}", "{\"Regex\": \"_\"}", "pattern is a Regex"},
    {"no decoders",
     "[{\"type\": \"Replace\", \"pattern\": {\"String\": \"_\"}, \"content\": \" \"}, {\"type\": "
     "\"ByteFallback\"}, {\"type\": \"Fuse\"}, {\"type\": \"Strip\", \"content\": \" \", "
     "\"start\": 1, \"stop\": 0}]",
     "[]", "decoder is missing"},
    {"setting of the model", "\"unk_id\"", "\"merges\": [], \"unk_id\"",
     "model: it has the key \"merges\""},
    {"no unknown token", "\"unk_id\": 0", "\"unk_id\": null", "model: key \"unk_id\""},
    {"unknown token outside", "\"unk_id\": 0", "\"unk_id\": 6", "unk_id"},
    {"unknown token below", "\"unk_id\": 0", "\"unk_id\": -1", "unk_id"},
    {"byte_fallback as a number", "\"byte_fallback\": false", "\"byte_fallback\": 0",
     "byte_fallback"},
    {"vocabulary as an object", VOCAB, "{\"a\": 1}", "model: key \"vocab\""},
    {"no tokens", VOCAB, "[]", "vocab has 0 tokens"},
    {"token as text", "[\"a\", -3]", "\"a\"", "vocab: entry 2 is not [\"text\", number]"},
    {"token without a score", "[\"a\", -3]", "[\"a\"]", "vocab: entry 2"},
    {"score as text", "[\"a\", -3]", "[\"a\", \"-3\"]", "vocab: entry 2"},
    {"score null", "[\"a\", -3]", "[\"a\", null]", "vocab: entry 2"},
    {"the wrong way round", "[\"a\", -3]", "[-3, \"a\"]", "vocab: entry 2"},
    {"three entries", "[\"a\", -3]", "[\"a\", -3, 0]", "vocab: entry 2"},
    {"score NaN", "[\"a\", -3]", "[\"a\", NaN]", "hostile.json"},
    {"score out of range", "[\"a\", -3]", "[\"a\", -1e300]",
     "the token with id 2 has the score -1e+300"},
    {"score beyond f64", "[\"a\", -3]", "[\"a\", -1e999]", "hostile.json"},
    {"empty token", "[\"a\", -3]", "[\"\", -3]", "has no text"},
    {"token twice", "[\"a\", -3]", "[\"b\", -3]", "is there twice"},
    {"token that is no UTF-8", "[\"a\", -3]", "[\"\xe4\xbd\", -3]", "hostile.json"},
};

/** RIGHT with the first `from` replaced. */
static void build(struct buffer *out, const char *from, const char *to)
{
    out->used = 0;
    const char *at = strstr(RIGHT, from);
    CHECK(at != NULL);
    if (!at)
        return;
    const char *rest = at + strlen(from);
    CHECK_STATUS(buffer_append(out, RIGHT, (size_t)(at - RIGHT)), FT_OK);
    CHECK_STATUS(buffer_append(out, to, strlen(to)), FT_OK);
    CHECK_STATUS(buffer_append(out, rest, strlen(rest)), FT_OK);
}

static double cpu_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void test_right(void)
{
    static const int32_t ids[] = {1, 0, 5, 4, 0}; /* _, x, ab, _a, b\u0301 */
    struct tokenizer *t = NULL;
    struct token_list list = {0};
    CHECK_STATUS(tokenizer_open_json(&t, RIGHT, sizeof RIGHT - 1, "right.json"), FT_OK);
    if (!t)
        return;
    CHECK_STATUS(tokenizer_encode(t, &list, "ab  a\xc2\xbd \n", 9), FT_OK);
    CHECK(list.n == 5 && memcmp(list.ids, ids, sizeof ids) == 0);
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
        build(&text, CASES[i].from, CASES[i].to);
        CHECK_FAILS(tokenizer_open_json(&t, text.data, text.used, "hostile.json"), FT_ERR_INPUT,
                    CASES[i].message);
        CHECK(!t && strstr(ft_error_text(), "hostile.json") != NULL);
        if (check_failures != before)
            (void)fprintf(stderr, "    in case: %s\n", CASES[i].name);
        tokenizer_close(&t);
    }
    buffer_clear(&text);
}

/* More steps than any tokenizer has, a step within steps without end, a token that would make time
 * quadratic. */
static void test_sizes(void)
{
    static const struct {
        const char *from, *before, *item, *after, *message;
        int n;
    } cases[] = {
        {NFKC, "{\"type\": \"NFKC\"}", ", {\"type\": \"NFKC\"}", "", "more than 32 steps", 40},
        {METASPACE, "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Whitespace\"}",
         ", {\"type\": \"Whitespace\"}", "]}", "more than 32 steps", 40},
        {"{\"type\": \"ByteFallback\"}", "{\"type\": \"Fuse\"}",
         ", {\"type\": \"Strip\", \"content\": \" \", \"start\": 1, \"stop\": 0}", "",
         "more than 16 steps", 20},
        {NFKC, "", "{\"type\": \"Sequence\", \"normalizers\": [", "", "hostile.json", 100},
        {"[\"a\", -3]", "[\"", "a", "\", -3]", "has 1025 bytes, at most 1024", 1025},
        {" {2,}", "", "a", "", "has 4097 bytes, not 1 ... 4096", 4097},
        {" {2,}", "", "(", "", "groups too deep", 40},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer part = {0}, text = {0};
        struct tokenizer *t = NULL;
        check_hostile("tokenizer.json", cases[i].message);
        CHECK_STATUS(buffer_print(&part, "%s", cases[i].before), FT_OK);
        for (int k = 0; k < cases[i].n; k++)
            CHECK_STATUS(buffer_print(&part, "%s", cases[i].item), FT_OK);
        CHECK_STATUS(buffer_print(&part, "%s", cases[i].after), FT_OK);
        build(&text, cases[i].from, part.data);
        CHECK_FAILS(tokenizer_open_json(&t, text.data, text.used, "hostile.json"), FT_ERR_INPUT,
                    cases[i].message);
        tokenizer_close(&t);
        buffer_clear(&part);
        buffer_clear(&text);
    }
}

static void put_base64(char *out, const unsigned char *data, size_t n)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i + 2 < n; i += 3) {
        const unsigned three = (unsigned)data[i] << 16 | (unsigned)data[i + 1] << 8 | data[i + 2];
        for (int k = 0; k < 4; k++)
            *out++ = DIGITS[three >> (18 - 6 * k) & 63];
    }
    *out = 0;
}

/* A double array that leads anywhere must not be followed there: whatever its units, no crash. */
static void test_charsmap(void)
{
    enum { UNITS = 512, BYTES = 4 + 4 * UNITS + 6 }; /* divisible by three */
    static char base64[BYTES / 3 * 4 + 1], part[sizeof base64 + 128];
    static unsigned char data[BYTES];
    for (uint64_t i = 0; i < 500; i++) {
        struct buffer text = {0};
        struct token_list list = {0};
        struct tokenizer *t = NULL;
        const uint32_t bytes = 4 * UNITS;
        memcpy(data, &bytes, 4);
        memcpy(data + 4 + bytes,
               "ab\xc3\xa9"
               "c",
               6);
        for (uint32_t k = 0; k < UNITS; k++) { /* labels that fit, so that walks go far */
            const uint64_t r = rng_u64(3, k, i);
            const uint32_t offset = (uint32_t)(r >> 40) % (i % 2 ? 1024 : 1u << 21);
            const uint32_t unit = offset << 10 | (uint32_t)(r & 3) << 8 |
                                  (r & 4 ? "ab \xc3"[r >> 3 & 3] & 255 : k & 255);
            memcpy(data + 4 + 4 * k, &unit, 4);
        }
        put_base64(base64, data, BYTES);
        (void)snprintf(part, sizeof part, CHARSMAP("\"%s\""), base64);
        build(&text, NFKC, part);
        CHECK_STATUS(tokenizer_open_json(&t, text.data, text.used, "hostile.json"), FT_OK);
        if (t)
            CHECK_STATUS(tokenizer_encode(t, &list, "ab \r\n\xc3\xa9 a\xcc\x81 bcd", 15), FT_OK);
        token_list_clear(&list);
        buffer_clear(&text);
        tokenizer_close(&t);
    }
}

/* Patterns that are read, and texts that they take too long for: done, or an error, within a time
 * that grows with the text. */
static void test_slow_patterns(void)
{
    static const struct {
        const char *regex, *tail;
    } cases[] = {{"(a+)+b", "a"},    {"(a|aa)+[bc]", ""}, {"a+b", ""},
                 {"a(?=a*b)|b", ""}, {"(a*)*b", "c"},     {"(.*)(.*)(.*)(.*)b", ""}};
    enum { BYTES = 1 << 20 };
    int refused = 0;
    char *text = malloc(BYTES);
    for (size_t i = 0; text && i < sizeof cases / sizeof *cases; i++) {
        struct buffer json = {0};
        char part[128];
        struct tokenizer *t = NULL;
        struct token_list list = {0};
        (void)snprintf(part, sizeof part, "{\"Regex\": \"%s\"}", cases[i].regex);
        build(&json, REGEX, part);
        memset(text, 'a', BYTES);
        CHECK_STATUS(tokenizer_open_json(&t, json.data, json.used, "slow.json"), FT_OK);
        if (!t)
            continue;
        const double start = cpu_seconds();
        const ft_status status = tokenizer_encode(t, &list, text, BYTES);
        CHECK(status == FT_OK || (status == FT_ERR_INPUT && list.n == 0 &&
                                  strstr(ft_error_text(), "takes too many steps")));
        refused += status == FT_ERR_INPUT;
        const double seconds = cpu_seconds() - start;
        if (seconds > SLOW_SECONDS) {
            (void)fprintf(stderr, "%s: %.1f s\n", cases[i].regex, seconds);
            check_failures++;
        }
        token_list_clear(&list);
        tokenizer_close(&t);
        buffer_clear(&json);
    }
    CHECK(refused >= 3);
    free(text);
}

/* Whatever byte changes: a tokenizer that works, or an error; no crash and no leak. */
static void test_changed_bytes(void)
{
    char text[sizeof RIGHT];
    int opened = 0;
    for (uint64_t i = 0; i < 20000; i++) {
        struct tokenizer *t = NULL;
        struct token_list list = {0};
        struct buffer decoded = {0};
        memcpy(text, RIGHT, sizeof text);
        for (uint64_t k = 0; k <= i % 3; k++) {
            const uint64_t r = rng_u64(17, k, i);
            text[r % (sizeof text - 1)] =
                (char)(r >> 40 & 1 ? (char)(r >> 32) : RIGHT[r >> 48 & 511]);
        }
        const ft_status status = tokenizer_open_json(&t, text, sizeof text - 1, "hostile.json");
        CHECK(status == FT_OK || status == FT_ERR_INPUT);
        if (status == FT_OK) {
            const ft_status encoded =
                tokenizer_encode(t, &list, "ab a\xc2\xbd  <unk>\xcc\x81_ab \n", 20);
            CHECK(encoded == FT_OK || encoded == FT_ERR_INPUT);
            CHECK_STATUS(tokenizer_decode(t, &decoded, list.ids, list.n), FT_OK);
            opened++;
        }
        token_list_clear(&list);
        buffer_clear(&decoded);
        tokenizer_close(&t);
    }
    CHECK(opened > 100 && mem_live_bytes() == 0);
}

/* Every allocation of opening, encoding, decoding and sharing fails once: an error each time,
 * never a leak. */
static void test_memory(void)
{
    int64_t all = 1, failures = 0;
    struct buffer text = {0};
    build(&text, NFKC, CHARSMAP("\"" MAP "\""));
    const int64_t before = mem_live_bytes();
    for (int64_t nth = 0; nth < all; nth++) { /* 0: none fails, and all are counted */
        const int64_t count = mem_alloc_count();
        struct tokenizer *t = NULL, *other = NULL;
        struct token_list list = {0};
        struct buffer out = {0};
        mem_fail_nth(nth, 0);
        ft_status status = tokenizer_open_json(&t, text.data, text.used, "memory.json");
        if (status == FT_OK)
            status = tokenizer_share(&other, t);
        if (status == FT_OK)
            status = tokenizer_encode(other, &list, "ab  a ", 6);
        if (status == FT_OK)
            status = tokenizer_decode(t, &out, list.ids, list.n);
        mem_fail_nth(0, 0);
        all = nth == 0 ? mem_alloc_count() - count : all;
        failures += status != FT_OK;
        CHECK(status == FT_OK || status == FT_ERR_INTERNAL);
        token_list_clear(&list);
        buffer_clear(&out);
        tokenizer_close(&other);
        tokenizer_close(&t);
        CHECK(mem_live_bytes() == before);
    }
    CHECK(all > 40 && failures > all / 2);
    buffer_clear(&text);
}

/* A GGUF vocabulary with one defect: -1 or NULL leaves a key out. */
struct gguf_case {
    const char *name;
    const char *token; /* in place of "ab" */
    int type;          /* of token 5 */
    int n_types, n_scores, score_type, unknown, eos;
    float score; /* of token 5 */
    int prefix_type;
    const char *message;
};

static const struct gguf_case GGUF_CASES[] = {
    {"right", "ab", 1, 7, 7, 6, 0, 2, -1, 7, NULL},
    {"no scores", "ab", 1, 7, -1, 6, 0, 2, -1, 7, "tokenizer.ggml.scores"},
    {"too few scores", "ab", 1, 7, 6, 6, 0, 2, -1, 7, "6 entries for 7 tokens"},
    {"scores of another type", "ab", 1, 7, 7, 5, 0, 2, -1, 7, "an array of f32"},
    {"score NaN", "ab", 1, 7, 7, 6, 0, 2, __builtin_nanf(""), 7, "element 5 is"},
    {"score infinite", "ab", 1, 7, 7, 6, 0, 2, __builtin_inff(), 7, "element 5 is inf"},
    {"no types", "ab", 1, -1, 7, 6, 0, 2, -1, 7, "tokenizer.ggml.token_type"},
    {"too few types", "ab", 1, 5, 7, 6, 0, 2, -1, 7, "5 entries for 7 tokens"},
    {"type 7", "ab", 7, 7, 7, 6, 0, 2, -1, 7, "token 5 has type 7"},
    {"type 0", "ab", 0, 7, 7, 6, 0, 2, -1, 7, "token 5 has type 0"},
    {"unknown token outside", "ab", 1, 7, 7, 6, 7, 2, -1, 7,
     "unknown_token_id is 7, outside the 7"},
    {"eos outside", "ab", 1, 7, 7, 6, 0, 900, -1, 7, "eos_token_id is 900"},
    {"token twice", "a", 1, 7, 7, 6, 0, 2, -1, 7, "is there twice"},
    {"empty token", "", 1, 7, 7, 6, 0, 2, -1, 7, "has no text"},
    {"token that is no UTF-8", "\xe2\x96", 1, 7, 7, 6, 0, 2, -1, 7, "not valid UTF-8"},
    {"prefix as a number", "ab", 1, 7, 7, 6, 0, 2, -1, 4, "add_space_prefix"},
};

static void build_gguf(struct buffer *b, const struct gguf_case *c)
{
    const char *tokens[] = {"<unk>", "<s>", "</s>", "a", "b", c->token, "\xe2\x96\x81"};
    const int types[] = {2, 3, 3, 1, 1, c->type, 1};
    build_start(b, 3, 0, 5u + (c->n_types >= 0) + (c->n_scores >= 0));
    build_text(b, "tokenizer.ggml.model", "llama");
    build_key(b, "tokenizer.ggml.tokens", 9);
    build_put(b, 8, 4);
    build_put(b, 7, 8);
    for (int i = 0; i < 7; i++)
        build_string(b, tokens[i]);
    if (c->n_types >= 0) {
        build_key(b, "tokenizer.ggml.token_type", 9);
        build_put(b, 5, 4);
        build_put(b, (uint64_t)c->n_types, 8);
        for (int i = 0; i < c->n_types; i++)
            build_put(b, (uint64_t)types[i], 4);
    }
    if (c->n_scores >= 0) {
        build_key(b, "tokenizer.ggml.scores", 9);
        build_put(b, (uint64_t)c->score_type, 4);
        build_put(b, (uint64_t)c->n_scores, 8);
        for (int i = 0; i < c->n_scores; i++)
            build_put_f32(b, i == 5 ? c->score : 0);
    }
    build_u32(b, "tokenizer.ggml.unknown_token_id", (uint32_t)c->unknown);
    build_u32(b, "tokenizer.ggml.eos_token_id", (uint32_t)c->eos);
    build_key(b, "tokenizer.ggml.add_space_prefix", (unsigned)c->prefix_type);
    build_put(b, 0, c->prefix_type == 7 ? 1 : 4);
    build_align(b, 32);
}

static void test_gguf(void)
{
    static const int32_t ids[] = {5, 6, 3, 0}; /* c is unknown: no tokens of bytes */
    char path[64];
    (void)snprintf(path, sizeof path, "pipeline-hostile-%ld.gguf", (long)getpid());
    for (size_t i = 0; i < sizeof GGUF_CASES / sizeof *GGUF_CASES; i++) {
        const struct gguf_case *c = &GGUF_CASES[i];
        struct tokenizer *t = NULL;
        struct buffer b = {0};
        struct token_list list = {0};
        const int before = check_failures;
        build_gguf(&b, c);
        CHECK_STATUS(file_replace(path, b.data, b.used), FT_OK);
        if (c->message) {
            check_hostile("GGUF", c->name);
            CHECK_FAILS(tokenizer_open(&t, path), FT_ERR_INPUT, c->message);
            CHECK(!t && strstr(ft_error_text(), path) != NULL);
        } else {
            CHECK_STATUS(tokenizer_open(&t, path), FT_OK);
            CHECK_STATUS(tokenizer_encode(t, &list, "ab acc", 6), FT_OK);
            CHECK(list.n == 4 && memcmp(list.ids, ids, sizeof ids) == 0);
        }
        if (check_failures != before)
            (void)fprintf(stderr, "    in case: %s\n", c->name);
        token_list_clear(&list);
        tokenizer_close(&t);
        buffer_clear(&b);
    }
    CHECK(unlink(path) == 0);
}

/* Folders with the files of other libraries alone: what to do is said. */
static void test_folders(void)
{
    static const char *const files[] = {"tokenizer.model", "spiece.model",
                                        "sentencepiece.bpe.model", "vocab.json", "tekken.json"};
    char folder[64], path[FILE_PATH_MAX];
    (void)snprintf(folder, sizeof folder, "pipeline-hostile-%ld", (long)getpid());
    CHECK_STATUS(file_make_folders(folder), FT_OK);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct tokenizer *t = NULL;
        CHECK_STATUS(file_join(path, folder, files[i]), FT_OK);
        CHECK_STATUS(file_replace(path, "\n\x0f", 2), FT_OK);
        check_hostile("tokenizer folder", files[i]);
        CHECK_FAILS(tokenizer_open(&t, folder), FT_ERR_INPUT, "save_pretrained(FOLDER)");
        CHECK(strstr(ft_error_text(), files[i]) != NULL);
        CHECK(unlink(path) == 0);
    }
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
}

int main(void)
{
    test_right();
    test_json();
    test_sizes();
    test_charsmap();
    test_slow_patterns();
    test_changed_bytes();
    test_memory();
    test_gguf();
    test_folders();
    return check_end();
}
