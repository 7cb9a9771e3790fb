/*
 * Pieces are ranges of one text. A step reads a list of them and writes another; the two steps
 * that change the text (Metaspace, ByteLevel with a prefix) write it anew as well. Pieces follow
 * each other in the text.
 *
 * All but Metaspace and ByteLevel are one idea: a rule finds matches, and a behaviour says what
 * becomes of them. A rule for characters gives a class for each, a pattern gives ranges; both end
 * in add_match.
 */
#include "token/pretokenizer.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "token/bert.h"
#include "token/classes.h"
#include "token/write_parts.h"

static const char *const NAMES[PRETOKENIZER_KINDS] = {
    [PRETOKENIZER_METASPACE] = "Metaspace",
    [PRETOKENIZER_SPLIT] = "Split",
    [PRETOKENIZER_BYTE_LEVEL] = "ByteLevel",
    [PRETOKENIZER_DIGITS] = "Digits",
    [PRETOKENIZER_PUNCTUATION] = "Punctuation",
    [PRETOKENIZER_WHITESPACE] = "Whitespace",
    [PRETOKENIZER_WHITESPACE_SPLIT] = "WhitespaceSplit",
    [PRETOKENIZER_BERT] = "BertPreTokenizer",
};
static const char *const BEHAVIORS[SPLIT_BEHAVIORS] = {
    [SPLIT_REMOVED] = "Removed",
    [SPLIT_ISOLATED] = "Isolated",
    [SPLIT_MERGED_WITH_PREVIOUS] = "MergedWithPrevious",
    [SPLIT_MERGED_WITH_NEXT] = "MergedWithNext",
    [SPLIT_CONTIGUOUS] = "Contiguous",
};
static const char *const SCHEMES[PREPEND_SCHEMES] = {
    [PREPEND_ALWAYS] = "always", [PREPEND_FIRST] = "first", [PREPEND_NEVER] = "never"};

static int find_name(const char *const *names, int n, const char *name)
{
    int i = 0;
    while (i < n && strcmp(names[i], name) != 0)
        i++;
    return i;
}

const char *pretokenizer_name(enum pretokenizer_kind kind)
{
    return NAMES[kind];
}

enum pretokenizer_kind pretokenizer_by_name(const char *name)
{
    return (enum pretokenizer_kind)find_name(NAMES, PRETOKENIZER_KINDS, name);
}

enum split_behavior split_behavior_by_name(const char *name)
{
    return (enum split_behavior)find_name(BEHAVIORS, SPLIT_BEHAVIORS, name);
}

enum prepend_scheme prepend_scheme_by_name(const char *name)
{
    return (enum prepend_scheme)find_name(SCHEMES, PREPEND_SCHEMES, name);
}

ft_status pretokenizer_add(struct pretokenizer *p, struct pretokenizer_step **step,
                           enum pretokenizer_kind kind)
{
    if (p->n == PRETOKENIZER_STEPS_MAX)
        return ft_fail(FT_ERR_INPUT, "more than %d steps", PRETOKENIZER_STEPS_MAX);
    struct pretokenizer_step *steps = mem_resize(p->steps, (size_t)p->n + 1, sizeof *steps);
    if (!steps)
        return FT_ERR_INTERNAL;
    p->steps = steps;
    *step = &steps[p->n++];
    **step = (struct pretokenizer_step){.kind = kind};
    return FT_OK;
}

void pretokenizer_clear(struct pretokenizer *p)
{
    for (int i = 0; i < p->n; i++)
        pattern_close(&p->steps[i].pattern);
    mem_free(p->steps);
    *p = (struct pretokenizer){0};
}

void pretokenizer_scratch_clear(struct pretokenizer_scratch *scratch)
{
    mem_free(scratch->pieces.items);
    mem_free(scratch->next.items);
    for (int i = 0; i < 2; i++)
        buffer_clear(&scratch->texts[i]);
    *scratch = (struct pretokenizer_scratch){0};
}

static ft_status add_piece(struct piece_list *list, size_t start, size_t end)
{
    if (start == end)
        return FT_OK;
    if (list->n == list->capacity) {
        const int64_t capacity = 2 * list->capacity + 256;
        struct piece *items = mem_resize(list->items, (size_t)capacity, sizeof *items);
        if (!items)
            return FT_ERR_INTERNAL;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->n++] = (struct piece){start, end};
    return FT_OK;
}

/** The matches of one piece, as they are turned into pieces. */
struct cutter {
    struct piece_list *out;
    enum split_behavior behavior;
    int64_t first; /* piece of out that is this one's first */
    bool invert, last_was_match;
};

/** Joins a range to the last piece, which it follows. */
static void extend(struct cutter *c, size_t end)
{
    c->out->items[c->out->n - 1].end = end;
}

/** Takes the next range: ranges follow each other, matches and what lies between. */
static ft_status add_range(struct cutter *c, size_t start, size_t end, bool matches)
{
    if (start == end)
        return FT_OK;
    const bool is_match = matches != c->invert, was_match = c->last_was_match;
    const bool any = c->out->n > c->first;
    c->last_was_match = is_match;
    switch (c->behavior) {
    case SPLIT_REMOVED:
        return is_match ? FT_OK : add_piece(c->out, start, end);
    case SPLIT_CONTIGUOUS:
        if (!any || is_match != was_match)
            break;
        extend(c, end);
        return FT_OK;
    case SPLIT_MERGED_WITH_PREVIOUS:
        if (!any || !is_match || was_match)
            break;
        extend(c, end);
        return FT_OK;
    case SPLIT_MERGED_WITH_NEXT: /* the last of several matches takes what follows */
        if (!any || is_match || !was_match)
            break;
        extend(c, end);
        return FT_OK;
    default:
        break;
    }
    return add_piece(c->out, start, end);
}

static struct cutter cutter_for(struct piece_list *out, enum split_behavior behavior, bool invert)
{
    return (struct cutter){.out = out, .behavior = behavior, .first = out->n, .invert = invert};
}

typedef ft_status (*step_cut)(const struct pretokenizer_step *step, struct pretokenizer_scratch *s,
                              const char *text, struct piece piece);

static ft_status cut_by_pattern(const struct pretokenizer_step *step,
                                struct pretokenizer_scratch *s, const char *text,
                                struct piece piece)
{
    struct cutter c = cutter_for(&s->next, step->behavior, step->invert);
    const char *own = text + piece.start;
    const size_t bytes = piece.end - piece.start;
    for (size_t at = 0; at < bytes;) {
        bool found = false;
        size_t start = bytes, end = bytes;
        FT_TRY(pattern_find(step->pattern, s->pattern, &found, &start, &end, own, bytes, at));
        FT_TRY(add_range(&c, piece.start + at, piece.start + start, false));
        FT_TRY(add_range(&c, piece.start + start, piece.start + end, true));
        at = end;
    }
    return FT_OK;
}

/** Classes of characters: the rest, a match, a match by itself. */
enum { REST, MATCH, MATCH_ALONE };

/** Cuts by the class of each character; ranges of one class are one match, but for MATCH_ALONE. */
static ft_status cut_by_class(struct cutter *c, int (*class_of)(uint32_t code), const char *text,
                              struct piece piece)
{
    size_t start = piece.start;
    int class = REST;
    for (size_t i = piece.start; i < piece.end;) {
        int taken = 0;
        const int next = class_of(utf8_decode(text + i, &taken));
        if (next != class || next == MATCH_ALONE) {
            FT_TRY(add_range(c, start, i, class != REST));
            start = i;
            class = next;
        }
        i += (size_t)taken;
    }
    return add_range(c, start, piece.end, class != REST);
}

static int digit_alone(uint32_t code)
{
    return class_is_number(code) ? MATCH_ALONE : REST;
}

static int punctuation_alone(uint32_t code)
{
    return class_is_punctuation(code) ? MATCH_ALONE : REST;
}

static int space(uint32_t code)
{
    return utf8_is_space(code) ? MATCH : REST;
}

static ft_status cut_digits(const struct pretokenizer_step *step, struct pretokenizer_scratch *s,
                            const char *text, struct piece piece)
{
    struct cutter c =
        cutter_for(&s->next, step->each_digit ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS, false);
    return cut_by_class(&c, digit_alone, text, piece);
}

static ft_status cut_punctuation(const struct pretokenizer_step *step,
                                 struct pretokenizer_scratch *s, const char *text,
                                 struct piece piece)
{
    struct cutter c = cutter_for(&s->next, step->behavior, false);
    return cut_by_class(&c, punctuation_alone, text, piece);
}

static ft_status cut_spaces(const struct pretokenizer_step *step, struct pretokenizer_scratch *s,
                            const char *text, struct piece piece)
{
    (void)step;
    struct cutter c = cutter_for(&s->next, SPLIT_REMOVED, false);
    return cut_by_class(&c, space, text, piece);
}

/** Words and what lies between them, without white space. */
static ft_status cut_words(const struct pretokenizer_step *step, struct pretokenizer_scratch *s,
                           const char *text, struct piece piece)
{
    enum { SPACE, WORD, OTHER };
    (void)step;
    size_t start = piece.start;
    int class = SPACE;
    for (size_t i = piece.start; i < piece.end;) {
        int taken = 0;
        const uint32_t code = utf8_decode(text + i, &taken);
        const int next = utf8_is_space(code) ? SPACE : class_is_word(code) ? WORD : OTHER;
        if (next != class && class != SPACE)
            FT_TRY(add_piece(&s->next, start, i));
        start = next != class ? i : start;
        class = next;
        i += (size_t)taken;
    }
    return class != SPACE ? add_piece(&s->next, start, piece.end) : FT_OK;
}

static ft_status cut_bert(const struct pretokenizer_step *step, struct pretokenizer_scratch *s,
                          const char *text, struct piece piece)
{
    (void)step;
    size_t at = 0, end = 0;
    const size_t bytes = piece.end - piece.start;
    while ((end = bert_next_word(text + piece.start, bytes, &at)) > at) {
        FT_TRY(add_piece(&s->next, piece.start + at, piece.start + end));
        at = end;
    }
    return FT_OK;
}

static ft_status cut_gpt2(const struct pretokenizer_step *step, struct pretokenizer_scratch *s,
                          const char *text, struct piece piece)
{
    if (!step->use_regex)
        return add_piece(&s->next, piece.start, piece.end);
    const char *own = text + piece.start;
    const size_t bytes = piece.end - piece.start;
    for (size_t at = 0, end = 0; at < bytes; at = end) {
        FT_TRY(split_next(s->split, &end, own, bytes, at));
        FT_TRY(add_piece(&s->next, piece.start + at, piece.start + end));
    }
    return FT_OK;
}

/** Cuts before each replacement. */
static ft_status cut_metaspace(const struct pretokenizer_step *step, struct pretokenizer_scratch *s,
                               const char *text, struct piece piece)
{
    const size_t n = strlen(step->replacement);
    size_t start = piece.start;
    if (!step->splits)
        return add_piece(&s->next, piece.start, piece.end);
    for (size_t i = piece.start + 1; i + n <= piece.end; i++) {
        if (text[i] != step->replacement[0] || memcmp(text + i, step->replacement, n) != 0)
            continue;
        FT_TRY(add_piece(&s->next, start, i));
        start = i;
    }
    return add_piece(&s->next, start, piece.end);
}

/** Appends a piece with each space replaced, and a replacement before it where the scheme says so.
 * */
static ft_status put_metaspace(const struct pretokenizer_step *step, struct buffer *out,
                               const char *text, size_t bytes, bool begins)
{
    const char *replacement = step->replacement;
    const size_t n = strlen(replacement);
    const bool has = text[0] == ' ' || (bytes >= n && memcmp(text, replacement, n) == 0);
    size_t plain = 0;
    if (!has && (step->prepend == PREPEND_ALWAYS || (step->prepend == PREPEND_FIRST && begins)))
        FT_TRY(buffer_append(out, replacement, n));
    for (const char *at; (at = memchr(text + plain, ' ', bytes - plain)) != NULL;) {
        FT_TRY(buffer_append(out, text + plain, (size_t)(at - text) - plain));
        FT_TRY(buffer_append(out, replacement, n));
        plain = (size_t)(at - text) + 1;
        if (plain == bytes)
            return FT_OK;
    }
    return buffer_append(out, text + plain, bytes - plain);
}

/** Writes all pieces anew where the step changes them; *text is then the new text. */
static ft_status rewrite(const struct pretokenizer_step *step, struct pretokenizer_scratch *s,
                         struct buffer *out, const char **text, bool begins)
{
    const bool metaspace = step->kind == PRETOKENIZER_METASPACE;
    if (!metaspace && !(step->kind == PRETOKENIZER_BYTE_LEVEL && step->prefix_space))
        return FT_OK;
    out->used = 0;
    for (int64_t i = 0; i < s->pieces.n; i++) {
        struct piece *piece = &s->pieces.items[i];
        const char *own = *text + piece->start;
        const size_t bytes = piece->end - piece->start, start = out->used;
        if (metaspace) {
            FT_TRY(put_metaspace(step, out, own, bytes, begins && piece->start == 0));
        } else {
            if (own[0] != ' ')
                FT_TRY(buffer_append(out, " ", 1));
            FT_TRY(buffer_append(out, own, bytes));
        }
        *piece = (struct piece){start, out->used};
    }
    *text = out->data;
    return FT_OK;
}

static const step_cut CUTS[PRETOKENIZER_KINDS] = {
    [PRETOKENIZER_METASPACE] = cut_metaspace,     [PRETOKENIZER_SPLIT] = cut_by_pattern,
    [PRETOKENIZER_BYTE_LEVEL] = cut_gpt2,         [PRETOKENIZER_DIGITS] = cut_digits,
    [PRETOKENIZER_PUNCTUATION] = cut_punctuation, [PRETOKENIZER_WHITESPACE] = cut_words,
    [PRETOKENIZER_WHITESPACE_SPLIT] = cut_spaces, [PRETOKENIZER_BERT] = cut_bert,
};

ft_status pretokenizer_run(const struct pretokenizer *pretokenizer, struct pretokenizer_scratch *s,
                           const char **text, size_t bytes, bool begins)
{
    s->pieces.n = 0;
    FT_TRY(add_piece(&s->pieces, 0, bytes));
    for (int i = 0; i < pretokenizer->n; i++) {
        const struct pretokenizer_step *step = &pretokenizer->steps[i];
        s->next.n = 0;
        FT_TRY(rewrite(step, s, &s->texts[i % 2], text, begins));
        pattern_begin(s->pattern, bytes);
        for (int64_t k = 0; k < s->pieces.n; k++)
            FT_TRY(CUTS[step->kind](step, s, *text, s->pieces.items[k]));
        const struct piece_list done = s->pieces;
        s->pieces = s->next;
        s->next = done;
    }
    return FT_OK;
}

static ft_status write_step(const struct pretokenizer_step *step, struct buffer *out)
{
    FT_TRY(buffer_print(out, "{\"type\": \"%s\"", NAMES[step->kind]));
    switch (step->kind) {
    case PRETOKENIZER_METASPACE:
        FT_TRY(buffer_print(out, ", \"replacement\": "));
        FT_TRY(tokenizer_put_string(out, step->replacement, strlen(step->replacement)));
        FT_TRY(buffer_print(out, ", \"prepend_scheme\": \"%s\", \"split\": %s",
                            SCHEMES[step->prepend], tokenizer_truth(step->splits)));
        break;
    case PRETOKENIZER_SPLIT:
        FT_TRY(write_pattern(out, step->pattern));
        FT_TRY(buffer_print(out, ", \"behavior\": \"%s\", \"invert\": %s",
                            BEHAVIORS[step->behavior], tokenizer_truth(step->invert)));
        break;
    case PRETOKENIZER_BYTE_LEVEL:
        FT_TRY(buffer_print(out,
                            ", \"add_prefix_space\": %s, \"trim_offsets\": true, \"use_regex\": %s",
                            tokenizer_truth(step->prefix_space), tokenizer_truth(step->use_regex)));
        break;
    case PRETOKENIZER_DIGITS:
        FT_TRY(buffer_print(out, ", \"individual_digits\": %s", tokenizer_truth(step->each_digit)));
        break;
    case PRETOKENIZER_PUNCTUATION:
        FT_TRY(buffer_print(out, ", \"behavior\": \"%s\"", BEHAVIORS[step->behavior]));
        break;
    default:
        break;
    }
    return buffer_append(out, "}", 1);
}

ft_status pretokenizer_write(const struct pretokenizer *p, struct buffer *out)
{
    if (p->n == 0)
        return buffer_print(out, "null");
    if (p->n == 1)
        return write_step(&p->steps[0], out);
    FT_TRY(buffer_print(out, "{\"type\": \"Sequence\", \"pretokenizers\": ["));
    for (int i = 0; i < p->n; i++) {
        FT_TRY(buffer_print(out, "%s\n    ", i ? "," : ""));
        FT_TRY(write_step(&p->steps[i], out));
    }
    return buffer_print(out, "\n  ]}");
}
