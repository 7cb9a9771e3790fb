/** Files and paths: regular files only, whole reads and writes, durable renames. */
#ifndef FT_BASE_FILE_H
#define FT_BASE_FILE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define FILE_PATH_MAX 4096

/** Writes "folder/name" ("name" where folder is "" or name is absolute); FT_ERR_USAGE when too
 * long. */
ft_status file_join(char out[FILE_PATH_MAX], const char *folder, const char *name);

/** Writes the folder part of path ("." where there is none). */
void file_folder(char out[FILE_PATH_MAX], const char *path);

/** Last component of path; borrows path. */
const char *file_base_name(const char *path);

bool file_is_regular(const char *path);
bool file_is_folder(const char *path);
bool file_exists(const char *path);

/**
 * Opens a regular file for reading. FIFOs, devices and folders are refused without blocking.
 *
 * @param[out] bytes its size now; may be NULL
 * @return FT_OK; FT_ERR_INPUT when it does not exist or is no regular file; FT_ERR_IO otherwise
 */
ft_status file_open_read(int *fd, uint64_t *bytes, const char *path);

/**
 * Looks at a file that this program wrote, before it is read: a regular file, no link to one.
 *
 * @param[out] bytes its size now; may be NULL
 * @return FT_OK; FT_ERR_INPUT when it is missing, a link, a FIFO, a folder; FT_ERR_IO when it
 * cannot be read (the permissions too), which says nothing of its content
 */
ft_status file_check_own(const char *path, uint64_t *bytes);

/** Opens such a file for reading; the same errors. */
ft_status file_open_own(int *fd, uint64_t *bytes, const char *path);

/** Reads exactly bytes at offset; a shorter file is FT_ERR_INPUT, a failing disk FT_ERR_IO. */
ft_status file_read_at(int fd, void *out, size_t bytes, uint64_t offset, const char *path);

/**
 * Reads a whole regular file of at most max_bytes. Gives *data (mem_free), terminated by a zero
 * byte beyond *bytes.
 */
ft_status file_read_all(char **data, size_t *bytes, const char *path, uint64_t max_bytes);

/** The same of a file that this program wrote. */
ft_status file_read_own(char **data, size_t *bytes, const char *path, uint64_t max_bytes);

/** Writes all bytes; FT_ERR_IO with the path and the reason. */
ft_status file_write_all(int fd, const void *data, size_t bytes, const char *path);

/** Opens a file for appending, and creates it; links and whatever is no regular file are FT_ERR_IO.
 * */
ft_status file_open_append(int *fd, const char *path);

/** Writes a whole new file, and fsync. What had that name, also a link, is removed first. */
ft_status file_write_synced(const char *path, const void *data, size_t bytes);

/** Writes a file through path.tmp, fsync, rename and fsync of the folder. After a failure path is
 * as it was. */
ft_status file_replace(const char *path, const void *data, size_t bytes);

/** A file that is written under another name until it is whole. */
struct file_draft {
    int fd;
    char path[FILE_PATH_MAX];
};

/** Creates path.tmp anew for writing, as file_write_synced does. */
ft_status file_draft_open(struct file_draft *draft, const char *path);

/**
 * Ends a draft. With FT_OK: fsync, rename to path and fsync of the folder; with a failure, or where
 * one of these fails, path.tmp is removed and path is as it was.
 *
 * @param[in] status how the writing went
 * @return status, or FT_ERR_IO
 */
ft_status file_draft_close(struct file_draft *draft, const char *path, ft_status status);

/** Makes a folder and its parents (0777 & ~umask). FT_ERR_OUTPUT on failure. */
ft_status file_make_folders(const char *path);

/** fsync of a file or folder by path; FT_ERR_IO. */
ft_status file_sync(const char *path);

/** Bytes that the user may still write to the file system of a folder; FT_ERR_IO. */
ft_status file_free_bytes(int64_t *bytes, const char *folder);

/** Removes a folder with the files in it, and folders below it; missing is no failure. Of a link
 * only the link is removed. */
ft_status file_remove_folder(const char *path);

/** The next entry of a folder that was opened with opendir(path), NULL behind the last: readdir
 * alone does not tell the end from a disk that fails. FT_ERR_IO. */
ft_status file_next_entry(const struct dirent **entry, DIR *folder, const char *path);

/** Absolute path of an existing file or folder, or of a name in an existing folder. */
ft_status file_absolute(char out[FILE_PATH_MAX], const char *path);

#endif
