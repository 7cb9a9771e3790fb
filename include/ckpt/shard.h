/** One rank's HDF5 file of a checkpoint. Nothing here is collective. */
#ifndef FT_CKPT_SHARD_H
#define FT_CKPT_SHARD_H

#include <stdint.h>
#include <stdio.h>

#include "ckpt/checkpoint.h"

enum { SHARD_NAME_BYTES = 64 };

/** The three kinds of tensor of a shard, and the group of each: "/params", "/adam_m", "/adam_v". */
enum shard_kind { SHARD_PARAMS, SHARD_ADAM_M, SHARD_ADAM_V, N_SHARD_KINDS };
extern const char *const shard_groups[N_SHARD_KINDS];

/** Where a shard stands among the others. */
struct shard_place {
    int rank, world_size;
    int64_t first, end; /**< elements first ... end - 1 of the flat buffer */
};

/** "shard-00000-of-00002.h5" */
void shard_name(char name[SHARD_NAME_BYTES], int rank, int world_size);

/**
 * Writes a shard, reads it back whole and syncs it.
 *
 * @param[in]  s     params is the full buffer, m and v begin at place->first
 * @param[in]  host  name of this rank's host
 * @param[out] hash  of the bytes on disk; 32 digits
 * @param[out] bytes size of the file
 * @return FT_OK, FT_ERR_IO; on failure the file may be left behind
 */
ft_status shard_write(const char *path, const struct shard_place *place, const struct ckpt_state *s,
                      const char *host, char hash[HASH_TEXT], uint64_t *bytes);

/**
 * Reads the elements that both the shard and [from, to) hold into the right place of out.
 *
 * The caller has verified the file's hash. Step, world size, slice and tensor shapes must be as
 * expected.
 *
 * @param[out] out (to - from) elements from `from` on; only the common part is written. One pointer
 * per kind; NULL: that kind is not read.
 */
ft_status shard_read(const char *path, const struct shard_place *place, int64_t step,
                     const struct layout *layout, int64_t from, int64_t to,
                     float *const out[N_SHARD_KINDS]);

/** Reads what shard 0 says about the run. Gives settings_text and loss; ckpt_meta_clear. */
ft_status shard_read_meta(const char *path, struct ckpt_meta *out);

/** Prints what one shard holds. */
ft_status shard_describe(const char *path, FILE *to);

#endif
