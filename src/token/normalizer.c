/*
 * Each step reads one text and writes another: two buffers take turns, and a step that has nothing
 * to do leaves the text where it is.
 *
 * Metaspace with prepend_scheme "first" must know whether a text still begins where the whole text
 * began. In `tokenizers` a character that is dropped moves the origin of what follows it, but for
 * Precompiled, which drops without a trace.
 */
#include "token/normalizer.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "token/write_parts.h"

static const char *const NAMES[NORMALIZER_KINDS] = {
    [NORMALIZER_NFC] = "NFC",
    [NORMALIZER_NFD] = "NFD",
    [NORMALIZER_NFKC] = "NFKC",
    [NORMALIZER_NFKD] = "NFKD",
    [NORMALIZER_LOWERCASE] = "Lowercase",
    [NORMALIZER_STRIP_ACCENTS] = "StripAccents",
    [NORMALIZER_STRIP] = "Strip",
    [NORMALIZER_REPLACE] = "Replace",
    [NORMALIZER_PREPEND] = "Prepend",
    [NORMALIZER_NMT] = "Nmt",
    [NORMALIZER_PRECOMPILED] = "Precompiled",
    [NORMALIZER_BERT] = "BertNormalizer",
};

const char *normalizer_name(enum normalizer_kind kind)
{
    return NAMES[kind];
}

enum normalizer_kind normalizer_by_name(const char *name)
{
    int kind = 0;
    while (kind < NORMALIZER_KINDS && strcmp(name, NAMES[kind]) != 0)
        kind++;
    return (enum normalizer_kind)kind;
}

ft_status normalizer_add(struct normalizer *normalizer, struct normalizer_step **step,
                         enum normalizer_kind kind)
{
    if (normalizer->n == NORMALIZER_STEPS_MAX)
        return ft_fail(FT_ERR_INPUT, "more than %d steps", NORMALIZER_STEPS_MAX);
    struct normalizer_step *steps =
        mem_resize(normalizer->steps, (size_t)normalizer->n + 1, sizeof *steps);
    if (!steps)
        return FT_ERR_INTERNAL;
    normalizer->steps = steps;
    *step = &steps[normalizer->n++];
    **step = (struct normalizer_step){.kind = kind};
    return FT_OK;
}

void normalizer_clear(struct normalizer *normalizer)
{
    for (int i = 0; i < normalizer->n; i++) {
        struct normalizer_step *step = &normalizer->steps[i];
        mem_free(step->text);
        pattern_close(&step->pattern);
        charsmap_close(&step->charsmap);
    }
    mem_free(normalizer->steps);
    *normalizer = (struct normalizer){0};
}

void normalizer_scratch_clear(struct normalizer_scratch *scratch)
{
    normal_clear(&scratch->normal);
    for (int i = 0; i < 2; i++)
        buffer_clear(&scratch->texts[i]);
    *scratch = (struct normalizer_scratch){0};
}

/** Text between two steps. */
struct passage {
    const char *text;
    size_t bytes;
    bool begins;
};

/** Whether a byte is below all of a text's. */
static bool all_below(const struct passage *p, unsigned char limit)
{
    for (size_t i = 0; i < p->bytes; i++) {
        if ((unsigned char)p->text[i] >= limit)
            return false;
    }
    return true;
}

typedef ft_status (*step_run)(const struct normalizer_step *step, struct normalizer_scratch *s,
                              struct buffer *out, struct passage *p, bool *done);

static ft_status run_form(const struct normalizer_step *step, struct normalizer_scratch *s,
                          struct buffer *out, struct passage *p, bool *done)
{
    static const struct {
        enum normal_form form;
        unsigned char first; /* leading byte from which on characters may change */
    } FORMS[] = {[NORMALIZER_NFC] = {NORMAL_C, 0xcc},
                 [NORMALIZER_NFD] = {NORMAL_D, 0xc3},
                 [NORMALIZER_NFKC] = {NORMAL_KC, 0xc2},
                 [NORMALIZER_NFKD] = {NORMAL_KD, 0xc2}};
    *done = !all_below(p, FORMS[step->kind].first);
    return *done ? normal_append(&s->normal, out, FORMS[step->kind].form, p->text, p->bytes)
                 : FT_OK;
}

/** Appends a code point as text. */
static ft_status put_code(struct buffer *out, uint32_t code)
{
    char text[4];
    return buffer_append(out, text, (size_t)utf8_encode(text, code));
}

static ft_status run_lowercase(const struct normalizer_step *step, struct normalizer_scratch *s,
                               struct buffer *out, struct passage *p, bool *done)
{
    (void)step;
    (void)s;
    *done = true;
    for (size_t i = 0; i < p->bytes;) {
        int taken = 1;
        const char c = p->text[i];
        const uint32_t code = (unsigned char)c < 0x80 ? 0 : utf8_decode(p->text + i, &taken);
        if (code == 0)
            out->data[out->used++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        else if (code == 0x130)
            FT_TRY(buffer_append(out, "i\xcc\x87", 3));
        else
            FT_TRY(put_code(out, bert_to_lower(code)));
        i += (size_t)taken;
        FT_TRY(buffer_reserve(out, p->bytes - i));
    }
    return FT_OK;
}

static ft_status run_strip_accents(const struct normalizer_step *step, struct normalizer_scratch *s,
                                   struct buffer *out, struct passage *p, bool *done)
{
    (void)step;
    (void)s;
    *done = !all_below(p, 0xcc);
    for (size_t i = 0, plain = 0; *done && i < p->bytes;) {
        int taken = 0;
        const uint32_t code = utf8_decode(p->text + i, &taken);
        const bool drops = code >= 0x300 && code_in_ranges(&normal_combining, code);
        p->begins = p->begins && !(drops && i == 0);
        if (drops)
            FT_TRY(buffer_append(out, p->text + plain, i - plain));
        i += (size_t)taken;
        plain = drops ? i : plain;
        if (i == p->bytes)
            FT_TRY(buffer_append(out, p->text + plain, i - plain));
    }
    return FT_OK;
}

static ft_status run_strip(const struct normalizer_step *step, struct normalizer_scratch *s,
                           struct buffer *out, struct passage *p, bool *done)
{
    (void)s;
    (void)out;
    *done = false;
    int taken = 0;
    while (step->left && p->bytes > 0 && utf8_is_space(utf8_decode(p->text, &taken))) {
        p->text += taken;
        p->bytes -= (size_t)taken;
        p->begins = false;
    }
    while (step->right && p->bytes > 0) {
        size_t last = p->bytes - 1;
        while (((unsigned char)p->text[last] & 0xc0) == 0x80)
            last--;
        if (!utf8_is_space(utf8_decode(p->text + last, &taken)))
            break;
        p->bytes = last;
    }
    return FT_OK;
}

static ft_status run_replace(const struct normalizer_step *step, struct normalizer_scratch *s,
                             struct buffer *out, struct passage *p, bool *done)
{
    const size_t by = strlen(step->text);
    size_t at = 0, start = 0, end = 0;
    bool found = false;
    *done = false;
    pattern_begin(s->pattern, p->bytes);
    FT_TRY(pattern_find(step->pattern, s->pattern, &found, &start, &end, p->text, p->bytes, 0));
    while (found) {
        *done = true;
        p->begins = p->begins && !(start == 0 && by == 0);
        FT_TRY(buffer_append(out, p->text + at, start - at));
        FT_TRY(buffer_append(out, step->text, by));
        at = end;
        FT_TRY(
            pattern_find(step->pattern, s->pattern, &found, &start, &end, p->text, p->bytes, at));
    }
    return *done ? buffer_append(out, p->text + at, p->bytes - at) : FT_OK;
}

static ft_status run_prepend(const struct normalizer_step *step, struct normalizer_scratch *s,
                             struct buffer *out, struct passage *p, bool *done)
{
    (void)s;
    *done = p->bytes > 0;
    if (!*done)
        return FT_OK;
    FT_TRY(buffer_append(out, step->text, strlen(step->text)));
    return buffer_append(out, p->text, p->bytes);
}

/** What becomes of a character by the rules of SentencePiece's "nmt": nothing (0), a space,
 * itself. */
static uint32_t nmt_of(uint32_t code)
{
    if ((code >= 1 && code <= 8) || code == 0xb || (code >= 0xe && code <= 0x1f) || code == 0x7f ||
        code == 0x8f || code == 0x9f)
        return 0;
    if (code == 9 || code == 0xa || code == 0xc || code == 0xd || code == 0x1680 ||
        (code >= 0x200b && code <= 0x200f) || code == 0x2028 || code == 0x2029 || code == 0x2581 ||
        code == 0xfeff || code == 0xfffd)
        return ' ';
    return code;
}

static ft_status run_nmt(const struct normalizer_step *step, struct normalizer_scratch *s,
                         struct buffer *out, struct passage *p, bool *done)
{
    (void)step;
    (void)s;
    *done = true;
    for (size_t i = 0; i < p->bytes;) {
        int taken = 0;
        const uint32_t code = utf8_decode(p->text + i, &taken), becomes = nmt_of(code);
        if (becomes != 0 || code == 0)
            FT_TRY(put_code(out, becomes));
        else
            p->begins = p->begins && i > 0;
        i += (size_t)taken;
    }
    return FT_OK;
}

static ft_status run_precompiled(const struct normalizer_step *step, struct normalizer_scratch *s,
                                 struct buffer *out, struct passage *p, bool *done)
{
    (void)s;
    *done = true;
    return charsmap_append(step->charsmap, out, p->text, p->bytes);
}

static ft_status run_bert(const struct normalizer_step *step, struct normalizer_scratch *s,
                          struct buffer *out, struct passage *p, bool *done)
{
    struct buffer first = {0};
    int taken = 0;
    *done = true;
    if (p->begins && p->bytes > 0) { /* whether the first character is dropped */
        (void)utf8_decode(p->text, &taken);
        const ft_status status =
            bert_normalise(&step->bert, &s->normal, &first, p->text, (size_t)taken);
        p->begins = first.used > 0;
        buffer_clear(&first);
        FT_TRY(status);
    }
    return bert_normalise(&step->bert, &s->normal, out, p->text, p->bytes);
}

static const step_run RUNS[NORMALIZER_KINDS] = {
    [NORMALIZER_NFC] = run_form,
    [NORMALIZER_NFD] = run_form,
    [NORMALIZER_NFKC] = run_form,
    [NORMALIZER_NFKD] = run_form,
    [NORMALIZER_LOWERCASE] = run_lowercase,
    [NORMALIZER_STRIP_ACCENTS] = run_strip_accents,
    [NORMALIZER_STRIP] = run_strip,
    [NORMALIZER_REPLACE] = run_replace,
    [NORMALIZER_PREPEND] = run_prepend,
    [NORMALIZER_NMT] = run_nmt,
    [NORMALIZER_PRECOMPILED] = run_precompiled,
    [NORMALIZER_BERT] = run_bert,
};

ft_status normalizer_run(const struct normalizer *normalizer, struct normalizer_scratch *scratch,
                         const char **text, size_t *bytes, bool *begins)
{
    struct passage p = {*text, *bytes, *begins};
    int turn = 0;
    for (int i = 0; i < normalizer->n; i++) {
        const struct normalizer_step *step = &normalizer->steps[i];
        struct buffer *out = &scratch->texts[turn];
        bool done = false;
        out->used = 0;
        FT_TRY(buffer_reserve(out, p.bytes + 1));
        FT_TRY(RUNS[step->kind](step, scratch, out, &p, &done));
        if (!done)
            continue;
        p.text = out->data;
        p.bytes = out->used;
        turn ^= 1;
    }
    *text = p.text;
    *bytes = p.bytes;
    *begins = p.begins;
    return FT_OK;
}

static ft_status write_step(const struct normalizer_step *step, struct buffer *out)
{
    size_t bytes = 0;
    FT_TRY(buffer_print(out, "{\"type\": \"%s\"", NAMES[step->kind]));
    if (step->kind == NORMALIZER_STRIP)
        FT_TRY(buffer_print(out, ", \"strip_left\": %s, \"strip_right\": %s",
                            tokenizer_truth(step->left), tokenizer_truth(step->right)));
    if (step->pattern)
        FT_TRY(write_pattern(out, step->pattern));
    if (step->text) {
        FT_TRY(buffer_print(out, ", \"%s\": ", step->pattern ? "content" : "prepend"));
        FT_TRY(tokenizer_put_string(out, step->text, strlen(step->text)));
    }
    if (step->charsmap) {
        const char *source = charsmap_source(step->charsmap, &bytes);
        FT_TRY(buffer_print(out, ", \"precompiled_charsmap\": "));
        FT_TRY(tokenizer_put_string(out, source, bytes));
    }
    if (step->kind == NORMALIZER_BERT)
        FT_TRY(write_bert_rules(out, &step->bert));
    return buffer_append(out, "}", 1);
}

ft_status normalizer_write(const struct normalizer *normalizer, struct buffer *out)
{
    if (normalizer->n == 0)
        return buffer_print(out, "null");
    if (normalizer->n == 1)
        return write_step(&normalizer->steps[0], out);
    FT_TRY(buffer_print(out, "{\"type\": \"Sequence\", \"normalizers\": ["));
    for (int i = 0; i < normalizer->n; i++) {
        FT_TRY(buffer_print(out, "%s\n    ", i ? "," : ""));
        FT_TRY(write_step(&normalizer->steps[i], out));
    }
    return buffer_print(out, "\n  ]}");
}
