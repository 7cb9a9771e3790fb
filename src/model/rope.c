#include <math.h>

#include "model/blocks.h"

/* What turns the slow pairs less, each for reasons of its own. */
struct turning {
    const struct rope_config *rope;
    int width;        /* elements that turn */
    double theta;     /* after ROPE_DYNAMIC */
    double low, high; /* ROPE_YARN: pairs before low are plain, behind high stretched */
};

/* Sequences beyond what the model was made for stretch theta. Source: transformers' dynamic rope,
 * here for the longest sequence of the run. */
static double dynamic_theta(const struct rope_config *r, int width, int T, int T_max)
{
    if (T <= T_max)
        return r->theta;
    const double stretch = r->factor * T / T_max - (r->factor - 1);
    return r->theta * pow(stretch, width / (width - 2.0));
}

/* The pair that makes so many turns within the original positions. */
static double turning_pair(const struct rope_config *r, int width, double turns)
{
    const double two_pi = 2.0 * acos(-1.0);
    return width * log(r->original_positions / (turns * two_pi)) / (2 * log(r->theta));
}

static struct turning turning_of(const struct rope_config *r, const struct model *m)
{
    struct turning t = {.rope = r, .width = m->config.rotary, .theta = r->theta};
    if (r->scaling == ROPE_DYNAMIC)
        t.theta = dynamic_theta(r, t.width, m->max_length, m->config.T_max);
    if (r->scaling != ROPE_YARN)
        return t;
    t.low = turning_pair(r, t.width, r->beta_fast);
    t.high = turning_pair(r, t.width, r->beta_slow);
    if (r->truncate) {
        t.low = floor(t.low);
        t.high = ceil(t.high);
    }
    t.low = fmax(t.low, 0);
    t.high = fmin(t.high, t.width - 1);
    if (t.high <= t.low)
        t.high = t.low + 0.001;
    return t;
}

/* Llama 3 stretches the slow rotations only: wavelengths beyond original/low by `factor`, those
 * below original/high not at all, smoothly between. Source: Dubey et al. 2024 and transformers'
 * llama3 rope. */
static double llama3_frequency(const struct rope_config *r, double plain)
{
    const double wavelength = 2.0 * acos(-1.0) / plain, original = r->original_positions;
    const double low = r->low_freq_factor, high = r->high_freq_factor;
    if (wavelength > original / low)
        return plain / r->factor;
    if (wavelength < original / high)
        return plain;
    const double smooth = (original / wavelength - low) / (high - low);
    return (1.0 - smooth) * plain / r->factor + smooth * plain;
}

/* Source of ROPE_YARN: Peng et al. 2023. */
static double frequency(const struct turning *t, int i)
{
    const struct rope_config *r = t->rope;
    const double plain = pow(t->theta, -2.0 * i / t->width);
    if (r->n_divisors > 0)
        return plain / r->divisor[i];
    if (r->scaling == ROPE_LINEAR)
        return plain / r->factor;
    if (r->scaling == ROPE_LLAMA3)
        return llama3_frequency(r, plain);
    if (r->scaling != ROPE_YARN)
        return plain;
    const double ramp = fmin(fmax((i - t->low) / (t->high - t->low), 0), 1);
    return plain / r->factor * ramp + plain * (1 - ramp);
}

static void fill(const struct rotation *rotation, const struct rope_config *r,
                 const struct model *m)
{
    const struct turning turning = turning_of(r, m);
    const int half = turning.width / 2;
    const double size = r->scaling == ROPE_YARN ? r->attention_factor : 1.0;
    float *cosine = (float *)rotation->cosine, *sine = (float *)rotation->sine;
    for (int i = 0; i < half; i++) {
        const double speed = frequency(&turning, i);
        for (int t = 0; t < m->max_length; t++) {
            cosine[(int64_t)t * half + i] = (float)(size * cos(speed * t));
            sine[(int64_t)t * half + i] = (float)(size * sin(speed * t));
        }
    }
}

void rope_fill(struct model *m)
{
    fill(&m->rotation, &m->config.rope, m);
    if (m->rotation_local.cosine)
        fill(&m->rotation_local, &m->config.rope_local, m);
}

static struct rotation push(struct arena *arena, const struct model *m)
{
    const size_t n = (size_t)(m->config.rotary / 2) * (size_t)m->max_length;
    const struct rotation rotation = {.cosine = arena_push(arena, n, sizeof(float)),
                                      .sine = arena_push(arena, n, sizeof(float)),
                                      .width = m->config.rotary};
    return rotation;
}

void rope_push(struct arena *arena, struct model *m)
{
    if (m->config.positions != POSITION_ROPE)
        return;
    m->rotation = push(arena, m);
    if (m->config.rope_local.theta > 0)
        m->rotation_local = push(arena, m);
}

/* With q, k and v of a head side by side keys do not follow the queries. */
void rope_turn(const struct model *m, void *qkv, const struct batch *batch, int layer,
               float direction)
{
    const bool is_local = m->rotation_local.cosine && model_layer_is_local(&m->config, layer);
    const struct rotation *rotation = is_local ? &m->rotation_local : &m->rotation;
    const int width = qkv_width(&m->config);
    struct heads both = m->q;
    if (m->config.positions != POSITION_ROPE)
        return;
    both.n += m->config.interleaved ? 0 : m->k.n;
    rope_rotate(qkv, width, &both, rotation, batch->positions, batch->n_tokens, direction, m->elem);
    if (m->config.interleaved)
        rope_rotate(qkv, width, &m->k, rotation, batch->positions, batch->n_tokens, direction,
                    m->elem);
}
