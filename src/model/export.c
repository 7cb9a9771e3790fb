/*
 * config.json is written in the spelling that both transformers 4 and 5 read: rope_theta and
 * rope_scaling at the top. A real is written with as few digits as give the same double back.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/mem.h"
#include "format/json.h"
#include "format/safetensors.h"
#include "model/convert.h"

#define SHARD_BYTES 5000000000 /* as transformers has it */
#define CONFIG_BYTES_MAX (16 << 20)

static const char *real_text(char out[32], double value)
{
    if (fabs(value) < 1e15 && floor(value) == value) {
        (void)snprintf(out, 32, "%.1f", value);
        return out;
    }
    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(out, 32, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            break;
    }
    return out;
}

static const char *bool_text(bool value)
{
    return value ? "true" : "false";
}

/* An id as the source has it (it may be a list), else ours, else null. */
static ft_status print_id(struct buffer *b, const char *key, const json_t *source, int64_t id)
{
    const json_t *value = json_object_get(source, key);
    if (!value)
        return id < 0 ? buffer_print(b, "  \"%s\": null,\n", key)
                      : buffer_print(b, "  \"%s\": %lld,\n", key, (long long)id);
    char *text = json_dumps(value, JSON_ENCODE_ANY);
    if (!text)
        return ft_fail(FT_ERR_INTERNAL, "out of memory: config.json");
    const ft_status status = buffer_print(b, "  \"%s\": %s,\n", key, text);
    free(text);
    return status;
}

static ft_status print_rope(struct buffer *b, const struct model_config *c)
{
    char a[4][32];
    FT_TRY(buffer_print(b, "  \"rope_theta\": %s,\n", real_text(a[0], c->rope_theta)));
    if (c->rope_scaling == ROPE_PLAIN)
        return buffer_print(b, "  \"rope_scaling\": null,\n");
    return buffer_print(b,
                        "  \"rope_scaling\": {\n"
                        "    \"factor\": %s,\n"
                        "    \"high_freq_factor\": %s,\n"
                        "    \"low_freq_factor\": %s,\n"
                        "    \"original_max_position_embeddings\": %d,\n"
                        "    \"rope_type\": \"llama3\"\n"
                        "  },\n",
                        real_text(a[1], c->rope_factor), real_text(a[2], c->rope_high_freq_factor),
                        real_text(a[3], c->rope_low_freq_factor), c->rope_original_positions);
}

static ft_status print_config(struct buffer *b, const struct model_config *c, const json_t *source)
{
    char eps[32];
    FT_TRY(buffer_print(b,
                        "{\n"
                        "  \"architectures\": [\n"
                        "    \"LlamaForCausalLM\"\n"
                        "  ],\n"
                        "  \"attention_bias\": %s,\n"
                        "  \"attention_dropout\": 0.0,\n",
                        bool_text(c->attention_bias)));
    FT_TRY(print_id(b, "bos_token_id", source, c->bos));
    FT_TRY(print_id(b, "eos_token_id", source, c->eos));
    FT_TRY(print_id(b, "pad_token_id", source, -1));
    FT_TRY(buffer_print(b,
                        "  \"head_dim\": %d,\n"
                        "  \"hidden_act\": \"silu\",\n"
                        "  \"hidden_size\": %d,\n"
                        "  \"initializer_range\": 0.02,\n"
                        "  \"intermediate_size\": %d,\n"
                        "  \"max_position_embeddings\": %d,\n"
                        "  \"mlp_bias\": %s,\n"
                        "  \"model_type\": \"llama\",\n"
                        "  \"num_attention_heads\": %d,\n"
                        "  \"num_hidden_layers\": %d,\n"
                        "  \"num_key_value_heads\": %d,\n"
                        "  \"pretraining_tp\": 1,\n"
                        "  \"rms_norm_eps\": %s,\n",
                        c->D, c->C, c->F, c->T_max, bool_text(c->mlp_bias), c->Hq, c->L, c->Hkv,
                        real_text(eps, c->norm_eps)));
    FT_TRY(print_rope(b, c));
    return buffer_print(b,
                        "  \"tie_word_embeddings\": %s,\n"
                        "  \"torch_dtype\": \"float32\",\n"
                        "  \"use_cache\": true,\n"
                        "  \"vocab_size\": %d\n"
                        "}\n",
                        bool_text(c->tied_embeddings), c->V);
}

static ft_status write_config(const char *folder, const struct model_config *c,
                              const char *source_path)
{
    char path[FILE_PATH_MAX];
    struct buffer text = {0};
    json_t *source = NULL;
    if (source_path && file_is_folder(source_path)) {
        FT_TRY(file_join(path, source_path, "config.json"));
        FT_TRY(json_read_file(&source, path, CONFIG_BYTES_MAX));
    }
    ft_status status = file_join(path, folder, "config.json");
    if (status == FT_OK)
        status = print_config(&text, c, source);
    if (status == FT_OK)
        status = file_replace(path, text.data, text.used);
    json_decref(source);
    buffer_clear(&text);
    return status;
}

/* The tensors of one file and where their data are. */
struct part {
    const struct tensor_spec *tensors;
    const float *params;
};

static ft_status give(void *context, int index, float *out, int64_t first, int64_t n)
{
    const struct part *part = context;
    memcpy(out, part->params + part->tensors[index].offset + first, (size_t)n * sizeof *out);
    return FT_OK;
}

static ft_status write_part(const char *folder, const char *name, const struct tensor_spec *tensors,
                            int n, const float *params)
{
    char path[FILE_PATH_MAX];
    struct safetensors_entry *entries;
    struct part part = {tensors, params};
    FT_TRY(file_join(path, folder, name));
    FT_TRY(FT_ALLOC(entries, n));
    for (int i = 0; i < n; i++) {
        entries[i].name = tensors[i].name;
        entries[i].n_dims = tensors[i].n_dims;
        entries[i].dims[0] = tensors[i].dims[0];
        entries[i].dims[1] = tensors[i].dims[1];
    }
    const ft_status status = safetensors_write(path, entries, n, give, &part, NULL);
    mem_free(entries);
    return status;
}

/* The number of tensors from `first` on that share a file: at least one, then as long as they fit.
 */
static int count_in_part(const struct layout *l, int first, int64_t shard_bytes)
{
    int n = 0;
    int64_t bytes = 0;
    while (first + n < l->n_tensors &&
           (n == 0 || bytes + 4 * l->tensors[first + n].n <= shard_bytes))
        bytes += 4 * l->tensors[first + n++].n;
    return n;
}

static ft_status write_index(const char *folder, const struct buffer *map, int64_t N)
{
    char path[FILE_PATH_MAX];
    struct buffer text = {0};
    ft_status status =
        buffer_print(&text,
                     "{\n  \"metadata\": {\n    \"total_parameters\": %lld,\n"
                     "    \"total_size\": %lld\n  },\n  \"weight_map\": {\n%s  }\n}\n",
                     (long long)N, (long long)N * 4, map->data);
    if (status == FT_OK)
        status = file_join(path, folder, "model.safetensors.index.json");
    if (status == FT_OK)
        status = file_replace(path, text.data, text.used);
    buffer_clear(&text);
    return status;
}

static ft_status write_parts(const char *folder, const struct layout *l, const float *params,
                             int64_t shard_bytes, int n_parts, struct buffer *map)
{
    for (int part = 1, first = 0; part <= n_parts; part++) {
        char name[64];
        const int n = count_in_part(l, first, shard_bytes);
        (void)snprintf(name, sizeof name, "model-%05d-of-%05d.safetensors", part, n_parts);
        FT_TRY(write_part(folder, name, l->tensors + first, n, params));
        for (int i = first; i < first + n; i++)
            FT_TRY(buffer_print(map, "    \"%s\": \"%s\"%s\n", l->tensors[i].name, name,
                                i + 1 < l->n_tensors ? "," : ""));
        first += n;
    }
    return write_index(folder, map, l->N);
}

ft_status model_write_weights(const char *folder, const struct layout *layout, const float *params,
                              int64_t shard_bytes)
{
    int n_parts = 0;
    for (int first = 0; first < layout->n_tensors; n_parts++)
        first += count_in_part(layout, first, shard_bytes);
    if (n_parts == 1)
        return write_part(folder, "model.safetensors", layout->tensors, layout->n_tensors, params);
    struct buffer map = {0};
    const ft_status status = write_parts(folder, layout, params, shard_bytes, n_parts, &map);
    buffer_clear(&map);
    return status;
}

ft_status model_write_folder(const char *folder, const struct layout *layout,
                             const struct model_config *config, const float *params,
                             const char *source_path)
{
    FT_TRY(model_write_weights(folder, layout, params, SHARD_BYTES));
    return write_config(folder, config, source_path);
}
