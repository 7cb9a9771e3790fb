/**
 * manifest.json: which files a checkpoint consists of, their sizes and hashes, and a hash of
 * itself. Written last, so that a folder with a valid manifest is a complete checkpoint. Nothing is
 * collective.
 */
#ifndef FT_CKPT_MANIFEST_H
#define FT_CKPT_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "ckpt/shard.h"

#define MANIFEST_NAME "manifest.json"

struct manifest_file {
    char name[SHARD_NAME_BYTES]; /**< without a folder */
    uint64_t bytes;
    char hash[HASH_TEXT]; /**< XXH3-128 of all bytes */
};

struct manifest {
    int64_t step;
    int world_size;
    int n_files;                 /**< world_size + 1 */
    int64_t *first;              /**< (world_size + 1) slice borders; first[world_size] = N */
    struct manifest_file *files; /**< (n_files) the shards by rank, then the index */
};

/** Allocates for a world; manifest_clear. */
ft_status manifest_init(struct manifest *manifest, int64_t step, int world_size);

void manifest_clear(struct manifest *manifest);

/** Writes folder/manifest.json durably. */
ft_status manifest_write(const struct manifest *manifest, const char *folder);

/**
 * Reads and checks folder/manifest.json: its own hash, that it names every shard and the index
 * once, and that slices follow each other. manifest_clear, also after a failure.
 *
 * @return FT_OK; FT_ERR_INPUT (message names the file and the defect)
 */
ft_status manifest_read(struct manifest *manifest, const char *folder);

/** Whether the files exist with the sizes given and no shard is there besides; reads no content. */
ft_status manifest_check_sizes(const struct manifest *manifest, const char *folder);

/** Reads one file whole and compares size and hash. */
ft_status manifest_check_file(const struct manifest_file *file, const char *folder);

#endif
