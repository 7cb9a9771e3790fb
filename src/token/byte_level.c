/* Byte-level BPE as one kind of tokenizer: form C where the family wants it, words, merges. */
#include <string.h>

#include "format/gguf_write.h"
#include "token/parts.h"

/** Whether text may not be in form C: everything below U+0300 is. */
static bool may_need_nfc(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if ((unsigned char)text[i] >= 0xcc)
            return true;
    }
    return false;
}

static ft_status normalise(struct tokenizer *t, const char **text, size_t *bytes, bool *begins)
{
    struct buffer *out = &t->normalising.texts[0];
    (void)begins;
    if (!t->nfc || !may_need_nfc(*text, *bytes))
        return FT_OK;
    out->used = 0;
    FT_TRY(normal_append(&t->normalising.normal, out, NORMAL_C, *text, *bytes));
    *text = out->data;
    *bytes = out->used;
    return FT_OK;
}

static ft_status encode(struct tokenizer *t, struct token_list *out, const char *text, size_t bytes,
                        bool begins)
{
    (void)begins;
    for (size_t at = 0, end = 0; at < bytes; at = end) {
        FT_TRY(split_next(t->split, &end, text, bytes, at));
        FT_TRY(bpe_encode(&t->bpe, out, text + at, end - at));
    }
    return FT_OK;
}

static ft_status hash(const struct tokenizer *t, struct hash_state *state)
{
    static const char FORM[] = "byte-level BPE 1";
    const char *split = split_name(t->kind);
    const int64_t scalars[] = {t->nfc,     t->bpe.ignore_merges, t->bpe.unknown, t->eos,
                               t->vocab.n, t->n_model,           t->bpe.n_pairs, t->added.n};
    hash_update(state, FORM, sizeof FORM);
    hash_update(state, split, strlen(split) + 1);
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++)
        tokenizer_hash_number(state, scalars[i]);
    tokenizer_hash_texts(t, state);
    for (int32_t i = 0; i < t->bpe.n_pairs; i++) {
        tokenizer_hash_number(state, t->bpe.pairs[i].left);
        tokenizer_hash_number(state, t->bpe.pairs[i].right);
    }
    return FT_OK;
}

static ft_status finish(struct tokenizer *t)
{
    return split_open(&t->split, t->kind);
}

static ft_status share(struct tokenizer *copy, const struct tokenizer *t)
{
    FT_TRY(bpe_share(&copy->bpe, &t->bpe));
    return split_share(&copy->split, t->split);
}

static const char *describe(const struct tokenizer *t)
{
    static const char *const KINDS[SPLIT_KINDS] = {
        [SPLIT_GPT2] = "byte-level BPE, gpt-2 split",
        [SPLIT_LLAMA3] = "byte-level BPE, llama-bpe split",
        [SPLIT_QWEN2] = "byte-level BPE, qwen2 split",
        [SPLIT_SMOLLM] = "byte-level BPE, smollm split",
    };
    return KINDS[t->kind];
}

#define BYTE_LEVEL(trim, use_regex)                                                                \
    "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": " trim               \
    ", \"use_regex\": " use_regex "}"

static ft_status put_pre_tokenizer(struct buffer *out, const struct tokenizer *t)
{
    const char *pattern = split_json_pattern(t->kind);
    FT_TRY(buffer_print(out, "  \"pre_tokenizer\": "));
    if (t->kind == SPLIT_GPT2)
        return buffer_print(out, BYTE_LEVEL("true", "true") ",\n");
    FT_TRY(buffer_print(out, "{\"type\": \"Sequence\", \"pretokenizers\": [\n    "));
    if (!pattern)
        return buffer_print(out, "{\"type\": \"Digits\", \"individual_digits\": true},\n"
                                 "    " BYTE_LEVEL("true", "true") "\n  ]},\n");
    FT_TRY(buffer_print(out, "{\"type\": \"Split\", \"pattern\": {\"Regex\": "));
    FT_TRY(tokenizer_put_string(out, pattern, strlen(pattern)));
    return buffer_print(out, "}, \"behavior\": \"Isolated\", \"invert\": false},\n"
                             "    " BYTE_LEVEL("true", "false") "\n  ]},\n");
}

static ft_status write_members(const struct tokenizer *t, struct buffer *out)
{
    FT_TRY(buffer_print(out, "  \"normalizer\": %s,\n", t->nfc ? "{\"type\": \"NFC\"}" : "null"));
    FT_TRY(put_pre_tokenizer(out, t));
    FT_TRY(buffer_print(out, "  \"model\": "));
    return tokenizer_put_bpe(out, t);
}

/** The name of a splitter stands for the normal form and for ignore_merges too. */
static ft_status put_gguf(const struct tokenizer *t, struct gguf_writer *w)
{
    struct buffer pair = {0};
    ft_status status = FT_OK;
    if (t->nfc != (t->kind == SPLIT_QWEN2) || t->bpe.ignore_merges != (t->kind == SPLIT_LLAMA3))
        return ft_fail(FT_ERR_USAGE,
                       "GGUF has no name for a tokenizer with the %s splitter, normalizer %s and "
                       "ignore_merges = %s; use --format hf",
                       split_name(t->kind), t->nfc ? "NFC" : "null",
                       tokenizer_truth(t->bpe.ignore_merges));
    FT_TRY(gguf_put_text(w, "tokenizer.ggml.model", "gpt2"));
    FT_TRY(gguf_put_text(w, "tokenizer.ggml.pre", split_name(t->kind)));
    FT_TRY(gguf_put_texts(w, "tokenizer.ggml.merges", t->bpe.n_pairs));
    for (int32_t i = 0; i < t->bpe.n_pairs && status == FT_OK; i++) {
        size_t bytes;
        pair.used = 0;
        status = buffer_print(&pair, "%s ", vocab_text(&t->vocab, t->bpe.pairs[i].left, &bytes));
        if (status == FT_OK)
            status =
                buffer_print(&pair, "%s", vocab_text(&t->vocab, t->bpe.pairs[i].right, &bytes));
        if (status == FT_OK)
            status = gguf_add_text(w, pair.data, pair.used);
    }
    buffer_clear(&pair);
    return status;
}

const struct tokenizer_model tokenizer_byte_level = {.normalise = normalise,
                                                     .encode = encode,
                                                     .hash = hash,
                                                     .finish = finish,
                                                     .share = share,
                                                     .write = write_members,
                                                     .put_gguf = put_gguf,
                                                     .describe = describe};
