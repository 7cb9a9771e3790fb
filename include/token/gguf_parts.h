/** What the readers of a GGUF file's tokenizer share. Inside of token/ alone. */
#ifndef FT_TOKEN_GGUF_PARTS_H
#define FT_TOKEN_GGUF_PARTS_H

#include "format/gguf.h"
#include "token/parts.h"

/** What tokenizer.ggml.pre stands for. */
struct gguf_pre {
    const char *name;
    enum split_kind kind;      /**< SPLIT_KINDS: pre_tokenizer says how text is split */
    const char *pre_tokenizer; /**< as in a tokenizer.json */
    bool nfc, ignore_merges;
    bool bos; /**< before each text, where the file does not say */
};

/** NULL for a name that is not known. */
const struct gguf_pre *gguf_find_pre(const char *name);

/** Sets splitter and normaliser; the tokens are not known yet. */
ft_status gguf_apply_pre(struct tokenizer *t, const struct gguf_pre *pre);

/** Reads unknown token, scores and rules of a SentencePiece vocabulary; the tokens are known. */
ft_status gguf_read_spm(struct tokenizer *t, const struct gguf *g);

/** Whether the file can say what decides ids of a BPE over characters, as model "llama"; *prefix:
 * whether U+2581 comes before a text. */
bool gguf_says_spm(const struct tokenizer *t, bool *prefix);

/** Writes what gguf_read_spm reads; gguf_says_spm has said yes. */
ft_status gguf_put_spm(const struct tokenizer *t, struct gguf_writer *w, int n_tokens);

/** Id that a key gives; *id stays as it is where the key is missing. */
ft_status gguf_read_token_id(int32_t *id, const struct tokenizer *t, const struct gguf *g,
                             const char *key);

/** token_type, which has an entry for every token. */
ft_status gguf_read_types(const int32_t **types, const struct tokenizer *t, const struct gguf *g);

#endif
