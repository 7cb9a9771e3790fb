/* Any list of normalisers and splitters before any model: what tokenizer.json says, step by step.
 * */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "token/json_parts.h"
#include "token/parts.h"

bool pretokenizer_ends_in_bytes(const struct pretokenizer *p)
{
    return p->n > 0 && p->steps[p->n - 1].kind == PRETOKENIZER_BYTE_LEVEL;
}

static ft_status normalise(struct tokenizer *t, const char **text, size_t *bytes, bool *begins)
{
    t->normalising.pattern = &t->matching;
    return normalizer_run(&t->normalizer, &t->normalising, text, bytes, begins);
}

typedef ft_status (*piece_encoder)(struct tokenizer *t, struct token_list *out, const char *text,
                                   size_t bytes);

static ft_status encode_bpe(struct tokenizer *t, struct token_list *out, const char *text,
                            size_t bytes)
{
    return bpe_encode(&t->bpe, out, text, bytes);
}

static ft_status encode_unigram(struct tokenizer *t, struct token_list *out, const char *text,
                                size_t bytes)
{
    return unigram_encode(&t->unigram, out, text, bytes);
}

static ft_status encode_wordpiece(struct tokenizer *t, struct token_list *out, const char *text,
                                  size_t bytes)
{
    return wordpiece_encode(&t->wordpiece, out, text, bytes);
}

static ft_status encode(struct tokenizer *t, struct token_list *out, const char *text, size_t bytes,
                        bool begins)
{
    static const piece_encoder ENCODERS[] = {[PIECES_BPE] = encode_bpe,
                                             [PIECES_UNIGRAM] = encode_unigram,
                                             [PIECES_WORDPIECE] = encode_wordpiece};
    const piece_encoder encode_piece = ENCODERS[t->pieces];
    if (t->pretokenizer.n == 0)
        return encode_piece(t, out, text, bytes);
    t->splitting.pattern = &t->matching;
    t->splitting.split = t->split;
    FT_TRY(pretokenizer_run(&t->pretokenizer, &t->splitting, &text, bytes, begins));
    for (int64_t i = 0; i < t->splitting.pieces.n; i++) {
        const struct piece piece = t->splitting.pieces.items[i];
        FT_TRY(encode_piece(t, out, text + piece.start, piece.end - piece.start));
    }
    return FT_OK;
}

/** Appends a score in digits that are read as it again: json_part_real rounds twice. */
static ft_status put_score(struct buffer *out, double score)
{
    enum { DIGITS = 17, NEARBY = 32 };
    char text[40];
    for (int digits = DIGITS - 3; digits <= DIGITS; digits++) {
        const int n = snprintf(text, sizeof text, "%.*e", digits - 1, score);
        if (json_part_real(text, (size_t)n) == score)
            return buffer_append(out, text, (size_t)n);
    }
    for (int k = -NEARBY; k <= NEARBY; k++) { /* one of the neighbours is */
        const double near = score + k * fabs(score) * 1e-17 * 4;
        const int n = snprintf(text, sizeof text, "%.*e", DIGITS - 1, near);
        if (json_part_real(text, (size_t)n) == score)
            return buffer_append(out, text, (size_t)n);
    }
    return buffer_print(out, "%.17g", score);
}

static ft_status put_unigram(struct buffer *out, const struct tokenizer *t)
{
    const struct unigram *u = &t->unigram;
    FT_TRY(buffer_print(out,
                        "{\"type\": \"Unigram\", \"unk_id\": %d, \"byte_fallback\": %s,\n"
                        "    \"vocab\": [",
                        u->unknown, tokenizer_truth(u->byte_fallback)));
    for (int32_t id = 0; id < u->n_model; id++) {
        FT_TRY(buffer_print(out, "%s\n      [", id ? "," : ""));
        FT_TRY(tokenizer_put_token(out, t, id));
        FT_TRY(buffer_append(out, ", ", 2));
        FT_TRY(put_score(out, u->scores[id]));
        FT_TRY(buffer_append(out, "]", 1));
    }
    return buffer_print(out, "\n    ]\n  }");
}

static ft_status write_members(const struct tokenizer *t, struct buffer *out)
{
    FT_TRY(buffer_print(out, "  \"normalizer\": "));
    FT_TRY(normalizer_write(&t->normalizer, out));
    FT_TRY(buffer_print(out, ",\n  \"pre_tokenizer\": "));
    FT_TRY(pretokenizer_write(&t->pretokenizer, out));
    FT_TRY(buffer_print(out, ",\n  \"model\": "));
    return t->pieces == PIECES_BPE       ? tokenizer_put_bpe(out, t)
           : t->pieces == PIECES_UNIGRAM ? put_unigram(out, t)
                                         : tokenizer_put_wordpiece(out, t);
}

/** The hash of what would be written, and of what that does not say. */
static ft_status hash(const struct tokenizer *t, struct hash_state *state)
{
    static const char FORM[] = "pipeline 1";
    struct buffer text = {0};
    const ft_status status = write_members(t, &text);
    if (status == FT_OK) {
        hash_update(state, FORM, sizeof FORM);
        hash_update(state, text.data, text.used);
        tokenizer_hash_number(state, t->eos);
        tokenizer_hash_number(state, t->added.n);
        tokenizer_hash_texts(t, state);
    }
    buffer_clear(&text);
    return status;
}

static bool needs_split(const struct pretokenizer *p)
{
    return pretokenizer_ends_in_bytes(p) && p->steps[p->n - 1].use_regex;
}

static ft_status finish(struct tokenizer *t)
{
    return needs_split(&t->pretokenizer) ? split_open(&t->split, SPLIT_GPT2) : FT_OK;
}

static ft_status share(struct tokenizer *copy, const struct tokenizer *t)
{
    if (needs_split(&t->pretokenizer))
        FT_TRY(split_share(&copy->split, t->split));
    return t->pieces == PIECES_BPE       ? bpe_share(&copy->bpe, &t->bpe)
           : t->pieces == PIECES_UNIGRAM ? unigram_share(&copy->unigram, &t->unigram)
                                         : wordpiece_share(&copy->wordpiece, &t->wordpiece);
}

static const char *describe(const struct tokenizer *t)
{
    switch (t->pieces) {
    case PIECES_UNIGRAM:
        return t->unigram.byte_fallback ? "Unigram, byte fallback" : "Unigram";
    case PIECES_WORDPIECE:
        return "WordPiece, own normaliser and splitter";
    default:
        if (!t->bpe.characters)
            return "byte-level BPE, own normaliser and splitter";
        return t->bpe.byte_fallback ? "BPE, byte fallback" : "BPE";
    }
}

const struct tokenizer_model tokenizer_pipeline = {.normalise = normalise,
                                                   .encode = encode,
                                                   .hash = hash,
                                                   .finish = finish,
                                                   .share = share,
                                                   .write = write_members,
                                                   .describe = describe};

/** Kind of splitter that the steps are; SPLIT_KINDS where they are none of the known ones. */
static enum split_kind find_split(const struct pretokenizer *p)
{
    if (!pretokenizer_ends_in_bytes(p) || p->n > 2)
        return SPLIT_KINDS;
    const struct pretokenizer_step *last = &p->steps[p->n - 1], *first = &p->steps[0];
    if (last->prefix_space)
        return SPLIT_KINDS;
    if (p->n == 1)
        return last->use_regex ? SPLIT_GPT2 : SPLIT_KINDS;
    if (first->kind == PRETOKENIZER_DIGITS)
        return first->each_digit && last->use_regex ? SPLIT_SMOLLM : SPLIT_KINDS;
    if (first->kind != PRETOKENIZER_SPLIT || first->behavior != SPLIT_ISOLATED || first->invert ||
        !pattern_is_regex(first->pattern) || last->use_regex)
        return SPLIT_KINDS;
    int kind = 0;
    for (; kind < SPLIT_KINDS; kind++) {
        const char *known = split_json_pattern((enum split_kind)kind);
        if (known && strcmp(known, pattern_source(first->pattern)) == 0)
            break;
    }
    return (enum split_kind)kind;
}

static bool is_byte_level(const struct tokenizer *t)
{
    const struct normalizer *n = &t->normalizer;
    return t->pieces == PIECES_BPE && t->decoder.n == 1 &&
           t->decoder.steps[0].kind == DECODER_BYTE_LEVEL &&
           (n->n == 0 || (n->n == 1 && n->steps[0].kind == NORMALIZER_NFC)) &&
           find_split(&t->pretokenizer) < SPLIT_KINDS;
}

static bool is_bert(const struct tokenizer *t)
{
    const struct normalizer *n = &t->normalizer;
    const struct pretokenizer *p = &t->pretokenizer;
    return t->pieces == PIECES_WORDPIECE && n->n == 1 && n->steps[0].kind == NORMALIZER_BERT &&
           p->n == 1 && p->steps[0].kind == PRETOKENIZER_BERT && t->decoder.n == 1 &&
           t->decoder.steps[0].kind == DECODER_WORDPIECE &&
           strcmp(t->decoder.steps[0].text, t->wordpiece.prefix) == 0;
}

void tokenizer_choose_model(struct tokenizer *t)
{
    t->model = &tokenizer_pipeline;
    if (is_byte_level(t)) {
        t->model = &tokenizer_byte_level;
        t->kind = find_split(&t->pretokenizer);
        t->nfc = t->normalizer.n == 1;
    } else if (is_bert(t)) {
        t->model = &tokenizer_wordpiece;
        t->bert = t->normalizer.steps[0].bert;
    }
}
