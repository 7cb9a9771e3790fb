/** XXH3-128 (libxxhash) as 32 lower-case hexadecimal digits: identity of files, data and models. */
#ifndef FT_BASE_HASH_H
#define FT_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define HASH_TEXT 33 /**< 32 digits and the terminator */

struct hash_value {
    uint64_t high, low;
};

/** Hash of one block of bytes. */
struct hash_value hash_bytes(const void *data, size_t bytes);

/** Writes the 32 digits (canonical big-endian order, as xxhsum -H128 prints) and a terminator. */
void hash_format(char text[HASH_TEXT], struct hash_value value);

/** Streaming: hash_open gives a state (NULL when out of memory), hash_close takes it. */
struct hash_state *hash_open(void);
void hash_update(struct hash_state *state, const void *data, size_t bytes);
struct hash_value hash_close(struct hash_state *state);

/**
 * Hash and size of a whole file that this program wrote: file_open_own.
 *
 * @param[out] bytes size of the file; may be NULL
 * @return FT_OK, FT_ERR_INPUT, FT_ERR_IO (message names the file)
 */
ft_status hash_file(struct hash_value *value, uint64_t *bytes, const char *path);

/** The same of what is left to read of an open file; path: for the message. */
ft_status hash_rest(struct hash_value *value, uint64_t *bytes, int fd, const char *path);

#endif
