/*
 * Why so little of HDF5: the library was written for trusted files. One flipped byte can crash it,
 * a link or a virtual dataset can name any file that the user can read, a filter can load a
 * plug-in, and a failing disk makes its exit handler crash. So the file is opened read-only, links
 * are walked one by one, layout, filters, type and extent are checked before the first element is
 * read, and the exit handler is switched off before the library starts. Integrity is not its
 * business either: whoever needs to know that a file is what was written hashes the bytes before
 * opening it here (ckpt/ and data/ do, and h5_open_sealed).
 *
 * libver LATEST: every piece of metadata then carries a checksum, which no other choice gives.
 */
#include "h5_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/pulse.h"
#include "base/size.h"

/* Before the first other call: no exit handler (it crashes on a full disk), no plug-ins, no locks
 * (they fail on many parallel file systems; one process writes a file and nobody reads it before it
 * is whole), no messages of HDF5's own. */
static ft_status start_library(void)
{
    static bool is_started;
    if (is_started)
        return FT_OK;
    if (setenv("HDF5_PLUGIN_PRELOAD", "::", 1) != 0 ||
        setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1) != 0)
        return ft_fail(FT_ERR_INTERNAL, "cannot set the environment of HDF5: out of memory");
    if (H5dont_atexit() < 0 || H5open() < 0 || H5PLset_loading_state(0) < 0 ||
        H5Eset_auto2(H5E_DEFAULT, NULL, NULL) < 0)
        return ft_fail(FT_ERR_INTERNAL, "the HDF5 library does not start");
    is_started = true;
    return FT_OK;
}

static herr_t keep_first(unsigned n, const H5E_error2_t *error, void *text)
{
    if (n == 0 && error->desc)
        (void)snprintf(text, 512, "%s", error->desc);
    return 0;
}

ft_status h5_fail(ft_status code, const struct h5_file *file, const char *name, const char *what)
{
    static const char marker[] = "error message = '";
    char text[512] = "no reason given";
    (void)H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, text);
    char *reason = strstr(text, marker);
    if (reason) {
        reason += sizeof marker - 1;
        reason[strcspn(reason, "'")] = '\0';
    }
    if (reason || strstr(text, "can't retrieve stat info")) /* of which HDF5 keeps the errno */
        code = FT_ERR_IO;
    return ft_fail(code, "%s: %s: %s: %s", file->path, name, what, reason ? reason : text);
}

int64_t h5_type_bytes(enum h5_type type)
{
    return type == H5_F32 || type == H5_U32 ? 4 : 8;
}

hid_t h5_file_type(enum h5_type type)
{
    return type == H5_F32   ? H5T_IEEE_F32LE
           : type == H5_U32 ? H5T_STD_U32LE
           : type == H5_I64 ? H5T_STD_I64LE
                            : H5T_IEEE_F64LE;
}

hid_t h5_memory_type(enum h5_type type)
{
    return type == H5_F32   ? H5T_NATIVE_FLOAT
           : type == H5_U32 ? H5T_NATIVE_UINT32
           : type == H5_I64 ? H5T_NATIVE_INT64
                            : H5T_NATIVE_DOUBLE;
}

static ft_status start_file(struct h5_file **out, const char *path)
{
    FT_TRY(start_library());
    if (strlen(path) >= FILE_PATH_MAX)
        return ft_fail(FT_ERR_USAGE, "path too long: %.80s...", path);
    FT_TRY(FT_ALLOC(*out, 1));
    (void)snprintf((*out)->path, FILE_PATH_MAX, "%s", path);
    (*out)->id = -1;
    return FT_OK;
}

static hid_t access_list(void)
{
    const hid_t list = H5Pcreate(H5P_FILE_ACCESS);
    if (list >= 0 && (H5Pset_fapl_sec2(list) < 0 ||
                      H5Pset_libver_bounds(list, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST) < 0 ||
                      H5Pset_fclose_degree(list, H5F_CLOSE_STRONG) < 0)) {
        (void)H5Pclose(list);
        return -1;
    }
    return list;
}

/* user_block: bytes before HDF5's own */
static ft_status create_with(struct h5_file **out, const char *path, int user_block)
{
    ft_status status = start_file(out, path);
    if (status != FT_OK)
        return status;
    struct h5_file *file = *out;
    const hid_t access = access_list(), create = H5Pcreate(H5P_FILE_CREATE);
    file->is_writable = true;
    if (access >= 0 && create >= 0 && H5Pset_obj_track_times(create, false) >= 0 &&
        H5Pset_userblock(create, (hsize_t)user_block) >= 0)
        file->id = H5Fcreate(path, H5F_ACC_EXCL, create, access);
    if (file->id < 0)
        status = h5_fail(FT_ERR_IO, file, "/", "cannot create the file");
    (void)H5Pclose(access);
    (void)H5Pclose(create);
    if (status != FT_OK)
        FT_FREE(*out);
    return status;
}

ft_status h5_create(struct h5_file **out, const char *path)
{
    return create_with(out, path, 0);
}

ft_status h5_create_sealed(struct h5_file **out, const char *path)
{
    return create_with(out, path, H5_SEAL_BYTES);
}

typedef ft_status (*opener)(int *fd, uint64_t *bytes, const char *path);

static ft_status measure(uint64_t *bytes, const char *path, opener open_file)
{
    int fd = -1;
    FT_TRY(open_file(&fd, bytes, path));
    char signature[8];
    const ft_status status = *bytes < sizeof signature
                                 ? ft_fail(FT_ERR_INPUT, "%s: %llu bytes are no HDF5 file", path,
                                           (unsigned long long)*bytes)
                                 : file_read_at(fd, signature, sizeof signature, 0, path);
    (void)close(fd);
    if (status == FT_OK && memcmp(signature, "\x89HDF\r\n\x1a\n", sizeof signature) != 0)
        return ft_fail(FT_ERR_INPUT, "%s: no HDF5 file: the signature at byte 0 is missing", path);
    return status;
}

static ft_status open_checked(struct h5_file **out, const char *path, uint64_t bytes)
{
    FT_TRY(start_file(out, path));
    const hid_t access = access_list();
    (*out)->bytes = bytes;
    if (access >= 0)
        (*out)->id = H5Fopen(path, H5F_ACC_RDONLY, access);
    ft_status status = FT_OK;
    if ((*out)->id < 0)
        status = h5_fail(FT_ERR_INPUT, *out, "/", "cannot open the HDF5 file");
    (void)H5Pclose(access);
    if (status != FT_OK)
        FT_FREE(*out);
    return status;
}

static ft_status open_by(struct h5_file **out, const char *path, opener open_file)
{
    *out = NULL;
    uint64_t bytes = 0;
    FT_TRY(measure(&bytes, path, open_file));
    return open_checked(out, path, bytes);
}

ft_status h5_open(struct h5_file **out, const char *path)
{
    return open_by(out, path, file_open_read);
}

ft_status h5_open_own(struct h5_file **out, const char *path)
{
    return open_by(out, path, file_open_own);
}

ft_status h5_open_sealed(struct h5_file **out, const char *path)
{
    *out = NULL;
    uint64_t bytes = 0;
    FT_TRY(h5_check_seal(&bytes, path));
    return open_checked(out, path, bytes);
}

ft_status h5_close(struct h5_file **file)
{
    if (!*file)
        return FT_OK;
    ft_status status = FT_OK;
    if (H5Fclose((*file)->id) < 0)
        status = h5_fail(FT_ERR_IO, *file, "/", "cannot complete the file");
    (void)H5garbage_collect(); /* else its lists of free blocks grow by a KiB a checkpoint */
    FT_FREE(*file);
    return status;
}

ft_status h5_finish(struct h5_file **file, ft_status status)
{
    char text[FT_ERR_TEXT_MAX];
    if (status == FT_OK)
        return h5_close(file);
    (void)snprintf(text, sizeof text, "%s", ft_error_text());
    (void)h5_close(file);
    return ft_fail(status, "%s", text);
}

/* Calls visit with "/a", "/a/b", "/a/b/c". */
static ft_status each_prefix(const struct h5_file *file, const char *name, bool with_last,
                             ft_status (*visit)(const struct h5_file *file, const char *prefix))
{
    char prefix[H5_NAME_BYTES];
    const size_t length = strlen(name);
    if (name[0] != '/' || length >= sizeof prefix)
        return ft_fail(FT_ERR_INPUT, "%s: not an absolute name of at most %d bytes: %.80s",
                       file->path, H5_NAME_BYTES - 1, name);
    for (size_t end = 1; length > 1 && end <= length; end++) {
        if (name[end] != '/' && name[end] != '\0')
            continue;
        if (name[end] == '\0' && !with_last)
            break;
        (void)snprintf(prefix, sizeof prefix, "%.*s", (int)end, name);
        FT_TRY(visit(file, prefix));
    }
    return FT_OK;
}

static ft_status check_link(const struct h5_file *file, const char *prefix)
{
    H5L_info_t info;
    const char *last = strrchr(prefix, '/') + 1;
    if (!last[0] || strcmp(last, ".") == 0)
        return ft_fail(FT_ERR_INPUT, "%s: %s: an empty or \".\" component", file->path, prefix);
    const htri_t exists = H5Lexists(file->id, prefix, H5P_DEFAULT);
    if (exists < 0)
        return h5_fail(FT_ERR_INPUT, file, prefix, "cannot look for it");
    if (exists == 0)
        return ft_fail(FT_ERR_INPUT, "%s: %s: does not exist", file->path, prefix);
    if (H5Lget_info(file->id, prefix, &info, H5P_DEFAULT) < 0)
        return h5_fail(FT_ERR_INPUT, file, prefix, "cannot read the link");
    if (info.type != H5L_TYPE_HARD)
        return ft_fail(FT_ERR_INPUT, "%s: %s: a soft or external link, which is not followed",
                       file->path, prefix);
    return FT_OK;
}

ft_status h5_check_links(const struct h5_file *file, const char *name)
{
    return each_prefix(file, name, true, check_link);
}

bool h5_has(const struct h5_file *file, const char *name)
{
    return h5_check_links(file, name) == FT_OK;
}

static ft_status make_group(const struct h5_file *file, const char *prefix)
{
    const htri_t is_there = H5Lexists(file->id, prefix, H5P_DEFAULT);
    if (is_there > 0)
        return FT_OK;
    const hid_t list = H5Pcreate(H5P_GROUP_CREATE);
    hid_t group = -1;
    if (is_there == 0 && list >= 0 && H5Pset_obj_track_times(list, false) >= 0)
        group = H5Gcreate2(file->id, prefix, H5P_DEFAULT, list, H5P_DEFAULT);
    ft_status status = FT_OK;
    if (group < 0 || H5Gclose(group) < 0)
        status = h5_fail(FT_ERR_IO, file, prefix, "cannot make the group");
    (void)H5Pclose(list);
    return status;
}

ft_status h5_make_groups(const struct h5_file *file, const char *name)
{
    return each_prefix(file, name, false, make_group);
}

ft_status h5_make_space(hid_t *space, const struct h5_file *file, const char *name, int n_dims,
                        const int64_t *dims)
{
    hsize_t sizes[H5_DIMS_MAX];
    if (n_dims < 1 || n_dims > H5_DIMS_MAX)
        return ft_fail(FT_ERR_INTERNAL, "%s: %s: %d dimensions, 1 to %d are possible", file->path,
                       name, n_dims, H5_DIMS_MAX);
    for (int i = 0; i < n_dims; i++)
        sizes[i] = (hsize_t)dims[i];
    *space = H5Screate_simple(n_dims, sizes, NULL);
    return *space < 0 ? h5_fail(FT_ERR_INTERNAL, file, name, "cannot describe the shape") : FT_OK;
}

ft_status h5_make(struct h5_file *file, const char *name, enum h5_type type, int n_dims,
                  const int64_t *dims)
{
    hid_t space = -1, set = -1;
    FT_TRY(h5_make_groups(file, name));
    FT_TRY(h5_make_space(&space, file, name, n_dims, dims));
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    if (list >= 0 && H5Pset_layout(list, H5D_CONTIGUOUS) >= 0 &&
        H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY) >= 0 &&
        H5Pset_fill_time(list, H5D_FILL_TIME_NEVER) >= 0 &&
        H5Pset_obj_track_times(list, false) >= 0)
        set = H5Dcreate2(file->id, name, h5_file_type(type), space, H5P_DEFAULT, list, H5P_DEFAULT);
    ft_status status = FT_OK;
    if (set < 0 || H5Dclose(set) < 0)
        status = h5_fail(FT_ERR_IO, file, name, "cannot make the dataset");
    (void)H5Pclose(list);
    (void)H5Sclose(space);
    return status;
}

/* Everything that is known about a dataset before its elements are touched. */
struct view {
    hid_t set, space;
    int n_dims;
    int64_t dims[H5_DIMS_MAX];
    int64_t n; /* elements */
};

/* After writing: the elements may only now leave HDF5's buffer, so a full disk may only now be
 * seen. */
static ft_status finish_view(struct view *view, const struct h5_file *file, const char *name)
{
    const herr_t closed_space = H5Sclose(view->space), closed_set = H5Dclose(view->set);
    view->set = view->space = -1;
    if (closed_space < 0 || closed_set < 0)
        return h5_fail(FT_ERR_IO, file, name, "cannot write");
    return FT_OK;
}

static void close_view(struct view *view)
{
    if (view->space >= 0)
        (void)H5Sclose(view->space);
    if (view->set >= 0)
        (void)H5Dclose(view->set);
    view->set = view->space = -1;
}

ft_status h5_check_storage(const struct h5_file *file, const char *name, hid_t set)
{
    const hid_t list = H5Dget_create_plist(set);
    if (list < 0)
        return h5_fail(FT_ERR_INPUT, file, name, "cannot read the dataset's properties");
    ft_status status = FT_OK;
    if (H5Pget_layout(list) != H5D_CONTIGUOUS || H5Pget_external_count(list) != 0 ||
        H5Pget_nfilters(list) != 0)
        status = ft_fail(FT_ERR_INPUT,
                         "%s: %s: only contiguous datasets without filters and external storage "
                         "are read",
                         file->path, name);
    (void)H5Pclose(list);
    return status;
}

static ft_status check_type(const struct h5_file *file, const char *name, hid_t set,
                            enum h5_type type)
{
    static const char *const names[] = {"f32", "u32", "i64", "f64"};
    const hid_t found = H5Dget_type(set);
    const bool is_equal = found >= 0 && H5Tequal(found, h5_file_type(type)) > 0;
    if (found >= 0)
        (void)H5Tclose(found);
    return is_equal ? FT_OK
                    : ft_fail(FT_ERR_INPUT, "%s: %s: the elements are not little-endian %s",
                              file->path, name, names[type]);
}

static ft_status check_shape(struct view *view, const struct h5_file *file, const char *name)
{
    hsize_t sizes[H5_DIMS_MAX] = {0};
    uint64_t n = 1;
    view->n_dims = H5Sget_simple_extent_ndims(view->space);
    if (H5Sget_simple_extent_type(view->space) != H5S_SIMPLE || view->n_dims < 1 ||
        view->n_dims > H5_DIMS_MAX ||
        H5Sget_simple_extent_dims(view->space, sizes, NULL) != view->n_dims)
        return ft_fail(FT_ERR_INPUT, "%s: %s: not an array of 1 to %d dimensions", file->path, name,
                       H5_DIMS_MAX);
    for (int i = 0; i < view->n_dims; i++) {
        if (sizes[i] > INT64_MAX / 8 || !checked_mul(&n, n, sizes[i]) || n > INT64_MAX / 8)
            return ft_fail(FT_ERR_INPUT, "%s: %s: the shape overflows", file->path, name);
        view->dims[i] = (int64_t)sizes[i];
    }
    view->n = (int64_t)n;
    return FT_OK;
}

/* In a file that is read, the elements must be stored, and inside the file. */
static ft_status check_extent(const struct view *view, const struct h5_file *file, const char *name,
                              enum h5_type type)
{
    const uint64_t bytes = (uint64_t)view->n * (uint64_t)h5_type_bytes(type);
    const haddr_t offset = H5Dget_offset(view->set);
    uint64_t end = 0;
    if (file->is_writable || view->n == 0)
        return FT_OK;
    if (offset == HADDR_UNDEF)
        return ft_fail(FT_ERR_INPUT, "%s: %s: the elements were never written", file->path, name);
    if (!checked_add(&end, offset, bytes) || end > file->bytes ||
        H5Dget_storage_size(view->set) != bytes)
        return ft_fail(FT_ERR_INPUT,
                       "%s: %s: %llu bytes at byte %llu do not fit the file of %llu bytes",
                       file->path, name, (unsigned long long)bytes, (unsigned long long)offset,
                       (unsigned long long)file->bytes);
    return FT_OK;
}

static ft_status open_view(struct view *view, const struct h5_file *file, const char *name,
                           enum h5_type type)
{
    ft_status status;
    *view = (struct view){.set = -1, .space = -1};
    pulse_mark();
    FT_TRY(h5_check_links(file, name));
    view->set = H5Dopen2(file->id, name, H5P_DEFAULT);
    if (view->set < 0)
        return h5_fail(FT_ERR_INPUT, file, name, "cannot open the dataset");
    /* first of all: H5Dget_space would open the files that a virtual dataset names */
    status = h5_check_storage(file, name, view->set);
    if (status == FT_OK && (view->space = H5Dget_space(view->set)) < 0)
        status = h5_fail(FT_ERR_INPUT, file, name, "cannot read the shape");
    if (status == FT_OK)
        status = check_type(file, name, view->set, type);
    if (status == FT_OK)
        status = check_shape(view, file, name);
    if (status == FT_OK)
        status = check_extent(view, file, name, type);
    if (status != FT_OK)
        close_view(view);
    return status;
}

/* Selects first ... first + count - 1 of a one-dimensional dataset, and gives a memory space to
 * match. */
static ft_status select_slice(hid_t *memory, struct view *view, const struct h5_file *file,
                              const char *name, int64_t first, int64_t count)
{
    const hsize_t start = (hsize_t)first, n = (hsize_t)count;
    if (view->n_dims != 1)
        return ft_fail(FT_ERR_INPUT, "%s: %s: %d dimensions, a slice needs 1", file->path, name,
                       view->n_dims);
    if (first < 0 || count < 0 || first > view->n || count > view->n - first)
        return ft_fail(FT_ERR_INPUT,
                       "%s: %s: %lld elements from %lld on are asked for, there are %lld",
                       file->path, name, (long long)count, (long long)first, (long long)view->n);
    *memory = H5Screate_simple(1, &n, NULL);
    if (*memory < 0 ||
        (n > 0 && H5Sselect_hyperslab(view->space, H5S_SELECT_SET, &start, NULL, &n, NULL) < 0))
        return h5_fail(FT_ERR_INTERNAL, file, name, "cannot select the slice");
    return FT_OK;
}

ft_status h5_write_slice(struct h5_file *file, const char *name, enum h5_type type, int64_t first,
                         int64_t count, const void *data)
{
    struct view view;
    hid_t memory = -1;
    FT_TRY(open_view(&view, file, name, type));
    ft_status status = select_slice(&memory, &view, file, name, first, count);
    if (status == FT_OK && count > 0 &&
        H5Dwrite(view.set, h5_memory_type(type), memory, view.space, H5P_DEFAULT, data) < 0)
        status = h5_fail(FT_ERR_IO, file, name, "cannot write");
    if (memory >= 0)
        (void)H5Sclose(memory);
    if (status == FT_OK)
        return finish_view(&view, file, name);
    close_view(&view);
    return status;
}

ft_status h5_write(struct h5_file *file, const char *name, enum h5_type type, int n_dims,
                   const int64_t *dims, const void *data)
{
    struct view view;
    FT_TRY(h5_make(file, name, type, n_dims, dims));
    FT_TRY(open_view(&view, file, name, type));
    ft_status status = FT_OK;
    if (view.n > 0 &&
        H5Dwrite(view.set, h5_memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        status = h5_fail(FT_ERR_IO, file, name, "cannot write");
    if (status == FT_OK)
        return finish_view(&view, file, name);
    close_view(&view);
    return status;
}

ft_status h5_dims(const struct h5_file *file, const char *name, enum h5_type type, int *n_dims,
                  int64_t dims[H5_DIMS_MAX])
{
    struct view view;
    FT_TRY(open_view(&view, file, name, type));
    *n_dims = view.n_dims;
    memcpy(dims, view.dims, sizeof view.dims);
    close_view(&view);
    return FT_OK;
}

ft_status h5_read(const struct h5_file *file, const char *name, enum h5_type type,
                  int64_t n_expected, void *out)
{
    struct view view;
    FT_TRY(open_view(&view, file, name, type));
    ft_status status = FT_OK;
    if (view.n != n_expected)
        status = ft_fail(FT_ERR_INPUT, "%s: %s: %lld elements, expected %lld", file->path, name,
                         (long long)view.n, (long long)n_expected);
    else if (view.n > 0 &&
             H5Dread(view.set, h5_memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, out) < 0)
        status = h5_fail(FT_ERR_INPUT, file, name, "cannot read");
    close_view(&view);
    return status;
}

ft_status h5_read_slice(const struct h5_file *file, const char *name, enum h5_type type,
                        int64_t first, int64_t count, void *out)
{
    struct view view;
    hid_t memory = -1;
    FT_TRY(open_view(&view, file, name, type));
    ft_status status = select_slice(&memory, &view, file, name, first, count);
    if (status == FT_OK && count > 0 &&
        H5Dread(view.set, h5_memory_type(type), memory, view.space, H5P_DEFAULT, out) < 0)
        status = h5_fail(FT_ERR_INPUT, file, name, "cannot read");
    if (memory >= 0)
        (void)H5Sclose(memory);
    close_view(&view);
    return status;
}

ft_status h5_data_offset(const struct h5_file *file, const char *name, enum h5_type type,
                         uint64_t *byte_offset)
{
    struct view view;
    FT_TRY(open_view(&view, file, name, type));
    ft_status status = FT_OK;
    *byte_offset = H5Dget_offset(view.set);
    if (*byte_offset == HADDR_UNDEF)
        status = ft_fail(FT_ERR_INPUT, "%s: %s: the dataset is empty", file->path, name);
    close_view(&view);
    return status;
}
