/**
 * Writes GGUF files, version 3: metadata entries and tensors are collected, then all is written at
 * once, the values of the tensors as they come from their source.
 *
 * Nothing here is collective. A key or tensor must not come twice.
 */
#ifndef FT_FORMAT_GGUF_WRITE_H
#define FT_FORMAT_GGUF_WRITE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "format/gguf.h"
#include "format/tensor_source.h"

struct gguf_out_tensor;

/** Zero-initialise to start; gguf_writer_clear. */
struct gguf_writer {
    struct buffer entries; /**< as in the file */
    uint64_t n_entries;
    struct gguf_out_tensor *tensors;
    int n_tensors, capacity;
};

void gguf_writer_clear(struct gguf_writer *w);

/* Each adds an entry; FT_ERR_INTERNAL (memory). */

ft_status gguf_put_u32(struct gguf_writer *w, const char *key, uint32_t value);
ft_status gguf_put_f32(struct gguf_writer *w, const char *key, float value);
ft_status gguf_put_bool(struct gguf_writer *w, const char *key, bool value);
ft_status gguf_put_text(struct gguf_writer *w, const char *key, const char *value);

/** Begins an array of n strings, i32 or f32; n calls of the function for its elements follow. */
ft_status gguf_put_texts(struct gguf_writer *w, const char *key, int64_t n);
ft_status gguf_put_i32s(struct gguf_writer *w, const char *key, int64_t n);
ft_status gguf_put_f32s(struct gguf_writer *w, const char *key, int64_t n);
ft_status gguf_add_text(struct gguf_writer *w, const char *text, size_t bytes);
ft_status gguf_add_i32(struct gguf_writer *w, int32_t value);
ft_status gguf_add_f32(struct gguf_writer *w, float value);

/** Copies all entries of a file whose keys begin with prefix, as they are. */
ft_status gguf_put_copies(struct gguf_writer *w, const struct gguf *from, const char *prefix);

/**
 * Adds a tensor.
 *
 * @param[in] name borrowed until the file is written
 * @param[in] dims (n_dims) slowest first, as Hugging Face writes shapes
 * @param[in] type one of ggml_quantize's; blocks divide the last dimension
 */
ft_status gguf_put_tensor(struct gguf_writer *w, const char *name, int n_dims, const int64_t *dims,
                          int type);

/**
 * Writes the file through path.tmp, fsync, rename and fsync of the folder.
 *
 * @param[in] source gives the tensors in the order in which they were added
 * @return FT_OK; FT_ERR_IO; FT_ERR_USAGE naming a tensor with a value too large for its type;
 *         FT_ERR_INTERNAL (memory, a value that is not finite); what the source returns
 */
ft_status gguf_write_file(const struct gguf_writer *w, const char *path, tensor_source source,
                          void *context);

#endif
