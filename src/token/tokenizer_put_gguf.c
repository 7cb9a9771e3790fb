/* A tokenizer as the metadata of a GGUF file: what tokenizer_gguf.c reads. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "format/gguf_write.h"
#include "token/gguf_parts.h"

static int32_t id_of(const struct tokenizer *t, const char *text)
{
    return text ? vocab_find(&t->vocab, text, strlen(text)) : -1;
}

/** An id without a token has a text that fills its place, as llama.cpp's converter has it. */
static ft_status put_tokens(const struct tokenizer *t, struct gguf_writer *w, int n_tokens)
{
    FT_TRY(gguf_put_texts(w, "tokenizer.ggml.tokens", n_tokens));
    for (int32_t id = 0; id < n_tokens; id++) {
        char filler[32];
        size_t bytes = 0;
        const char *text = id < t->vocab.n ? vocab_text(&t->vocab, id, &bytes) : NULL;
        if (!text) {
            bytes = (size_t)snprintf(filler, sizeof filler, "[PAD%d]", id);
            text = filler;
        }
        FT_TRY(gguf_add_text(w, text, bytes));
    }
    return FT_OK;
}

static bool is_spm(const struct tokenizer *t)
{
    bool prefix;
    return t->model == &tokenizer_pipeline && gguf_says_spm(t, &prefix);
}

static bool is_byte(const struct tokenizer *t, int32_t id)
{
    for (int b = 0; b < 256; b++)
        if (t->bpe.byte_ids[b] == id)
            return true;
    return false;
}

static int32_t type_of(const struct tokenizer *t, int32_t id)
{
    size_t bytes;
    if (is_spm(t) && id == t->bpe.unknown)
        return GGUF_TOKEN_UNKNOWN;
    if (is_spm(t) && is_byte(t, id))
        return GGUF_TOKEN_BYTE;
    if (id >= t->vocab.n || !vocab_text(&t->vocab, id, &bytes))
        return GGUF_TOKEN_UNUSED;
    for (int32_t i = 0; i < t->added.n; i++)
        if (t->added.tokens[i].id == id)
            return t->added.tokens[i].flags & ADDED_SPECIAL ? GGUF_TOKEN_CONTROL
                                                            : GGUF_TOKEN_USER_DEFINED;
    return GGUF_TOKEN_NORMAL;
}

static ft_status put_types(const struct tokenizer *t, struct gguf_writer *w, int n_tokens)
{
    FT_TRY(gguf_put_i32s(w, "tokenizer.ggml.token_type", n_tokens));
    for (int32_t id = 0; id < n_tokens; id++)
        FT_TRY(gguf_add_i32(w, type_of(t, id)));
    return FT_OK;
}

/** Where a token is found GGUF does not say: only as it stands. */
static void warn_of_flags(const struct tokenizer *t)
{
    static const unsigned lost = ADDED_LSTRIP | ADDED_RSTRIP | ADDED_SINGLE_WORD;
    char quote[VOCAB_QUOTE];
    for (int32_t i = 0; i < t->added.n; i++) {
        size_t bytes = 0;
        const char *text = vocab_text(&t->vocab, t->added.tokens[i].id, &bytes);
        if (t->added.tokens[i].flags & lost)
            log_warn("GGUF cannot say that token %s takes the white space beside it or is no part "
                     "of a word: other programs may give other ids near it",
                     vocab_quote(quote, text, bytes));
    }
}

/** What a file can say: BOS before a text, EOS behind it. */
static ft_status check_template(const struct tokenizer *t, int32_t bos)
{
    const bool is_plain = t->before.n <= 1 && t->after.n <= 1 &&
                          (t->before.n == 0 || t->before.ids[0] == bos) &&
                          (t->after.n == 0 || t->after.ids[0] == t->eos);
    return is_plain ? FT_OK
                    : ft_fail(FT_ERR_USAGE,
                              "the tokenizer puts more around a text than its first and last "
                              "token (BOS, EOS), which GGUF cannot say; use --format hf");
}

static ft_status put_roles(const struct tokenizer *t, struct gguf_writer *w)
{
    static const struct {
        enum token_role role;
        const char *key;
    } rows[] = {{ROLE_UNK, "tokenizer.ggml.unknown_token_id"},
                {ROLE_SEP, "tokenizer.ggml.seperator_token_id"}, /* so spelt there */
                {ROLE_PAD, "tokenizer.ggml.padding_token_id"},
                {ROLE_MASK, "tokenizer.ggml.mask_token_id"}};
    int32_t bos = id_of(t, t->roles[ROLE_BOS]);
    if (bos < 0 && t->before.n > 0)
        bos = t->before.ids[0];
    FT_TRY(check_template(t, bos));
    if (bos >= 0)
        FT_TRY(gguf_put_u32(w, "tokenizer.ggml.bos_token_id", (uint32_t)bos));
    if (t->eos >= 0)
        FT_TRY(gguf_put_u32(w, "tokenizer.ggml.eos_token_id", (uint32_t)t->eos));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const int32_t id = id_of(t, t->roles[rows[i].role]);
        if (id >= 0)
            FT_TRY(gguf_put_u32(w, rows[i].key, (uint32_t)id));
    }
    if (is_spm(t) && t->bpe.unknown >= 0 && id_of(t, t->roles[ROLE_UNK]) < 0)
        FT_TRY(gguf_put_u32(w, "tokenizer.ggml.unknown_token_id", (uint32_t)t->bpe.unknown));
    FT_TRY(gguf_put_bool(w, "tokenizer.ggml.add_bos_token", t->before.n > 0));
    FT_TRY(gguf_put_bool(w, "tokenizer.ggml.add_eos_token", t->after.n > 0));
    return t->chat_template ? gguf_put_text(w, "tokenizer.chat_template", t->chat_template) : FT_OK;
}

ft_status tokenizer_check_gguf(const struct tokenizer *t, const char *model_path)
{
    if (!file_is_folder(model_path) || t->model->put_gguf || is_spm(t))
        return FT_OK;
    return ft_fail(FT_ERR_USAGE, "a tokenizer of this kind (%s) is not written as GGUF",
                   tokenizer_kind(t));
}

static ft_status copy_entries(struct gguf_writer *w, const char *path)
{
    struct gguf *g = NULL;
    FT_TRY(gguf_open(&g, path));
    const ft_status status = gguf_put_copies(w, g, "tokenizer.");
    gguf_close(&g);
    return status;
}

ft_status tokenizer_put_gguf(const struct tokenizer *t, struct gguf_writer *w,
                             const char *model_path, int n_tokens)
{
    FT_TRY(tokenizer_check_gguf(t, model_path));
    if (!file_is_folder(model_path))
        return copy_entries(w, model_path);
    FT_TRY(is_spm(t) ? gguf_put_spm(t, w, n_tokens) : t->model->put_gguf(t, w));
    FT_TRY(put_tokens(t, w, n_tokens));
    FT_TRY(put_types(t, w, n_tokens));
    warn_of_flags(t);
    return put_roles(t, w);
}
