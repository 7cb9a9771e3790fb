/* The tokenizer inside a GGUF file: the same model without the rules around it, which have a name.
 */
#include <string.h>

#include "base/mem.h"
#include "token/gguf_parts.h"

static const char MODEL[] = "tokenizer.ggml.model", PRE[] = "tokenizer.ggml.pre";

static ft_status find_pre(const struct gguf_pre **out, const struct gguf *g)
{
    const char *name = NULL;
    char quote[VOCAB_QUOTE];
    if (!gguf_has(g, PRE))
        return ft_fail(
            FT_ERR_INPUT,
            "%s: %s is missing, so how text is split is not known; convert the model again",
            gguf_path(g), PRE);
    FT_TRY(gguf_get_text(g, PRE, &name));
    *out = gguf_find_pre(name);
    return *out ? FT_OK
                : ft_fail(FT_ERR_INPUT,
                          "%s: %s is %s, which is not known; use the model's Hugging Face folder",
                          gguf_path(g), PRE, vocab_quote(quote, name, strlen(name)));
}

static ft_status read_tokens(struct tokenizer *t, const struct gguf *g)
{
    struct gguf_texts texts;
    FT_TRY(gguf_get_texts(g, "tokenizer.ggml.tokens", &texts));
    if (texts.n < 1 || texts.n > TOKENIZER_VOCAB_MAX)
        return ft_fail(FT_ERR_INPUT, "%s: tokenizer.ggml.tokens has %lld tokens, not 1 ... %d",
                       gguf_path(g), (long long)texts.n, TOKENIZER_VOCAB_MAX);
    for (int64_t id = 0; id < texts.n; id++) {
        ft_status status = FT_OK;
        if (memchr(texts.items[id], 0, texts.bytes[id]))
            status = ft_fail(FT_ERR_INPUT, "the token with id %lld has a zero byte", (long long)id);
        if (status == FT_OK)
            status = vocab_add(&t->vocab, id, texts.items[id], texts.bytes[id]);
        if (status != FT_OK)
            return ft_fail_within(status, "%s: tokenizer.ggml.tokens", gguf_path(g));
    }
    t->n_model = t->vocab.n;
    return FT_OK;
}

static ft_status read_merges(struct tokenizer *t, const struct gguf *g)
{
    struct gguf_texts texts;
    FT_TRY(gguf_get_texts(g, "tokenizer.ggml.merges", &texts));
    for (int64_t i = 0; i < texts.n; i++) {
        const char *text = texts.items[i], *end = text + texts.bytes[i];
        const char *space = memchr(text, ' ', texts.bytes[i]);
        if (!space || memchr(space + 1, ' ', (size_t)(end - space - 1)))
            return ft_fail(FT_ERR_INPUT,
                           "%s: tokenizer.ggml.merges: entry %lld is not two tokens with a space "
                           "between",
                           gguf_path(g), (long long)i);
        const ft_status status = bpe_add_merge(&t->bpe, text, (size_t)(space - text), space + 1,
                                               (size_t)(end - space - 1));
        if (status != FT_OK)
            return ft_fail_within(status, "%s: tokenizer.ggml.merges", gguf_path(g));
    }
    return FT_OK;
}

ft_status gguf_read_types(const int32_t **types, const struct tokenizer *t, const struct gguf *g)
{
    static const char KEY[] = "tokenizer.ggml.token_type";
    int64_t n = 0;
    FT_TRY(gguf_get_ints(g, KEY, types, &n));
    return n == t->vocab.n ? FT_OK
                           : ft_fail(FT_ERR_INPUT, "%s: %s has %lld entries for %d tokens",
                                     gguf_path(g), KEY, (long long)n, t->vocab.n);
}

/** Control and user-defined tokens are found as wholes; unused ones only fill ids, and bytes stand
 * for characters. */
static ft_status add_by_types(struct tokenizer *t, const struct gguf *g)
{
    const int32_t *types = NULL;
    FT_TRY(gguf_read_types(&types, t, g));
    for (int32_t id = 0; id < t->vocab.n; id++) {
        const int32_t type = types[id];
        ft_status status = FT_OK;
        if (type == GGUF_TOKEN_CONTROL || (type == GGUF_TOKEN_UNKNOWN && t->bpe.characters))
            status = tokenizer_add_token(t, id, ADDED_SPECIAL);
        else if (type == GGUF_TOKEN_USER_DEFINED)
            status = tokenizer_add_token(t, id, 0);
        else if (type != GGUF_TOKEN_NORMAL && type != GGUF_TOKEN_UNUSED &&
                 !(type == GGUF_TOKEN_BYTE && t->bpe.characters))
            status = ft_fail(FT_ERR_INPUT,
                             "token %d has type %d, which is not known for this model", id, type);
        if (status != FT_OK)
            return ft_fail_within(status, "%s: tokenizer.ggml.token_type", gguf_path(g));
    }
    return FT_OK;
}

ft_status gguf_read_token_id(int32_t *id, const struct tokenizer *t, const struct gguf *g,
                             const char *key)
{
    uint64_t value = 0;
    if (!gguf_has(g, key))
        return FT_OK;
    FT_TRY(gguf_get_u64(g, key, &value));
    if (value >= (uint64_t)t->vocab.n)
        return ft_fail(FT_ERR_INPUT, "%s: %s is %llu, outside the %d tokens", gguf_path(g), key,
                       (unsigned long long)value, t->vocab.n);
    *id = (int32_t)value;
    return FT_OK;
}

/** Copies the text of the token whose id a key gives; both stay as they are where the key is
 * missing. */
static ft_status read_role(struct tokenizer *t, const struct gguf *g, const char *key, int32_t *id,
                           char **text)
{
    size_t bytes = 0;
    FT_TRY(gguf_read_token_id(id, t, g, key));
    if (!gguf_has(g, key))
        return FT_OK;
    *text = mem_copy_text(vocab_text(&t->vocab, *id, &bytes));
    return *text ? FT_OK : FT_ERR_INTERNAL;
}

/** BOS or EOS around each text where the file asks for it; `asks`: where it does not say. */
static ft_status read_template(struct token_list *list, const struct gguf *g, const char *key,
                               bool asks, int32_t id, const char *id_key)
{
    const bool says = gguf_has(g, key);
    if (says)
        FT_TRY(gguf_get_bool(g, key, &asks));
    if (says && asks && id < 0)
        return ft_fail(FT_ERR_INPUT, "%s: %s is true, but %s is missing", gguf_path(g), key,
                       id_key);
    return asks && id >= 0 ? token_list_append(list, &id, 1) : FT_OK;
}

static ft_status read_roles(struct tokenizer *t, const struct gguf *g, bool asks_for_bos)
{
    static const char TEMPLATE[] = "tokenizer.chat_template", BOS[] = "tokenizer.ggml.bos_token_id",
                      EOS[] = "tokenizer.ggml.eos_token_id";
    int32_t bos = -1, pad = -1, unknown = -1;
    const char *text = NULL;
    FT_TRY(read_role(t, g, EOS, &t->eos, &t->roles[ROLE_EOS]));
    FT_TRY(read_role(t, g, BOS, &bos, &t->roles[ROLE_BOS]));
    FT_TRY(read_role(t, g, "tokenizer.ggml.padding_token_id", &pad, &t->roles[ROLE_PAD]));
    if (t->bpe.characters)
        FT_TRY(read_role(t, g, "tokenizer.ggml.unknown_token_id", &unknown, &t->roles[ROLE_UNK]));
    FT_TRY(read_template(&t->before, g, "tokenizer.ggml.add_bos_token", asks_for_bos, bos, BOS));
    FT_TRY(read_template(&t->after, g, "tokenizer.ggml.add_eos_token", false, t->eos, EOS));
    if (!gguf_has(g, TEMPLATE))
        return FT_OK;
    FT_TRY(gguf_get_text(g, TEMPLATE, &text));
    t->chat_template = mem_copy_text(text);
    return t->chat_template ? FT_OK : FT_ERR_INTERNAL;
}

static ft_status read_byte_level(struct tokenizer *t, const struct gguf *g)
{
    const struct gguf_pre *pre = NULL;
    FT_TRY(find_pre(&pre, g));
    FT_TRY(gguf_apply_pre(t, pre));
    FT_TRY(read_tokens(t, g));
    FT_TRY(bpe_begin(&t->bpe, &t->vocab));
    t->bpe.ignore_merges = pre->ignore_merges;
    FT_TRY(read_merges(t, g));
    FT_TRY(add_by_types(t, g));
    return read_roles(t, g, pre->bos);
}

static ft_status read_spm(struct tokenizer *t, const struct gguf *g)
{
    FT_TRY(read_tokens(t, g));
    FT_TRY(gguf_read_spm(t, g));
    FT_TRY(add_by_types(t, g));
    return read_roles(t, g, true);
}

static ft_status read_all(struct tokenizer *t, const struct gguf *g)
{
    const char *model = NULL;
    char quote[VOCAB_QUOTE];
    FT_TRY(gguf_get_text(g, MODEL, &model));
    if (strcmp(model, "gpt2") == 0)
        return read_byte_level(t, g);
    if (strcmp(model, "llama") == 0)
        return read_spm(t, g);
    return ft_fail(FT_ERR_INPUT,
                   "%s: %s is %s; gpt2 (byte-level BPE) and llama (SentencePiece pairs) are read",
                   gguf_path(g), MODEL, vocab_quote(quote, model, strlen(model)));
}

ft_status tokenizer_read_gguf(struct tokenizer *t, const char *path)
{
    struct gguf *g = NULL;
    FT_TRY(gguf_open(&g, path));
    const ft_status status = read_all(t, g);
    gguf_close(&g);
    return status;
}
