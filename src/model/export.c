#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "export_private.h"
#include "family.h"
#include "format/safetensors.h"
#include "model/convert.h"

static ft_status give(void *context, int index, float *out, int64_t first, int64_t n)
{
    const float *const *values = context;
    memcpy(out, values[index] + first, (size_t)n * sizeof *out);
    return FT_OK;
}

ft_status export_tensors(const char *folder, const char *name, const struct tensor_spec *tensors,
                         const float *const *values, int n, int type)
{
    char path[FILE_PATH_MAX];
    struct safetensors_entry *entries;
    FT_TRY(file_join(path, folder, name));
    FT_TRY(FT_ALLOC(entries, n));
    for (int i = 0; i < n; i++)
        entries[i] = (struct safetensors_entry){.name = tensors[i].name,
                                                .n_dims = tensors[i].n_dims,
                                                .dims = {tensors[i].dims[0], tensors[i].dims[1]},
                                                .type = type};
    const ft_status status =
        safetensors_write(path, entries, n, give, (void *)(uintptr_t)values, NULL);
    mem_free(entries);
    return status;
}

static int64_t bytes_of(const struct tensor_spec *t, const struct folder_form *form)
{
    int64_t elements;
    uint64_t bytes;
    ggml_type_block(form->type, &elements, &bytes);
    return t->n * (int64_t)bytes;
}

/* The number of tensors from `first` on that share a file: at least one, then as long as they fit.
 */
static int count_in_part(const struct layout *l, int first, const struct folder_form *form)
{
    int n = 0;
    int64_t bytes = 0;
    while (first + n < l->n_tensors &&
           (n == 0 || bytes + bytes_of(&l->tensors[first + n], form) <= form->shard_bytes))
        bytes += bytes_of(&l->tensors[first + n++], form);
    return n;
}

static ft_status write_index(const char *folder, const struct buffer *map, int64_t N, int64_t bytes)
{
    char path[FILE_PATH_MAX];
    struct buffer text = {0};
    ft_status status =
        buffer_print(&text,
                     "{\n  \"metadata\": {\n    \"total_parameters\": %lld,\n"
                     "    \"total_size\": %lld\n  },\n  \"weight_map\": {\n%s  }\n}\n",
                     (long long)N, (long long)bytes, map->data);
    if (status == FT_OK)
        status = file_join(path, folder, "model.safetensors.index.json");
    if (status == FT_OK)
        status = file_replace(path, text.data, text.used);
    buffer_clear(&text);
    return status;
}

static ft_status write_parts(const char *folder, const struct layout *l, const float *const *values,
                             const struct folder_form *form, int n_parts, struct buffer *map)
{
    int64_t bytes = 0;
    for (int part = 1, first = 0; part <= n_parts; part++) {
        char name[64];
        const int n = count_in_part(l, first, form);
        (void)snprintf(name, sizeof name, "model-%05d-of-%05d.safetensors", part, n_parts);
        FT_TRY(export_tensors(folder, name, l->tensors + first, values + first, n, form->type));
        for (int i = first; i < first + n; i++) {
            bytes += bytes_of(&l->tensors[i], form);
            FT_TRY(buffer_print(map, "    \"%s\": \"%s\"%s\n", l->tensors[i].name, name,
                                i + 1 < l->n_tensors ? "," : ""));
        }
        first += n;
    }
    return write_index(folder, map, l->N, bytes);
}

ft_status export_weights(const char *folder, const struct layout *layout,
                         const float *const *values, const struct folder_form *form)
{
    int n_parts = 0;
    for (int first = 0; first < layout->n_tensors; n_parts++)
        first += count_in_part(layout, first, form);
    if (n_parts == 1)
        return export_tensors(folder, "model.safetensors", layout->tensors, values,
                              layout->n_tensors, form->type);
    struct buffer map = {0};
    const ft_status status = write_parts(folder, layout, values, form, n_parts, &map);
    buffer_clear(&map);
    return status;
}

bool export_has_class(const struct model_config *c)
{
    const struct family *f = family_of(c);
    if (!f->classifier_class || c->head.kind != f->own_head)
        return false;
    if (!c->is_encoder)
        return c->head.pooling == POOLING_LAST && !c->head.bias;
    /* a linear head of an encoder stands on a pooler, an mlp on none */
    return c->head.pooling == POOLING_CLS && c->has_pooler == (f->own_head == HEAD_LINEAR) &&
           c->head.bias;
}

const struct tensor_spec *export_find_role(const struct layout *l, int role)
{
    for (int i = 0; i < l->n_tensors; i++)
        if (l->tensors[i].role == role)
            return &l->tensors[i];
    return NULL;
}

ft_status model_export_folder(const char *folder, const struct model_tensors *m,
                              const struct folder_form *form)
{
    const struct model_config *c = m->config;
    if (c->head.n_labels > 0 && !export_has_class(c))
        FT_TRY(export_modules(folder, m, form));
    else
        FT_TRY(export_weights(folder, m->layout, m->values, form));
    if (c->head.n_labels == 0 && !c->is_encoder)
        FT_TRY(export_generation(folder, c, form));
    return export_config(folder, c, form);
}

ft_status model_tensors_of(const float ***out, const struct layout *layout, const float *params)
{
    FT_TRY(FT_ALLOC(*out, layout->n_tensors));
    for (int i = 0; i < layout->n_tensors; i++)
        (*out)[i] = params + layout->tensors[i].offset;
    return FT_OK;
}

ft_status model_write_weights(const char *folder, const struct layout *layout, const float *params,
                              int64_t shard_bytes)
{
    const struct folder_form form = {.type = GGML_F32, .shard_bytes = shard_bytes};
    const float **values;
    FT_TRY(model_tensors_of(&values, layout, params));
    const ft_status status = export_weights(folder, layout, values, &form);
    mem_free(values);
    return status;
}

ft_status model_write_folder(const char *folder, const struct layout *layout,
                             const struct model_config *config, const float *params,
                             const char *const *label_names, const char *source_path)
{
    const struct folder_form form = {.type = GGML_F32,
                                     .shard_bytes = SHARD_BYTES,
                                     .label_names = label_names,
                                     .source_path = source_path};
    const float **values;
    FT_TRY(model_tensors_of(&values, layout, params));
    const struct model_tensors m = {config, layout, values};
    const ft_status status = model_export_folder(folder, &m, &form);
    mem_free(values);
    return status;
}
