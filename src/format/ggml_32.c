/*
 * Blocks of 32 elements:
 *
 *     Q8_0    | f16 d | 32 x i8 q |                          d * q
 *     Q4_0    | f16 d | 16 bytes of nibbles |                d * (q - 8)
 *     Q4_1    | f16 d | f16 m | 16 bytes |                   d * q + m
 *     Q5_0    | f16 d | u32 fifth bits | 16 bytes |          d * (q - 16)
 *     Q5_1    | f16 d | f16 m | u32 fifth bits | 16 bytes |  d * q + m
 *     IQ4_NL  | f16 d | 16 bytes |                           d * levels[q]
 *
 * The low nibbles are elements 0 ... 15, the high ones 16 ... 31. d * q is exact in f32 (11 bits
 * times at most 8), so one rounding is left and a fused multiply-add gives the same bits as two
 * operations.
 *
 * Source: ggml-quants.c and gguf-py/gguf/quants.py of llama.cpp (the format, not the code).
 */
#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "ggml_blocks.h"

const int8_t ggml_iq4_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                    1,    13,   25,  38,  53,  69,  89,  113};

static float scale_at(const unsigned char *at)
{
    return dtype_f32_from_f16(ggml_half_at(at));
}

void ggml_read_q8_0(float *out, const unsigned char *from, int64_t n)
{
    for (; n > 0; n--, out += 32, from += 34) {
        const float d = scale_at(from);
        for (int i = 0; i < 32; i++)
            out[i] = d * (float)(int8_t)from[2 + i];
    }
}

void ggml_read_q4_0(float *out, const unsigned char *from, int64_t n)
{
    for (; n > 0; n--, out += 32, from += 18) {
        const float d = scale_at(from);
        for (int i = 0; i < 16; i++) {
            out[i] = d * (float)((from[2 + i] & 15) - 8);
            out[16 + i] = d * (float)((from[2 + i] >> 4) - 8);
        }
    }
}

void ggml_read_q4_1(float *out, const unsigned char *from, int64_t n)
{
    for (; n > 0; n--, out += 32, from += 20) {
        const float d = scale_at(from), m = scale_at(from + 2);
        for (int i = 0; i < 16; i++) {
            out[i] = d * (float)(from[4 + i] & 15) + m;
            out[16 + i] = d * (float)(from[4 + i] >> 4) + m;
        }
    }
}

static int fifth_bit(uint32_t bits, int i)
{
    return (int)(bits >> i & 1) << 4;
}

void ggml_read_q5_0(float *out, const unsigned char *from, int64_t n)
{
    for (; n > 0; n--, out += 32, from += 22) {
        const float d = scale_at(from);
        uint32_t bits;
        memcpy(&bits, from + 2, sizeof bits);
        for (int i = 0; i < 16; i++) {
            out[i] = d * (float)(((from[6 + i] & 15) | fifth_bit(bits, i)) - 16);
            out[16 + i] = d * (float)((from[6 + i] >> 4 | fifth_bit(bits, 16 + i)) - 16);
        }
    }
}

void ggml_read_q5_1(float *out, const unsigned char *from, int64_t n)
{
    for (; n > 0; n--, out += 32, from += 24) {
        const float d = scale_at(from), m = scale_at(from + 2);
        uint32_t bits;
        memcpy(&bits, from + 4, sizeof bits);
        for (int i = 0; i < 16; i++) {
            out[i] = d * (float)((from[8 + i] & 15) | fifth_bit(bits, i)) + m;
            out[16 + i] = d * (float)(from[8 + i] >> 4 | fifth_bit(bits, 16 + i)) + m;
        }
    }
}

void ggml_read_iq4_nl(float *out, const unsigned char *from, int64_t n)
{
    for (; n > 0; n--, out += 32, from += 18) {
        const float d = scale_at(from);
        for (int i = 0; i < 16; i++) {
            out[i] = d * (float)ggml_iq4_levels[from[2 + i] & 15];
            out[16 + i] = d * (float)ggml_iq4_levels[from[2 + i] >> 4];
        }
    }
}

/* Halves go away from zero. x is at most a little above 127. */
static int8_t round_to_i8(float x)
{
    const float size = fabsf(x);
    const int whole = (int)size;
    const int q = whole + (size - (float)whole >= 0.5f);
    return (int8_t)(x < 0 ? -q : q);
}

/* The block's largest size becomes 127. A scale too small for its inverse is 0 as an f16 too. */
void ggml_write_q8_0(unsigned char *out, const float *from, int64_t n)
{
    for (; n > 0; n--, out += 34, from += 32) {
        float largest = 0;
        for (int i = 0; i < 32; i++)
            largest = fabsf(from[i]) > largest ? fabsf(from[i]) : largest;
        const float d = largest / 127.0f;
        const float inverse = d < 0x1p-126f ? 0.0f : 1.0f / d;
        const uint16_t half = dtype_f16_from_f32(d);
        memcpy(out, &half, sizeof half);
        for (int i = 0; i < 32; i++)
            out[2 + i] = (unsigned char)round_to_i8(from[i] * inverse);
    }
}
