/** Inside of chat templates: rows of the table, and facts by which they are recognised. */
#ifndef FT_TOKEN_CHAT_FORMAT_H
#define FT_TOKEN_CHAT_FORMAT_H

#include "token/chat.h"

/** Stand for the tokenizer's BOS and EOS in the texts of a row. */
#define CHAT_BOS "\001"
#define CHAT_EOS "\002"
enum { CHAT_BOS_BYTE = 1, CHAT_EOS_BYTE = 2 };

enum {
    CHAT_TRIM_SYSTEM = 1, /**< white space around the content is taken off, as str.strip() does */
    CHAT_TRIM_USER = 2,
    CHAT_TRIM_ASSISTANT = 4,
    CHAT_TRIM_MERGED = 8,       /**< user: together with the system message before it */
    CHAT_ALTERNATES = 16,       /**< user and assistant must take turns */
    CHAT_NO_SYSTEM = 32,        /**< a system message is refused */
    CHAT_SYSTEM_IN_FIRST = 64,  /**< it goes into the first user's content */
    CHAT_SYSTEM_IN_LAST = 128,  /**< into the last message, where that is a user's; else nowhere */
    CHAT_SKIPS_NO_SYSTEM = 256, /**< an empty system message is as good as none */
    CHAT_EOS_LAST = 512,        /**< EOS ends the text, unless it generates */
    CHAT_THINKS = 1024          /**< Qwen3: a block of reasoning opens the last answer */
};

/** Texts around a content. */
struct chat_turn {
    const char *before, *after;
};

struct chat_format {
    const char *name;
    unsigned flags;
    const char *start;                  /**< of the text; NULL, as below: nothing */
    struct chat_turn turns[CHAT_ROLES]; /**< by role */
    const char *default_system;         /**< NULL: none */
    const char *generation;             /**< header of the turn to generate */
    const char *intro;                  /**< opens the first system message; NULL: nothing does */
};

/** The table; ends with a name of NULL. */
extern const struct chat_format chat_formats[];

/** The row of that name, or NULL. */
const struct chat_format *chat_format_find(const char *name);

/**
 * The row whose template this is.
 *
 * @param[in]  text           Jinja, as tokenizer_config.json and GGUF hold it
 * @param[out] format         NULL where no row fits
 * @param[out] default_system gives the template's own default system message (mem_free), or NULL
 */
ft_status chat_recognise(const struct chat_format **format, char **default_system,
                         const char *text);

/** The template's text in the form in which facts are compared: for tests too. */
ft_status chat_normalise(struct buffer *out, const char *text);

#endif
