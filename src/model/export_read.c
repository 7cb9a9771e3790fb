/* Heads back from the folders that export.c and export_modules.c wrote. */
#include <math.h>

#include "export_private.h"
#include "format/weights.h"

/* One tensor by its name in a file. */
static ft_status read_tensor(float *params, const struct tensor_spec *t, const char *name,
                             const struct weights *w, const char *path)
{
    const int index = weights_find(w, name);
    const struct weight_info *info = index < 0 ? NULL : weights_info(w, index);
    if (!info || info->n_dims != t->n_dims || info->dims[0] != t->dims[0] ||
        info->dims[1] != t->dims[1])
        return ft_fail(FT_ERR_INPUT, "%s: tensor %s is missing or has another shape", path, name);
    FT_TRY(weights_read_f32(w, index, params + t->offset));
    for (int64_t i = 0; i < t->n; i++)
        if (!isfinite(params[t->offset + i]))
            return ft_fail(FT_ERR_INPUT, "%s: tensor %s: element %lld is not finite", path, name,
                           (long long)i);
    return FT_OK;
}

/* Under the names of the table. */
static ft_status read_class(float *params, const struct layout *l, const char *folder)
{
    struct weights *w;
    FT_TRY(weights_open(&w, folder));
    ft_status status = FT_OK;
    for (int i = 0; i < l->n_tensors && status == FT_OK; i++)
        if (l->tensors[i].role >= ROLE_HEAD_DENSE)
            status = read_tensor(params, &l->tensors[i], l->tensors[i].name, w, folder);
    weights_close(&w);
    return status;
}

static ft_status read_dense(float *params, const struct layout *l, int role, const char *place)
{
    struct weights *w;
    const struct tensor_spec *bias = export_find_role(l, role + 1);
    FT_TRY(weights_open(&w, place));
    ft_status status = read_tensor(params, export_find_role(l, role), "linear.weight", w, place);
    if (status == FT_OK && bias)
        status = read_tensor(params, bias, "linear.bias", w, place);
    weights_close(&w);
    return status;
}

static ft_status read_modules(float *params, const struct layout *l, const struct model_config *c,
                              const char *folder)
{
    struct dense_module denses[DENSE_MODULES_MAX];
    const int n = export_list_denses(denses, l, c);
    for (int i = 0; i < n; i++) {
        char place[FILE_PATH_MAX];
        FT_TRY(export_dense_folder(place, folder, i));
        FT_TRY(read_dense(params, l, denses[i].weight_role, place));
    }
    return FT_OK;
}

ft_status model_read_head(float *params, const struct layout *layout,
                          const struct model_config *config, const char *folder)
{
    if (config->head.n_labels == 0)
        return FT_OK;
    return export_has_class(config) ? read_class(params, layout, folder)
                                    : read_modules(params, layout, config, folder);
}
