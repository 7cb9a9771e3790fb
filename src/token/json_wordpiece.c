/* WordPiece in a tokenizer.json: BertNormalizer, BertPreTokenizer, decoder and vocabulary. */
#include <string.h>

#include "token/json_parts.h"

static ft_status read_rules(struct bert *bert, const json_t *part)
{
    static const char *const KEYS[] = {"type",          "clean_text", "handle_chinese_chars",
                                       "strip_accents", "lowercase",  NULL};
    bool found = false;
    FT_TRY(json_part_only_keys(part, "it", KEYS));
    FT_TRY(json_get_bool(part, "clean_text", &bert->clean, NULL));
    FT_TRY(json_get_bool(part, "handle_chinese_chars", &bert->spaced, NULL));
    FT_TRY(json_get_bool(part, "lowercase", &bert->lower, NULL));
    bert->strip = bert->lower; /* where the file does not say */
    return json_get_bool(part, "strip_accents", &bert->strip, &found);
}

static ft_status read_normalizer(struct bert *bert, const json_t *part)
{
    const char *type;
    FT_TRY(json_part_type(&type, part, "normalizer"));
    if (!type)
        return ft_fail(FT_ERR_INPUT, "normalizer is missing; BertNormalizer is needed");
    if (!json_part_is(type, "BertNormalizer"))
        return json_part_unknown("normalizer", type);
    const ft_status status = read_rules(bert, part);
    if (status != FT_OK)
        return ft_fail_within(status, "normalizer BertNormalizer");
    bert_prepare(bert);
    return FT_OK;
}

static ft_status check_pre_tokenizer(const json_t *part)
{
    static const char *const KEYS[] = {"type", NULL};
    const char *type;
    FT_TRY(json_part_type(&type, part, "pre_tokenizer"));
    if (!type)
        return ft_fail(FT_ERR_INPUT, "pre_tokenizer is missing; BertPreTokenizer is needed");
    if (!json_part_is(type, "BertPreTokenizer"))
        return json_part_unknown("pre_tokenizer", type);
    return json_part_only_keys(part, "pre_tokenizer BertPreTokenizer", KEYS);
}

static ft_status read_decoder_parts(bool *cleanup, const json_t *part, const char *prefix)
{
    static const char *const KEYS[] = {"type", "prefix", "cleanup", NULL};
    const char *its_prefix = NULL;
    FT_TRY(json_part_only_keys(part, "it", KEYS));
    FT_TRY(json_get_text(part, "prefix", &its_prefix, NULL));
    FT_TRY(json_get_bool(part, "cleanup", cleanup, NULL));
    char quote[VOCAB_QUOTE], other[VOCAB_QUOTE];
    return strcmp(prefix, its_prefix) == 0
               ? FT_OK
               : ft_fail(FT_ERR_INPUT, "prefix is %s, the model's continuing_subword_prefix is %s",
                         vocab_quote(quote, its_prefix, strlen(its_prefix)),
                         vocab_quote(other, prefix, strlen(prefix)));
}

static ft_status read_decoder(struct tokenizer *t, const json_t *part)
{
    const char *type;
    FT_TRY(json_part_type(&type, part, "decoder"));
    if (!type)
        return ft_fail(FT_ERR_INPUT, "decoder is missing; WordPiece is needed");
    if (!json_part_is(type, "WordPiece"))
        return json_part_unknown("decoder", type);
    const ft_status status = read_decoder_parts(&t->cleanup, part, t->wordpiece.prefix);
    return status == FT_OK ? FT_OK : ft_fail_within(status, "decoder WordPiece");
}

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

ft_status json_part_read_wordpiece(struct tokenizer *t, const json_t *root, const json_t *model)
{
    t->model = &tokenizer_wordpiece;
    FT_TRY(read_normalizer(&t->bert, json_object_get(root, "normalizer")));
    FT_TRY(check_pre_tokenizer(json_object_get(root, "pre_tokenizer")));
    const ft_status status = read_model(t, model);
    if (status != FT_OK)
        return ft_fail_within(status, "model");
    return read_decoder(t, json_object_get(root, "decoder"));
}
