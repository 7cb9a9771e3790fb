/* Text: the check of UTF-8 against one that is plain, then normalisers and splitters. */
#include <utf8proc.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "token/normalizer.h"
#include "token/pretokenizer.h"

/* Offset of the first byte that is wrong; bytes where there is none. RFC 3629's table. */
static size_t plain_check(const uint8_t *p, size_t bytes)
{
    for (size_t i = 0; i < bytes;) {
        const uint8_t c = p[i];
        const size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : 4;
        uint8_t low = 0x80, high = 0xbf;
        if ((c >= 0x80 && c < 0xc2) || c > 0xf4 || n > bytes - i)
            return i;
        if (c == 0xe0)
            low = 0xa0;
        if (c == 0xed)
            high = 0x9f;
        if (c == 0xf0)
            low = 0x90;
        if (c == 0xf4)
            high = 0x8f;
        for (size_t k = 1; k < n; k++, low = 0x80, high = 0xbf)
            if (p[i + k] < low || p[i + k] > high)
                return i;
        i += n;
    }
    return bytes;
}

static bool is_valid(const char *text, size_t bytes)
{
    size_t bad = 0, at = 0;
    const bool valid = utf8_check(text, bytes, &bad);
    const size_t expected = plain_check((const uint8_t *)text, bytes);
    FUZZ_CHECK(valid == (expected == bytes) && (valid || bad == expected));
    while (valid && at < bytes) {
        int n, m;
        char again[4];
        const uint32_t code = utf8_decode(text + at, &n);
        FUZZ_CHECK(code <= 0x10ffff && (code < 0xd800 || code > 0xdfff));
        m = utf8_encode(again, code);
        FUZZ_CHECK(m == n && memcmp(again, text + at, (size_t)n) == 0);
        at += (size_t)n;
    }
    return valid;
}

static void append_form(struct buffer *out, enum normal_form form, const char *text, size_t bytes)
{
    struct normal normal = {0};
    FUZZ_CHECK(normal_append(&normal, out, form, text, bytes) == FT_OK);
    normal_clear(&normal);
}

static bool is_same(const struct buffer *a, const struct buffer *b)
{
    return a->used == b->used && (a->used == 0 || memcmp(a->data, b->data, a->used) == 0);
}

/* A form of a form is itself; C of D is C, KC of KD is KC. */
static void check_forms(const char *text, size_t bytes)
{
    struct buffer forms[4] = {{0}};
    for (enum normal_form form = NORMAL_D; form <= NORMAL_KC; form++) {
        struct buffer again = {0};
        append_form(&forms[form], form, text, bytes);
        FUZZ_CHECK(utf8_check(forms[form].data, forms[form].used, NULL));
        append_form(&again, form, forms[form].data, forms[form].used);
        FUZZ_CHECK(is_same(&again, &forms[form]));
        again.used = 0;
        if (form % 2 == NORMAL_C) {
            append_form(&again, form, forms[form - 1].data, forms[form - 1].used);
            FUZZ_CHECK(is_same(&again, &forms[form]));
        }
        buffer_clear(&again);
    }
    for (int i = 0; i < 4; i++)
        buffer_clear(&forms[i]);
}

static void fill_normalizer(struct normalizer_step *step)
{
    step->left = step->right = true;
    step->text = mem_copy_text("\xe2\x96\x81");
    if (step->kind == NORMALIZER_REPLACE)
        FUZZ_CHECK(pattern_open_regex(&step->pattern, "[a-c\\s]+|\\p{P}{2}") == FT_OK);
    step->bert = (struct bert){.clean = true, .spaced = true, .strip = true, .lower = true};
    bert_prepare(&step->bert);
}

/* Each step by itself: valid text gives valid text. */
static void normalise(const char *text, size_t bytes)
{
    for (enum normalizer_kind kind = 0; kind < NORMALIZER_KINDS; kind++) {
        struct normalizer normalizer = {0};
        struct normalizer_step *step;
        struct pattern_scratch pattern = {0};
        struct normalizer_scratch scratch = {.pattern = &pattern};
        const char *out = text;
        size_t n = bytes;
        bool begins = true;
        if (kind == NORMALIZER_PRECOMPILED)
            continue;
        FUZZ_CHECK(normalizer_add(&normalizer, &step, kind) == FT_OK);
        fill_normalizer(step);
        pattern_begin(&pattern, bytes);
        if (fuzz_ok(normalizer_run(&normalizer, &scratch, &out, &n, &begins)))
            FUZZ_CHECK(utf8_check(out, n, NULL));
        normalizer_scratch_clear(&scratch);
        pattern_scratch_clear(&pattern);
        normalizer_clear(&normalizer);
    }
}

static void fill_splitter(struct pretokenizer_step *step, unsigned choice)
{
    memcpy(step->replacement, "\xe2\x96\x81", 4);
    step->prepend = (enum prepend_scheme)(choice % PREPEND_SCHEMES);
    step->splits = step->use_regex = choice % 2;
    step->each_digit = step->invert = choice / 2 % 2;
    step->behavior = (enum split_behavior)(choice % SPLIT_BEHAVIORS);
    if (step->kind == PRETOKENIZER_SPLIT)
        FUZZ_CHECK(pattern_open_regex(&step->pattern, "\\s+|[0-9]{1,3}(?!x)") == FT_OK);
}

/* Pieces follow each other within the text and begin and end at characters. */
static void check_pieces(const struct piece_list *pieces, const char *text)
{
    size_t end = 0;
    for (int64_t i = 0; i < pieces->n; i++) {
        const struct piece p = pieces->items[i];
        FUZZ_CHECK(p.start >= end && p.end > p.start);
        FUZZ_CHECK(utf8_check(text + p.start, p.end - p.start, NULL));
        end = p.end;
    }
}

static struct split *gpt2; /* of all inputs */

static void split(const char *text, size_t bytes, unsigned choice)
{
    for (enum pretokenizer_kind kind = 0; kind < PRETOKENIZER_KINDS; kind++) {
        struct pretokenizer pretokenizer = {0};
        struct pretokenizer_step *step;
        struct pattern_scratch pattern = {0};
        struct pretokenizer_scratch scratch = {.pattern = &pattern, .split = gpt2};
        const char *out = text;
        FUZZ_CHECK(pretokenizer_add(&pretokenizer, &step, kind) == FT_OK);
        fill_splitter(step, choice);
        pattern_begin(&pattern, bytes);
        if (fuzz_ok(pretokenizer_run(&pretokenizer, &scratch, &out, bytes, true)))
            check_pieces(&scratch.pieces, out);
        pretokenizer_scratch_clear(&scratch);
        pattern_scratch_clear(&pattern);
        pretokenizer_clear(&pretokenizer);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    if (!gpt2)
        FUZZ_CHECK(split_open(&gpt2, SPLIT_GPT2) == FT_OK);
    fuzz_begin();
    if (is_valid(text, size)) {
        check_forms(text, size);
        normalise(text, size);
        split(text, size, size > 0 ? data[0] : 0);
    }
    fuzz_end(1024 * size + (256 << 10));
    return 0;
}
