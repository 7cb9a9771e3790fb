/*
 * A model as llama.cpp's converter stores it. Vectors stay F32: they are a thousandth of the model,
 * and llama.cpp multiplies by F32 vectors alone.
 */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "export_private.h"
#include "gguf_names.h"
#include "model_file.h"

enum { KEY_MAX = 128, QUANTIZATION_VERSION = 2 };

struct metadata_row {
    const char *key; /* behind the architecture */
    size_t offset;   /* of an int in the configuration */
};

#define AT(member) offsetof(struct model_config, member)

static const struct metadata_row sizes[] = {
    {"context_length", AT(T_max)},    {"embedding_length", AT(C)},
    {"block_count", AT(L)},           {"feed_forward_length", AT(F)},
    {"attention.head_count", AT(Hq)}, {"attention.head_count_kv", AT(Hkv)},
    {"attention.key_length", AT(D)},  {"attention.value_length", AT(D)},
    {"rope.dimension_count", AT(D)},  {"vocab_size", AT(V)}};

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

static ft_status put_metadata(struct gguf_writer *w, const struct model_config *c,
                              const struct gguf_family *family, int type)
{
    char key[KEY_MAX];
    FT_TRY(gguf_put_text(w, "general.architecture", family->architecture));
    FT_TRY(gguf_put_text(w, "general.type", "model"));
    FT_TRY(gguf_put_u32(w, "general.file_type", file_type(type)));
    FT_TRY(gguf_put_u32(w, "general.quantization_version", QUANTIZATION_VERSION));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int value;
        memcpy(&value, (const char *)c + sizes[i].offset, sizeof value);
        (void)snprintf(key, sizeof key, "%s.%s", family->architecture, sizes[i].key);
        FT_TRY(gguf_put_u32(w, key, (uint32_t)value));
    }
    (void)snprintf(key, sizeof key, "%s.rope.freq_base", family->architecture);
    FT_TRY(gguf_put_f32(w, key, (float)c->rope_theta));
    (void)snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", family->architecture);
    return gguf_put_f32(w, key, (float)c->norm_eps);
}

ft_status model_check_gguf(const struct model_config *config)
{
    if (!gguf_family_find(config))
        return ft_fail(FT_ERR_USAGE,
                       "a model of the family \"%s\" is not written as GGUF; use --format hf",
                       config->family);
    if (config->head.n_labels > 0)
        return ft_fail(FT_ERR_USAGE,
                       "GGUF has no place for the head of a classification; use --format hf");
    return FT_OK;
}

int model_gguf_type(const struct tensor_spec *t, int type)
{
    int64_t elements;
    uint64_t bytes;
    ggml_type_block(type, &elements, &bytes);
    if (t->n_dims < 2 || t->role == ROLE_POSITIONS || t->role == ROLE_TYPES)
        return GGML_F32;
    return t->dims[1] % elements == 0 ? type : GGML_F16;
}

/* What stands in the file: the table's tensors, then perhaps the divisors of RoPE. */
struct gguf_parts {
    const struct model_tensors *m;
    const struct gguf_family *family;
    char (*names)[TENSOR_NAME]; /* (n_tensors) */
    float *divisors;            /* (D/2), or NULL */
};

/* Rows of a head that turn together lie side by side: row r of the file is row j * D/2 + i. */
static void give_paired(float *out, const float *x, int64_t first, int64_t n, int64_t width,
                        int64_t D)
{
    for (int64_t k = 0; k < n;) {
        const int64_t row = (first + k) / width, column = (first + k) % width, r = row % D;
        const int64_t from = row - r + r % 2 * (D / 2) + r / 2;
        const int64_t count = width - column < n - k ? width - column : n - k;
        memcpy(out + k, x + from * width + column, (size_t)count * sizeof *out);
        k += count;
    }
}

static bool is_paired(const struct gguf_parts *parts, int role)
{
    return parts->family->pairs_rows &&
           (role == ROLE_Q || role == ROLE_K || role == ROLE_Q_BIAS || role == ROLE_K_BIAS);
}

static ft_status give(void *context, int index, float *out, int64_t first, int64_t n)
{
    const struct gguf_parts *parts = context;
    const struct model_tensors *m = parts->m;
    if (index == m->layout->n_tensors) {
        memcpy(out, parts->divisors + first, (size_t)n * sizeof *out);
        return FT_OK;
    }
    const struct tensor_spec *t = &m->layout->tensors[index];
    if (is_paired(parts, t->role))
        give_paired(out, m->values[index], first, n, t->dims[1], m->config->D);
    else
        memcpy(out, m->values[index] + first, (size_t)n * sizeof *out);
    return FT_OK;
}

/* llama3's scaling is stored as what it divides the plain frequencies by. */
static ft_status put_divisors(struct gguf_writer *w, struct gguf_parts *parts)
{
    const struct model_config *c = parts->m->config;
    const int64_t half = c->D / 2;
    if (c->rope_scaling == ROPE_PLAIN)
        return FT_OK;
    FT_TRY(FT_ALLOC(parts->divisors, half));
    for (int i = 0; i < half; i++)
        parts->divisors[i] =
            (float)(c->n_rope_divisors ? c->rope_divisor[i] : config_llama3_divisor(c, i));
    return gguf_put_tensor(w, "rope_freqs.weight", 1, &half, GGML_F32);
}

static ft_status put_tensors(struct gguf_writer *w, struct gguf_parts *parts, int type)
{
    const struct layout *l = parts->m->layout;
    FT_TRY(FT_ALLOC(parts->names, l->n_tensors));
    for (int i = 0; i < l->n_tensors; i++) {
        const struct tensor_spec *t = &l->tensors[i];
        if (!gguf_tensor_name(parts->names[i], t))
            return ft_fail(FT_ERR_USAGE, "GGUF has no place for tensor %s; use --format hf",
                           t->name);
        FT_TRY(gguf_put_tensor(w, parts->names[i], t->n_dims, t->dims, model_gguf_type(t, type)));
    }
    return put_divisors(w, parts);
}

ft_status model_export_gguf(struct gguf_writer *w, const char *path, const struct model_tensors *m,
                            int type)
{
    struct gguf_parts parts = {.m = m, .family = gguf_family_find(m->config)};
    FT_TRY(model_check_gguf(m->config));
    ft_status status = put_metadata(w, m->config, parts.family, type);
    if (status == FT_OK)
        status = put_tensors(w, &parts, type);
    if (status == FT_OK)
        status = gguf_write_file(w, path, give, &parts);
    mem_free(parts.divisors);
    mem_free(parts.names);
    return status;
}
