/*
 * config.json is written in the spelling that both transformers 4 and 5 read: rope_theta and
 * rope_scaling at the top. A real is written with as few digits as give the same double back.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "export_private.h"
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

static ft_status print_llama(struct buffer *b, const struct model_config *c, const json_t *source)
{
    char eps[32], dropout[32];
    FT_TRY(buffer_print(b,
                        "  \"attention_bias\": %s,\n"
                        "  \"attention_dropout\": %s,\n",
                        bool_text(c->attention_bias), real_text(dropout, c->attention_dropout)));
    FT_TRY(export_print_id(b, "bos_token_id", source, c->bos));
    FT_TRY(export_print_id(b, "eos_token_id", source, c->eos));
    FT_TRY(export_print_id(b, "pad_token_id", source, -1));
    FT_TRY(buffer_print(b,
                        "  \"head_dim\": %d,\n"
                        "  \"hidden_act\": \"silu\",\n"
                        "  \"mlp_bias\": %s,\n"
                        "  \"num_key_value_heads\": %d,\n"
                        "  \"pretraining_tp\": 1,\n"
                        "  \"rms_norm_eps\": %s,\n",
                        c->D, bool_text(c->mlp_bias), c->Hkv, real_text(eps, c->norm_eps)));
    FT_TRY(print_rope(b, c));
    return buffer_print(b,
                        "  \"tie_word_embeddings\": %s,\n"
                        "  \"use_cache\": true,\n",
                        bool_text(c->tied_embeddings));
}

static ft_status print_bert(struct buffer *b, const struct model_config *c, const json_t *source)
{
    char eps[32], hidden[32], attention[32], classifier[32];
    FT_TRY(export_print_id(b, "pad_token_id", source, 0));
    return buffer_print(
        b,
        "  \"attention_probs_dropout_prob\": %s,\n"
        "  \"classifier_dropout\": %s,\n"
        "  \"hidden_act\": \"gelu\",\n"
        "  \"hidden_dropout_prob\": %s,\n"
        "  \"layer_norm_eps\": %s,\n"
        "  \"position_embedding_type\": \"absolute\",\n"
        "  \"type_vocab_size\": %d,\n",
        real_text(attention, c->attention_dropout), real_text(classifier, c->classifier_dropout),
        real_text(hidden, c->hidden_dropout), real_text(eps, c->norm_eps), c->n_types);
}

/* "text" as JSON has it. */
static ft_status print_text(struct buffer *b, const char *text)
{
    json_t *value = json_string(text);
    char *quoted = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    json_decref(value);
    if (!quoted)
        return ft_fail(FT_ERR_INPUT,
                       "label \"%s\" is no UTF-8 and cannot be written to config.json", text);
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
    if (c->head.n_labels > 0 && export_has_class(c))
        return c->is_encoder ? "BertForSequenceClassification" : "LlamaForSequenceClassification";
    if (c->head.n_labels > 0 || c->is_encoder)
        return c->is_encoder ? "BertModel" : "LlamaModel";
    return "LlamaForCausalLM";
}

static ft_status print_config(struct buffer *b, const struct model_config *c,
                              const struct folder_form *form, const json_t *source)
{
    static const char *const dtypes[] = {
        [GGML_F32] = "float32", [GGML_F16] = "float16", [GGML_BF16] = "bfloat16"};
    FT_TRY(buffer_print(b, "{\n  \"architectures\": [\n    \"%s\"\n  ],\n", export_class(c)));
    FT_TRY(c->is_encoder ? print_bert(b, c, source) : print_llama(b, c, source));
    if (c->head.n_labels > 0)
        FT_TRY(print_labels(b, c->head.n_labels, form->label_names));
    return buffer_print(b,
                        "  \"hidden_size\": %d,\n"
                        "  \"initializer_range\": 0.02,\n"
                        "  \"intermediate_size\": %d,\n"
                        "  \"max_position_embeddings\": %d,\n"
                        "  \"model_type\": \"%s\",\n"
                        "  \"num_attention_heads\": %d,\n"
                        "  \"num_hidden_layers\": %d,\n"
                        "  \"torch_dtype\": \"%s\",\n"
                        "  \"vocab_size\": %d\n"
                        "}\n",
                        c->C, c->F, c->T_max, c->is_encoder ? "bert" : "llama", c->Hq, c->L,
                        dtypes[form->type], c->V);
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
