#include "h5_private.h"

#include <string.h>

#include "base/mem.h"

/* Each text takes the same number of bytes in the file, zeros behind it. */
static ft_status make_type(hid_t *type, const struct h5_file *file, const char *name,
                           int64_t text_bytes)
{
    *type = H5Tcopy(H5T_C_S1);
    if (*type >= 0 && H5Tset_size(*type, (size_t)text_bytes) >= 0 &&
        H5Tset_strpad(*type, H5T_STR_NULLPAD) >= 0 && H5Tset_cset(*type, H5T_CSET_UTF8) >= 0)
        return FT_OK;
    return h5_fail(FT_ERR_INTERNAL, file, name, "cannot describe the texts");
}

static ft_status put_texts(struct h5_file *file, const char *name, hid_t type, int64_t n,
                           const char *table)
{
    hid_t space = -1, set = -1;
    FT_TRY(h5_make_space(&space, file, name, 1, &n));
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    if (list >= 0 && H5Pset_layout(list, H5D_CONTIGUOUS) >= 0 &&
        H5Pset_fill_time(list, H5D_FILL_TIME_NEVER) >= 0 &&
        H5Pset_obj_track_times(list, false) >= 0)
        set = H5Dcreate2(file->id, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    const bool is_written =
        set >= 0 && H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, table) >= 0;
    ft_status status = is_written ? FT_OK : h5_fail(FT_ERR_IO, file, name, "cannot write");
    if (set >= 0 && H5Dclose(set) < 0 && status == FT_OK)
        status = h5_fail(FT_ERR_IO, file, name, "cannot write");
    (void)H5Pclose(list);
    (void)H5Sclose(space);
    return status;
}

ft_status h5_write_texts(struct h5_file *file, const char *name, int64_t n,
                         const char *const *texts)
{
    size_t longest = 1;
    hid_t type = -1;
    for (int64_t i = 0; i < n; i++)
        longest = strlen(texts[i]) > longest ? strlen(texts[i]) : longest;
    FT_TRY(h5_make_groups(file, name));
    char *table = mem_alloc((size_t)n, longest);
    ft_status status = table ? make_type(&type, file, name, (int64_t)longest) : FT_ERR_INTERNAL;
    for (int64_t i = 0; i < n && status == FT_OK; i++)
        memcpy(table + (size_t)i * longest, texts[i], strlen(texts[i]));
    if (status == FT_OK)
        status = put_texts(file, name, type, n, table);
    if (type >= 0)
        (void)H5Tclose(type);
    mem_free(table);
    return status;
}

/* A dataset of texts that was found to be readable. */
struct texts {
    hid_t set, type;
    int64_t n, text_bytes;
};

static ft_status check_texts(struct texts *t, const struct h5_file *file, const char *name,
                             int64_t n_max, int64_t text_max)
{
    hsize_t n = 0;
    FT_TRY(h5_check_storage(file, name, t->set)); /* before H5Dget_space: see open_view in h5.c */
    const hid_t space = H5Dget_space(t->set);
    const bool is_row = space >= 0 && H5Sget_simple_extent_type(space) == H5S_SIMPLE &&
                        H5Sget_simple_extent_ndims(space) == 1 &&
                        H5Sget_simple_extent_dims(space, &n, NULL) == 1;
    if (space >= 0)
        (void)H5Sclose(space);
    if (!is_row || H5Tget_class(t->type) != H5T_STRING || H5Tis_variable_str(t->type) != 0)
        return ft_fail(FT_ERR_INPUT, "%s: %s: not a row of texts of fixed length", file->path,
                       name);
    const size_t size = H5Tget_size(t->type);
    if (n < 1 || n > (hsize_t)n_max || size < 1 || size > (size_t)text_max)
        return ft_fail(
            FT_ERR_INPUT, "%s: %s: %llu texts of %zu bytes; 1 to %lld of at most %lld are possible",
            file->path, name, (unsigned long long)n, size, (long long)n_max, (long long)text_max);
    t->n = (int64_t)n;
    t->text_bytes = (int64_t)size;
    const uint64_t bytes = (uint64_t)n * size, offset = H5Dget_offset(t->set);
    if (offset > file->bytes || /* HADDR_UNDEF too: never written */
        bytes > file->bytes - offset || H5Dget_storage_size(t->set) != bytes)
        return ft_fail(FT_ERR_INPUT, "%s: %s: the texts are not within the file", file->path, name);
    return FT_OK;
}

/* Terminated copies, one behind the other. */
static ft_status copy_texts(struct buffer *out, const struct texts *t, const struct h5_file *file,
                            const char *name)
{
    char *table = mem_alloc_raw((size_t)t->n, (size_t)t->text_bytes);
    ft_status status = table ? FT_OK : FT_ERR_INTERNAL;
    if (status == FT_OK && H5Dread(t->set, t->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, table) < 0)
        status = h5_fail(FT_ERR_INPUT, file, name, "cannot read");
    for (int64_t i = 0; i < t->n && status == FT_OK; i++) {
        const char *text = table + i * t->text_bytes;
        status = buffer_append(out, text, strnlen(text, (size_t)t->text_bytes));
        if (status == FT_OK)
            status = buffer_append(out, "", 1);
    }
    mem_free(table);
    return status;
}

ft_status h5_read_texts(const struct h5_file *file, const char *name, int64_t n_max,
                        int64_t text_max, struct buffer *out, int64_t *n)
{
    struct texts t = {.set = -1, .type = -1};
    FT_TRY(h5_check_links(file, name));
    t.set = H5Dopen2(file->id, name, H5P_DEFAULT);
    if (t.set >= 0)
        t.type = H5Dget_type(t.set);
    ft_status status = t.type < 0 ? h5_fail(FT_ERR_INPUT, file, name, "cannot open the dataset")
                                  : check_texts(&t, file, name, n_max, text_max);
    if (status == FT_OK)
        status = copy_texts(out, &t, file, name);
    *n = t.n;
    if (t.type >= 0)
        (void)H5Tclose(t.type);
    if (t.set >= 0)
        (void)H5Dclose(t.set);
    return status;
}
