/**
 * Decoders: how tokens become text again, step by step, as tokenizer.json lists it; token by
 * token, so that a text can be shown while it is made.
 *
 * Steps before Fuse see one token at a time, Strip behind Fuse the whole text. Other orders are
 * refused when read.
 */
#ifndef FT_TOKEN_DECODER_H
#define FT_TOKEN_DECODER_H

#include "token/tokenizer.h"

#define DECODER_STEPS_MAX 16

enum decoder_kind {
    DECODER_BYTE_LEVEL,
    DECODER_METASPACE,
    DECODER_WORDPIECE,
    DECODER_REPLACE,
    DECODER_BYTE_FALLBACK,
    DECODER_FUSE,
    DECODER_STRIP,
    DECODER_KINDS
};

struct decoder_step {
    enum decoder_kind kind;
    char *text; /**< Replace: what; WordPiece: prefix; Metaspace: replacement; Strip: character */
    char *content;       /**< Replace: by what */
    bool prepends;       /**< Metaspace: replacements of the first token give nothing */
    bool cleanup;        /**< WordPiece: no spaces before punctuation */
    int64_t start, stop; /**< Strip: characters at most, at each end */
};

/** Zero-initialise to start. */
struct decoder {
    struct decoder_step *steps;
    int n;
    int fused; /**< index of Fuse; n where there is none */
};

/** Appends a step, empty but for its kind, and gives it to be filled. */
ft_status decoder_add(struct decoder *decoder, struct decoder_step **step, enum decoder_kind kind);

/** Appends a step with a copy of text. */
ft_status decoder_add_text(struct decoder *decoder, struct decoder_step **step,
                           enum decoder_kind kind, const char *text);

/* Names in tokenizer.json; DECODER_KINDS when a name is none of them. */

const char *decoder_name(enum decoder_kind kind);
enum decoder_kind decoder_by_name(const char *name);

/** Appends what a token gives, as far as it is known by now. */
ft_status decoder_push(const struct decoder *decoder, struct token_stream *stream,
                       struct buffer *out, const char *token, size_t bytes);

/** Appends what waits for more tokens. */
ft_status decoder_flush(const struct decoder *decoder, struct token_stream *stream,
                        struct buffer *out);

/** Appends the value of "decoder" in a tokenizer.json. */
ft_status decoder_write(const struct decoder *decoder, struct buffer *out);

void decoder_clear(struct decoder *decoder);

#endif
