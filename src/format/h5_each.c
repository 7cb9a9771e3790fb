/*
 * Links are taken as they are stored and sorted here. For another order HDF5 1.10 makes a table of
 * them, and where the file is damaged it releases entries of that table that were never filled.
 */
#include "h5_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* The datasets of a group. */
struct names {
    const struct h5_file *file;
    struct buffer text; /* the names, each ended by a zero byte */
    int64_t n;
    ft_status status;
};

static herr_t keep_name(hid_t group, const char *name, const H5L_info_t *info, void *data)
{
    struct names *names = data;
    H5O_info_t object;
    if (info->type != H5L_TYPE_HARD)
        return 0;
    if (H5Oget_info_by_name(group, name, &object, H5P_DEFAULT) < 0)
        names->status = h5_fail(FT_ERR_INPUT, names->file, name, "cannot read the object");
    else if (object.type == H5O_TYPE_DATASET) {
        names->status = buffer_append(&names->text, name, strlen(name) + 1);
        names->n++;
    }
    return names->status == FT_OK ? 0 : 1;
}

static ft_status list(struct names *names, const char *group)
{
    const hid_t id = H5Gopen2(names->file->id, group, H5P_DEFAULT);
    if (id < 0)
        return h5_fail(FT_ERR_INPUT, names->file, group, "cannot open the group");
    if (H5Literate(id, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, keep_name, names) < 0 &&
        names->status == FT_OK)
        names->status = h5_fail(FT_ERR_INPUT, names->file, group, "cannot list the group");
    (void)H5Gclose(id);
    return names->status;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static ft_status visit_sorted(const struct names *names,
                              ft_status (*visit)(void *context, const char *name), void *context)
{
    const char **sorted, *at = names->text.data;
    ft_status status = FT_OK;
    FT_TRY(FT_ALLOC(sorted, names->n));
    for (int64_t i = 0; i < names->n; i++, at += strlen(at) + 1)
        sorted[i] = at;
    qsort(sorted, (size_t)names->n, sizeof *sorted, by_bytes);
    for (int64_t i = 0; i < names->n && status == FT_OK; i++)
        status = visit(context, sorted[i]);
    mem_free(sorted);
    return status;
}

ft_status h5_each(const struct h5_file *file, const char *group,
                  ft_status (*visit)(void *context, const char *name), void *context)
{
    struct names names = {.file = file};
    FT_TRY(h5_check_links(file, group));
    ft_status status = list(&names, group);
    if (status == FT_OK)
        status = visit_sorted(&names, visit, context);
    buffer_clear(&names.text);
    return status;
}
