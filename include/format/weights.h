/**
 * One view over the tensors of a model, however they are stored: a Hugging Face folder (one
 * model.safetensors, or shards and model.safetensors.index.json), one .safetensors or one .gguf
 * file.
 *
 * Nothing here is collective. Reading converts to f32 through a bounded scratch buffer.
 */
#ifndef FT_FORMAT_WEIGHTS_H
#define FT_FORMAT_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct gguf;
struct weights;

enum weight_type {
    WEIGHT_F32,
    WEIGHT_F16,
    WEIGHT_BF16,
    WEIGHT_I32,       /**< raw only */
    WEIGHT_I64,       /**< raw only */
    WEIGHT_QUANTISED, /**< in blocks, of a GGUF file */
    WEIGHT_OTHER      /**< known to the format, not read here */
};

struct weight_info {
    const char *name;
    int type;              /**< enum weight_type */
    const char *type_name; /**< as the file calls it: "BF16", "Q5_K" */
    int n_dims;
    int64_t dims[4]; /**< slowest first, as Hugging Face writes shapes, for GGUF too */
    int64_t n_elements;
    uint64_t bytes; /**< in the file */
};

/**
 * Opens all files and checks all headers; reads no tensor.
 *
 * @param[out] out  gives the view; weights_close
 * @param[in]  path folder, .gguf or .safetensors file
 * @return FT_OK, FT_ERR_INPUT, FT_ERR_IO, FT_ERR_INTERNAL
 */
ft_status weights_open(struct weights **out, const char *path);

/** Takes *w (may be NULL) and sets it to NULL. */
void weights_close(struct weights **w);

int weights_count(const struct weights *w);
const struct weight_info *weights_info(const struct weights *w, int index);

/** Index of a tensor by name; -1 when there is none. */
int weights_find(const struct weights *w, const char *name);

/**
 * Reads a whole tensor as f32, converted or dequantised. Several threads may do so at once.
 *
 * @param[out] out (n_elements) f32, row-major
 * @return FT_OK, FT_ERR_INPUT (a type that is not read is named; truncated file), FT_ERR_IO
 */
ft_status weights_read_f32(const struct weights *w, int index, float *out);

/** Reads a whole tensor as it is in the file; bytes must be info's bytes, else FT_ERR_INPUT. */
ft_status weights_read_raw(struct weights *w, int index, void *out, size_t bytes);

/** The GGUF file behind the view; NULL for safetensors. Borrowed. */
const struct gguf *weights_gguf(const struct weights *w);

#endif
