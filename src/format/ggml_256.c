/*
 * Blocks of 256 elements in parts that have a scale of their own:
 *
 *     Q2_K    | 16 x (scale 4, min 4) | 64 bytes of 2 bits | f16 d | f16 dmin |
 *     Q3_K    | 32 bytes of third bits | 64 bytes of 2 bits | 12 bytes: 16 x scale 6 | f16 d |
 *     Q4_K    | f16 d | f16 dmin | 12 bytes: 8 x (scale 6, min 6) | 128 bytes of nibbles |
 *     Q5_K    | f16 d | f16 dmin | 12 bytes | 32 bytes of fifth bits | 128 bytes of nibbles |
 *     Q6_K    | 128 bytes of nibbles | 64 bytes of 2 bits | 16 x i8 scale | f16 d |
 *     IQ4_XS  | f16 d | u16 high bits | 4 bytes of low bits: 8 x scale 6 | 128 bytes of nibbles |
 *
 * with the values (d * scale) * q - dmin * min, or (d * scale) * q with q around 0. A byte of codes
 * holds elements that are 32 (Q6_K's nibbles: 64) apart, lowest bits first. Every product
 * is exact in f32 (11 bits of d, at most 8 of the scale and 5 of the code), so one rounding is left
 * at most and a fused multiply-add gives the same bits.
 *
 * Q8_K, in which ggml sums products, is in no file, and the `gguf` package does not read it either.
 *
 * Source: ggml-quants.c and gguf-py/gguf/quants.py of llama.cpp (the format, not the code).
 */
#include <stddef.h>

#include "base/dtype.h"
#include "ggml_blocks.h"

enum { BLOCK = 256, PARTS = 8 };

static float scale_at(const unsigned char *at)
{
    return dtype_f32_from_f16(ggml_half_at(at));
}

/* Bits of element j (0 ... 31) of part k (0 ... 7), which is element 32 * k + j. */

static int two_bits(const unsigned char *from, int k, int j)
{
    return from[k / 4 * 32 + j] >> k % 4 * 2 & 3;
}

static int one_bit(const unsigned char *from, int k, int j)
{
    return from[j] >> k & 1;
}

static int nibble(const unsigned char *from, int k, int j)
{
    return from[k / 2 * 32 + j] >> k % 2 * 4 & 15;
}

void ggml_read_q2_k(float *out, const unsigned char *from, int64_t n)
{
    for (; n > 0; n--, out += BLOCK, from += 84) {
        const float d = scale_at(from + 80), d_min = scale_at(from + 82);
        for (int k = 0; k < PARTS; k++)
            for (int j = 0; j < 32; j++) {
                const int both = from[2 * k + j / 16];
                out[32 * k + j] = d * (float)(both & 15) * (float)two_bits(from + 16, k, j) -
                                  d_min * (float)(both >> 4);
            }
    }
}

/* Scale i of 16: four low bits in bytes 0 ... 7, two high bits in bytes 8 ... 11. */
static int q3_scale(const unsigned char *from, int i)
{
    const int low = from[i % 8] >> i / 8 * 4 & 15, high = from[8 + i % 4] >> i / 4 * 2 & 3;
    return (low | high << 4) - 32;
}

/* Where the third bit is not set, 4 is taken away. */
void ggml_read_q3_k(float *out, const unsigned char *from, int64_t n)
{
    for (; n > 0; n--, out += BLOCK, from += 110) {
        const float d = scale_at(from + 108);
        for (int k = 0; k < PARTS; k++)
            for (int j = 0; j < 32; j++) {
                const int q = two_bits(from + 32, k, j) + 4 * one_bit(from, k, j) - 4;
                out[32 * k + j] = d * (float)q3_scale(from + 96, 2 * k + j / 16) * (float)q;
            }
    }
}

/* Scale and minimum k of 8: six bits each, those of the last four with their low bits in bytes
 * 8 ... 11 and their high bits above those of the first four. */
static void q4_scale(int *scale, int *min, const unsigned char *from, int k)
{
    if (k < 4) {
        *scale = from[k] & 63;
        *min = from[4 + k] & 63;
        return;
    }
    *scale = (from[4 + k] & 15) | from[k - 4] >> 6 << 4;
    *min = from[4 + k] >> 4 | from[k] >> 6 << 4;
}

/* Q4_K, and Q5_K where there are fifth bits. */
static void read_q45(float *out, const unsigned char *from, const unsigned char *fifth,
                     const unsigned char *nibbles)
{
    const float d = scale_at(from), d_min = scale_at(from + 2);
    for (int k = 0; k < PARTS; k++) {
        int scale, min;
        q4_scale(&scale, &min, from + 4, k);
        const float step = d * (float)scale, below = d_min * (float)min;
        for (int j = 0; j < 32; j++) {
            const int q = nibble(nibbles, k, j) | (fifth ? one_bit(fifth, k, j) << 4 : 0);
            out[32 * k + j] = step * (float)q - below;
        }
    }
}

void ggml_read_q4_k(float *out, const unsigned char *from, int64_t n)
{
    for (; n > 0; n--, out += BLOCK, from += 144)
        read_q45(out, from, NULL, from + 16);
}

void ggml_read_q5_k(float *out, const unsigned char *from, int64_t n)
{
    for (; n > 0; n--, out += BLOCK, from += 176)
        read_q45(out, from, from + 16, from + 48);
}

void ggml_read_q6_k(float *out, const unsigned char *from, int64_t n)
{
    for (; n > 0; n--, out += BLOCK, from += 210) {
        const float d = scale_at(from + 208);
        for (int k = 0; k < PARTS; k++)
            for (int j = 0; j < 32; j++) {
                const int low = from[k / 4 * 64 + k % 2 * 32 + j] >> k % 4 / 2 * 4 & 15;
                const int q = (low | two_bits(from + 128, k, j) << 4) - 32;
                out[32 * k + j] = d * (float)(int8_t)from[192 + 2 * k + j / 16] * (float)q;
            }
    }
}

void ggml_read_iq4_xs(float *out, const unsigned char *from, int64_t n)
{
    for (; n > 0; n--, out += BLOCK, from += 136) {
        const float d = scale_at(from);
        const int high = ggml_half_at(from + 2);
        for (int k = 0; k < PARTS; k++) {
            const int low = from[4 + k / 2] >> k % 2 * 4 & 15;
            const float step = d * (float)((low | (high >> 2 * k & 3) << 4) - 32);
            for (int j = 0; j < 32; j++) {
                const int q = from[8 + 16 * k + j % 16] >> j / 16 * 4 & 15;
                out[32 * k + j] = step * (float)ggml_iq4_levels[q];
            }
        }
    }
}
