/*
 * GGUF metadata: the same keys for all families, behind the name of the architecture. What a family
 * is besides, llama.cpp holds in its code; here it is in the families' tables.
 */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "family.h"
#include "format/gguf.h"
#include "format/weights.h"
#include "model_file.h"

struct metadata {
    const struct gguf *g;
    const char *architecture;
};

enum { KEY_TEXT = 128 };

static const char *key_of(char out[KEY_TEXT], const struct metadata *m, const char *name)
{
    (void)snprintf(out, KEY_TEXT, "%s.%s", m->architecture, name);
    return out;
}

static bool has(const struct metadata *m, const char *name)
{
    char key[KEY_TEXT];
    return gguf_has(m->g, key_of(key, m, name));
}

/* An integer in [min, max]; absent < 0 means that it is required. */
static ft_status get_int(const struct metadata *m, const char *name, int min, int max, int absent,
                         int *out)
{
    char key[KEY_TEXT];
    uint64_t value = (uint64_t)absent;
    if (absent < 0 || has(m, name))
        FT_TRY(gguf_get_u64(m->g, key_of(key, m, name), &value));
    if (value < (uint64_t)min || value > (uint64_t)max)
        return ft_fail(FT_ERR_INPUT, "%s: metadata key %s is %llu, not from %d to %d",
                       gguf_path(m->g), key_of(key, m, name), (unsigned long long)value, min, max);
    *out = (int)value;
    return FT_OK;
}

static ft_status get_size(const struct metadata *m, const char *name, int max, int absent, int *out)
{
    return get_int(m, name, 1, max, absent, out);
}

/* A number in [min, max]; absent it stays, where it is no negative number. */
static ft_status get_real(const struct metadata *m, const char *name, double min, double max,
                          double *out)
{
    char key[KEY_TEXT];
    double value = *out;
    if (value < 0 || has(m, name))
        FT_TRY(gguf_get_f64(m->g, key_of(key, m, name), &value));
    if (!(value >= min && value <= max))
        return ft_fail(FT_ERR_INPUT, "%s: metadata key %s is %g, not from %g to %g",
                       gguf_path(m->g), key_of(key, m, name), value, min, max);
    *out = value;
    return FT_OK;
}

static ft_status get_id(const struct metadata *m, const char *key, int64_t *out)
{
    uint64_t value;
    *out = -1;
    if (!gguf_has(m->g, key))
        return FT_OK;
    FT_TRY(gguf_get_u64(m->g, key, &value));
    if (value >= V_MAX)
        return ft_fail(FT_ERR_INPUT, "%s: metadata key %s is %llu, not from 0 to %d",
                       gguf_path(m->g), key, (unsigned long long)value, V_MAX - 1);
    *out = (int64_t)value;
    return FT_OK;
}

static ft_status get_vocabulary(const struct metadata *m, int *V)
{
    const int64_t n_tokens = gguf_array_length(m->g, "tokenizer.ggml.tokens");
    const int embed = gguf_find_tensor(m->g, "token_embd.weight");
    int64_t n = -1;
    if (embed >= 0)
        n = gguf_tensor(m->g, embed)->dims[1];
    else if (n_tokens > 0)
        n = n_tokens;
    return get_size(m, "vocab_size", V_MAX, n < 0 || n > V_MAX ? -1 : (int)n, V);
}

static ft_status get_head_size(struct model_config *c, const struct metadata *m)
{
    const bool is_given = has(m, "attention.key_length");
    int other;
    if (!is_given && c->C % c->Hq != 0)
        return ft_fail(FT_ERR_INPUT,
                       "%s: %s.embedding_length (%d) is no multiple of head_count (%d)",
                       gguf_path(m->g), m->architecture, c->C, c->Hq);
    FT_TRY(get_size(m, "attention.key_length", 2 * MODEL_ROPE_DIVISORS_MAX,
                    is_given ? -1 : c->C / c->Hq, &c->D));
    FT_TRY(get_size(m, "attention.value_length", INT_MAX, c->D, &other));
    if (other != c->D)
        return ft_fail(FT_ERR_INPUT, "%s: sizes of keys (%d) and values (%d) differ: not supported",
                       gguf_path(m->g), c->D, other);
    return c->positions == POSITION_ROPE
               ? get_size(m, "rope.dimension_count", c->D, c->D, &c->rotary)
               : FT_OK;
}

static ft_status get_sizes(struct model_config *c, const struct metadata *m)
{
    FT_TRY(get_size(m, "embedding_length", C_MAX, -1, &c->C));
    FT_TRY(get_size(m, "block_count", L_MAX, -1, &c->L));
    FT_TRY(get_size(m, "attention.head_count", H_MAX, -1, &c->Hq));
    FT_TRY(get_size(m, "attention.head_count_kv", H_MAX, c->Hq, &c->Hkv));
    FT_TRY(get_size(m, "feed_forward_length", F_MAX, -1, &c->F));
    FT_TRY(get_size(m, "context_length", T_LIMIT, -1, &c->T_max));
    FT_TRY(get_vocabulary(m, &c->V));
    c->E = c->C;
    return get_head_size(c, m);
}

/* Only tensors say it: llama.cpp's converter has no keys for biases and tying. */
static void get_flags(struct model_config *c, const struct metadata *m)
{
    const bool has_qkv_bias = gguf_find_tensor(m->g, "blk.0.attn_q.bias") >= 0 ||
                              gguf_find_tensor(m->g, "blk.0.attn_qkv.bias") >= 0;
    c->tied_embeddings = gguf_find_tensor(m->g, "output.weight") < 0;
    c->attention_bias = has_qkv_bias;
    c->output_bias = gguf_find_tensor(m->g, "blk.0.attn_output.bias") >= 0;
    c->mlp_bias = gguf_find_tensor(m->g, "blk.0.ffn_up.bias") >= 0;
}

static const struct {
    const char *name;
    enum rope_scaling scaling;
} scalings[] = {{"none", ROPE_PLAIN}, {"linear", ROPE_LINEAR}, {"yarn", ROPE_YARN}};

static ft_status find_scaling(struct rope_config *r, const struct metadata *m, const char *type)
{
    for (int i = 0; i < 3; i++)
        if (strcmp(type, scalings[i].name) == 0) {
            r->scaling = scalings[i].scaling;
            return FT_OK;
        }
    return ft_fail(FT_ERR_INPUT,
                   "%s: RoPE scaling \"%s\" is not supported; none, linear, yarn and llama3 are",
                   gguf_path(m->g), type);
}

static ft_status get_scaling(struct rope_config *r, const struct model_config *c,
                             const struct metadata *m)
{
    char key[KEY_TEXT];
    const char *type = has(m, "rope.scale_linear") ? "linear" : "none";
    r->factor = 1;
    FT_TRY(get_real(m, "rope.scale_linear", 1e-6, 1e6, &r->factor));
    if (has(m, "rope.scaling.type"))
        FT_TRY(gguf_get_text(m->g, key_of(key, m, "rope.scaling.type"), &type));
    FT_TRY(get_real(m, "rope.scaling.factor", 1e-6, 1e6, &r->factor));
    FT_TRY(find_scaling(r, m, type));
    if (r->scaling == ROPE_YARN) {
        FT_TRY(get_size(m, "rope.scaling.original_context_length", T_LIMIT, c->T_max,
                        &r->original_positions));
        r->beta_fast = 32;
        r->beta_slow = 1;
        r->truncate = true;
        r->attention_factor = rope_yarn_attention(r->factor, 1);
        FT_TRY(get_real(m, "rope.scaling.yarn_beta_fast", 1e-3, 1e6, &r->beta_fast));
        FT_TRY(get_real(m, "rope.scaling.yarn_beta_slow", 1e-3, 1e6, &r->beta_slow));
        return FT_OK;
    }
    if (r->factor == 1)
        r->scaling = ROPE_PLAIN;
    return FT_OK;
}

double rope_llama3_divisor(const struct rope_config *r, int rotary, int i)
{
    const double pi = 3.14159265358979323846;
    const double wavelength = 2 * pi * pow(r->theta, 2.0 * i / rotary);
    const double turns = r->original_positions / wavelength;
    if (turns < r->low_freq_factor)
        return r->factor;
    if (turns > r->high_freq_factor)
        return 1;
    const double smooth = (turns - r->low_freq_factor) / (r->high_freq_factor - r->low_freq_factor);
    return 1 / ((1 - smooth) / r->factor + smooth);
}

/*
 * config.json of the exported model needs llama3's numbers, GGUF holds their effect: the largest
 * divisor is the factor, the frequency factors are 1 and 4 in every model known, and the original
 * positions are the power of two that gives the divisors.
 */
static ft_status find_llama3(struct rope_config *r, int rotary, const char *path)
{
    r->scaling = ROPE_LLAMA3;
    r->low_freq_factor = 1;
    r->high_freq_factor = 4;
    r->factor = 1;
    for (int i = 0; i < r->n_divisors; i++)
        r->factor = fmax(r->factor, r->divisor[i]);
    for (int positions = 16; positions <= 1 << 24; positions *= 2) {
        bool fits = true;
        r->original_positions = positions;
        for (int i = 0; i < r->n_divisors && fits; i++)
            fits = fabs(rope_llama3_divisor(r, rotary, i) - r->divisor[i]) <= 1e-4 * r->divisor[i];
        if (fits)
            return FT_OK;
    }
    return ft_fail(
        FT_ERR_INPUT,
        "%s: tensor rope_freqs.weight: these RoPE factors are not llama3's: not supported", path);
}

static ft_status read_divisors(struct model_config *c, struct weights *w, int index,
                               const char *path)
{
    struct rope_config *r = &c->rope;
    float divisor[MODEL_ROPE_DIVISORS_MAX];
    const int half = c->rotary / 2;
    if (weights_info(w, index)->n_elements != half)
        return ft_fail(FT_ERR_INPUT, "%s: tensor rope_freqs.weight has %lld elements, not %d", path,
                       (long long)weights_info(w, index)->n_elements, half);
    FT_TRY(weights_read_f32(w, index, divisor));
    for (int i = 0; i < half; i++) {
        r->divisor[i] = (double)divisor[i];
        if (!(r->divisor[i] >= 1 && r->divisor[i] <= 1e6))
            return ft_fail(FT_ERR_INPUT,
                           "%s: tensor rope_freqs.weight: element %d is %g, not from 1 to 1e6",
                           path, i, r->divisor[i]);
    }
    r->n_divisors = half;
    return find_llama3(r, c->rotary, path);
}

/* llama3 scaling comes as divisors of the frequencies. */
static ft_status get_divisors(struct model_config *c, const char *path)
{
    struct weights *w;
    FT_TRY(weights_open(&w, path));
    const int index = weights_find(w, "rope_freqs.weight");
    const int factors = weights_find(w, "rope_factors_long.weight");
    ft_status status = FT_OK;
    if (factors >= 0)
        status = ft_fail(FT_ERR_INPUT, "%s: RoPE scaling \"longrope\" is not supported", path);
    else if (index >= 0)
        status = read_divisors(c, w, index, path);
    weights_close(&w);
    return status;
}

static ft_status get_numbers(struct model_config *c, const struct metadata *m)
{
    const bool is_rms = c->norm == NORM_RMS;
    c->norm_eps = -1;
    FT_TRY(get_real(m, is_rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon",
                    1e-12, 1, &c->norm_eps));
    FT_TRY(get_int(m, "attention.sliding_window", 0, T_LIMIT, 0, &c->window));
    FT_TRY(get_real(m, "attn_logit_softcapping", 0, 1e6, &c->attention_softcap));
    FT_TRY(get_real(m, "final_logit_softcapping", 0, 1e6, &c->logit_softcap));
    if (c->positions == POSITION_ROPE) {
        c->rope.theta = 10000;
        FT_TRY(get_real(m, "rope.freq_base", 1, 1e12, &c->rope.theta));
        FT_TRY(get_scaling(&c->rope, c, m));
        if (c->rope_local.theta > 0)
            FT_TRY(get_real(m, "rope.freq_base_swa", 1, 1e12, &c->rope_local.theta));
    }
    FT_TRY(get_id(m, "tokenizer.ggml.bos_token_id", &c->bos));
    return get_id(m, "tokenizer.ggml.eos_token_id", &c->eos);
}

static ft_status get_parallel(struct model_config *c, const struct metadata *m)
{
    char key[KEY_TEXT];
    if (!has(m, "use_parallel_residual"))
        return FT_OK;
    return gguf_get_bool(m->g, key_of(key, m, "use_parallel_residual"), &c->parallel);
}

static ft_status refuse_experts(const struct metadata *m)
{
    int n_experts;
    FT_TRY(get_int(m, "expert_count", 0, INT_MAX, 0, &n_experts));
    if (n_experts > 0)
        return ft_fail(FT_ERR_INPUT, "%s: mixtures of experts (%s.expert_count) are not supported",
                       gguf_path(m->g), m->architecture);
    return FT_OK;
}

static ft_status from_gguf(struct model_config *c, const struct gguf *g)
{
    struct metadata m = {.g = g};
    FT_TRY(gguf_get_text(g, "general.architecture", &m.architecture));
    const struct family *family =
        strlen(m.architecture) < 32 ? family_find_gguf(m.architecture) : NULL;
    if (!family) {
        char list[FAMILY_LIST];
        family_list(list, true);
        return ft_fail(FT_ERR_INPUT, "%s: architecture \"%s\" is not supported, these are: %s",
                       gguf_path(g), m.architecture, list);
    }
    FT_TRY(refuse_experts(&m));
    config_begin(c, family);
    c->rope_local.theta = family->local_theta ? family->local_theta_absent : 0;
    FT_TRY(get_sizes(c, &m));
    get_flags(c, &m);
    FT_TRY(get_numbers(c, &m));
    FT_TRY(get_parallel(c, &m));
    c->function = family->gguf_function;
    if (family->settle_gguf)
        family->settle_gguf(c);
    config_mark_pattern(c, &family->pattern, family->pattern.n);
    const ft_status status = config_check(c);
    return status == FT_OK ? status : ft_fail_within(status, "%s", gguf_path(g));
}

ft_status config_read_gguf(struct model_config *c, const char *path)
{
    struct gguf *g;
    FT_TRY(gguf_open(&g, path));
    ft_status status = from_gguf(c, g);
    gguf_close(&g);
    return status == FT_OK && c->positions == POSITION_ROPE ? get_divisors(c, path) : status;
}
