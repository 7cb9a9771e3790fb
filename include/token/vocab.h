/**
 * Vocabulary: token text by id and id by text, and the alphabet in which byte-level BPE writes
 * bytes.
 *
 * GPT-2's alphabet gives each byte a printable character, so that a token's text is text: 33-126,
 * 161-172 and 174-255 stand for themselves, the other bytes in order are U+0100, U+0101, ...
 * U+0143.
 */
#ifndef FT_TOKEN_VOCAB_H
#define FT_TOKEN_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"

#define VOCAB_QUOTE 96 /**< bytes for vocab_quote */

/** Zero-initialise to start. */
struct vocab {
    struct buffer texts; /**< all texts, each followed by a zero byte */
    struct vocab_text {
        uint64_t offset; /**< in texts */
        int32_t bytes;   /**< 0: no token has this id */
    } * tokens;
    int32_t n;        /**< largest id + 1 */
    int32_t capacity; /**< ids that tokens has room for */
    int32_t count;    /**< ids in use */
    int32_t *slots;   /**< open addressing by text: id, or -1 */
    uint64_t n_slots; /**< a power of two; 0 while empty */
};

/**
 * Adds a token.
 *
 * @return FT_OK; FT_ERR_INPUT (message: text and id) for an id or text that is there already, an id
 *         outside 0 ... TOKENIZER_VOCAB_MAX-1, a text that is empty, too long or no UTF-8
 */
ft_status vocab_add(struct vocab *v, int64_t id, const char *text, size_t bytes);

/** Id of a text; -1 when there is none. */
int32_t vocab_find(const struct vocab *v, const char *text, size_t bytes);

/** Text of an id, terminated, valid until the next vocab_add; NULL when there is none. */
const char *vocab_text(const struct vocab *v, int32_t id, size_t *bytes);

void vocab_clear(struct vocab *v);

/** Appends bytes written in GPT-2's alphabet. */
ft_status vocab_from_bytes(struct buffer *out, const char *data, size_t bytes);

/** Appends the bytes that text stands for: as it is when a character is not of the alphabet. */
ft_status vocab_to_bytes(struct buffer *out, const char *text, size_t bytes);

/** Ids of the tokens <0x00> ... <0xFF>, by which SentencePiece writes bytes; -1 where there is
 * none. */
void vocab_find_byte_tokens(const struct vocab *v, int32_t ids[256]);

/** The byte that a text of the form <0xNN> stands for; -1 for any other text. */
int vocab_byte_of_token(const char *text, size_t bytes);

/** Writes text, UTF-8 or not, for a message: in double quotes, cut when long, control characters
 * and what is no character as \xNN. */
const char *vocab_quote(char out[VOCAB_QUOTE], const char *text, size_t bytes);

#endif
