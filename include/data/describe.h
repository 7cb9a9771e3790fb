/** What token shards hold, for the inspect verb. Not collective. */
#ifndef FT_DATA_DESCRIBE_H
#define FT_DATA_DESCRIBE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"

/** Whether path is a token shard, or a folder that prepare made. */
bool tokens_recognise(const char *path);

/**
 * Prints documents, tokens, text bytes and hashes of one shard, or of each shard of a folder; then
 * their labels and how many documents have each.
 *
 * @return FT_OK; FT_ERR_INPUT when a file is no token shard
 */
ft_status tokens_describe(const char *path, FILE *to);

#endif
