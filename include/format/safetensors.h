/**
 * safetensors files: a strict reader (header bounded, data fully covered, no overlap) and a writer.
 *
 * Nothing here is collective.
 */
#ifndef FT_FORMAT_SAFETENSORS_H
#define FT_FORMAT_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "format/tensor_source.h"

#define SAFETENSORS_HEADER_MAX 100000000 /**< bytes, as the reference has it */
#define SAFETENSORS_DIMS_MAX 4

/** One tensor, row-major, slowest dimension first; unused dims are 1, a scalar has n_dims 0. */
struct safetensor {
    const char *name;
    const char *dtype; /**< "F32", "BF16", ... as in the file */
    int element_bytes;
    int n_dims;
    int64_t dims[SAFETENSORS_DIMS_MAX];
    int64_t n_elements;
    uint64_t offset; /**< bytes from the start of the file */
    uint64_t bytes;
};

struct safetensors;

/**
 * Opens a file and checks all of its header.
 *
 * @param[out] out gives the file; safetensors_close
 * @return FT_OK, FT_ERR_INPUT (message: path, tensor, what), FT_ERR_IO, FT_ERR_INTERNAL
 */
ft_status safetensors_open(struct safetensors **out, const char *path);

/** Takes *file (may be NULL) and sets it to NULL. */
void safetensors_close(struct safetensors **file);

/** As safetensors_open for a file that is in memory whole; keeps nothing of data; no reading then.
 */
ft_status safetensors_open_memory(struct safetensors **out, const void *data, size_t bytes,
                                  const char *name);

int safetensors_count(const struct safetensors *file);

/** Tensors in the order of their data. */
const struct safetensor *safetensors_at(const struct safetensors *file, int index);

/** Reads bytes of tensor index from its byte `from` on; the range is the caller's to keep. */
ft_status safetensors_read(const struct safetensors *file, int index, void *out, size_t bytes,
                           uint64_t from);

/** What a tensor to be written is; its values come from the callback. */
struct safetensors_entry {
    const char *name;
    int n_dims;
    int64_t dims[SAFETENSORS_DIMS_MAX];
    int type; /**< GGML_F32 (0), GGML_F16 or GGML_BF16: the names are the same */
};

/**
 * Writes tensors in the order given through path.tmp, fsync, rename and fsync of the folder, with
 * the metadata {"format": "pt"} that transformers expects. Memory: two megabytes beside the header.
 *
 * @param[out] file_bytes size of the file; may be NULL
 * @return FT_OK; FT_ERR_IO; FT_ERR_USAGE naming a tensor with a value too large for its type;
 *         FT_ERR_INTERNAL (memory, a value that is not finite); what the source returns
 */
ft_status safetensors_write(const char *path, const struct safetensors_entry *entries,
                            int n_entries, tensor_source source, void *context,
                            uint64_t *file_bytes);

#endif
