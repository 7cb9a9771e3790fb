/** The HDF5 files that the program reads: small ones, and what their readers expect. */
#ifndef FT_TESTS_FUZZ_H5_FILES_H
#define FT_TESTS_FUZZ_H5_FILES_H

#include "ckpt/shard.h"

enum { H5_FILES_DOCUMENTS = 3, H5_FILES_TOKENS = 12, H5_FILES_STEP = 2 };

/** Tensor table of a model of ten parameters. */
const struct layout *h5_files_layout(void);

/** The one shard of a world of one rank. */
struct shard_place h5_files_place(void);

/** Writes a token shard, with labels or without; a checkpoint's shard; heads of both kinds. */
void h5_files_write(const char *folder);

#endif
