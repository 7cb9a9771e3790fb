/*
 * Every field has its own range, in the tables of the families, so that the rest of the program may
 * multiply and divide by it.
 */
#include "model/config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "family.h"
#include "format/json.h"
#include "format/weights.h"
#include "model_file.h"

bool model_path_is_gguf(const char *path)
{
    const size_t n = strlen(path);
    return n > 5 && strcmp(path + n - 5, ".gguf") == 0;
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

static ft_status get_function(enum function *out, const json_t *json, const struct config_key *key)
{
    const char *word;
    bool found;
    *out = (enum function)key->absent;
    FT_TRY(json_get_text(json, key->name, &word, &found));
    if (found && !function_find(out, word))
        return ft_fail(FT_ERR_INPUT,
                       "key \"%s\" is \"%s\": not supported, silu, gelu, gelu_pytorch_tanh and "
                       "relu are",
                       key->name, word);
    return FT_OK;
}

/* What is written there may be a number or a bool. */
static ft_status check_fixed(const json_t *json, const struct config_key *key)
{
    const json_t *value = json_object_get(json, key->name);
    if (!value || json_is_null(value))
        return FT_OK;
    const bool is_bool = json_is_boolean(value);
    const double number = is_bool ? json_is_true(value) : json_number_value(value);
    if ((is_bool || json_is_number(value)) && fabs(number - key->absent) < 1e-12)
        return FT_OK;
    char *text = NULL;
    FT_TRY(json_print(&text, value, JSON_COMPACT, key->name));
    const ft_status status = ft_fail(FT_ERR_INPUT, "key \"%s\" is %.40s: not supported, %g is",
                                     key->name, text, key->absent);
    free(text);
    return status;
}

static bool is_null(const json_t *json, const char *key)
{
    return json_is_null(json_object_get(json, key));
}

static ft_status get_int(int *out, const json_t *json, const struct config_key *key)
{
    int64_t value = (int64_t)key->absent;
    bool found;
    const int min = key->kind == KEY_SIZE ? 1 : 0;
    FT_TRY(json_get_int(json, key->name, min, (int64_t)key->max, &value, &found));
    *out = key->kind == KEY_WINDOW && is_null(json, key->name) ? 0 : (int)value;
    return FT_OK;
}

static ft_status get_real(double *out, const json_t *json, const struct config_key *key)
{
    bool found;
    *out = key->absent;
    FT_TRY(json_get_real(json, key->name, key->min, key->max, out, &found));
    if (key->kind == KEY_CAP && is_null(json, key->name))
        *out = 0;
    if (key->kind == KEY_SCALE)
        *out = 1.0 / sqrt(*out);
    return FT_OK;
}

static ft_status get_key(struct model_config *c, const json_t *json, const struct config_key *key)
{
    void *at = (char *)c + key->at;
    bool found;
    switch (key->kind) {
    case KEY_SIZE:
    case KEY_COUNT:
    case KEY_WINDOW:
        return get_int(at, json, key);
    case KEY_REAL:
    case KEY_CAP:
    case KEY_SCALE:
        return get_real(at, json, key);
    case KEY_BOOL:
        *(bool *)at = key->absent != 0;
        return json_get_bool(json, key->name, at, &found);
    case KEY_FUNCTION:
        return get_function(at, json, key);
    case KEY_ID:
        return get_id(at, json, key->name, key->absent < c->V ? (int64_t)key->absent : -1);
    case KEY_FIXED:
        return check_fixed(json, key);
    }
    return FT_OK;
}

/* Sizes that others stand for. */
static ft_status derive_sizes(struct model_config *c)
{
    if (c->Hkv == 0)
        c->Hkv = c->Hq;
    if (c->F == 0)
        c->F = 4 * c->C;
    if (c->E == 0)
        c->E = c->C;
    if (c->D == 0 && c->C % c->Hq != 0)
        return ft_fail(FT_ERR_INPUT,
                       "the hidden size (%d) is no multiple of the number of attention heads (%d), "
                       "and no head size is given",
                       c->C, c->Hq);
    if (c->D == 0)
        c->D = c->C / c->Hq;
    return FT_OK;
}

ft_status config_check(const struct model_config *c)
{
    if (c->Hq % c->Hkv != 0)
        return ft_fail(FT_ERR_INPUT, "%d query heads do not divide among %d key/value heads", c->Hq,
                       c->Hkv);
    if (c->D % 2 != 0 || c->D < 2 || c->D > 2 * MODEL_ROPE_DIVISORS_MAX)
        return ft_fail(FT_ERR_INPUT, "head size %d is not even or not from 2 to %d", c->D,
                       2 * MODEL_ROPE_DIVISORS_MAX);
    if (c->E > c->C)
        return ft_fail(FT_ERR_INPUT, "embedding size %d above the hidden size %d is not supported",
                       c->E, c->C);
    if (c->positions == POSITION_ROPE && (c->rotary < 2 || c->rotary % 2 != 0 || c->rotary > c->D))
        return ft_fail(FT_ERR_INPUT, "%d elements of a head of %d turn: not even, or none",
                       c->rotary, c->D);
    if (c->interleaved && c->Hkv != c->Hq)
        return ft_fail(FT_ERR_INPUT, "grouped queries are not part of this family");
    if (!c->is_encoder && c->window == 1)
        return ft_fail(FT_ERR_INPUT, "a sliding window of 1 token is not supported");
    if (c->bos >= c->V || c->eos >= c->V)
        return ft_fail(FT_ERR_INPUT,
                       "bos (%lld) or eos (%lld) token id is outside the vocabulary of %d",
                       (long long)c->bos, (long long)c->eos, c->V);
    return FT_OK;
}

static void mark_local(struct model_config *c, int layer)
{
    c->local_layers[layer / 64] |= UINT64_C(1) << (layer % 64);
}

/* One word a layer. */
static ft_status get_layer_types(struct model_config *c, const json_t *types)
{
    if (json_array_size(types) != (size_t)c->L)
        return ft_fail(FT_ERR_INPUT, "key \"layer_types\" has %zu entries for %d layers",
                       json_array_size(types), c->L);
    for (int l = 0; l < c->L; l++) {
        const char *word = json_string_value(json_array_get(types, (size_t)l));
        if (word && strcmp(word, "sliding_attention") == 0)
            mark_local(c, l);
        else if (!word || strcmp(word, "full_attention") != 0)
            return ft_fail(FT_ERR_INPUT,
                           "key \"layer_types\": \"%s\" of layer %d is not supported, "
                           "full_attention and sliding_attention are",
                           word ? word : "no word", l);
    }
    return FT_OK;
}

void config_mark_pattern(struct model_config *c, const struct local_pattern *pattern, int n)
{
    for (int l = 0; l < c->L && c->window > 0; l++) {
        const bool is_global = (pattern->kind == LOCAL_ALL_BUT_LAST_OF && (l + 1) % n == 0) ||
                               (pattern->kind == LOCAL_ALL_BUT_FIRST_OF && l % n == 0) ||
                               (pattern->kind == LOCAL_FROM && l < n);
        if (!is_global)
            mark_local(c, l);
    }
}

static ft_status get_local_layers(struct model_config *c, const struct local_pattern *pattern,
                                  const json_t *json)
{
    json_t *types;
    int64_t n = pattern->n;
    bool found;
    if (pattern->kind != LOCAL_ALL) {
        FT_TRY(json_get_array(json, "layer_types", &types, &found));
        if (found)
            return get_layer_types(c, types);
    }
    if (pattern->key)
        FT_TRY(json_get_int(json, pattern->key, pattern->kind == LOCAL_FROM ? 0 : 1, L_MAX, &n,
                            &found));
    config_mark_pattern(c, pattern, (int)n);
    return FT_OK;
}

void config_begin(struct model_config *c, const struct family *family)
{
    *c = family->traits;
    (void)snprintf(c->family, sizeof c->family, "%s", family->type);
    if (family->own_head != HEAD_MLP)
        c->head_function = FUNCTION_TANH;
    c->bos = c->eos = -1;
}

static ft_status from_json(struct model_config *c, const json_t *json)
{
    const char *type;
    if (!json_is_object(json))
        return ft_fail(FT_ERR_INPUT, "the document is not an object");
    FT_TRY(json_get_text(json, "model_type", &type, NULL));
    const struct family *family = family_find(type);
    if (!family) {
        char list[FAMILY_LIST];
        family_list(list, false);
        return ft_fail(FT_ERR_INPUT, "model type \"%s\" is not supported, these are: %s", type,
                       list);
    }
    config_begin(c, family);
    for (const struct config_key *key = family->keys; key->name; key++)
        FT_TRY(get_key(c, json, key));
    FT_TRY(derive_sizes(c));
    if (family->settle)
        FT_TRY(family->settle(c, json));
    FT_TRY(get_local_layers(c, &family->pattern, json));
    if (c->positions == POSITION_ROPE)
        FT_TRY(config_get_rope(c, family, json));
    return config_check(c);
}

/* No key says whether the weights have a pooler. */
static ft_status find_pooler(struct model_config *c, const char *folder)
{
    const struct family *family = family_of(c);
    const char *name = family->names[ROLE_POOLER];
    char long_name[256];
    struct weights *w;
    (void)snprintf(long_name, sizeof long_name, "%s%s", family->prefix, name);
    FT_TRY(weights_open(&w, folder));
    c->has_pooler = weights_find(w, name) >= 0 || weights_find(w, long_name) >= 0;
    weights_close(&w);
    return FT_OK;
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
    if (c->has_pooler)
        FT_TRY(find_pooler(c, folder));
    return config_read_pooling(c, folder);
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
    return config_read_gguf(out, path);
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
