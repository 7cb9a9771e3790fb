/**
 * Conversations to ids of tokens, and which of them are supervised: the inside of the encoder for
 * instruction data.
 *
 * The ids are those of the whole conversation at once, as the model will see it; a border between
 * what is supervised and what is not is found by tokenising the text up to it.
 */
#ifndef FT_DATA_INSTRUCT_H
#define FT_DATA_INSTRUCT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "data/conversation.h"
#include "token/chat.h"
#include "token/tokenizer.h"

/** Set in the id of a supervised token; ids are below 2^22. */
#define INSTRUCT_SUPERVISED (INT32_C(1) << 30)

/** What conversations become. Borrowed. */
struct instruct_request {
    /** NULL: the template could not be had, for the reason `failure`; only records with roles need
     * it */
    const struct chat_template *chat;
    const char *failure;
    bool trains_all;    /**< every token is supervised, not the assistant's alone */
    int64_t max_tokens; /**< what a conversation is cut to */
};

/** Scratch memory of one thread. Zero-initialise to start. */
struct instruct {
    struct conversation_reader reader;
    struct conversation conversation;
    struct chat_text text, prompt;
    struct token_list scratch;
};

struct instruct_counts {
    int64_t n_text;       /**< tokens before the cut */
    int64_t n_supervised; /**< tokens that are predicted and supervised, after the cut */
};

void instruct_clear(struct instruct *x);

/** Hash of all that decides ids and marks, but for tokenizer and max_tokens. */
void instruct_hash(char text[HASH_TEXT], const struct instruct_request *request);

/**
 * Appends the ids of a record's conversation, cut to max_tokens, with INSTRUCT_SUPERVISED set where
 * they are supervised; none where no supervised token is left. The first token is predicted from
 * nothing, so it does not count.
 *
 * Supervised are, of messages: what chat_text.spans says; of prompt and completion: all that
 * follows the prompt, of texts an EOS included.
 *
 * @param[out] text_bytes  of the contents
 * @return FT_OK; FT_ERR_INPUT as conversation_read, and where the template refuses the messages
 */
ft_status instruct_encode(struct instruct *x, struct token_list *out, struct tokenizer *t,
                          const struct instruct_request *request, const struct record *record,
                          struct instruct_counts *counts, int64_t *text_bytes);

#endif
