/** What the sources of format/h5 share: the only place where HDF5's own header is included. */
#ifndef FT_FORMAT_H5_PRIVATE_H
#define FT_FORMAT_H5_PRIVATE_H

#include "format/h5.h"

#include <hdf5.h>

#include "base/file.h"

struct h5_file {
    hid_t id;
    uint64_t bytes; /* size when opened for reading */
    bool is_writable;
    char path[FILE_PATH_MAX];
};

/** ft_fail with file, object and HDF5's innermost reason; an error of the system makes it
 * FT_ERR_IO. */
ft_status h5_fail(ft_status code, const struct h5_file *file, const char *name, const char *what);

/** FT_OK when every byte of a sealed file is what was sealed; how many there are. */
ft_status h5_check_seal(uint64_t *bytes, const char *path);

/** FT_OK when every link on the way to name is a hard one. */
ft_status h5_check_links(const struct h5_file *file, const char *name);

/** Makes the groups on the way to name that do not exist yet. */
ft_status h5_make_groups(const struct h5_file *file, const char *name);

/** Gives a dataspace of that shape (H5Sclose). */
ft_status h5_make_space(hid_t *space, const struct h5_file *file, const char *name, int n_dims,
                        const int64_t *dims);

/** FT_OK for a contiguous dataset without filters and external storage. */
ft_status h5_check_storage(const struct h5_file *file, const char *name, hid_t set);

/** Type of the elements in the file, and in memory. */
hid_t h5_file_type(enum h5_type type);
hid_t h5_memory_type(enum h5_type type);

#endif
