/**
 * Text to token ids and back, with the ids of the `tokenizers` package.
 *
 * BPE over bytes or characters, Unigram and WordPiece with the normalisers, splitters and decoders
 * that TOKENIZERS.md lists, from a Hugging Face folder's tokenizer.json or vocab.txt or from a GGUF
 * file's own metadata. What such a file says beyond that is an error that names it, never a
 * guess. Nothing here is collective; one tokenizer is used
 * by one thread at a time, because its scratch memory and its cache of words (4 MiB) are inside:
 * each other thread takes one of tokenizer_share.
 */
#ifndef FT_TOKEN_TOKENIZER_H
#define FT_TOKEN_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/hash.h"

#define TOKENIZER_VOCAB_MAX (1 << 22)     /**< tokens */
#define TOKENIZER_TEXT_MAX 65536          /**< bytes of a token's text */
#define TOKENIZER_ADDED_MAX 1024          /**< bytes of an added token's text */
#define TOKENIZER_FILE_MAX (256ull << 20) /**< bytes of tokenizer.json */

/** A growing list of token ids. Zero-initialise to start. */
struct token_list {
    int32_t *ids;
    int64_t n;        /**< in use */
    int64_t capacity; /**< allocated */
};

/** Appends n ids. */
ft_status token_list_append(struct token_list *list, const int32_t *ids, int64_t n);

/** Releases the ids and starts again. To empty a list and keep its memory set n to 0. */
void token_list_clear(struct token_list *list);

struct tokenizer;

/** How far the text of a growing list of tokens is known. Zero-initialise to start;
 * token_stream_clear. */
struct token_stream {
    uint32_t seen;        /**< steps of the decoder that have had a token, a bit each */
    int64_t stripped[16]; /**< characters cut at the start, by step */
    bool shows;           /**< text is wanted as soon as it is known */
    struct buffer token, work;
    struct buffer run;  /**< bytes of tokens <0xNN> that wait for the next one */
    struct buffer tail; /**< of a character that is not complete */
};

void token_stream_clear(struct token_stream *stream);

/**
 * Opens the tokenizer of a model.
 *
 * A folder: tokenizer.json, and for EOS, BOS, padding and chat template tokenizer_config.json,
 * config.json and chat_template.jinja where they exist. A .gguf file: its metadata alone.
 *
 * @param[out] out gives the tokenizer; tokenizer_close
 * @return FT_OK; FT_ERR_INPUT (message: file, what, where); FT_ERR_IO; FT_ERR_INTERNAL (memory)
 */
ft_status tokenizer_open(struct tokenizer **out, const char *model_path);

/** As tokenizer_open for the text of a tokenizer.json in memory: no EOS. Keeps nothing of text. */
ft_status tokenizer_open_json(struct tokenizer **out, const char *text, size_t bytes,
                              const char *name);

/**
 * Gives another tokenizer for another thread: it reads the tables of t, which must be closed after
 * it, and gives the same ids at the same time.
 *
 * @return FT_OK; FT_ERR_INTERNAL (memory)
 */
ft_status tokenizer_share(struct tokenizer **out, const struct tokenizer *t);

/** Takes *t (may be NULL) and sets it to NULL. */
void tokenizer_close(struct tokenizer **t);

/**
 * Appends the ids of text to out: no BOS, no template; special tokens in the text are recognised.
 *
 * A byte without a token gives the unknown token where the model has one, else nothing, as in
 * `tokenizers`: SmolLM2 lacks some control characters. Time is O(n log n) for every text. Nothing
 * is allocated unless out or the scratch memory has to grow for a text longer than all before it.
 *
 * @param[in,out] out  unchanged on failure
 * @param[in]     text valid UTF-8; zero bytes are allowed
 * @return FT_OK; FT_ERR_INPUT (invalid UTF-8: message says at which byte); FT_ERR_INTERNAL (memory)
 */
ft_status tokenizer_encode(struct tokenizer *t, struct token_list *out, const char *text,
                           size_t bytes);

/**
 * Appends the ids of text with the tokenizer's template around it, as `tokenizers` does with
 * add_special_tokens and truncation at max_tokens: the text's ids are cut at their end.
 *
 * The template is what tokenizer.json puts around a single text (TemplateProcessing,
 * BertProcessing, RobertaProcessing), or the BOS and EOS that a GGUF's metadata asks for. Without
 * one: the text alone.
 *
 * @param[in,out] out        unchanged on failure
 * @param[in]     max_tokens at least tokenizer_template_size() + 1, which the caller has checked
 * @param[out]    n_text     ids of the text itself before truncation; may be NULL
 * @return as tokenizer_encode
 */
ft_status tokenizer_encode_document(struct tokenizer *t, struct token_list *out, const char *text,
                                    size_t bytes, int64_t max_tokens, int64_t *n_text);

/** Number of special ids that the template adds to a text. */
int tokenizer_template_size(const struct tokenizer *t);

/**
 * Appends the bytes of the tokens to out, special tokens by their text. A character that the ids
 * cut stays cut, so the bytes may be invalid UTF-8 at the ends. Ids without a token give nothing.
 *
 * @return FT_OK; FT_ERR_INPUT for a negative id; FT_ERR_INTERNAL (memory)
 */
ft_status tokenizer_decode(const struct tokenizer *t, struct buffer *out, const int32_t *ids,
                           int64_t n);

/**
 * Appends the text that one more token adds: valid UTF-8, a character as soon as it is complete.
 * Together with tokenizer_stream_end the text is that of tokenizer_decode, with U+FFFD for what is
 * not UTF-8.
 *
 * @return as tokenizer_decode
 */
ft_status tokenizer_stream(const struct tokenizer *t, struct token_stream *stream,
                           struct buffer *out, int32_t id);

/** Appends what still waits, U+FFFD for a character that stays incomplete, and starts anew. */
ft_status tokenizer_stream_end(const struct tokenizer *t, struct token_stream *stream,
                               struct buffer *out);

/** Whether an id is one of the special added tokens, which a reader of text does not want to see.
 * */
bool tokenizer_is_special(const struct tokenizer *t, int32_t id);

/** Largest id + 1, added tokens included. */
int tokenizer_vocab_size(const struct tokenizer *t);

/** Id that ends a document; -1 when the files name none, as those of BERT. */
int32_t tokenizer_eos(const struct tokenizer *t);

/** Text of that token; NULL where there is none. Borrowed. */
const char *tokenizer_eos_text(const struct tokenizer *t);

/** Hash of all that decides ids, EOS included: equal for a GGUF and the folder written from it. */
struct hash_value tokenizer_hash(const struct tokenizer *t);

/** What it is in a few words: "byte-level BPE, smollm split", "WordPiece, lower-case". */
const char *tokenizer_kind(const struct tokenizer *t);

/**
 * Writes tokenizer.json and tokenizer_config.json into an existing folder.
 *
 * From a folder tokenizer.json is repeated byte for byte; from a GGUF it is made so that
 * `tokenizers` gives the same ids. tokenizer_config.json says "tokenizer_class":
 * "PreTrainedTokenizerFast", and EOS, BOS, padding and chat template where they are known.
 *
 * @return FT_OK; FT_ERR_IO; FT_ERR_INTERNAL (memory)
 */
ft_status tokenizer_write(const struct tokenizer *t, const char *folder);

/** What tokenizer_write says as "model_max_length": tokens to which texts shall be cut. */
void tokenizer_set_length_max(struct tokenizer *t, int64_t n);

struct gguf_writer;

/** FT_ERR_USAGE where tokenizer_put_gguf has no form for the kind of a folder's tokenizer. */
ft_status tokenizer_check_gguf(const struct tokenizer *t, const char *model_path);

/**
 * Adds the tokenizer to the metadata of a GGUF file, chat template included.
 *
 * From a .gguf file its own entries are repeated as they are; of a folder's tokenizer they are made
 * as llama.cpp's converter makes them.
 *
 * @param[in] model_path where t was opened
 * @param[in] n_tokens   rows of the model's embedding, at least tokenizer_vocab_size
 * @return FT_OK; FT_ERR_USAGE where GGUF cannot say what the tokenizer does; FT_ERR_INPUT,
 *         FT_ERR_IO (the .gguf file); FT_ERR_INTERNAL (memory)
 */
ft_status tokenizer_put_gguf(const struct tokenizer *t, struct gguf_writer *w,
                             const char *model_path, int n_tokens);

#endif
