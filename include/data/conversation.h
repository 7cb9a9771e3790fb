/**
 * The conversation in a record of instruction data: messages, prompt and completion, or the columns
 * of Alpaca.
 */
#ifndef FT_DATA_CONVERSATION_H
#define FT_DATA_CONVERSATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "comm/comm.h"
#include "data/csv.h"
#include "data/record.h"
#include "token/chat.h"

/** How the records of a file hold conversations: by the members or columns that its first one has.
 */
enum conversation_form {
    FORM_NONE,
    FORM_MESSAGES, /**< messages: a list of {role, content} */
    FORM_PROMPT,   /**< prompt, completion: both text, or both lists of messages */
    FORM_ALPACA    /**< instruction, input (may be missing), output: text */
};

/** One conversation. Zero-initialise to start. */
struct conversation {
    /** messages in order; or, where is_text, two: the prompt and the completion */
    struct chat_list list;
    int64_t n_prompt; /**< messages of the prompt; -1: prompt and completion are not told apart */
    bool is_text;     /**< no roles, and so no chat template */
};

enum { CONVERSATION_FIELDS = 3 };

/** Reads records; remembers where the columns are while the CSV file stays the same. */
struct conversation_reader {
    struct csv_field fields[CONVERSATION_FIELDS];
    const struct source *file;
    int64_t n_columns;
};

void conversation_reader_clear(struct conversation_reader *reader);

/**
 * Finds the form of every text file of a list, which goes to source.form: rank 0 looks at the first
 * records and tells the others. Collective.
 *
 * @return FT_OK; FT_ERR_INPUT: a .txt file, a first record without the members of any form, or what
 *         record_next said
 */
ft_status conversation_forms_find(struct source_list *list, struct comm *comm);

/** Finds the columns of a CSV file, in which the cursor is. Local. */
ft_status conversation_reader_columns(struct conversation_reader *reader,
                                      const struct record_cursor *cursor,
                                      const struct source *file);

/**
 * Reads the conversation of a record in the form of its file. Local.
 *
 * A message's content is a string, or a list of parts of type text, whose texts are joined.
 *
 * @param[out] out  its memory is used again (chat_list_clear(&out->list))
 * @return FT_OK; FT_ERR_INPUT with file, line and byte: invalid UTF-8 or JSON, members that are
 *         missing or of another type, a role that is not system, user or assistant, calls of tools,
 *         no message
 */
ft_status conversation_read(struct conversation *out, struct conversation_reader *reader,
                            const struct record *record);

#endif
