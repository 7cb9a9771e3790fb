/*
 * Text to ids, in the order of `tokenizers`:
 *
 *     text -> added tokens of the raw text -> NFC -> added tokens of normalised text -> words ->
 * merges
 *
 * Each stretch between added tokens is normalised and split by itself.
 */
#include "token/tokenizer.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "token/parts.h"

ft_status token_list_append(struct token_list *list, const int32_t *ids, int64_t n)
{
    if (n > list->capacity - list->n) {
        const int64_t capacity = (list->n + n) + (list->n + n) / 2 + 256;
        int32_t *larger = mem_resize(list->ids, (size_t)capacity, sizeof *larger);
        if (!larger)
            return FT_ERR_INTERNAL;
        list->ids = larger;
        list->capacity = capacity;
    }
    int32_t *to = list->ids + list->n;
    for (int64_t i = 0; i < n; i++)
        to[i] = ids[i];
    list->n += n;
    return FT_OK;
}

void token_list_clear(struct token_list *list)
{
    mem_free(list->ids);
    *list = (struct token_list){0};
}

typedef ft_status (*reader)(struct tokenizer *t, const char *path);

static ft_status open_with(struct tokenizer **out, reader read, const char *path)
{
    *out = NULL;
    struct tokenizer *t = NULL;
    FT_TRY(FT_ALLOC(t, 1));
    t->eos = -1;
    ft_status status = read(t, path);
    if (status == FT_OK)
        status = tokenizer_finish(t);
    if (status != FT_OK)
        tokenizer_close(&t);
    *out = t;
    return status;
}

ft_status tokenizer_open(struct tokenizer **out, const char *model_path)
{
    return open_with(out, file_is_folder(model_path) ? tokenizer_read_folder : tokenizer_read_gguf,
                     model_path);
}

ft_status tokenizer_open_json(struct tokenizer **out, const char *text, size_t bytes,
                              const char *name)
{
    *out = NULL;
    struct tokenizer *t = NULL;
    FT_TRY(FT_ALLOC(t, 1));
    t->eos = -1;
    ft_status status = tokenizer_parse_json(t, text, bytes, name);
    if (status == FT_OK)
        status = tokenizer_finish(t);
    if (status != FT_OK)
        tokenizer_close(&t);
    *out = t;
    return status;
}

void tokenizer_close(struct tokenizer **t)
{
    struct tokenizer *old = *t;
    if (!old)
        return;
    split_close(&old->split);
    added_clear(&old->added);
    bpe_clear(&old->bpe);
    vocab_clear(&old->vocab);
    mem_free(old->json);
    mem_free(old->eos_text);
    mem_free(old->bos_text);
    mem_free(old->pad_text);
    mem_free(old->chat_template);
    normal_clear(&old->normal);
    buffer_clear(&old->normalised);
    FT_FREE(*t);
}

ft_status tokenizer_add_token(struct tokenizer *t, int32_t id, unsigned flags)
{
    size_t bytes = 0;
    const char *text = vocab_text(&t->vocab, id, &bytes);
    const struct added_token token = {id, flags};
    if (!(flags & ADDED_NORMALIZED && t->nfc))
        return added_add(&t->added, token, text, bytes);
    t->normalised.used = 0;
    FT_TRY(normal_nfc(&t->normal, &t->normalised, text, bytes));
    return added_add(&t->added, token, t->normalised.data, t->normalised.used);
}

static void hash_number(struct hash_state *state, int64_t value)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)value >> 8 * i);
    hash_update(state, bytes, sizeof bytes);
}

static ft_status take_hash(struct tokenizer *t)
{
    static const char FORM[] = "byte-level BPE 1";
    struct hash_state *state = hash_open();
    if (!state)
        return FT_ERR_INTERNAL;
    hash_update(state, FORM, sizeof FORM);
    hash_update(state, split_name(t->kind), strlen(split_name(t->kind)) + 1);
    const int64_t scalars[] = {t->nfc,     t->bpe.ignore_merges, t->bpe.unknown, t->eos,
                               t->vocab.n, t->bpe.n_model,       t->bpe.n_pairs, t->added.n};
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++)
        hash_number(state, scalars[i]);
    for (int32_t id = 0; id < t->vocab.n; id++) {
        size_t bytes = 0;
        const char *text = vocab_text(&t->vocab, id, &bytes);
        hash_update(state, text ? text : "", bytes + 1);
    }
    for (int32_t i = 0; i < t->bpe.n_pairs; i++) {
        hash_number(state, t->bpe.pairs[i].left);
        hash_number(state, t->bpe.pairs[i].right);
    }
    for (int32_t i = 0; i < t->added.n; i++) {
        hash_number(state, t->added.tokens[i].id);
        hash_number(state, t->added.tokens[i].flags & ~(unsigned)ADDED_SPECIAL);
    }
    t->hash = hash_close(state);
    return FT_OK;
}

ft_status tokenizer_finish(struct tokenizer *t)
{
    FT_TRY(take_hash(t));
    return split_open(&t->split, t->kind);
}

static ft_status encode_words(struct tokenizer *t, struct token_list *out, const char *text,
                              size_t bytes)
{
    for (size_t at = 0, end = 0; at < bytes; at = end) {
        FT_TRY(split_next(t->split, &end, text, bytes, at));
        FT_TRY(bpe_encode(&t->bpe, out, text + at, end - at));
    }
    return FT_OK;
}

static ft_status encode_normalised(struct tokenizer *t, struct token_list *out, const char *text,
                                   size_t bytes)
{
    struct added_match match = {0};
    size_t at = 0;
    while (added_find(&t->added, &match, text, bytes, true, match.after, at)) {
        if (match.start > at)
            FT_TRY(encode_words(t, out, text + at, match.start - at));
        FT_TRY(token_list_append(out, &match.id, 1));
        at = match.end;
    }
    return at < bytes ? encode_words(t, out, text + at, bytes - at) : FT_OK;
}

/** Whether text may not be in form C: everything below U+0300 is. */
static bool may_need_nfc(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if ((unsigned char)text[i] >= 0xcc)
            return true;
    }
    return false;
}

/** A stretch of raw text without added tokens of raw text. */
static ft_status encode_stretch(struct tokenizer *t, struct token_list *out, const char *text,
                                size_t bytes)
{
    if (!t->nfc || !may_need_nfc(text, bytes))
        return encode_normalised(t, out, text, bytes);
    t->normalised.used = 0;
    FT_TRY(normal_nfc(&t->normal, &t->normalised, text, bytes));
    return encode_normalised(t, out, t->normalised.data, t->normalised.used);
}

static ft_status encode_text(struct tokenizer *t, struct token_list *out, const char *text,
                             size_t bytes)
{
    struct added_match match = {0};
    size_t at = 0;
    while (added_find(&t->added, &match, text, bytes, false, match.after, at)) {
        if (match.start > at)
            FT_TRY(encode_stretch(t, out, text + at, match.start - at));
        FT_TRY(token_list_append(out, &match.id, 1));
        at = match.end;
    }
    return at < bytes ? encode_stretch(t, out, text + at, bytes - at) : FT_OK;
}

ft_status tokenizer_encode(struct tokenizer *t, struct token_list *out, const char *text,
                           size_t bytes)
{
    size_t bad_at = 0;
    if (!utf8_check(text, bytes, &bad_at))
        return ft_fail(FT_ERR_INPUT, "the text is not valid UTF-8 at its byte %zu", bad_at);
    const int64_t n = out->n;
    const ft_status status = encode_text(t, out, text, bytes);
    if (status != FT_OK)
        out->n = n;
    return status;
}

ft_status tokenizer_decode(const struct tokenizer *t, struct buffer *out, const int32_t *ids,
                           int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        size_t bytes = 0;
        if (ids[i] < 0)
            return ft_fail(FT_ERR_INPUT, "token id %d at position %lld is negative", ids[i],
                           (long long)i);
        const char *text = vocab_text(&t->vocab, ids[i], &bytes);
        if (text)
            FT_TRY(vocab_to_bytes(out, text, bytes));
    }
    return FT_OK;
}

int tokenizer_vocab_size(const struct tokenizer *t)
{
    return t->vocab.n;
}

int32_t tokenizer_eos(const struct tokenizer *t)
{
    return t->eos;
}

struct hash_value tokenizer_hash(const struct tokenizer *t)
{
    return t->hash;
}

const char *tokenizer_kind(const struct tokenizer *t)
{
    static const char *const KINDS[SPLIT_KINDS] = {
        [SPLIT_GPT2] = "byte-level BPE, gpt-2 split",
        [SPLIT_LLAMA3] = "byte-level BPE, llama-bpe split",
        [SPLIT_QWEN2] = "byte-level BPE, qwen2 split",
        [SPLIT_SMOLLM] = "byte-level BPE, smollm split",
    };
    return KINDS[t->kind];
}
