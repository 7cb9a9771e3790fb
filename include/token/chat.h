/**
 * Conversations as text: the known chat templates, and which of them a model's files hold.
 *
 * A template is a row of a table (src/token/chat_formats.c), not a program: text before and behind
 * each role's content, what happens to a system message, what is trimmed. What it renders is what
 * apply_chat_template of transformers renders with the template of that name. Nothing here is
 * collective.
 */
#ifndef FT_TOKEN_CHAT_H
#define FT_TOKEN_CHAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/hash.h"
#include "token/tokenizer.h"

enum chat_role { CHAT_SYSTEM, CHAT_USER, CHAT_ASSISTANT, CHAT_ROLES };

struct chat_message {
    enum chat_role role;
    size_t at, bytes; /**< its content in the list's text */
};

/** Messages of a conversation. Zero-initialise to start. */
struct chat_list {
    struct chat_message *items; /**< (n) */
    int64_t n, capacity;
    struct buffer text; /**< their contents, UTF-8 */
};

/** "system", "user", "assistant" to a role; false: none of them. */
bool chat_role_find(enum chat_role *role, const char *name);

/** Appends a message with the contents that were appended to list->text from `at` on. */
ft_status chat_list_add(struct chat_list *list, enum chat_role role, size_t at);

/** Releases the memory. To empty a list and keep its memory set n and text.used to 0. */
void chat_list_clear(struct chat_list *list);

/** Bytes of a rendered text: what the assistant says in a turn. */
struct chat_span {
    size_t from;
    size_t
        end; /**< where the token that ends the turn begins: what follows is tokenised by itself */
    size_t to;
};

/** A rendered conversation. Zero-initialise to start. */
struct chat_text {
    struct buffer text;
    /** (n_spans) what the assistant says: its contents and all that the template puts behind them
     * to end the turn, not the header before them */
    struct chat_span *spans;
    int64_t n_spans, capacity;
};

void chat_text_clear(struct chat_text *text);

struct chat_template;

/**
 * Opens a template.
 *
 * @param[out] out  gives the template (chat_template_close)
 * @param[in]  t    whose BOS, EOS and own template are used; borrowed until it is closed
 * @param[in]  name a row of the table; "auto": the one that the model's files hold
 * @return FT_OK; FT_ERR_INPUT: "auto", and there is none or it is not recognised, or the tokenizer
 * lacks the BOS or EOS that the template puts into the text; FT_ERR_USAGE: no such name
 */
ft_status chat_template_open(struct chat_template **out, const struct tokenizer *t,
                             const char *name);

/** Takes *c (may be NULL) and sets it to NULL. */
void chat_template_close(struct chat_template **c);

/** Name of the row, for messages. */
const char *chat_template_name(const struct chat_template *c);

/** The system message of conversations that bring none; NULL: there is none. */
const char *chat_template_default_system(const struct chat_template *c);

/** Hash of all that decides what is rendered. */
struct hash_value chat_template_hash(const struct chat_template *c);

/**
 * Renders the first n messages of a list. One text is used by one thread at a time, a template by
 * any number.
 *
 * @param[in,out] out        its memory is used again
 * @param[in]     generates  whether the header of an assistant's turn follows
 * @return FT_OK; FT_ERR_INPUT: no message, or an order of roles that the template refuses
 */
ft_status chat_render(struct chat_text *out, const struct chat_template *c,
                      const struct chat_list *list, int64_t n, bool generates);

/** Appends the names of all templates, separated by ", ". */
ft_status chat_template_names(struct buffer *out);

#endif
