/*
 * tokenizer.json of the `tokenizers` package: what all kinds of models share. Each part of the file
 * is held against the forms that are known; a key, type or value beyond them is an error, because
 * ignoring it would give other ids. truncation and padding are ignored: they are left-overs of how
 * somebody used the tokenizer. The parts are read in files of their own, json_*.c.
 */
#include <string.h>

#include "token/json_parts.h"

const char json_part_advice[] = "README.md lists what is read";

ft_status json_part_only_keys(const json_t *object, const char *where, const char *const *keys)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        int i = 0;
        char quote[VOCAB_QUOTE];
        while (keys[i] && strcmp(key, keys[i]) != 0)
            i++;
        if (!keys[i])
            return ft_fail(FT_ERR_INPUT, "%s has the key %s, which is not known; %s", where,
                           vocab_quote(quote, key, strlen(key)), json_part_advice);
    }
    return FT_OK;
}

ft_status json_part_type(const char **type, const json_t *part, const char *where)
{
    *type = NULL;
    if (!part || json_is_null(part))
        return FT_OK;
    if (!json_is_object(part))
        return ft_fail(FT_ERR_INPUT, "%s is no object", where);
    const ft_status status = json_get_text(part, "type", type, NULL);
    return status == FT_OK ? FT_OK : ft_fail_within(status, "%s", where);
}

ft_status json_part_unknown(const char *where, const char *type)
{
    char quote[VOCAB_QUOTE];
    return ft_fail(FT_ERR_INPUT, "%s is of type %s, which is not supported; %s", where,
                   vocab_quote(quote, type, strlen(type)), json_part_advice);
}

bool json_part_is(const char *type, const char *wanted)
{
    return type && strcmp(type, wanted) == 0;
}

ft_status json_part_vocab(struct vocab *vocab, json_t *object)
{
    const char *key;
    json_t *value;
    const size_t n = json_object_size(object);
    if (n == 0 || n > TOKENIZER_VOCAB_MAX)
        return ft_fail(FT_ERR_INPUT, "vocab has %zu tokens, not 1 ... %d", n, TOKENIZER_VOCAB_MAX);
    json_object_foreach(object, key, value)
    {
        char quote[VOCAB_QUOTE];
        if (!json_is_integer(value))
            return ft_fail(FT_ERR_INPUT, "vocab: the id of token %s is no integer",
                           vocab_quote(quote, key, strlen(key)));
        /* Gaps are allowed, but not such that a short file takes much memory. */
        if (json_integer_value(value) > 2 * (json_int_t)n + 65536)
            return ft_fail(FT_ERR_INPUT, "vocab: token %s has id %lld in a vocabulary of %zu",
                           vocab_quote(quote, key, strlen(key)),
                           (long long)json_integer_value(value), n);
        const ft_status status = vocab_add(vocab, json_integer_value(value), key, strlen(key));
        if (status != FT_OK)
            return ft_fail_within(status, "vocab");
    }
    return FT_OK;
}

ft_status json_part_unknown_token(int32_t *id, const struct vocab *vocab, const json_t *model)
{
    const char *text = NULL;
    bool found = false;
    FT_TRY(json_get_text(model, "unk_token", &text, &found));
    if (!found)
        return FT_OK;
    char quote[VOCAB_QUOTE];
    *id = vocab_find(vocab, text, strlen(text));
    return *id >= 0 ? FT_OK
                    : ft_fail(FT_ERR_INPUT, "unk_token %s is not in the vocabulary",
                              vocab_quote(quote, text, strlen(text)));
}

/** Its id: that of the model's token, or the next free one, as `tokenizers` numbers them. */
static ft_status place_added(struct tokenizer *t, int32_t n_model, int64_t id, const char *text)
{
    char quote[VOCAB_QUOTE];
    const size_t bytes = strlen(text);
    const int32_t known = vocab_find(&t->vocab, text, bytes);
    const int32_t next = t->vocab.n > t->n_model ? t->vocab.n : n_model;
    const int32_t expected = known >= 0 ? known : next;
    if (id != expected)
        return ft_fail(FT_ERR_INPUT, "%s has id %lld, where the vocabulary makes it %d",
                       vocab_quote(quote, text, bytes), (long long)id, expected);
    return known >= 0 ? FT_OK : vocab_add(&t->vocab, id, text, bytes);
}

static ft_status read_added(struct tokenizer *t, int32_t n_model, const json_t *token)
{
    static const char *const KEYS[] = {"id",     "content",    "single_word", "lstrip",
                                       "rstrip", "normalized", "special",     NULL};
    static const struct {
        const char *key;
        unsigned flag;
    } FLAGS[] = {{"special", ADDED_SPECIAL},
                 {"lstrip", ADDED_LSTRIP},
                 {"rstrip", ADDED_RSTRIP},
                 {"single_word", ADDED_SINGLE_WORD},
                 {"normalized", ADDED_NORMALIZED}};
    int64_t id = 0;
    const char *text = NULL;
    unsigned flags = 0;
    if (!json_is_object(token))
        return ft_fail(FT_ERR_INPUT, "no object");
    FT_TRY(json_part_only_keys(token, "it", KEYS));
    FT_TRY(json_get_int(token, "id", 0, TOKENIZER_VOCAB_MAX - 1, &id, NULL));
    FT_TRY(json_get_text(token, "content", &text, NULL));
    if (!*text)
        return ft_fail(FT_ERR_INPUT, "content is empty");
    for (size_t i = 0; i < sizeof FLAGS / sizeof *FLAGS; i++) {
        bool set = false;
        FT_TRY(json_get_bool(token, FLAGS[i].key, &set, NULL));
        flags |= set ? FLAGS[i].flag : 0;
    }
    FT_TRY(place_added(t, n_model, id, text));
    for (int32_t i = 0; i < t->added.n; i++) {
        if (t->added.tokens[i].id == id)
            return ft_fail(FT_ERR_INPUT, "id %lld was added before", (long long)id);
    }
    return tokenizer_add_token(t, (int32_t)id, flags);
}

static ft_status read_all_added(struct tokenizer *t, const json_t *root)
{
    enum { ADDED_COUNT_MAX = 16384 };
    json_t *list = NULL, *token;
    bool found = false;
    size_t i;
    const int32_t n_model = t->vocab.count;
    FT_TRY(json_get_array(root, "added_tokens", &list, &found));
    if (json_array_size(list) > ADDED_COUNT_MAX)
        return ft_fail(FT_ERR_INPUT, "added_tokens has %zu entries, at most %d are read",
                       json_array_size(list), ADDED_COUNT_MAX);
    json_array_foreach(list, i, token)
    {
        const ft_status status = read_added(t, n_model, token);
        if (status != FT_OK)
            return ft_fail_within(status, "added_tokens, entry %zu", i);
    }
    return FT_OK;
}

static ft_status read_model(struct tokenizer *t, const json_t *root, const char *text, size_t bytes)
{
    const char *type = "BPE"; /* of a model without a type */
    json_t *model = NULL;
    bool found = false;
    FT_TRY(json_get_object(root, "model", &model, NULL));
    const ft_status status = json_get_text(model, "type", &type, &found);
    if (status != FT_OK)
        return ft_fail_within(status, "model");
    if (strcmp(type, "BPE") == 0)
        return json_part_read_bpe(t, model);
    if (strcmp(type, "WordPiece") == 0)
        return json_part_read_wordpiece(t, model);
    if (strcmp(type, "Unigram") == 0)
        return json_part_read_unigram(t, model, text, bytes);
    return json_part_unknown("model", type);
}

static ft_status read_root(struct tokenizer *t, const json_t *root, const char *text, size_t bytes)
{
    static const char *const KEYS[] = {
        "version",       "truncation",     "padding", "added_tokens", "normalizer",
        "pre_tokenizer", "post_processor", "decoder", "model",        NULL};
    if (!json_is_object(root))
        return ft_fail(FT_ERR_INPUT, "no JSON object; is it a tokenizer.json?");
    FT_TRY(json_part_only_keys(root, "the file", KEYS));
    FT_TRY(json_part_read_normalizer(t, json_object_get(root, "normalizer")));
    FT_TRY(json_part_read_pre_tokenizer(t, json_object_get(root, "pre_tokenizer")));
    FT_TRY(json_part_read_decoder(t, json_object_get(root, "decoder")));
    FT_TRY(read_model(t, root, text, bytes));
    tokenizer_choose_model(t);
    FT_TRY(read_all_added(t, root));
    return json_part_read_template(t, json_object_get(root, "post_processor"));
}

ft_status tokenizer_parse_json(struct tokenizer *t, const char *text, size_t bytes,
                               const char *name)
{
    json_t *root = NULL;
    FT_TRY(json_parse(&root, text, bytes, name));
    const ft_status status = read_root(t, root, text, bytes);
    json_decref(root);
    return status == FT_OK ? FT_OK : ft_fail_within(status, "%s", name);
}
