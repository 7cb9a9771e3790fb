/** Inside of a tokenizer, for the readers and the writer in token/ alone. */
#ifndef FT_TOKEN_PARTS_H
#define FT_TOKEN_PARTS_H

#include "token/added.h"
#include "token/bpe.h"
#include "token/normal.h"
#include "token/split.h"
#include "token/tokenizer.h"
#include "token/vocab.h"

struct tokenizer {
    struct vocab vocab; /**< the model's tokens, then the added ones that the model lacks */
    struct bpe bpe;
    struct added added;
    enum split_kind kind;
    struct split *split;
    bool nfc; /**< text is brought to normalisation form C first */
    int32_t eos;
    struct hash_value hash;

    char *json; /**< tokenizer.json as it was read; NULL for GGUF */
    size_t json_bytes;
    char *eos_text, *bos_text, *pad_text, *chat_template; /**< NULL where unknown */
    bool adds_bos; /**< GGUF: the model's own template starts with BOS */

    struct normal normal;     /**< scratch */
    struct buffer normalised; /**< scratch */
};

/** Fills a zeroed tokenizer from the text of a tokenizer.json; keeps nothing of text. */
ft_status tokenizer_parse_json(struct tokenizer *t, const char *text, size_t bytes,
                               const char *name);

/** Fills a zeroed tokenizer from a model folder. */
ft_status tokenizer_read_folder(struct tokenizer *t, const char *folder);

/** Fills a zeroed tokenizer from the metadata of a GGUF file. */
ft_status tokenizer_read_gguf(struct tokenizer *t, const char *path);

/** Adds a token that is found as a whole; its id has a text already. */
ft_status tokenizer_add_token(struct tokenizer *t, int32_t id, unsigned flags);

/** Last step of a reader: compiles the splitter and takes the hash. */
ft_status tokenizer_finish(struct tokenizer *t);

#endif
