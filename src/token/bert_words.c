/* WordPiece of the BERT family as one kind of tokenizer: BERT's rules, words, pieces. */
#include <string.h>

#include "token/parts.h"

static ft_status normalise(struct tokenizer *t, const char **text, size_t *bytes)
{
    t->normalised.used = 0;
    FT_TRY(buffer_reserve(&t->normalised, *bytes));
    FT_TRY(bert_normalise(&t->bert, &t->normal, &t->normalised, *text, *bytes));
    *text = t->normalised.data;
    *bytes = t->normalised.used;
    return FT_OK;
}

static ft_status encode(struct tokenizer *t, struct token_list *out, const char *text, size_t bytes)
{
    size_t at = 0, end = 0;
    while ((end = bert_next_word(text, bytes, &at)) > at) {
        FT_TRY(wordpiece_encode(&t->wordpiece, out, text + at, end - at));
        at = end;
    }
    return FT_OK;
}

/** Replaces `from` by the shorter `to` in what stands behind start, from left to right. */
static void replace(struct buffer *out, size_t start, const char *from, const char *to)
{
    const size_t from_bytes = strlen(from), to_bytes = strlen(to);
    size_t put = start, at = start;
    while (at < out->used) {
        if (out->used - at >= from_bytes && memcmp(out->data + at, from, from_bytes) == 0) {
            memcpy(out->data + put, to, to_bytes);
            put += to_bytes;
            at += from_bytes;
        } else {
            out->data[put++] = out->data[at++];
        }
    }
    out->used = put;
}

/** As `tokenizers` cleans up each token: its rules in its order. */
static void clean_up(struct buffer *out, size_t start)
{
    static const char *const RULES[][2] = {{" .", "."},     {" ?", "?"},           {" !", "!"},
                                           {" ,", ","},     {" ' ", "'"},          {" n't", "n't"},
                                           {" 'm", "'m"},   {" do not", " don't"}, {" 's", "'s"},
                                           {" 've", "'ve"}, {" 're", "'re"}};
    for (size_t i = 0; i < sizeof RULES / sizeof *RULES; i++)
        replace(out, start, RULES[i][0], RULES[i][1]);
}

static ft_status decode(const struct tokenizer *t, struct buffer *out, const char *text,
                        size_t bytes, bool first)
{
    const char *prefix = t->wordpiece.prefix;
    const size_t skip = strlen(prefix), start = out->used;
    const bool inside = !first && bytes >= skip && memcmp(text, prefix, skip) == 0;
    if (!first && !inside)
        FT_TRY(buffer_append(out, " ", 1));
    FT_TRY(buffer_append(out, inside ? text + skip : text, inside ? bytes - skip : bytes));
    if (t->cleanup)
        clean_up(out, start);
    return FT_OK;
}

static void hash(const struct tokenizer *t, struct hash_state *state)
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
    const struct bert *b = &t->bert;
    const char *prefix = t->wordpiece.prefix;
    FT_TRY(buffer_print(out,
                        "  \"normalizer\": {\"type\": \"BertNormalizer\", \"clean_text\": %s, "
                        "\"handle_chinese_chars\": %s, \"strip_accents\": %s, \"lowercase\": "
                        "%s},\n  \"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"},\n"
                        "  \"decoder\": {\"type\": \"WordPiece\", \"prefix\": ",
                        tokenizer_truth(b->clean), tokenizer_truth(b->spaced),
                        tokenizer_truth(b->strip), tokenizer_truth(b->lower)));
    FT_TRY(tokenizer_put_string(out, prefix, strlen(prefix)));
    FT_TRY(buffer_print(out,
                        ", \"cleanup\": %s},\n  \"model\": {\"type\": \"WordPiece\", "
                        "\"unk_token\": ",
                        tokenizer_truth(t->cleanup)));
    FT_TRY(tokenizer_put_token(out, t, t->wordpiece.unknown));
    FT_TRY(buffer_print(out, ", \"continuing_subword_prefix\": "));
    FT_TRY(tokenizer_put_string(out, prefix, strlen(prefix)));
    FT_TRY(buffer_print(out, ", \"max_input_chars_per_word\": %lld,\n    \"vocab\": ",
                        (long long)t->wordpiece.chars_max));
    FT_TRY(tokenizer_put_vocab(out, t));
    return buffer_print(out, "\n  }");
}

static const char *describe(const struct tokenizer *t)
{
    if (t->bert.lower)
        return t->bert.strip ? "WordPiece, lower-case" : "WordPiece, lower-case with accents";
    return t->bert.strip ? "WordPiece, cased without accents" : "WordPiece, cased";
}

const struct tokenizer_model tokenizer_wordpiece = {.normalise = normalise,
                                                    .encode = encode,
                                                    .decode = decode,
                                                    .hash = hash,
                                                    .finish = finish,
                                                    .share = share,
                                                    .write = write_members,
                                                    .describe = describe};
