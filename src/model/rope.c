#include <math.h>

#include "model/blocks.h"

/* Llama 3 stretches the slow rotations only: wavelengths beyond original/low by `factor`, those
 * below original/high not at all, smoothly between. Source: Dubey et al. 2024 and transformers'
 * llama3 rope. */
static double rope_frequency(const struct model_config *c, int i)
{
    const double plain = pow(c->rope_theta, -2.0 * i / c->D);
    if (c->n_rope_divisors > 0)
        return plain / c->rope_divisor[i];
    if (c->rope_scaling != ROPE_LLAMA3)
        return plain;
    const double wavelength = 2.0 * acos(-1.0) / plain, original = c->rope_original_positions;
    const double low = c->rope_low_freq_factor, high = c->rope_high_freq_factor;
    if (wavelength > original / low)
        return plain / c->rope_factor;
    if (wavelength < original / high)
        return plain;
    const double smooth = (original / wavelength - low) / (high - low);
    return (1.0 - smooth) * plain / c->rope_factor + smooth * plain;
}

void rope_fill(struct model *m)
{
    const int half = m->config.D / 2;
    for (int i = 0; i < half; i++) {
        const double frequency = rope_frequency(&m->config, i);
        for (int t = 0; t < m->max_length; t++) {
            m->cosine[(int64_t)t * half + i] = (float)cos(frequency * t);
            m->sine[(int64_t)t * half + i] = (float)sin(frequency * t);
        }
    }
}
