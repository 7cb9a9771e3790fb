/* WordPiece in a tokenizer.json: its tokens. */
#include "token/json_parts.h"

static ft_status read_model(struct tokenizer *t, const json_t *model)
{
    static const char *const KEYS[] = {
        "type",  "unk_token", "continuing_subword_prefix", "max_input_chars_per_word",
        "vocab", NULL};
    json_t *vocab = NULL;
    const char *prefix = NULL;
    int32_t unknown = -1;
    int64_t chars_max = 0;
    FT_TRY(json_part_only_keys(model, "it", KEYS));
    FT_TRY(json_get_text(model, "continuing_subword_prefix", &prefix, NULL));
    FT_TRY(
        json_get_int(model, "max_input_chars_per_word", 1, WORDPIECE_CHARS_MAX, &chars_max, NULL));
    FT_TRY(json_get_object(model, "vocab", &vocab, NULL));
    FT_TRY(json_part_vocab(&t->vocab, vocab));
    FT_TRY(json_part_unknown_token(&unknown, &t->vocab, model));
    if (unknown < 0)
        return ft_fail(FT_ERR_INPUT, "unk_token is missing");
    t->n_model = t->vocab.n;
    return wordpiece_begin(&t->wordpiece, &t->vocab, prefix, unknown, chars_max);
}

ft_status json_part_read_wordpiece(struct tokenizer *t, const json_t *model)
{
    t->pieces = PIECES_WORDPIECE;
    const ft_status status = read_model(t, model);
    return status == FT_OK ? FT_OK : ft_fail_within(status, "model");
}
