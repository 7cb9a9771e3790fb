/**
 * HDF5 files, in the small part of HDF5 that this program writes and is willing to read.
 *
 * Serial HDF5, one process per file, nothing collective, main thread only. Datasets are contiguous,
 * little-endian, without filters, external storage or object times, so that equal content gives
 * equal bytes. Reading follows hard links only and checks type, shape, layout and extent before it
 * reads: a file cannot make it open another file, load a plug-in or allocate by a number that it
 * merely claims. HDF5 itself prints nothing, locks nothing, and leaves no exit handler behind.
 *
 * Names are absolute paths inside the file ("/group/name"); an object is "/", a group or a dataset.
 * Errors: FT_ERR_IO when writing fails or the disk does, FT_ERR_INPUT for a file that is not what
 * is asked for; messages name file and object. Durability is the caller's (file_sync): HDF5 never
 * syncs.
 */
#ifndef FT_FORMAT_H5_H
#define FT_FORMAT_H5_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"

enum h5_type {
    H5_F32, /**< float */
    H5_U32, /**< uint32_t */
    H5_I64, /**< int64_t */
    H5_F64  /**< double */
};

enum {
    H5_DIMS_MAX = 4,            /**< dimensions of a dataset at most */
    H5_SEAL_BYTES = 512,        /**< at the head of a sealed file */
    H5_NAME_BYTES = 256,        /**< a path inside the file, terminator included */
    H5_TEXT_BYTES_MAX = 1 << 20 /**< a text attribute that is read has at most so many bytes */
};

struct h5_file;

/** Bytes of one element. */
int64_t h5_type_bytes(enum h5_type type);

/** Creates a new file for writing; an existing one is FT_ERR_IO. Gives *out (h5_close). */
ft_status h5_create(struct h5_file **out, const char *path);

/** Opens an existing regular file read-only. Gives *out (h5_close). */
ft_status h5_open(struct h5_file **out, const char *path);

/** The same of a file that this program wrote, whose hash was looked at: see file_open_own. */
ft_status h5_open_own(struct h5_file **out, const char *path);

/**
 * A sealed file carries the hash of its own bytes in HDF5's user block, its first H5_SEAL_BYTES,
 * over which h5dump and other programs pass: for a file that stands alone and is carried about.
 * h5_create_sealed leaves room for it; h5_seal, after h5_close, writes it and syncs the file.
 */
ft_status h5_create_sealed(struct h5_file **out, const char *path);
ft_status h5_seal(const char *path);

/** Opens a sealed file read-only when every byte is what was sealed: HDF5 sees no other. */
ft_status h5_open_sealed(struct h5_file **out, const char *path);

/**
 * Closes and sets NULL (NULL is allowed). After writing, the file is complete only when this
 * returned FT_OK: HDF5 writes much of a file while closing it.
 */
ft_status h5_close(struct h5_file **file);

/** Closes a file that was written; gives back status, and its message, where that is a failure
 * already. */
ft_status h5_finish(struct h5_file **file, ft_status status);

/**
 * Makes a dataset whose elements h5_write_slice fills in; intermediate groups are made. Every
 * element must be written before the file is closed.
 *
 * @param[in] dims (n_dims) sizes, outermost first, 1 <= n_dims <= H5_DIMS_MAX; a size may be 0
 */
ft_status h5_make(struct h5_file *file, const char *name, enum h5_type type, int n_dims,
                  const int64_t *dims);

/** Writes elements first ... first + count - 1 of a one-dimensional dataset made by h5_make. */
ft_status h5_write_slice(struct h5_file *file, const char *name, enum h5_type type, int64_t first,
                         int64_t count, const void *data);

/** h5_make and all elements (row-major) in one call. */
ft_status h5_write(struct h5_file *file, const char *name, enum h5_type type, int n_dims,
                   const int64_t *dims, const void *data);

/** One block of a virtual dataset and where its elements are. */
struct h5_part {
    char file[H5_NAME_BYTES]; /**< source file; without a folder: beside the file that refers to it
                               */
    char name[H5_NAME_BYTES]; /**< its one-dimensional dataset */
    int64_t source_n;         /**< elements of that dataset */
    int64_t source_first;     /**< where the block begins in it */
    int64_t first[H5_DIMS_MAX]; /**< block in the virtual dataset: corner and */
    int64_t count[H5_DIMS_MAX]; /**< size in each dimension */
};

/**
 * Makes a virtual f32 dataset that shows other files' elements in its own shape; what no present
 * file covers reads as NaN. The other files need not exist yet. The reading functions here refuse
 * virtual datasets: they are for people and other programs.
 */
ft_status h5_write_virtual(struct h5_file *file, const char *name, int n_dims, const int64_t *dims,
                           const struct h5_part *parts, int64_t n_parts);

/** Whether something of that name is reached by hard links alone. */
bool h5_has(const struct h5_file *file, const char *name);

/** Shape of a readable dataset of this type: n_dims and (n_dims) dims. */
ft_status h5_dims(const struct h5_file *file, const char *name, enum h5_type type, int *n_dims,
                  int64_t dims[H5_DIMS_MAX]);

/** Reads a whole dataset that must hold exactly n_expected elements. */
ft_status h5_read(const struct h5_file *file, const char *name, enum h5_type type,
                  int64_t n_expected, void *out);

/** Reads elements first ... first + count - 1 of a one-dimensional dataset. */
ft_status h5_read_slice(const struct h5_file *file, const char *name, enum h5_type type,
                        int64_t first, int64_t count, void *out);

/**
 * Where the elements of a dataset begin in the file, for pread(2): they lie in one piece,
 * little-endian, within the file's size. FT_ERR_INPUT for an empty dataset.
 */
ft_status h5_data_offset(const struct h5_file *file, const char *name, enum h5_type type,
                         uint64_t *byte_offset);

/** Calls visit with the name (not the path) of each dataset of a group, in byte order of the names.
 */
ft_status h5_each(const struct h5_file *file, const char *group,
                  ft_status (*visit)(void *context, const char *name), void *context);

/** Makes a row of n >= 1 UTF-8 texts, each stored with as many bytes as the longest has. */
ft_status h5_write_texts(struct h5_file *file, const char *name, int64_t n,
                         const char *const *texts);

/**
 * Appends the texts of such a row to out, one behind the other, each ended by a zero byte.
 *
 * @param[in]  n_max     more texts are FT_ERR_INPUT
 * @param[in]  text_max  longer ones too (bytes)
 * @param[out] n         how many there are, at least 1
 */
ft_status h5_read_texts(const struct h5_file *file, const char *name, int64_t n_max,
                        int64_t text_max, struct buffer *out, int64_t *n);

/** Attributes of an object. A text is stored with its length fixed; it holds no zero byte. */
ft_status h5_put_i64(struct h5_file *file, const char *object, const char *name, int64_t value);
ft_status h5_put_i64s(struct h5_file *file, const char *object, const char *name,
                      const int64_t *values, int64_t n);
ft_status h5_put_f64(struct h5_file *file, const char *object, const char *name, double value);
ft_status h5_put_text(struct h5_file *file, const char *object, const char *name, const char *text);

/** Whether the object has an attribute of that name. */
ft_status h5_has_attribute(bool *has, const struct h5_file *file, const char *object,
                           const char *name);

ft_status h5_get_i64(const struct h5_file *file, const char *object, const char *name,
                     int64_t *value);
/** Reads at most n_max values; *n says how many there are. More is FT_ERR_INPUT. */
ft_status h5_get_i64s(const struct h5_file *file, const char *object, const char *name,
                      int64_t *values, int64_t n_max, int64_t *n);
ft_status h5_get_f64(const struct h5_file *file, const char *object, const char *name,
                     double *value);
/** Gives *text (mem_free). */
ft_status h5_get_text(const struct h5_file *file, const char *object, const char *name,
                      char **text);

#endif
