/*
 * config.json is written in the spelling that both transformers 4 and 5 read: rope_theta and
 * rope_scaling at the top. A real is written with as few digits as give the same double back.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "export_private.h"
#include "family.h"
#include "model_file.h"

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

ft_status export_print_id(struct buffer *b, const char *key, const json_t *source, int64_t id)
{
    const json_t *value = json_object_get(source, key);
    if (!value)
        return id < 0 ? buffer_print(b, "  \"%s\": null,\n", key)
                      : buffer_print(b, "  \"%s\": %lld,\n", key, (long long)id);
    char *text = NULL;
    FT_TRY(json_print(&text, value, 0, "config.json"));
    const ft_status status = buffer_print(b, "  \"%s\": %s,\n", key, text);
    free(text);
    return status;
}

static ft_status print_scaling(struct buffer *b, const struct rope_config *r)
{
    char a[6][32];
    if (r->scaling == ROPE_PLAIN)
        return buffer_print(b, "  \"rope_scaling\": null,\n");
    FT_TRY(buffer_print(b, "  \"rope_scaling\": {\n    \"factor\": %s,\n",
                        real_text(a[0], r->factor)));
    if (r->scaling == ROPE_LLAMA3 || r->scaling == ROPE_YARN)
        FT_TRY(buffer_print(b, "    \"original_max_position_embeddings\": %d,\n",
                            r->original_positions));
    if (r->scaling == ROPE_LLAMA3)
        FT_TRY(buffer_print(b, "    \"high_freq_factor\": %s,\n    \"low_freq_factor\": %s,\n",
                            real_text(a[1], r->high_freq_factor),
                            real_text(a[2], r->low_freq_factor)));
    if (r->scaling == ROPE_YARN)
        FT_TRY(buffer_print(b,
                            "    \"attention_factor\": %s,\n    \"beta_fast\": %s,\n"
                            "    \"beta_slow\": %s,\n    \"truncate\": %s,\n",
                            real_text(a[3], r->attention_factor), real_text(a[4], r->beta_fast),
                            real_text(a[5], r->beta_slow), bool_text(r->truncate)));
    return buffer_print(b, "    \"rope_type\": \"%s\"\n  },\n", rope_scaling_name(r->scaling));
}

static ft_status print_rope(struct buffer *b, const struct model_config *c, const struct family *f)
{
    char a[32];
    if (c->positions != POSITION_ROPE)
        return FT_OK;
    FT_TRY(buffer_print(b, "  \"%s\": %s,\n", f->theta, real_text(a, c->rope.theta)));
    if (f->local_theta)
        FT_TRY(
            buffer_print(b, "  \"%s\": %s,\n", f->local_theta, real_text(a, c->rope_local.theta)));
    if (f->rotary_share)
        FT_TRY(buffer_print(b, "  \"%s\": %s,\n", f->rotary_share,
                            real_text(a, (double)c->rotary / c->D)));
    return print_scaling(b, &c->rope);
}

static ft_status print_layer_types(struct buffer *b, const struct model_config *c,
                                   const struct family *f)
{
    if (f->window_switch)
        FT_TRY(buffer_print(b, "  \"%s\": %s,\n", f->window_switch, bool_text(c->window > 0)));
    if (f->pattern.kind == LOCAL_ALL)
        return FT_OK;
    FT_TRY(buffer_print(b, "  \"layer_types\": ["));
    for (int l = 0; l < c->L; l++)
        FT_TRY(buffer_print(b, "%s\n    \"%s_attention\"", l > 0 ? "," : "",
                            model_layer_is_local(c, l) ? "sliding" : "full"));
    return buffer_print(b, "\n  ],\n");
}

/* 0 stands for null where the key may be null. */
static ft_status print_number(struct buffer *b, const struct config_key *key, double value)
{
    char text[32];
    const bool may_be_null = key->kind == KEY_WINDOW || key->kind == KEY_CAP;
    if (may_be_null && value == 0)
        return buffer_print(b, "  \"%s\": null,\n", key->name);
    if (key->kind == KEY_REAL || key->kind == KEY_CAP)
        return buffer_print(b, "  \"%s\": %s,\n", key->name, real_text(text, value));
    return buffer_print(b, "  \"%s\": %.0f,\n", key->name, value);
}

/* The scale of GGUF's models is the usual one unless something else is known. */
static double scale_of(const struct model_config *c)
{
    return c->attention_scale > 0 ? round(1 / (c->attention_scale * c->attention_scale)) : c->D;
}

static ft_status print_key(struct buffer *b, const struct config_key *key,
                           const struct model_config *c, const json_t *source)
{
    const void *at = (const char *)c + key->at;
    switch (key->kind) {
    case KEY_SIZE:
    case KEY_COUNT:
    case KEY_WINDOW:
        return print_number(b, key, *(const int *)at);
    case KEY_REAL:
    case KEY_CAP:
        return print_number(b, key, *(const double *)at);
    case KEY_SCALE:
        return print_number(b, key, scale_of(c));
    case KEY_BOOL:
        return buffer_print(b, "  \"%s\": %s,\n", key->name, bool_text(*(const bool *)at));
    case KEY_FUNCTION:
        return buffer_print(b, "  \"%s\": \"%s\",\n", key->name,
                            function_name(*(const enum function *)at));
    case KEY_ID:
        return export_print_id(b, key->name, source, *(const int64_t *)at);
    case KEY_FIXED: /* the default */
        break;
    }
    return FT_OK;
}

/* Ids that the configuration does not hold, as the source has them. */
static ft_status print_other_ids(struct buffer *b, const struct model_config *c,
                                 const json_t *source)
{
    static const char *const keys[] = {"bos_token_id", "eos_token_id", "cls_token_id",
                                       "sep_token_id"};
    FT_TRY(export_print_id(b, "pad_token_id", source, c->is_encoder ? 0 : -1));
    for (int i = 0; i < 4; i++)
        if (json_object_get(source, keys[i]) && (c->is_encoder || i >= 2))
            FT_TRY(export_print_id(b, keys[i], source, -1));
    return FT_OK;
}

static ft_status print_keys(struct buffer *b, const struct model_config *c, const json_t *source)
{
    const struct family *f = family_of(c);
    struct model_config as_written = *c;
    if (f->unsettle)
        f->unsettle(&as_written);
    for (const struct config_key *key = f->keys; key->name; key++)
        FT_TRY(print_key(b, key, &as_written, source));
    FT_TRY(print_other_ids(b, c, source));
    FT_TRY(print_layer_types(b, &as_written, f));
    return print_rope(b, c, f);
}

/* "text" as JSON has it. */
static ft_status print_text(struct buffer *b, const char *text)
{
    json_t *value = json_string(text);
    char *quoted = NULL;
    const ft_status printed = json_print(&quoted, value, 0, "a label in config.json");
    json_decref(value);
    FT_TRY(printed);
    const ft_status status = buffer_print(b, "%s", quoted);
    free(quoted);
    return status;
}

static ft_status print_labels(struct buffer *b, int K, const char *const *names)
{
    FT_TRY(buffer_print(b, "  \"id2label\": {"));
    for (int i = 0; i < K; i++) {
        FT_TRY(buffer_print(b, "%s\n    \"%d\": ", i > 0 ? "," : "", i));
        FT_TRY(print_text(b, names[i]));
    }
    FT_TRY(buffer_print(b, "\n  },\n  \"label2id\": {"));
    for (int i = 0; i < K; i++) {
        FT_TRY(buffer_print(b, "%s\n    ", i > 0 ? "," : ""));
        FT_TRY(print_text(b, names[i]));
        FT_TRY(buffer_print(b, ": %d", i));
    }
    return buffer_print(b, "\n  },\n  \"problem_type\": \"single_label_classification\",\n");
}

const char *export_class(const struct model_config *c)
{
    const struct family *f = family_of(c);
    if (c->head.n_labels > 0)
        return export_has_class(c) ? f->classifier_class : f->base_class;
    return c->is_encoder ? f->base_class : f->lm_class;
}

static ft_status print_config(struct buffer *b, const struct model_config *c,
                              const struct folder_form *form, const json_t *source)
{
    static const char *const dtypes[] = {
        [GGML_F32] = "float32", [GGML_F16] = "float16", [GGML_BF16] = "bfloat16"};
    FT_TRY(buffer_print(b, "{\n  \"architectures\": [\n    \"%s\"\n  ],\n", export_class(c)));
    FT_TRY(print_keys(b, c, source));
    if (c->head.n_labels > 0)
        FT_TRY(print_labels(b, c->head.n_labels, form->label_names));
    return buffer_print(b,
                        "  \"initializer_range\": 0.02,\n"
                        "  \"model_type\": \"%s\",\n"
                        "  \"torch_dtype\": \"%s\"\n"
                        "}\n",
                        c->family, dtypes[form->type]);
}

ft_status export_source_config(json_t **out, const char *source_path)
{
    char path[FILE_PATH_MAX];
    *out = NULL;
    if (!source_path || !file_is_folder(source_path))
        return FT_OK;
    FT_TRY(file_join(path, source_path, "config.json"));
    return json_read_file(out, path, CONFIG_BYTES_MAX);
}

ft_status export_config(const char *folder, const struct model_config *c,
                        const struct folder_form *form)
{
    char path[FILE_PATH_MAX];
    struct buffer text = {0};
    json_t *source = NULL;
    FT_TRY(export_source_config(&source, form->source_path));
    ft_status status = file_join(path, folder, "config.json");
    if (status == FT_OK)
        status = print_config(&text, c, form, source);
    if (status == FT_OK)
        status = file_replace(path, text.data, text.used);
    json_decref(source);
    buffer_clear(&text);
    return status;
}
