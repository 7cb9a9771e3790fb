#include "h5_private.h"

#include <math.h>

/* Selects a block, or everything where the block is everything: that takes a third of the bytes. */
static herr_t select_block(hid_t space, int n_dims, const int64_t *first, const int64_t *count)
{
    hsize_t start[H5_DIMS_MAX], size[H5_DIMS_MAX], extent[H5_DIMS_MAX];
    bool is_all = true;
    if (H5Sget_simple_extent_dims(space, extent, NULL) != n_dims)
        return -1;
    for (int i = 0; i < n_dims; i++) {
        start[i] = (hsize_t)first[i];
        size[i] = (hsize_t)count[i];
        is_all = is_all && size[i] == extent[i];
    }
    return is_all ? H5Sselect_all(space)
                  : H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, size, NULL);
}

/* One block of a virtual dataset: a regular selection on both sides, so that it is stored in a few
 * bytes whatever the tensor's size. */
static ft_status map_part(hid_t list, hid_t space, const struct h5_file *file, const char *name,
                          int n_dims, const struct h5_part *part)
{
    const hsize_t source_n = (hsize_t)part->source_n;
    int64_t n = 1;
    for (int i = 0; i < n_dims; i++)
        n *= part->count[i];
    const hid_t source = H5Screate_simple(1, &source_n, NULL);
    ft_status status = FT_OK;
    if (source < 0 || select_block(source, 1, &part->source_first, &n) < 0 ||
        select_block(space, n_dims, part->first, part->count) < 0 ||
        H5Pset_virtual(list, space, part->file, part->name, source) < 0)
        status = h5_fail(FT_ERR_INTERNAL, file, name, "cannot map a part of the virtual dataset");
    if (source >= 0)
        (void)H5Sclose(source);
    return status;
}

ft_status h5_write_virtual(struct h5_file *file, const char *name, int n_dims, const int64_t *dims,
                           const struct h5_part *parts, int64_t n_parts)
{
    static const float fill = (float)NAN;
    hid_t space = -1, set = -1;
    FT_TRY(h5_make_groups(file, name));
    FT_TRY(h5_make_space(&space, file, name, n_dims, dims));
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    ft_status status = FT_OK;
    if (list < 0 || H5Pset_fill_value(list, H5T_NATIVE_FLOAT, &fill) < 0 ||
        H5Pset_obj_track_times(list, false) < 0 || H5Pset_dset_no_attrs_hint(list, true) < 0)
        status = h5_fail(FT_ERR_INTERNAL, file, name, "cannot describe the virtual dataset");
    for (int64_t i = 0; status == FT_OK && i < n_parts; i++)
        status = map_part(list, space, file, name, n_dims, &parts[i]);
    if (status == FT_OK && H5Sselect_all(space) >= 0)
        set = H5Dcreate2(file->id, name, H5T_IEEE_F32LE, space, H5P_DEFAULT, list, H5P_DEFAULT);
    if (status == FT_OK && (set < 0 || H5Dclose(set) < 0))
        status = h5_fail(FT_ERR_IO, file, name, "cannot make the virtual dataset");
    (void)H5Pclose(list);
    (void)H5Sclose(space);
    return status;
}
