/* WordPiece of the BERT family as one kind of tokenizer: BERT's rules, words, pieces. */
#include <string.h>

#include "token/parts.h"

static ft_status normalise(struct tokenizer *t, const char **text, size_t *bytes, bool *begins)
{
    struct buffer *out = &t->normalising.texts[0];
    (void)begins;
    out->used = 0;
    FT_TRY(buffer_reserve(out, *bytes));
    FT_TRY(bert_normalise(&t->bert, &t->normalising.normal, out, *text, *bytes));
    *text = out->data;
    *bytes = out->used;
    return FT_OK;
}

static ft_status encode(struct tokenizer *t, struct token_list *out, const char *text, size_t bytes,
                        bool begins)
{
    (void)begins;
    size_t at = 0, end = 0;
    while ((end = bert_next_word(text, bytes, &at)) > at) {
        FT_TRY(wordpiece_encode(&t->wordpiece, out, text + at, end - at));
        at = end;
    }
    return FT_OK;
}

static ft_status hash(const struct tokenizer *t, struct hash_state *state)
{
    static const char FORM[] = "WordPiece 1";
    const struct wordpiece *w = &t->wordpiece;
    const int64_t scalars[] = {t->bert.clean, t->bert.spaced, t->bert.strip, t->bert.lower,
                               w->unknown,    w->chars_max,   t->eos,        t->vocab.n,
                               t->n_model,    t->added.n};
    hash_update(state, FORM, sizeof FORM);
    hash_update(state, w->prefix, strlen(w->prefix) + 1);
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++)
        tokenizer_hash_number(state, scalars[i]);
    tokenizer_hash_texts(t, state);
    return FT_OK;
}

static ft_status finish(struct tokenizer *t)
{
    (void)t;
    return FT_OK;
}

static ft_status share(struct tokenizer *copy, const struct tokenizer *t)
{
    return wordpiece_share(&copy->wordpiece, &t->wordpiece);
}

static ft_status write_members(const struct tokenizer *t, struct buffer *out)
{
    FT_TRY(buffer_print(out, "  \"normalizer\": {\"type\": \"BertNormalizer\""));
    FT_TRY(write_bert_rules(out, &t->bert));
    FT_TRY(buffer_print(out, "},\n  \"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"},\n"
                             "  \"model\": "));
    return tokenizer_put_wordpiece(out, t);
}

static const char *describe(const struct tokenizer *t)
{
    if (t->bert.lower)
        return t->bert.strip ? "WordPiece, lower-case" : "WordPiece, lower-case with accents";
    return t->bert.strip ? "WordPiece, cased without accents" : "WordPiece, cased";
}

const struct tokenizer_model tokenizer_wordpiece = {.normalise = normalise,
                                                    .encode = encode,
                                                    .hash = hash,
                                                    .finish = finish,
                                                    .share = share,
                                                    .write = write_members,
                                                    .describe = describe};
