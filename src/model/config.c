/*
 * Every field has its own range here, so that the rest of the program may multiply and divide by
 * it. config.json is written by many versions of transformers: rope_theta and rope_scaling stand at
 * the top (4.x) or in rope_parameters (5.x), the kind is called rope_type or type.
 */
#include "model/config.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "format/gguf.h"
#include "format/json.h"
#include "format/weights.h"
#include "model_file.h"

bool model_path_is_gguf(const char *path)
{
    const size_t n = strlen(path);
    return n > 5 && strcmp(path + n - 5, ".gguf") == 0;
}

ft_status config_get_dim(const json_t *json, const char *key, int max, int absent, int *out)
{
    int64_t value = absent;
    bool found;
    FT_TRY(json_get_int(json, key, 1, max, &value, &found));
    *out = (int)value;
    return FT_OK;
}

static ft_status get_sizes(struct model_config *c, const json_t *json)
{
    FT_TRY(config_get_dim(json, "vocab_size", V_MAX, 32000, &c->V));
    FT_TRY(config_get_dim(json, "hidden_size", C_MAX, 4096, &c->C));
    FT_TRY(config_get_dim(json, "num_hidden_layers", L_MAX, 32, &c->L));
    FT_TRY(config_get_dim(json, "num_attention_heads", H_MAX, 32, &c->Hq));
    FT_TRY(config_get_dim(json, "num_key_value_heads", H_MAX, c->Hq, &c->Hkv));
    FT_TRY(config_get_dim(json, "intermediate_size", F_MAX, 11008, &c->F));
    FT_TRY(config_get_dim(json, "max_position_embeddings", T_LIMIT, 2048, &c->T_max));
    return config_get_dim(json, "head_dim", 2 * MODEL_ROPE_DIVISORS_MAX, c->C / c->Hq, &c->D);
}

/* An id, or the first of a list of ids; absent = -1. */
static ft_status get_id(int64_t *id, const json_t *json, const char *key, int64_t absent)
{
    const json_t *value = json_object_get(json, key);
    *id = value ? -1 : absent;
    if (json_is_array(value))
        value = json_array_get(value, 0);
    if (!value || json_is_null(value))
        return FT_OK;
    if (!json_is_integer(value))
        return ft_fail(FT_ERR_INPUT, "key \"%s\" is neither an integer nor a list of integers",
                       key);
    *id = json_integer_value(value);
    if (*id < -1 || *id >= V_MAX)
        return ft_fail(FT_ERR_INPUT, "key \"%s\" is %lld, not from -1 to %d", key, (long long)*id,
                       V_MAX - 1);
    return FT_OK;
}

static ft_status get_llama3(struct model_config *c, const json_t *rope)
{
    int64_t positions;
    c->rope_scaling = ROPE_LLAMA3;
    FT_TRY(json_get_real(rope, "factor", 1, 1e6, &c->rope_factor, NULL));
    FT_TRY(json_get_real(rope, "low_freq_factor", 1e-3, 1e6, &c->rope_low_freq_factor, NULL));
    FT_TRY(json_get_real(rope, "high_freq_factor", 1e-3, 1e6, &c->rope_high_freq_factor, NULL));
    FT_TRY(json_get_int(rope, "original_max_position_embeddings", 1, T_LIMIT, &positions, NULL));
    c->rope_original_positions = (int)positions;
    if (c->rope_high_freq_factor <= c->rope_low_freq_factor)
        return ft_fail(FT_ERR_INPUT, "key \"high_freq_factor\" is not above \"low_freq_factor\"");
    return FT_OK;
}

static ft_status get_rope(struct model_config *c, const json_t *json)
{
    bool found, has_scaling, has_parameters;
    json_t *scaling, *parameters;
    const char *type = "default";
    c->rope_theta = 10000;
    FT_TRY(json_get_real(json, "rope_theta", 1, 1e12, &c->rope_theta, &found));
    FT_TRY(json_get_object(json, "rope_scaling", &scaling, &has_scaling));
    FT_TRY(json_get_object(json, "rope_parameters", &parameters, &has_parameters));
    const json_t *rope = has_parameters ? parameters : has_scaling ? scaling : NULL;
    if (!rope)
        return FT_OK;
    FT_TRY(json_get_real(rope, "rope_theta", 1, 1e12, &c->rope_theta, &found));
    FT_TRY(json_get_text(rope, "rope_type", &type, &found));
    if (!found)
        FT_TRY(json_get_text(rope, "type", &type, &found));
    if (strcmp(type, "llama3") == 0)
        return get_llama3(c, rope);
    if (strcmp(type, "default") != 0)
        return ft_fail(FT_ERR_INPUT, "RoPE scaling \"%s\" is not supported, default and llama3 are",
                       type);
    return FT_OK;
}

ft_status config_require_word(const json_t *json, const char *key, const char *wanted)
{
    const char *word = wanted;
    bool found;
    FT_TRY(json_get_text(json, key, &word, &found));
    if (strcmp(word, wanted) != 0)
        return ft_fail(FT_ERR_INPUT, "key \"%s\" is \"%s\": not supported, \"%s\" is", key, word,
                       wanted);
    return FT_OK;
}

static ft_status check_consistent(const struct model_config *c)
{
    if (c->Hq % c->Hkv != 0)
        return ft_fail(FT_ERR_INPUT, "%d query heads do not divide among %d key/value heads", c->Hq,
                       c->Hkv);
    if (c->D % 2 != 0 || c->D < 2 || c->D > 2 * MODEL_ROPE_DIVISORS_MAX)
        return ft_fail(FT_ERR_INPUT, "head size %d is not even or not from 2 to %d", c->D,
                       2 * MODEL_ROPE_DIVISORS_MAX);
    if (c->bos >= c->V || c->eos >= c->V)
        return ft_fail(FT_ERR_INPUT,
                       "bos (%lld) or eos (%lld) token id is outside the vocabulary of %d",
                       (long long)c->bos, (long long)c->eos, c->V);
    return FT_OK;
}

static ft_status from_llama(struct model_config *c, const json_t *json)
{
    bool found;
    FT_TRY(config_require_word(json, "hidden_act", "silu"));
    FT_TRY(get_sizes(c, json));
    if (!json_is_integer(json_object_get(json, "head_dim")) && c->C % c->Hq != 0)
        return ft_fail(FT_ERR_INPUT,
                       "key \"hidden_size\" (%d) is no multiple of "
                       "\"num_attention_heads\" (%d) and \"head_dim\" is missing",
                       c->C, c->Hq);
    c->norm_eps = 1e-6;
    FT_TRY(json_get_real(json, "rms_norm_eps", 1e-12, 1, &c->norm_eps, &found));
    FT_TRY(get_rope(c, json));
    FT_TRY(json_get_bool(json, "tie_word_embeddings", &c->tied_embeddings, &found));
    FT_TRY(json_get_bool(json, "attention_bias", &c->attention_bias, &found));
    FT_TRY(json_get_bool(json, "mlp_bias", &c->mlp_bias, &found));
    FT_TRY(json_get_real(json, "attention_dropout", 0, DROPOUT_MAX, &c->attention_dropout, &found));
    FT_TRY(get_id(&c->bos, json, "bos_token_id", c->V > 1 ? 1 : -1));
    FT_TRY(get_id(&c->eos, json, "eos_token_id", c->V > 2 ? 2 : -1));
    return check_consistent(c);
}

static ft_status from_json(struct model_config *c, const json_t *json)
{
    const char *type;
    if (!json_is_object(json))
        return ft_fail(FT_ERR_INPUT, "the document is not an object");
    FT_TRY(json_get_text(json, "model_type", &type, NULL));
    (void)snprintf(c->family, sizeof c->family, "%s", type);
    if (strcmp(type, "llama") == 0)
        return from_llama(c, json);
    if (strcmp(type, "bert") == 0)
        return config_from_bert(c, json);
    return ft_fail(FT_ERR_INPUT, "model type \"%s\" is not supported, \"llama\" and \"bert\" are",
                   type);
}

static ft_status read_json(struct model_config *c, const char *folder)
{
    char path[FILE_PATH_MAX];
    json_t *json;
    FT_TRY(file_join(path, folder, "config.json"));
    FT_TRY(json_read_file(&json, path, CONFIG_BYTES_MAX));
    ft_status status = from_json(c, json);
    json_decref(json);
    if (status != FT_OK)
        return ft_fail_within(status, "%s", path);
    if (c->is_encoder)
        FT_TRY(config_find_pooler(c, folder));
    return config_read_pooling(c, folder);
}

/* An integer of the metadata in [1, max]; absent < 0 means that it is required. */
static ft_status gguf_dim(const struct gguf *g, const char *key, int max, int absent, int *out)
{
    uint64_t value = (uint64_t)absent;
    if (absent < 0 || gguf_has(g, key))
        FT_TRY(gguf_get_u64(g, key, &value));
    if (value < 1 || value > (uint64_t)max)
        return ft_fail(FT_ERR_INPUT, "%s: metadata key %s is %llu, not from 1 to %d", gguf_path(g),
                       key, (unsigned long long)value, max);
    *out = (int)value;
    return FT_OK;
}

/* A number of the metadata in [min, max]; absent it stays, where it is no negative number. */
static ft_status gguf_real(const struct gguf *g, const char *key, double min, double max,
                           double *out)
{
    double value = *out;
    if (value < 0 || gguf_has(g, key))
        FT_TRY(gguf_get_f64(g, key, &value));
    if (!(value >= min && value <= max))
        return ft_fail(FT_ERR_INPUT, "%s: metadata key %s is %g, not from %g to %g", gguf_path(g),
                       key, value, min, max);
    *out = value;
    return FT_OK;
}

static ft_status gguf_id(const struct gguf *g, const char *key, int64_t *out)
{
    uint64_t value;
    *out = -1;
    if (!gguf_has(g, key))
        return FT_OK;
    FT_TRY(gguf_get_u64(g, key, &value));
    if (value >= V_MAX)
        return ft_fail(FT_ERR_INPUT, "%s: metadata key %s is %llu, not from 0 to %d", gguf_path(g),
                       key, (unsigned long long)value, V_MAX - 1);
    *out = (int64_t)value;
    return FT_OK;
}

static ft_status gguf_vocabulary(const struct gguf *g, int *V)
{
    const int64_t n_tokens = gguf_array_length(g, "tokenizer.ggml.tokens");
    const int embed = gguf_find_tensor(g, "token_embd.weight");
    int64_t n = -1;
    if (embed >= 0)
        n = gguf_tensor(g, embed)->dims[1];
    else if (n_tokens > 0)
        n = n_tokens;
    return gguf_dim(g, "llama.vocab_size", V_MAX, n < 0 || n > V_MAX ? -1 : (int)n, V);
}

static ft_status gguf_sizes(struct model_config *c, const struct gguf *g)
{
    FT_TRY(gguf_dim(g, "llama.embedding_length", C_MAX, -1, &c->C));
    FT_TRY(gguf_dim(g, "llama.block_count", L_MAX, -1, &c->L));
    FT_TRY(gguf_dim(g, "llama.attention.head_count", H_MAX, -1, &c->Hq));
    FT_TRY(gguf_dim(g, "llama.attention.head_count_kv", H_MAX, c->Hq, &c->Hkv));
    FT_TRY(gguf_dim(g, "llama.feed_forward_length", F_MAX, -1, &c->F));
    FT_TRY(gguf_dim(g, "llama.context_length", T_LIMIT, -1, &c->T_max));
    FT_TRY(gguf_vocabulary(g, &c->V));
    const bool has_D = gguf_has(g, "llama.attention.key_length");
    if (!has_D && c->C % c->Hq != 0)
        return ft_fail(FT_ERR_INPUT,
                       "%s: llama.embedding_length (%d) is no multiple of head_count (%d)",
                       gguf_path(g), c->C, c->Hq);
    FT_TRY(gguf_dim(g, "llama.attention.key_length", 2 * MODEL_ROPE_DIVISORS_MAX,
                    has_D ? -1 : c->C / c->Hq, &c->D));
    int other = -1;
    FT_TRY(gguf_dim(g, "llama.attention.value_length", INT_MAX, c->D, &other));
    if (other == c->D)
        FT_TRY(gguf_dim(g, "llama.rope.dimension_count", INT_MAX, c->D, &other));
    if (other != c->D)
        return ft_fail(FT_ERR_INPUT,
                       "%s: sizes of keys (%d), values and rotated part (%d) differ: not supported",
                       gguf_path(g), c->D, other);
    return FT_OK;
}

/* Only tensors say it: llama.cpp's converter has no keys for biases and tying. */
static void gguf_flags(struct model_config *c, const struct gguf *g)
{
    c->tied_embeddings = gguf_find_tensor(g, "output.weight") < 0;
    c->attention_bias = gguf_find_tensor(g, "blk.0.attn_q.bias") >= 0;
    c->mlp_bias = gguf_find_tensor(g, "blk.0.ffn_gate.bias") >= 0;
}

static ft_status gguf_rope(struct model_config *c, const struct gguf *g)
{
    const char *type = "none";
    double factor = 1;
    c->rope_theta = 10000;
    FT_TRY(gguf_real(g, "llama.rope.freq_base", 1, 1e12, &c->rope_theta));
    if (gguf_has(g, "llama.rope.scaling.type"))
        FT_TRY(gguf_get_text(g, "llama.rope.scaling.type", &type));
    FT_TRY(gguf_real(g, "llama.rope.scaling.factor", 1e-6, 1e6, &factor));
    FT_TRY(gguf_real(g, "llama.rope.scale_linear", 1e-6, 1e6, &factor));
    if (strcmp(type, "none") != 0)
        return ft_fail(FT_ERR_INPUT,
                       "%s: RoPE scaling \"%s\" is not supported, none and llama3 are",
                       gguf_path(g), type);
    if (gguf_has(g, "llama.rope.scale_linear") && factor != 1)
        return ft_fail(FT_ERR_INPUT, "%s: RoPE scaling \"linear\" is not supported", gguf_path(g));
    return FT_OK;
}

double config_llama3_divisor(const struct model_config *c, int i)
{
    const double pi = 3.14159265358979323846;
    const double wavelength = 2 * pi * pow(c->rope_theta, 2.0 * i / c->D);
    const double turns = c->rope_original_positions / wavelength;
    if (turns < c->rope_low_freq_factor)
        return c->rope_factor;
    if (turns > c->rope_high_freq_factor)
        return 1;
    const double smooth =
        (turns - c->rope_low_freq_factor) / (c->rope_high_freq_factor - c->rope_low_freq_factor);
    return 1 / ((1 - smooth) / c->rope_factor + smooth);
}

/*
 * config.json of the exported model needs llama3's numbers, GGUF holds their effect: the largest
 * divisor is the factor, the frequency factors are 1 and 4 in every model known, and the original
 * positions are the power of two that gives the divisors.
 */
static ft_status find_llama3(struct model_config *c, const char *path)
{
    c->rope_scaling = ROPE_LLAMA3;
    c->rope_low_freq_factor = 1;
    c->rope_high_freq_factor = 4;
    c->rope_factor = 1;
    for (int i = 0; i < c->n_rope_divisors; i++)
        c->rope_factor = fmax(c->rope_factor, c->rope_divisor[i]);
    for (int positions = 16; positions <= 1 << 24; positions *= 2) {
        bool fits = true;
        c->rope_original_positions = positions;
        for (int i = 0; i < c->n_rope_divisors && fits; i++)
            fits =
                fabs(config_llama3_divisor(c, i) - c->rope_divisor[i]) <= 1e-4 * c->rope_divisor[i];
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
    float divisor[MODEL_ROPE_DIVISORS_MAX];
    if (weights_info(w, index)->n_elements != c->D / 2)
        return ft_fail(FT_ERR_INPUT, "%s: tensor rope_freqs.weight has %lld elements, not %d", path,
                       (long long)weights_info(w, index)->n_elements, c->D / 2);
    FT_TRY(weights_read_f32(w, index, divisor));
    for (int i = 0; i < c->D / 2; i++) {
        c->rope_divisor[i] = (double)divisor[i];
        if (!(c->rope_divisor[i] >= 1 && c->rope_divisor[i] <= 1e6))
            return ft_fail(FT_ERR_INPUT,
                           "%s: tensor rope_freqs.weight: element %d is %g, not from 1 to 1e6",
                           path, i, c->rope_divisor[i]);
    }
    c->n_rope_divisors = c->D / 2;
    return find_llama3(c, path);
}

/* llama3 scaling comes as divisors of the frequencies. */
static ft_status gguf_divisors(struct model_config *c, const char *path)
{
    struct weights *w;
    FT_TRY(weights_open(&w, path));
    const int index = weights_find(w, "rope_freqs.weight");
    const ft_status status = index < 0 ? FT_OK : read_divisors(c, w, index, path);
    weights_close(&w);
    return status;
}

static ft_status from_gguf(struct model_config *c, const struct gguf *g)
{
    const char *family;
    FT_TRY(gguf_get_text(g, "general.architecture", &family));
    if (strcmp(family, "llama") != 0)
        return ft_fail(FT_ERR_INPUT, "%s: architecture \"%s\" is not supported, \"llama\" is",
                       gguf_path(g), family);
    uint64_t n_experts = 0;
    if (gguf_has(g, "llama.expert_count"))
        FT_TRY(gguf_get_u64(g, "llama.expert_count", &n_experts));
    if (n_experts > 0)
        return ft_fail(FT_ERR_INPUT,
                       "%s: mixtures of experts (llama.expert_count) are not supported",
                       gguf_path(g));
    (void)snprintf(c->family, sizeof c->family, "llama");
    FT_TRY(gguf_sizes(c, g));
    gguf_flags(c, g);
    FT_TRY(gguf_rope(c, g));
    c->norm_eps = -1;
    FT_TRY(gguf_real(g, "llama.attention.layer_norm_rms_epsilon", 1e-12, 1, &c->norm_eps));
    FT_TRY(gguf_id(g, "tokenizer.ggml.bos_token_id", &c->bos));
    FT_TRY(gguf_id(g, "tokenizer.ggml.eos_token_id", &c->eos));
    const ft_status status = check_consistent(c);
    return status == FT_OK ? status : ft_fail_within(status, "%s", gguf_path(g));
}

static ft_status read_gguf(struct model_config *c, const char *path)
{
    struct gguf *g;
    FT_TRY(gguf_open(&g, path));
    ft_status status = from_gguf(c, g);
    gguf_close(&g);
    return status == FT_OK ? gguf_divisors(c, path) : status;
}

ft_status model_config_read(struct model_config *out, const char *path)
{
    memset(out, 0, sizeof *out);
    if (file_is_folder(path))
        return read_json(out, path);
    if (!file_exists(path))
        return ft_fail(FT_ERR_INPUT, "model %s does not exist", path);
    if (!model_path_is_gguf(path))
        return ft_fail(FT_ERR_INPUT, "%s is neither a model folder nor a .gguf file", path);
    return read_gguf(out, path);
}

enum pooling model_config_pooling(const struct model_config *config, enum pooling wanted)
{
    if (wanted != POOLING_AUTO)
        return wanted;
    if (config->folder_pooling != POOLING_AUTO)
        return config->folder_pooling;
    if (!config->is_encoder)
        return POOLING_LAST;
    return config->has_pooler ? POOLING_CLS : POOLING_MEAN;
}
