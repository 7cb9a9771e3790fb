/**
 * Texts one by one as they come: the lines of standard input or of a file, or the text field of a
 * .jsonl file. Nothing here is collective.
 */
#ifndef FT_DATA_TEXT_INPUT_H
#define FT_DATA_TEXT_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum text_state {
    TEXT_READY,   /**< there is a text */
    TEXT_WAITING, /**< none at the moment: reading on would wait for whoever writes */
    TEXT_END      /**< there is no other one */
};

struct text_input;

/**
 * Opens a source of texts.
 *
 * A file that ends in .jsonl gives text_field of each object, blank lines passed over. Any other
 * file, a pipe too, and standard input give a text a line, empty ones too; lines end in LF or CR
 * LF, the last one may lack its end, and a byte-order mark before the first one is no text.
 *
 * @param[out] out  gives the input (text_input_close)
 * @param[in]  path NULL or "-": standard input; borrowed, as text_field
 * @return FT_OK; FT_ERR_INPUT where there is no such file; FT_ERR_IO; FT_ERR_INTERNAL
 */
ft_status text_input_open(struct text_input **out, const char *path, const char *text_field);

/** Takes *in (may be NULL) and sets it to NULL. Standard input stays open. */
void text_input_close(struct text_input **in);

/**
 * The next text.
 *
 * @param[out] text  (bytes) valid UTF-8, which may hold zero bytes; borrowed until the next call
 * @param[in]  waits whether to wait for a text; false: TEXT_WAITING instead
 * @return FT_OK; FT_ERR_INPUT with file, line and byte: invalid UTF-8 or JSON, no field, a line
 *         beyond 1 GiB; FT_ERR_IO; FT_ERR_INTERNAL
 */
ft_status text_input_next(struct text_input *in, const char **text, size_t *bytes,
                          enum text_state *state, bool waits);

/** The input's name for messages: its path, or "standard input". Borrowed. */
const char *text_input_name(const struct text_input *in);

#endif
