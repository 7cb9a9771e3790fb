#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "export.h"
#include "family.h"
#include "format/safetensors.h"

#define SHARD_BYTES 5000000000 /* as transformers has it */

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

ft_status export_tensors(const char *folder, const char *name, const struct tensor_spec *tensors,
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
        FT_TRY(export_tensors(folder, name, l->tensors + first, n, params));
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
        return export_tensors(folder, "model.safetensors", layout->tensors, layout->n_tensors,
                              params);
    struct buffer map = {0};
    const ft_status status = write_parts(folder, layout, params, shard_bytes, n_parts, &map);
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

ft_status model_write_folder(const char *folder, const struct layout *layout,
                             const struct model_config *config, const float *params,
                             const char *const *label_names, const char *source_path)
{
    if (config->head.n_labels > 0 && !export_has_class(config))
        FT_TRY(export_modules(folder, layout, config, params, SHARD_BYTES));
    else
        FT_TRY(model_write_weights(folder, layout, params, SHARD_BYTES));
    return export_config(folder, config, label_names, source_path);
}
