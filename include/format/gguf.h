/**
 * GGUF files, versions 2 and 3, little-endian: metadata and the table of tensors.
 *
 * The header is read with pread into one block and never mapped; memory is bounded by a small
 * multiple of the file's size. Every count, length, type and offset is checked before use, so that
 * a file that opens can be read without further checks. Nothing here is collective.
 */
#ifndef FT_FORMAT_GGUF_H
#define FT_FORMAT_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define GGUF_TEXT_MAX (1 << 20) /**< bytes of a string */
#define GGUF_COUNT_MAX 65536    /**< metadata entries; tensors */

/** Element types that the program names; ggml_type_is_read says which others are read. Numbers as
 * in the file. */
enum ggml_type {
    GGML_F32 = 0,
    GGML_F16 = 1,
    GGML_Q4_0 = 2,
    GGML_Q4_1 = 3,
    GGML_Q8_0 = 8,
    GGML_I32 = 26,
    GGML_I64 = 27,
    GGML_BF16 = 30
};

struct gguf;

/** One tensor. dims[0] runs fastest, the reverse of Hugging Face's order; unused dims are 1. */
struct gguf_tensor {
    const char *name;
    int type;   /**< enum ggml_type or another number that ggml_type_name knows */
    int n_dims; /**< 1 ... 4 */
    int64_t dims[4];
    int64_t n_elements;
    uint64_t offset; /**< bytes from the start of the file */
    uint64_t bytes;
};

/** An array of strings, borrowed from the file: each is terminated, and may hold zero bytes. */
struct gguf_texts {
    int64_t n;
    const char *const *items;
    const size_t *bytes;
};

/**
 * Opens a file and checks all of its header.
 *
 * @param[out] out gives the file; gguf_close
 * @return FT_OK, FT_ERR_INPUT (message: path, what, where), FT_ERR_IO, FT_ERR_INTERNAL
 */
ft_status gguf_open(struct gguf **out, const char *path);

/** Takes *g (may be NULL) and sets it to NULL. */
void gguf_close(struct gguf **g);

/** As gguf_open for a file that is in memory whole; keeps nothing of data. gguf_read then fails. */
ft_status gguf_open_memory(struct gguf **out, const void *data, size_t bytes, const char *name);

const char *gguf_path(const struct gguf *g);

/* Metadata. Getters fail with FT_ERR_INPUT naming file and key when the key is missing or its type
 * is another. Strings and arrays are borrowed until gguf_close. */

bool gguf_has(const struct gguf *g, const char *key);

/** A non-negative integer of any integer type. */
ft_status gguf_get_u64(const struct gguf *g, const char *key, uint64_t *value);

/** A finite f32 or f64, or an integer. */
ft_status gguf_get_f64(const struct gguf *g, const char *key, double *value);

ft_status gguf_get_bool(const struct gguf *g, const char *key, bool *value);

/** A string without zero bytes, terminated. */
ft_status gguf_get_text(const struct gguf *g, const char *key, const char **value);

/** An array of strings. */
ft_status gguf_get_texts(const struct gguf *g, const char *key, struct gguf_texts *out);

/** An array of i32, or of u32 whose values all fit i32. */
ft_status gguf_get_ints(const struct gguf *g, const char *key, const int32_t **out, int64_t *n);

/** An array of f32, all of them finite. */
ft_status gguf_get_floats(const struct gguf *g, const char *key, const float **out, int64_t *n);

/** Number of elements of an array of any type; -1 when key is missing or no array. */
int64_t gguf_array_length(const struct gguf *g, const char *key);

/* Tensors. */

int gguf_n_tensors(const struct gguf *g);
const struct gguf_tensor *gguf_tensor(const struct gguf *g, int index);

/** Index of a tensor by name; -1 when there is none. */
int gguf_find_tensor(const struct gguf *g, const char *name);

/** Reads bytes of the file at offset. */
ft_status gguf_read(const struct gguf *g, void *out, size_t bytes, uint64_t offset);

/** "Q5_K" and so on; NULL for a number that no version of the format has (or has removed). */
const char *ggml_type_name(int type);

/** Elements and bytes of a block of a type that ggml_type_name knows. */
void ggml_type_block(int type, int64_t *elements, uint64_t *bytes);

/** Whether ggml_dequantize knows the type: F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K to
 * Q6_K, IQ4_NL, IQ4_XS. */
bool ggml_type_is_read(int type);

/**
 * Turns n_blocks blocks of a type that is read into f32, bit for bit as the `gguf` package of
 * Python does; a scale that is not finite gives values that are not.
 *
 * @param[out] out    (n_blocks * elements of a block) f32
 * @param[in]  blocks as in the file; no alignment needed
 * @return false when the type is not read
 */
bool ggml_dequantize(float *out, const void *blocks, int64_t n_blocks, int type);

/** Largest size of a value that F32, F16, BF16 or Q8_0 can hold. */
float ggml_type_largest(int type);

/**
 * Turns f32 into n_blocks blocks of F32, F16, BF16 (rounded to nearest, ties to even) or Q8_0, bit
 * for bit as the `gguf` package does.
 *
 * @param[in] values (n_blocks * elements of a block) finite, none above ggml_type_largest in size
 * @return false when the type is none of these
 */
bool ggml_quantize(void *blocks, const float *values, int64_t n_blocks, int type);

#endif
