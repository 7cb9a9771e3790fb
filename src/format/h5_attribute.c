#include "h5_private.h"

#include <string.h>

#include "base/mem.h"

/* Attributes are small: one that claims more is refused before anything is allocated. */
static ft_status open_object(hid_t *object, const struct h5_file *file, const char *path)
{
    FT_TRY(h5_check_links(file, path));
    *object = H5Oopen(file->id, path, H5P_DEFAULT);
    return *object < 0 ? h5_fail(FT_ERR_INPUT, file, path, "cannot open the object") : FT_OK;
}

static ft_status put(struct h5_file *file, const char *path, const char *name, hid_t file_type,
                     hid_t memory_type, int64_t n, const void *data)
{
    hid_t object = -1, attribute = -1;
    const hsize_t size = (hsize_t)n;
    FT_TRY(open_object(&object, file, path));
    const hid_t space = n == 1 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &size, NULL);
    ft_status status = FT_OK;
    if (space >= 0)
        attribute = H5Acreate2(object, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute < 0 || (n > 0 && H5Awrite(attribute, memory_type, data) < 0))
        status = h5_fail(FT_ERR_IO, file, name, "cannot write the attribute");
    if (attribute >= 0 && H5Aclose(attribute) < 0 && status == FT_OK)
        status = h5_fail(FT_ERR_IO, file, name, "cannot close the attribute");
    if (space >= 0)
        (void)H5Sclose(space);
    if (H5Oclose(object) < 0 && status == FT_OK) /* its header may be written only now */
        status = h5_fail(FT_ERR_IO, file, name, "cannot close the object of the attribute");
    return status;
}

ft_status h5_put_i64(struct h5_file *file, const char *object, const char *name, int64_t value)
{
    return put(file, object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, 1, &value);
}

ft_status h5_put_i64s(struct h5_file *file, const char *object, const char *name,
                      const int64_t *values, int64_t n)
{
    return put(file, object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, n, values);
}

ft_status h5_put_f64(struct h5_file *file, const char *object, const char *name, double value)
{
    return put(file, object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 1, &value);
}

ft_status h5_put_text(struct h5_file *file, const char *object, const char *name, const char *text)
{
    const hid_t type = H5Tcopy(H5T_C_S1);
    ft_status status;
    if (type < 0 || H5Tset_size(type, strlen(text) + 1) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0)
        status = h5_fail(FT_ERR_INTERNAL, file, name, "cannot describe the text attribute");
    else
        status = put(file, object, name, type, type, 1, text);
    if (type >= 0)
        (void)H5Tclose(type);
    return status;
}

ft_status h5_has_attribute(bool *has, const struct h5_file *file, const char *object,
                           const char *name)
{
    hid_t id = -1;
    FT_TRY(open_object(&id, file, object));
    const htri_t exists = H5Aexists(id, name);
    const ft_status status =
        exists < 0 ? h5_fail(FT_ERR_INPUT, file, name, "cannot look for the attribute") : FT_OK;
    (void)H5Oclose(id);
    *has = exists > 0;
    return status;
}

struct attribute {
    hid_t id, type;
    int64_t n;
};

static void close_attribute(struct attribute *attribute)
{
    if (attribute->type >= 0)
        (void)H5Tclose(attribute->type);
    if (attribute->id >= 0)
        (void)H5Aclose(attribute->id);
}

static ft_status open_attribute(struct attribute *attribute, const struct h5_file *file,
                                const char *path, const char *name)
{
    hid_t object = -1;
    *attribute = (struct attribute){.id = -1, .type = -1};
    FT_TRY(open_object(&object, file, path));
    const htri_t exists = H5Aexists(object, name);
    if (exists > 0)
        attribute->id = H5Aopen(object, name, H5P_DEFAULT);
    ft_status status = FT_OK;
    if (exists == 0)
        status = ft_fail(FT_ERR_INPUT, "%s: %s: attribute %s is missing", file->path, path, name);
    else if (attribute->id < 0)
        status = h5_fail(FT_ERR_INPUT, file, name, "cannot open the attribute");
    (void)H5Oclose(object);
    if (status != FT_OK)
        return status;
    const hid_t space = H5Aget_space(attribute->id);
    attribute->type = H5Aget_type(attribute->id);
    attribute->n = space >= 0 ? (int64_t)H5Sget_simple_extent_npoints(space) : -1;
    if (space >= 0)
        (void)H5Sclose(space);
    if (attribute->type >= 0 && attribute->n >= 0)
        return FT_OK;
    close_attribute(attribute);
    return h5_fail(FT_ERR_INPUT, file, name, "cannot read the attribute's type");
}

static ft_status get(const struct h5_file *file, const char *path, const char *name,
                     hid_t file_type, hid_t memory_type, int64_t n_min, int64_t n_max, int64_t *n,
                     void *values)
{
    struct attribute attribute;
    FT_TRY(open_attribute(&attribute, file, path, name));
    ft_status status = FT_OK;
    if (H5Tequal(attribute.type, file_type) <= 0)
        status =
            ft_fail(FT_ERR_INPUT, "%s: %s: attribute %s has another type", file->path, path, name);
    else if (attribute.n < n_min || attribute.n > n_max)
        status = ft_fail(FT_ERR_INPUT,
                         "%s: %s: attribute %s has %lld values, %lld to %lld expected", file->path,
                         path, name, (long long)attribute.n, (long long)n_min, (long long)n_max);
    else if (attribute.n > 0 && H5Aread(attribute.id, memory_type, values) < 0)
        status = h5_fail(FT_ERR_INPUT, file, name, "cannot read the attribute");
    *n = attribute.n;
    close_attribute(&attribute);
    return status;
}

ft_status h5_get_i64(const struct h5_file *file, const char *object, const char *name,
                     int64_t *value)
{
    int64_t n;
    return get(file, object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, 1, 1, &n, value);
}

ft_status h5_get_i64s(const struct h5_file *file, const char *object, const char *name,
                      int64_t *values, int64_t n_max, int64_t *n)
{
    return get(file, object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, 0, n_max, n, values);
}

ft_status h5_get_f64(const struct h5_file *file, const char *object, const char *name,
                     double *value)
{
    int64_t n;
    return get(file, object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 1, 1, &n, value);
}

ft_status h5_get_text(const struct h5_file *file, const char *object, const char *name, char **text)
{
    struct attribute attribute;
    *text = NULL;
    FT_TRY(open_attribute(&attribute, file, object, name));
    const size_t bytes = H5Tget_size(attribute.type);
    ft_status status = FT_OK;
    if (H5Tget_class(attribute.type) != H5T_STRING || H5Tis_variable_str(attribute.type) != 0 ||
        attribute.n != 1 || bytes < 1 || bytes > H5_TEXT_BYTES_MAX)
        status = ft_fail(FT_ERR_INPUT,
                         "%s: %s: attribute %s is not one text of a fixed length up to %d bytes",
                         file->path, object, name, H5_TEXT_BYTES_MAX);
    else if (!(*text = mem_alloc(bytes + 1, 1)))
        status = FT_ERR_INTERNAL;
    else if (H5Aread(attribute.id, attribute.type, *text) < 0)
        status = h5_fail(FT_ERR_INPUT, file, name, "cannot read the attribute");
    close_attribute(&attribute);
    if (status != FT_OK)
        FT_FREE(*text);
    return status;
}
