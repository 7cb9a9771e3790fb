/* The element types of ggml: names, blocks, and from and to f32 for those that are read or written.
 */
#include <string.h>

#include "base/dtype.h"
#include "format/gguf.h"
#include "ggml_blocks.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "model files are little-endian and are read as they are"
#endif

static void read_f32(float *out, const unsigned char *from, int64_t n)
{
    memcpy(out, from, (size_t)n * sizeof *out);
}

static void write_f32(unsigned char *out, const float *from, int64_t n)
{
    memcpy(out, from, (size_t)n * sizeof *from);
}

static void read_f16(float *out, const unsigned char *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = dtype_f32_from_f16(ggml_half_at(from + 2 * i));
}

static void write_f16(unsigned char *out, const float *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const uint16_t half = dtype_f16_from_f32(from[i]);
        memcpy(out + 2 * i, &half, sizeof half);
    }
}

static void read_bf16(float *out, const unsigned char *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = dtype_f32_from_bf16(ggml_half_at(from + 2 * i));
}

static void write_bf16(unsigned char *out, const float *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const uint16_t half = dtype_bf16_from_f32(from[i]);
        memcpy(out + 2 * i, &half, sizeof half);
    }
}

struct type_row {
    const char *name;
    int elements; /* of a block */
    unsigned bytes;
    ggml_reader *read; /* NULL: known by name alone */
    ggml_writer *write;
    float largest; /* what can be written; a block's largest in a block that has a scale */
};

#define F16_LARGEST 65504.0f
#define F32_LARGEST 3.40282347e38f

static const struct type_row types[] = {
    [GGML_F32] = {"F32", 1, 4, read_f32, write_f32, F32_LARGEST},
    [GGML_F16] = {"F16", 1, 2, read_f16, write_f16, F16_LARGEST},
    [GGML_Q4_0] = {"Q4_0", 32, 18, ggml_read_q4_0},
    [GGML_Q4_1] = {"Q4_1", 32, 20, ggml_read_q4_1},
    [6] = {"Q5_0", 32, 22, ggml_read_q5_0},
    [7] = {"Q5_1", 32, 24, ggml_read_q5_1},
    [GGML_Q8_0] = {"Q8_0", 32, 34, ggml_read_q8_0, ggml_write_q8_0, 127 * F16_LARGEST},
    [9] = {"Q8_1", 32, 40},
    [10] = {"Q2_K", 256, 84, ggml_read_q2_k},
    [11] = {"Q3_K", 256, 110, ggml_read_q3_k},
    [12] = {"Q4_K", 256, 144, ggml_read_q4_k},
    [13] = {"Q5_K", 256, 176, ggml_read_q5_k},
    [14] = {"Q6_K", 256, 210, ggml_read_q6_k},
    [15] = {"Q8_K", 256, 292},
    [16] = {"IQ2_XXS", 256, 66},
    [17] = {"IQ2_XS", 256, 74},
    [18] = {"IQ3_XXS", 256, 98},
    [19] = {"IQ1_S", 256, 50},
    [20] = {"IQ4_NL", 32, 18, ggml_read_iq4_nl},
    [21] = {"IQ3_S", 256, 110},
    [22] = {"IQ2_S", 256, 82},
    [23] = {"IQ4_XS", 256, 136, ggml_read_iq4_xs},
    [24] = {"I8", 1, 1},
    [25] = {"I16", 1, 2},
    [GGML_I32] = {"I32", 1, 4},
    [GGML_I64] = {"I64", 1, 8},
    [28] = {"F64", 1, 8},
    [29] = {"IQ1_M", 256, 56},
    [GGML_BF16] = {"BF16", 1, 2, read_bf16, write_bf16, F32_LARGEST},
    [34] = {"TQ1_0", 256, 54},
    [35] = {"TQ2_0", 256, 66},
    [39] = {"MXFP4", 32, 17},
    [40] = {"NVFP4", 64, 36},
    [41] = {"Q1_0", 128, 18}};

const char *ggml_type_name(int type)
{
    const int n = (int)(sizeof types / sizeof types[0]);
    return type >= 0 && type < n ? types[type].name : NULL;
}

bool ggml_type_is_read(int type)
{
    return ggml_type_name(type) && types[type].read;
}

void ggml_type_block(int type, int64_t *elements, uint64_t *bytes)
{
    *elements = types[type].elements;
    *bytes = types[type].bytes;
}

float ggml_type_largest(int type)
{
    return types[type].largest;
}

bool ggml_dequantize(float *out, const void *blocks, int64_t n_blocks, int type)
{
    if (!ggml_type_is_read(type))
        return false;
    types[type].read(out, blocks, n_blocks);
    return true;
}

bool ggml_quantize(void *blocks, const float *values, int64_t n_blocks, int type)
{
    if (!ggml_type_name(type) || !types[type].write)
        return false;
    types[type].write(blocks, values, n_blocks);
    return true;
}
