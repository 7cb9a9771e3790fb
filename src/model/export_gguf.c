/*
 * A model as llama.cpp's converter stores it. Vectors stay F32: they are a thousandth of the model,
 * and llama.cpp multiplies by F32 vectors alone.
 */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "export_private.h"
#include "family.h"
#include "gguf_order.h"
#include "model_file.h"

enum { KEY_MAX = 128, QUANTIZATION_VERSION = 2 };

/* A row of metadata behind the architecture: a number of the configuration. */
struct metadata_row {
    const char *key;
    size_t offset;
    bool is_real;      /* a double, written as f32; else an int */
    bool only_if_used; /* 0 is not written */
};

#define AT(member) offsetof(struct model_config, member)

static const struct metadata_row metadata[] = {
    {"context_length", AT(T_max), false, false},
    {"embedding_length", AT(C), false, false},
    {"block_count", AT(L), false, false},
    {"feed_forward_length", AT(F), false, false},
    {"attention.head_count", AT(Hq), false, false},
    {"attention.head_count_kv", AT(Hkv), false, false},
    {"attention.key_length", AT(D), false, false},
    {"attention.value_length", AT(D), false, false},
    {"vocab_size", AT(V), false, false},
    {"rope.dimension_count", AT(rotary), false, true},
    {"attn_logit_softcapping", AT(attention_softcap), true, true},
    {"final_logit_softcapping", AT(logit_softcap), true, true},
    {"rope.freq_base", AT(rope.theta), true, true},
    {"rope.freq_base_swa", AT(rope_local.theta), true, true}};

/* llama.cpp's numbers of what most tensors are. */
static uint32_t file_type(int type)
{
    static const struct {
        int type;
        uint32_t number;
    } rows[] = {{GGML_F32, 0}, {GGML_F16, 1}, {GGML_Q8_0, 7}, {GGML_BF16, 32}};
    size_t i = 0;
    while (rows[i].type != type)
        i++;
    return rows[i].number;
}

struct keys {
    struct gguf_writer *w;
    const char *architecture;
};

static const char *key_of(char out[KEY_MAX], const struct keys *k, const char *name)
{
    (void)snprintf(out, KEY_MAX, "%s.%s", k->architecture, name);
    return out;
}

static ft_status put_u32(const struct keys *k, const char *name, int value)
{
    char key[KEY_MAX];
    return gguf_put_u32(k->w, key_of(key, k, name), (uint32_t)value);
}

static ft_status put_f32(const struct keys *k, const char *name, double value)
{
    char key[KEY_MAX];
    return gguf_put_f32(k->w, key_of(key, k, name), (float)value);
}

static ft_status put_row(const struct keys *k, const struct metadata_row *row,
                         const struct model_config *c)
{
    const char *at = (const char *)c + row->offset;
    if (row->is_real) {
        const double value = *(const double *)at;
        return value == 0 && row->only_if_used ? FT_OK : put_f32(k, row->key, value);
    }
    const int value = *(const int *)at;
    return value == 0 && row->only_if_used ? FT_OK : put_u32(k, row->key, value);
}

/* A Mistral is a llama there, and a llama has no window. */
static ft_status put_window(const struct keys *k, const struct model_config *c)
{
    if (c->window == 0)
        return FT_OK;
    if (family_of(c) == family_find_gguf(k->architecture))
        return put_u32(k, "attention.sliding_window", c->window);
    log_warn("GGUF has no sliding window for this family: texts of more than %d tokens get other "
             "answers from programs that read it",
             c->window);
    return FT_OK;
}

/* llama3's scaling is a tensor: put_divisors. */
static ft_status put_scaling(const struct keys *k, const struct rope_config *r)
{
    char key[KEY_MAX];
    if (r->scaling != ROPE_LINEAR && r->scaling != ROPE_YARN)
        return FT_OK;
    FT_TRY(gguf_put_text(k->w, key_of(key, k, "rope.scaling.type"), rope_scaling_name(r->scaling)));
    FT_TRY(put_f32(k, "rope.scaling.factor", r->factor));
    if (r->scaling == ROPE_LINEAR)
        return FT_OK;
    FT_TRY(put_u32(k, "rope.scaling.original_context_length", r->original_positions));
    FT_TRY(put_f32(k, "rope.scaling.yarn_beta_fast", r->beta_fast));
    return put_f32(k, "rope.scaling.yarn_beta_slow", r->beta_slow);
}

static ft_status put_metadata(struct gguf_writer *w, const struct model_config *c, int type)
{
    const struct keys k = {w, family_of(c)->gguf};
    char key[KEY_MAX];
    FT_TRY(gguf_put_text(w, "general.architecture", k.architecture));
    FT_TRY(gguf_put_text(w, "general.type", "model"));
    FT_TRY(gguf_put_u32(w, "general.file_type", file_type(type)));
    FT_TRY(gguf_put_u32(w, "general.quantization_version", QUANTIZATION_VERSION));
    for (size_t i = 0; i < sizeof metadata / sizeof *metadata; i++)
        FT_TRY(put_row(&k, &metadata[i], c));
    FT_TRY(put_window(&k, c));
    if (c->interleaved)
        FT_TRY(gguf_put_bool(w, key_of(key, &k, "use_parallel_residual"), c->parallel));
    FT_TRY(put_scaling(&k, &c->rope));
    return put_f32(&k,
                   c->norm == NORM_RMS ? "attention.layer_norm_rms_epsilon"
                                       : "attention.layer_norm_epsilon",
                   c->norm_eps);
}

/* What the metadata cannot say must be what a reader takes for granted. */
static ft_status check_granted(const struct model_config *c)
{
    const struct family *family = family_of(c);
    struct model_config granted = *c;
    memset(granted.local_layers, 0, sizeof granted.local_layers);
    granted.attention_scale = 0;
    config_mark_pattern(&granted, &family->pattern, family->pattern.n);
    if (family->settle_gguf)
        family->settle_gguf(&granted);
    if (c->window > 0 &&
        memcmp(granted.local_layers, c->local_layers, sizeof granted.local_layers) != 0)
        return ft_fail(FT_ERR_USAGE, "GGUF cannot say which layers of this model are local; use "
                                     "--format hf");
    const double scale = granted.attention_scale > 0 ? granted.attention_scale : 1 / sqrt(c->D);
    if (c->attention_scale > 0 && fabs(c->attention_scale - scale) > 1e-6 * scale)
        return ft_fail(FT_ERR_USAGE,
                       "GGUF cannot say the scale of this model's attention (%g); "
                       "use --format hf",
                       c->attention_scale);
    if (c->rope.scaling == ROPE_DYNAMIC)
        return ft_fail(FT_ERR_USAGE, "GGUF has no dynamic scaling of RoPE; use --format hf");
    return FT_OK;
}

ft_status model_check_gguf(const struct model_config *config)
{
    if (!family_of(config)->gguf)
        return ft_fail(FT_ERR_USAGE,
                       "a model of the family \"%s\" is not written as GGUF; use --format hf",
                       config->family);
    if (config->head.n_labels > 0)
        return ft_fail(FT_ERR_USAGE,
                       "GGUF has no place for the head of a classification; use --format hf");
    return check_granted(config);
}

int model_gguf_type(const struct model_config *config, const struct tensor_spec *t, int type)
{
    int64_t elements;
    uint64_t bytes;
    ggml_type_block(type, &elements, &bytes);
    if (t->n_dims < 2 || t->role == ROLE_POSITIONS || t->role == ROLE_TYPES)
        return GGML_F32;
    return t->dims[gguf_is_turned(config, t) ? 0 : 1] % elements == 0 ? type : GGML_F16;
}

/* What stands in the file: the table's tensors, then perhaps the divisors of RoPE. */
struct gguf_parts {
    const struct model_tensors *m;
    char (*names)[TENSOR_NAME]; /* (n_tensors) */
    float *divisors;            /* (D/2), or NULL */
};

static ft_status give(void *context, int index, float *out, int64_t first, int64_t n)
{
    const struct gguf_parts *parts = context;
    const struct model_tensors *m = parts->m;
    if (index == m->layout->n_tensors) {
        memcpy(out, parts->divisors + first, (size_t)n * sizeof *out);
        return FT_OK;
    }
    const struct tensor_spec *t = &m->layout->tensors[index];
    gguf_order_give(out, m->values[index], first, n, m->config, t);
    return FT_OK;
}

/* llama3's scaling is stored as what it divides the plain frequencies by. */
static ft_status put_divisors(struct gguf_writer *w, struct gguf_parts *parts)
{
    const struct model_config *c = parts->m->config;
    const int64_t half = c->rotary / 2;
    if (c->rope.scaling != ROPE_LLAMA3)
        return FT_OK;
    FT_TRY(FT_ALLOC(parts->divisors, half));
    for (int i = 0; i < half; i++)
        parts->divisors[i] =
            (float)(c->rope.n_divisors ? c->rope.divisor[i]
                                       : rope_llama3_divisor(&c->rope, c->rotary, i));
    return gguf_put_tensor(w, "rope_freqs.weight", 1, &half, GGML_F32);
}

static ft_status put_tensors(struct gguf_writer *w, struct gguf_parts *parts, int type)
{
    const struct layout *l = parts->m->layout;
    FT_TRY(FT_ALLOC(parts->names, l->n_tensors));
    for (int i = 0; i < l->n_tensors; i++) {
        const struct tensor_spec *t = &l->tensors[i];
        if (!gguf_tensor_name(parts->names[i], parts->m->config, t))
            return ft_fail(FT_ERR_USAGE, "GGUF has no place for tensor %s; use --format hf",
                           t->name);
        const bool is_turned = gguf_is_turned(parts->m->config, t);
        const int64_t dims[2] = {t->dims[is_turned], t->dims[!is_turned]};
        FT_TRY(gguf_put_tensor(w, parts->names[i], t->n_dims, dims,
                               model_gguf_type(parts->m->config, t, type)));
    }
    return put_divisors(w, parts);
}

ft_status model_export_gguf(struct gguf_writer *w, const char *path, const struct model_tensors *m,
                            int type)
{
    struct gguf_parts parts = {.m = m};
    FT_TRY(model_check_gguf(m->config));
    ft_status status = put_metadata(w, m->config, type);
    if (status == FT_OK)
        status = put_tensors(w, &parts, type);
    if (status == FT_OK)
        status = gguf_write_file(w, path, give, &parts);
    mem_free(parts.divisors);
    mem_free(parts.names);
    return status;
}
