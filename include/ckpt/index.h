/** index.h5 of a checkpoint: every tensor whole, in its own shape, as a virtual dataset. */
#ifndef FT_CKPT_INDEX_H
#define FT_CKPT_INDEX_H

#include <stdint.h>

#include "model/layout.h"

#define INDEX_NAME "index.h5"

/**
 * Writes the index and syncs it. Not collective; the shards need not exist.
 *
 * @param[in] first (world_size + 1) slice borders
 */
ft_status index_write(const char *path, const struct layout *layout, int64_t step,
                      const int64_t *first, int world_size);

#endif
