/*
 * Text to ids, in the order of `tokenizers`:
 *
 *     text -> added tokens of raw text -> normal form -> added tokens of normalised text -> words
 *     -> merges or pieces
 *
 * Each stretch between added tokens is normalised and split by itself. What the normal form, the
 * words and their ids are is the model's own: pipeline.c, byte_level.c, bert_words.c.
 */
#include "token/tokenizer.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "token/parts.h"

ft_status token_list_append(struct token_list *list, const int32_t *ids, int64_t n)
{
    if (!list->ids || n > list->capacity - list->n) {
        const int64_t capacity = (list->n + n) + (list->n + n) / 2 + 256;
        int32_t *larger = mem_resize(list->ids, (size_t)capacity, sizeof *larger);
        if (!larger)
            return FT_ERR_INTERNAL;
        list->ids = larger;
        list->capacity = capacity;
    }
    for (int64_t i = 0; i < n; i++)
        list->ids[list->n + i] = ids[i];
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

ft_status tokenizer_share(struct tokenizer **out, const struct tokenizer *t)
{
    FT_TRY(FT_ALLOC(*out, 1));
    struct tokenizer *copy = *out;
    *copy = *t;
    copy->shares = true;
    copy->bpe = (struct bpe){0};
    copy->unigram = (struct unigram){0};
    copy->wordpiece = (struct wordpiece){0};
    copy->split = NULL;
    copy->normalising = (struct normalizer_scratch){0};
    copy->splitting = (struct pretokenizer_scratch){0};
    copy->matching = (struct pattern_scratch){0};
    const ft_status status = t->model->share(copy, t);
    if (status != FT_OK)
        tokenizer_close(out);
    return status;
}

static void clear_tables(struct tokenizer *old)
{
    added_clear(&old->added);
    bpe_clear(&old->bpe);
    unigram_clear(&old->unigram);
    wordpiece_clear(&old->wordpiece);
    normalizer_clear(&old->normalizer);
    pretokenizer_clear(&old->pretokenizer);
    decoder_clear(&old->decoder);
    vocab_clear(&old->vocab);
    token_list_clear(&old->before);
    token_list_clear(&old->after);
    mem_free(old->json);
    for (int role = 0; role < ROLES; role++)
        mem_free(old->roles[role]);
    mem_free(old->chat_template);
}

void tokenizer_close(struct tokenizer **t)
{
    struct tokenizer *old = *t;
    if (!old)
        return;
    if (!old->shares)
        clear_tables(old);
    bpe_clear_scratch(&old->bpe);
    unigram_clear_scratch(&old->unigram);
    wordpiece_clear_scratch(&old->wordpiece);
    split_close(&old->split);
    normalizer_scratch_clear(&old->normalising);
    pretokenizer_scratch_clear(&old->splitting);
    pattern_scratch_clear(&old->matching);
    FT_FREE(*t);
}

ft_status tokenizer_add_token(struct tokenizer *t, int32_t id, unsigned flags)
{
    size_t bytes = 0;
    bool begins = true;
    const char *text = vocab_text(&t->vocab, id, &bytes);
    if (flags & ADDED_NORMALIZED)
        FT_TRY(t->model->normalise(t, &text, &bytes, &begins));
    return added_add(&t->added, (struct added_token){id, flags}, text, bytes);
}

void tokenizer_hash_number(struct hash_state *state, int64_t value)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)value >> 8 * i);
    hash_update(state, bytes, sizeof bytes);
}

/** The template; nothing where there is none. */
static void hash_template(const struct tokenizer *t, struct hash_state *state)
{
    const struct token_list *const lists[] = {&t->before, &t->after};
    if (tokenizer_template_size(t) == 0)
        return;
    for (int k = 0; k < 2; k++) {
        tokenizer_hash_number(state, lists[k]->n);
        for (int64_t i = 0; i < lists[k]->n; i++)
            tokenizer_hash_number(state, lists[k]->ids[i]);
    }
}

void tokenizer_hash_texts(const struct tokenizer *t, struct hash_state *state)
{
    for (int32_t id = 0; id < t->vocab.n; id++) {
        size_t bytes = 0;
        const char *text = vocab_text(&t->vocab, id, &bytes);
        hash_update(state, text ? text : "", bytes + 1);
    }
}

static ft_status take_hash(struct tokenizer *t)
{
    struct hash_state *state = hash_open();
    if (!state)
        return FT_ERR_INTERNAL;
    const ft_status status = t->model->hash(t, state);
    for (int32_t i = 0; i < t->added.n; i++) {
        tokenizer_hash_number(state, t->added.tokens[i].id);
        tokenizer_hash_number(state, t->added.tokens[i].flags & ~(unsigned)ADDED_SPECIAL);
    }
    hash_template(t, state);
    t->hash = hash_close(state);
    return status;
}

ft_status tokenizer_finish(struct tokenizer *t)
{
    FT_TRY(take_hash(t));
    return t->model->finish(t);
}

static ft_status encode_normalised(struct tokenizer *t, struct token_list *out, const char *text,
                                   size_t bytes, bool begins)
{
    struct added_match match = {0};
    size_t at = 0;
    while (added_find(&t->added, &match, text, bytes, true, match.after, at)) {
        if (match.start > at)
            FT_TRY(t->model->encode(t, out, text + at, match.start - at, begins && at == 0));
        FT_TRY(token_list_append(out, &match.id, 1));
        at = match.end;
    }
    return at < bytes ? t->model->encode(t, out, text + at, bytes - at, begins && at == 0) : FT_OK;
}

/** A stretch of raw text without added tokens of raw text; begins: it begins the whole text. */
static ft_status encode_stretch(struct tokenizer *t, struct token_list *out, const char *text,
                                size_t bytes, bool begins)
{
    FT_TRY(t->model->normalise(t, &text, &bytes, &begins));
    return encode_normalised(t, out, text, bytes, begins);
}

static ft_status encode_text(struct tokenizer *t, struct token_list *out, const char *text,
                             size_t bytes)
{
    struct added_match match = {0};
    size_t at = 0;
    while (added_find(&t->added, &match, text, bytes, false, match.after, at)) {
        if (match.start > at)
            FT_TRY(encode_stretch(t, out, text + at, match.start - at, at == 0));
        FT_TRY(token_list_append(out, &match.id, 1));
        at = match.end;
    }
    return at < bytes ? encode_stretch(t, out, text + at, bytes - at, at == 0) : FT_OK;
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

int tokenizer_template_size(const struct tokenizer *t)
{
    return (int)(t->before.n + t->after.n);
}

/** Appends template and text, the text cut to `room` ids. */
static ft_status encode_around(struct tokenizer *t, struct token_list *out, const char *text,
                               size_t bytes, int64_t room, int64_t *n_text)
{
    FT_TRY(token_list_append(out, t->before.ids, t->before.n));
    const int64_t start = out->n;
    FT_TRY(tokenizer_encode(t, out, text, bytes));
    *n_text = out->n - start;
    if (*n_text > room)
        out->n = start + room;
    return token_list_append(out, t->after.ids, t->after.n);
}

ft_status tokenizer_encode_document(struct tokenizer *t, struct token_list *out, const char *text,
                                    size_t bytes, int64_t max_tokens, int64_t *n_text)
{
    const int64_t n = out->n;
    int64_t found = 0;
    const ft_status status =
        encode_around(t, out, text, bytes, max_tokens - tokenizer_template_size(t), &found);
    if (status != FT_OK)
        out->n = n;
    else if (n_text)
        *n_text = found;
    return status;
}

int tokenizer_vocab_size(const struct tokenizer *t)
{
    return t->vocab.n;
}

int32_t tokenizer_eos(const struct tokenizer *t)
{
    return t->eos;
}

const char *tokenizer_eos_text(const struct tokenizer *t)
{
    size_t bytes;
    return t->eos < 0 ? NULL : vocab_text(&t->vocab, t->eos, &bytes);
}

struct hash_value tokenizer_hash(const struct tokenizer *t)
{
    return t->hash;
}

const char *tokenizer_kind(const struct tokenizer *t)
{
    return t->model->describe(t);
}
