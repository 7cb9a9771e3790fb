/*
 * Blocks of quantised tensors. A block of 32 elements:
 *
 *     Q8_0  | f16 d | 32 x i8 q |             d * q
 *     Q4_0  | f16 d | 16 bytes of nibbles |   d * (q - 8)
 *     Q4_1  | f16 d | f16 m | 16 bytes |      d * q + m
 *
 * The low nibbles are elements 0 ... 15, the high ones 16 ... 31. d * q is exact in f32 (11 bits
 * times at most 8), so one rounding is left and a fused multiply-add gives the same bits as two
 * operations.
 *
 * Source: ggml-quants.c and gguf-py/gguf/quants.py of llama.cpp (the format, not the code).
 */
#include <string.h>

#include "base/dtype.h"
#include "format/gguf.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "model files are little-endian and are read as they are"
#endif

struct type_row {
    const char *name;
    int elements;
    unsigned bytes;
};

static const struct type_row types[] = {
    [GGML_F32] = {"F32", 1, 4},     [GGML_F16] = {"F16", 1, 2},   [GGML_Q4_0] = {"Q4_0", 32, 18},
    [GGML_Q4_1] = {"Q4_1", 32, 20}, [6] = {"Q5_0", 32, 22},       [7] = {"Q5_1", 32, 24},
    [GGML_Q8_0] = {"Q8_0", 32, 34}, [9] = {"Q8_1", 32, 40},       [10] = {"Q2_K", 256, 84},
    [11] = {"Q3_K", 256, 110},      [12] = {"Q4_K", 256, 144},    [13] = {"Q5_K", 256, 176},
    [14] = {"Q6_K", 256, 210},      [15] = {"Q8_K", 256, 292},    [16] = {"IQ2_XXS", 256, 66},
    [17] = {"IQ2_XS", 256, 74},     [18] = {"IQ3_XXS", 256, 98},  [19] = {"IQ1_S", 256, 50},
    [20] = {"IQ4_NL", 32, 18},      [21] = {"IQ3_S", 256, 110},   [22] = {"IQ2_S", 256, 82},
    [23] = {"IQ4_XS", 256, 136},    [24] = {"I8", 1, 1},          [25] = {"I16", 1, 2},
    [GGML_I32] = {"I32", 1, 4},     [GGML_I64] = {"I64", 1, 8},   [28] = {"F64", 1, 8},
    [29] = {"IQ1_M", 256, 56},      [GGML_BF16] = {"BF16", 1, 2}, [34] = {"TQ1_0", 256, 54},
    [35] = {"TQ2_0", 256, 66},      [39] = {"MXFP4", 32, 17},     [40] = {"NVFP4", 64, 36},
    [41] = {"Q1_0", 128, 18}};

const char *ggml_type_name(int type)
{
    const int n = (int)(sizeof types / sizeof types[0]);
    return type >= 0 && type < n ? types[type].name : NULL;
}

void ggml_type_block(int type, int64_t *elements, uint64_t *bytes)
{
    *elements = types[type].elements;
    *bytes = types[type].bytes;
}

static uint16_t half_at(const unsigned char *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static void read_q8_0(float *out, const unsigned char *block)
{
    const float d = dtype_f32_from_f16(half_at(block));
    for (int i = 0; i < 32; i++)
        out[i] = d * (float)(int8_t)block[2 + i];
}

static void read_q4_0(float *out, const unsigned char *block)
{
    const float d = dtype_f32_from_f16(half_at(block));
    for (int i = 0; i < 16; i++) {
        out[i] = d * (float)((block[2 + i] & 15) - 8);
        out[16 + i] = d * (float)((block[2 + i] >> 4) - 8);
    }
}

static void read_q4_1(float *out, const unsigned char *block)
{
    const float d = dtype_f32_from_f16(half_at(block));
    const float m = dtype_f32_from_f16(half_at(block + 2));
    for (int i = 0; i < 16; i++) {
        out[i] = d * (float)(block[4 + i] & 15) + m;
        out[16 + i] = d * (float)(block[4 + i] >> 4) + m;
    }
}

bool ggml_dequantize(float *out, const void *blocks, int64_t n_blocks, int type)
{
    const unsigned char *from = blocks;
    switch (type) {
    case GGML_F32:
        memcpy(out, blocks, (size_t)n_blocks * sizeof *out);
        return true;
    case GGML_F16:
        for (int64_t i = 0; i < n_blocks; i++)
            out[i] = dtype_f32_from_f16(half_at(from + 2 * i));
        return true;
    case GGML_BF16:
        for (int64_t i = 0; i < n_blocks; i++)
            out[i] = dtype_f32_from_bf16(half_at(from + 2 * i));
        return true;
    case GGML_Q8_0:
        for (int64_t i = 0; i < n_blocks; i++)
            read_q8_0(out + 32 * i, from + 34 * i);
        return true;
    case GGML_Q4_0:
        for (int64_t i = 0; i < n_blocks; i++)
            read_q4_0(out + 32 * i, from + 18 * i);
        return true;
    case GGML_Q4_1:
        for (int64_t i = 0; i < n_blocks; i++)
            read_q4_1(out + 32 * i, from + 20 * i);
        return true;
    default:
        return false;
    }
}
