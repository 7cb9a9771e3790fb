/*
 * Heads that transformers has no class for, as a folder of sentence-transformers whose "embedding"
 * is the logits:
 *
 *     modules.json                        the list of what follows
 *     config.json, model.safetensors      the backbone, names as of a base model
 *     1_Pooling/config.json
 *     2_Dense/ ...                        [pooler] [dense of the mlp] output layer, in this order
 *
 * The pooler is a dense layer here: the pooling of sentence-transformers takes the first token's
 * row as it is.
 */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "export_private.h"
#include "names.h"

static const char *const function_classes[N_FUNCTIONS] = {
    [FUNCTION_GELU] = "torch.nn.modules.activation.GELU",
    [FUNCTION_RELU] = "torch.nn.modules.activation.ReLU",
    [FUNCTION_TANH] = "torch.nn.modules.activation.Tanh"};

int export_list_denses(struct dense_module out[DENSE_MODULES_MAX], const struct layout *l,
                       const struct model_config *c)
{
    int n = 0;
    if (layout_offset(l, ROLE_POOLER, -1) >= 0)
        out[n++] = (struct dense_module){ROLE_POOLER, function_classes[FUNCTION_TANH]};
    if (layout_offset(l, ROLE_HEAD_DENSE, -1) >= 0)
        out[n++] = (struct dense_module){ROLE_HEAD_DENSE, function_classes[c->head_function]};
    out[n++] = (struct dense_module){ROLE_HEAD_OUT, "torch.nn.modules.linear.Identity"};
    return n;
}

ft_status export_dense_folder(char out[FILE_PATH_MAX], const char *folder, int index)
{
    char name[32];
    (void)snprintf(name, sizeof name, "%d_Dense", 2 + index);
    return file_join(out, folder, name);
}

static ft_status write_text(const char *folder, const char *name, const struct buffer *text)
{
    char path[FILE_PATH_MAX];
    FT_TRY(file_join(path, folder, name));
    return file_replace(path, text->data, text->used);
}

static ft_status write_list(const char *folder, int n_denses)
{
    struct buffer text = {0};
    ft_status status =
        buffer_print(&text, "[\n"
                            "  {\"idx\": 0, \"name\": \"0\", \"path\": \"\",\n"
                            "   \"type\": \"sentence_transformers.models.Transformer\"},\n"
                            "  {\"idx\": 1, \"name\": \"1\", \"path\": \"1_Pooling\",\n"
                            "   \"type\": \"sentence_transformers.models.Pooling\"}");
    for (int i = 2; i < 2 + n_denses && status == FT_OK; i++)
        status = buffer_print(&text,
                              ",\n  {\"idx\": %d, \"name\": \"%d\", \"path\": \"%d_Dense\",\n"
                              "   \"type\": \"sentence_transformers.models.Dense\"}",
                              i, i, i);
    if (status == FT_OK)
        status = buffer_print(&text, "\n]\n");
    if (status == FT_OK)
        status = write_text(folder, "modules.json", &text);
    buffer_clear(&text);
    return status;
}

static ft_status write_pooling(const char *folder, const struct model_config *c)
{
    static const char *const words[] = {"false", "true"};
    char place[FILE_PATH_MAX];
    struct buffer text = {0};
    const enum pooling pooling = c->head.pooling;
    FT_TRY(file_join(place, folder, "1_Pooling"));
    FT_TRY(file_make_folders(place));
    ft_status status = buffer_print(&text,
                                    "{\n"
                                    "  \"word_embedding_dimension\": %d,\n"
                                    "  \"pooling_mode_cls_token\": %s,\n"
                                    "  \"pooling_mode_mean_tokens\": %s,\n"
                                    "  \"pooling_mode_max_tokens\": false,\n"
                                    "  \"pooling_mode_mean_sqrt_len_tokens\": false,\n"
                                    "  \"pooling_mode_weightedmean_tokens\": false,\n"
                                    "  \"pooling_mode_lasttoken\": %s\n"
                                    "}\n",
                                    c->C, words[pooling == POOLING_CLS],
                                    words[pooling == POOLING_MEAN], words[pooling == POOLING_LAST]);
    if (status == FT_OK)
        status = write_text(place, "config.json", &text);
    buffer_clear(&text);
    return status == FT_OK ? file_sync(place) : status;
}

/* Values of the tensor with a role; NULL where there is none. */
static const float *find_values(const struct model_tensors *m, int role)
{
    const struct tensor_spec *t = export_find_role(m->layout, role);
    return t ? m->values[t - m->layout->tensors] : NULL;
}

static ft_status write_dense(const char *folder, int index, const struct dense_module *dense,
                             const struct model_tensors *m, int type)
{
    char place[FILE_PATH_MAX];
    struct buffer text = {0};
    const struct tensor_spec *weight = export_find_role(m->layout, dense->weight_role),
                             *bias = export_find_role(m->layout, dense->weight_role + 1);
    struct tensor_spec tensors[2] = {*weight, bias ? *bias : *weight};
    const float *values[2] = {find_values(m, dense->weight_role),
                              find_values(m, dense->weight_role + 1)};
    (void)snprintf(tensors[0].name, sizeof tensors[0].name, "linear.weight");
    (void)snprintf(tensors[1].name, sizeof tensors[1].name, "linear.bias");
    FT_TRY(export_dense_folder(place, folder, index));
    FT_TRY(file_make_folders(place));
    ft_status status = buffer_print(&text,
                                    "{\n"
                                    "  \"in_features\": %lld,\n"
                                    "  \"out_features\": %lld,\n"
                                    "  \"bias\": %s,\n"
                                    "  \"activation_function\": \"%s\"\n"
                                    "}\n",
                                    (long long)tensors[0].dims[1], (long long)tensors[0].dims[0],
                                    bias ? "true" : "false", dense->function);
    if (status == FT_OK)
        status = write_text(place, "config.json", &text);
    buffer_clear(&text);
    if (status == FT_OK)
        status = export_tensors(place, "model.safetensors", tensors, values, bias ? 2 : 1, type);
    return status == FT_OK ? file_sync(place) : status;
}

/* The table without the head, names without the family's prefix. */
static ft_status write_backbone(const char *folder, const struct model_tensors *m,
                                const struct folder_form *form)
{
    struct layout backbone = {0};
    const struct layout *l = m->layout;
    const size_t prefix = strlen(tensor_prefix(m->config));
    FT_TRY(FT_ALLOC(backbone.tensors, l->n_tensors));
    for (int i = 0; i < l->n_tensors && l->tensors[i].role < ROLE_HEAD_DENSE; i++) {
        struct tensor_spec *t = &backbone.tensors[backbone.n_tensors++];
        *t = l->tensors[i];
        (void)snprintf(t->name, sizeof t->name, "%s", l->tensors[i].name + prefix);
        backbone.N += t->n;
    }
    const ft_status status = export_weights(folder, &backbone, m->values, form);
    mem_free(backbone.tensors);
    return status;
}

/* Texts are cut as in training. */
static ft_status write_length(const char *folder, int seq_len)
{
    struct buffer text = {0};
    if (seq_len == 0)
        return FT_OK;
    ft_status status = buffer_print(
        &text, "{\n  \"max_seq_length\": %d,\n  \"do_lower_case\": false\n}\n", seq_len);
    if (status == FT_OK)
        status = write_text(folder, "sentence_bert_config.json", &text);
    buffer_clear(&text);
    return status;
}

ft_status export_modules(const char *folder, const struct model_tensors *m,
                         const struct folder_form *form)
{
    struct dense_module denses[DENSE_MODULES_MAX];
    const int n = export_list_denses(denses, m->layout, m->config);
    FT_TRY(write_backbone(folder, m, form));
    FT_TRY(write_pooling(folder, m->config));
    for (int i = 0; i < n; i++)
        FT_TRY(write_dense(folder, i, &denses[i], m, form->type));
    FT_TRY(write_length(folder, form->seq_len));
    return write_list(folder, n);
}
