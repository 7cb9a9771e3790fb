/** Splitters ("pre-tokenizers"): the known ones, each by its name, never a pattern from a file. */
#ifndef FT_TOKEN_SPLIT_H
#define FT_TOKEN_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum split_kind { SPLIT_GPT2, SPLIT_LLAMA3, SPLIT_QWEN2, SPLIT_SMOLLM, SPLIT_KINDS };

/** Name of a kind in GGUF's tokenizer.ggml.pre. */
const char *split_name(enum split_kind kind);

/** The pattern by which tokenizer.json asks for a kind in a Split; NULL: by ByteLevel's own. */
const char *split_json_pattern(enum split_kind kind);

struct split;

/** Compiles the splitter of a kind; split_close. */
ft_status split_open(struct split **out, enum split_kind kind);

/** Another one for another thread; both may match at the same time. split closes last. */
ft_status split_share(struct split **out, const struct split *split);

/** Takes *split (may be NULL) and sets it to NULL. */
void split_close(struct split **split);

/**
 * End of the word that starts at `at` (< bytes) in text, which is valid UTF-8 and is split by
 * itself. Words follow each other without gaps. O(length of the word and of the white space around
 * it).
 */
ft_status split_next(const struct split *split, size_t *end, const char *text, size_t bytes,
                     size_t at);

#endif
