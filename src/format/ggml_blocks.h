/* How blocks of quantised tensors become f32 and the other way round; not for other modules. Each
 * takes n blocks one behind the other, as in the file; no alignment needed. */
#ifndef FT_FORMAT_GGML_BLOCKS_H
#define FT_FORMAT_GGML_BLOCKS_H

#include <stdint.h>

typedef void ggml_reader(float *out, const unsigned char *from, int64_t n);
typedef void ggml_writer(unsigned char *out, const float *from, int64_t n);

/* ggml_32.c: blocks of 32 elements. */
ggml_reader ggml_read_q8_0, ggml_read_q4_0, ggml_read_q4_1, ggml_read_q5_0, ggml_read_q5_1,
    ggml_read_iq4_nl;
ggml_writer ggml_write_q8_0;

/* ggml_256.c: blocks of 256. */
ggml_reader ggml_read_q2_k, ggml_read_q3_k, ggml_read_q4_k, ggml_read_q5_k, ggml_read_q6_k,
    ggml_read_iq4_xs;

/* The levels of IQ4_NL and IQ4_XS. */
extern const int8_t ggml_iq4_levels[16];

static inline uint16_t ggml_half_at(const unsigned char *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

#endif
