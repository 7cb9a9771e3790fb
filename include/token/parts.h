/** Inside of a tokenizer, for the readers and the writer in token/ alone. */
#ifndef FT_TOKEN_PARTS_H
#define FT_TOKEN_PARTS_H

#include "token/added.h"
#include "token/bert.h"
#include "token/bpe.h"
#include "token/decoder.h"
#include "token/normalizer.h"
#include "token/pretokenizer.h"
#include "token/split.h"
#include "token/tokenizer.h"
#include "token/unigram.h"
#include "token/vocab.h"
#include "token/wordpiece.h"
#include "token/write_parts.h"

struct hash_state;
struct gguf_writer;

/** Types of tokens in a GGUF file (tokenizer.ggml.token_type). */
enum {
    GGUF_TOKEN_NORMAL = 1,
    GGUF_TOKEN_UNKNOWN = 2,
    GGUF_TOKEN_CONTROL = 3,
    GGUF_TOKEN_USER_DEFINED = 4,
    GGUF_TOKEN_UNUSED = 5,
    GGUF_TOKEN_BYTE = 6
};

/**
 * How a text between the added tokens becomes ids. tokenizer_pipeline runs whatever a
 * tokenizer.json lists; the other two do the same for the commonest lists, in one pass.
 */
struct tokenizer_model {
    /** Brings a stretch of raw text to its normal form: in scratch memory, or where it is. begins
     * as of normalizer_run. */
    ft_status (*normalise)(struct tokenizer *t, const char **text, size_t *bytes, bool *begins);
    /** Appends the ids of normalised text. */
    ft_status (*encode)(struct tokenizer *t, struct token_list *out, const char *text, size_t bytes,
                        bool begins);
    /** Adds all that decides ids, but for the added tokens and the template. */
    ft_status (*hash)(const struct tokenizer *t, struct hash_state *state);
    /** Makes ready what a reader has filled. */
    ft_status (*finish)(struct tokenizer *t);
    /** Gives a copy of t scratch memory of its own. */
    ft_status (*share)(struct tokenizer *copy, const struct tokenizer *t);
    /** Appends the members normalizer, pre_tokenizer and model of a tokenizer.json. */
    ft_status (*write)(const struct tokenizer *t, struct buffer *out);
    /** Adds the model's own entries to a GGUF file: all but tokens, their types and their roles.
     * FT_ERR_USAGE where the file cannot say what t does. NULL: llama.cpp has no such kind. */
    ft_status (*put_gguf)(const struct tokenizer *t, struct gguf_writer *w);
    const char *(*describe)(const struct tokenizer *t);
};

extern const struct tokenizer_model tokenizer_byte_level, tokenizer_wordpiece, tokenizer_pipeline;

/** What encodes a piece of text. */
enum piece_model { PIECES_BPE, PIECES_UNIGRAM, PIECES_WORDPIECE };

/** What a token is for, by its key in tokenizer_config.json. */
enum token_role { ROLE_BOS, ROLE_EOS, ROLE_UNK, ROLE_SEP, ROLE_PAD, ROLE_CLS, ROLE_MASK, ROLES };

struct tokenizer {
    const struct tokenizer_model *model;
    bool shares;        /**< all but scratch memory is another's: tokenizer_share */
    struct vocab vocab; /**< the model's tokens, then the added ones that the model lacks */
    int32_t n_model;    /**< ids below are the model's, those from here on were added */
    struct added added;
    struct token_list before, after; /**< the template: ids before and behind a text */
    int32_t eos;
    struct hash_value hash;

    enum piece_model pieces; /**< which of the next three */
    struct bpe bpe;
    struct unigram unigram;
    struct wordpiece wordpiece;
    struct normalizer normalizer;
    struct pretokenizer pretokenizer;
    struct decoder decoder;

    enum split_kind kind; /**< tokenizer_byte_level: this and the next two */
    struct split *split;  /**< also of a ByteLevel in the pre-tokenizer */
    bool nfc;             /**< text is brought to normalisation form C first */
    struct bert bert;     /**< tokenizer_wordpiece */

    char *json; /**< tokenizer.json as it was read; NULL where there was none */
    size_t json_bytes;
    char *roles[ROLES];  /**< texts of tokens; NULL where unknown */
    char *chat_template; /**< NULL where unknown */
    int64_t length_max;  /**< model_max_length of tokenizer_config.json; 0 where unknown */

    /* scratch */
    struct normalizer_scratch normalising;
    struct pretokenizer_scratch splitting;
    struct pattern_scratch matching;
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

/** Last step of a reader: makes the model ready and takes the hash. */
ft_status tokenizer_finish(struct tokenizer *t);

/** Adds a number to a hash. */
void tokenizer_hash_number(struct hash_state *state, int64_t value);

/** Adds the texts of all ids to a hash. */
void tokenizer_hash_texts(const struct tokenizer *t, struct hash_state *state);

/** Key of a role in tokenizer_config.json. */
const char *token_role_key(enum token_role role);

/** Appends the text of a token as a JSON string. */
ft_status tokenizer_put_token(struct buffer *out, const struct tokenizer *t, int32_t id);

/** Appends the model's tokens as an object of ids by text. */
ft_status tokenizer_put_vocab(struct buffer *out, const struct tokenizer *t);

/** Appends the value of "model" for BPE. */
ft_status tokenizer_put_bpe(struct buffer *out, const struct tokenizer *t);

/** Appends the value of "model" for WordPiece. */
ft_status tokenizer_put_wordpiece(struct buffer *out, const struct tokenizer *t);

/** Chooses the model for what has been read: the pipeline, or a faster one that does the same. */
void tokenizer_choose_model(struct tokenizer *t);

/** Whether the last step is ByteLevel: a model then reads bytes. */
bool pretokenizer_ends_in_bytes(const struct pretokenizer *pretokenizer);

#endif
