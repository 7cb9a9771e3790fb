/* Unigram in a tokenizer.json: tokens with their scores, in the order of their ids. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "token/json_parts.h"

/** Where the text of a member that is there stands. */
static ft_status find_member(const char **member, size_t *bytes, const char *text, size_t n,
                             const char *key)
{
    bool found;
    size_t from = 0;
    FT_TRY(json_find_raw(&found, &from, bytes, text, n, key));
    *member = text + from;
    return found ? FT_OK : ft_fail(FT_ERR_INPUT, "the key \"%s\" is written with escapes", key);
}

/** Where the text of model.vocab is; the file has been parsed without an error. */
static ft_status find_vocab(const char **vocab, size_t *bytes, const char *text, size_t n)
{
    FT_TRY(find_member(vocab, bytes, text, n, "model"));
    return find_member(vocab, bytes, *vocab, *bytes, "vocab");
}

/** End of the string that starts at text. */
static const char *skip_string(const char *text)
{
    for (text++; *text != '"'; text++)
        text += *text == '\\';
    return text + 1;
}

/** Reads the numbers of [["text", number], ...], which has n entries that have been checked. */
static void read_scores(double *scores, size_t n, const char *text, const char *end)
{
    static const char NUMBER[] = "-+.0123456789eE";
    for (size_t i = 0; i < n; i++) {
        while (*text != '"')
            text++;
        text = skip_string(text);
        while (!strchr("-0123456789", *text))
            text++;
        size_t bytes = 0;
        while (text + bytes < end && strchr(NUMBER, text[bytes]))
            bytes++;
        scores[i] = json_part_real(text, bytes);
        text += bytes;
    }
}

static ft_status add_tokens(struct vocab *vocab, const json_t *list)
{
    size_t i;
    json_t *entry;
    const size_t n = json_array_size(list);
    if (n == 0 || n > TOKENIZER_VOCAB_MAX)
        return ft_fail(FT_ERR_INPUT, "vocab has %zu tokens, not 1 ... %d", n, TOKENIZER_VOCAB_MAX);
    json_array_foreach(list, i, entry)
    {
        const json_t *text = json_array_get(entry, 0), *score = json_array_get(entry, 1);
        if (json_array_size(entry) != 2 || !json_is_string(text) || !json_is_number(score))
            return ft_fail(FT_ERR_INPUT, "vocab: entry %zu is not [\"text\", number]", i);
        const ft_status status =
            vocab_add(vocab, (int64_t)i, json_string_value(text), json_string_length(text));
        if (status != FT_OK)
            return ft_fail_within(status, "vocab");
    }
    return FT_OK;
}

static ft_status check_scores(const double *scores, int32_t n)
{
    static const double SCORE_MAX = 1e30; /* sums of scores stay finite */
    for (int32_t id = 0; id < n; id++) {
        if (!(fabs(scores[id]) <= SCORE_MAX))
            return ft_fail(FT_ERR_INPUT, "vocab: the token with id %d has the score %g", id,
                           scores[id]);
    }
    return FT_OK;
}

static ft_status read_model_parts(struct tokenizer *t, const json_t *model, const char *text,
                                  size_t bytes)
{
    static const char *const KEYS[] = {"type", "unk_id", "vocab", "byte_fallback", NULL};
    json_t *list = NULL;
    int64_t unknown = -1;
    bool byte_fallback = false, found = false;
    double *scores = NULL;
    FT_TRY(json_part_only_keys(model, "it", KEYS));
    FT_TRY(json_get_array(model, "vocab", &list, NULL));
    FT_TRY(json_get_bool(model, "byte_fallback", &byte_fallback, &found));
    FT_TRY(add_tokens(&t->vocab, list));
    t->n_model = t->vocab.n;
    FT_TRY(json_get_int(model, "unk_id", 0, t->vocab.n - 1, &unknown, NULL));
    FT_TRY(find_vocab(&text, &bytes, text, bytes));
    FT_TRY(FT_ALLOC(scores, t->vocab.n));
    read_scores(scores, (size_t)t->vocab.n, text, text + bytes);
    ft_status status = check_scores(scores, t->vocab.n);
    if (status == FT_OK)
        status = unigram_begin(&t->unigram, &t->vocab, scores, (int32_t)unknown, byte_fallback);
    mem_free(scores);
    return status;
}

ft_status json_part_read_unigram(struct tokenizer *t, const json_t *model, const char *text,
                                 size_t bytes)
{
    t->pieces = PIECES_UNIGRAM;
    const ft_status status = read_model_parts(t, model, text, bytes);
    return status == FT_OK ? FT_OK : ft_fail_within(status, "model");
}
