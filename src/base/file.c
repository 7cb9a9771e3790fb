#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/pulse.h"
#include "base/size.h"

/* Bytes of one system call: with a slow disk too, calls return now and then. */
enum { CHUNK = 16 << 20, SYNC_PIECE = 64 << 20 };

ft_status file_join(char out[FILE_PATH_MAX], const char *folder, const char *name)
{
    const bool is_alone = !folder[0] || name[0] == '/';
    const int n = is_alone ? snprintf(out, FILE_PATH_MAX, "%s", name)
                           : snprintf(out, FILE_PATH_MAX, "%s/%s", folder, name);
    if (n < 0 || n >= FILE_PATH_MAX)
        return ft_fail(FT_ERR_USAGE, "path too long (at most %d bytes): %.80s...",
                       FILE_PATH_MAX - 1, name);
    return FT_OK;
}

void file_folder(char out[FILE_PATH_MAX], const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        (void)snprintf(out, FILE_PATH_MAX, ".");
    else
        (void)snprintf(out, FILE_PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

const char *file_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool file_is_regular(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool file_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool file_exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

/* A call that a signal cut short is made again: servers of network file systems do that to open. */
static int open_anyway(const char *path, int flags)
{
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0666);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* Whether errno says something of the path, not of the disk or of this process. */
static bool is_about_path(int reason)
{
    return reason == ENOENT || reason == ENOTDIR || reason == ELOOP || reason == EACCES ||
           reason == EPERM || reason == ENAMETOOLONG || reason == ENXIO || reason == EISDIR;
}

ft_status file_open_read(int *fd, uint64_t *bytes, const char *path)
{
    struct stat info;
    *fd = open_anyway(path, O_RDONLY | O_NONBLOCK);
    if (*fd < 0)
        return ft_fail(is_about_path(errno) ? FT_ERR_INPUT : FT_ERR_IO, "cannot open %s: %s", path,
                       strerror(errno));
    const int reason = fstat(*fd, &info) != 0 ? errno : 0;
    if (reason || !S_ISREG(info.st_mode)) {
        (void)close(*fd);
        *fd = -1;
        return reason ? ft_fail(FT_ERR_IO, "cannot open %s: %s", path, strerror(reason))
                      : ft_fail(FT_ERR_INPUT, "%s is not a regular file", path);
    }
    if (bytes)
        *bytes = (uint64_t)info.st_size;
    return FT_OK;
}

ft_status file_check_own(const char *path, uint64_t *bytes)
{
    struct stat info;
    if (lstat(path, &info) != 0)
        return ft_fail(errno == ENOENT || errno == ENOTDIR ? FT_ERR_INPUT : FT_ERR_IO,
                       "cannot open %s: %s", path, strerror(errno));
    if (S_ISLNK(info.st_mode))
        return ft_fail(FT_ERR_INPUT, "%s is a symbolic link, not a regular file: not followed",
                       path);
    if (!S_ISREG(info.st_mode))
        return ft_fail(FT_ERR_INPUT, "%s is not a regular file", path);
    if (access(path, R_OK) != 0)
        return ft_fail(FT_ERR_IO, "cannot open %s: %s", path, strerror(errno));
    if (bytes)
        *bytes = (uint64_t)info.st_size;
    return FT_OK;
}

ft_status file_read_at(int fd, void *out, size_t bytes, uint64_t offset, const char *path)
{
    char *to = out;
    while (bytes > 0) {
        const ssize_t got = pread(fd, to, bytes < CHUNK ? bytes : CHUNK, (off_t)offset);
        pulse_mark();
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ft_fail(FT_ERR_IO, "cannot read %s: %s", path, strerror(errno));
        if (got == 0)
            return ft_fail(FT_ERR_INPUT, "%s ends at byte %llu, %zu bytes short: truncated?", path,
                           (unsigned long long)offset, bytes);
        to += got;
        bytes -= (size_t)got;
        offset += (uint64_t)got;
    }
    return FT_OK;
}

ft_status file_open_own(int *fd, uint64_t *bytes, const char *path)
{
    FT_TRY(file_check_own(path, bytes));
    *fd = open_anyway(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    return *fd >= 0 ? FT_OK : ft_fail(FT_ERR_IO, "cannot open %s: %s", path, strerror(errno));
}

/* Closes fd too. */
static ft_status read_whole(char **data, size_t *bytes, int fd, uint64_t size, const char *path,
                            uint64_t max_bytes)
{
    ft_status status = FT_OK;
    *data = NULL;
    if (size > max_bytes)
        status = ft_fail(FT_ERR_INPUT, "%s has %llu bytes, at most %llu are read", path,
                         (unsigned long long)size, (unsigned long long)max_bytes);
    if (status == FT_OK && !(*data = mem_alloc_raw((size_t)size + 1, 1)))
        status = FT_ERR_INTERNAL;
    if (status == FT_OK)
        status = file_read_at(fd, *data, (size_t)size, 0, path);
    (void)close(fd);
    if (status != FT_OK) {
        FT_FREE(*data);
        return status;
    }
    (*data)[size] = '\0';
    *bytes = (size_t)size;
    return FT_OK;
}

ft_status file_read_all(char **data, size_t *bytes, const char *path, uint64_t max_bytes)
{
    int fd = -1;
    uint64_t size = 0;
    FT_TRY(file_open_read(&fd, &size, path));
    return read_whole(data, bytes, fd, size, path, max_bytes);
}

ft_status file_read_own(char **data, size_t *bytes, const char *path, uint64_t max_bytes)
{
    int fd = -1;
    uint64_t size = 0;
    FT_TRY(file_open_own(&fd, &size, path));
    return read_whole(data, bytes, fd, size, path, max_bytes);
}

ft_status file_write_all(int fd, const void *data, size_t bytes, const char *path)
{
    const char *from = data;
    while (bytes > 0) {
        const ssize_t put = write(fd, from, bytes < CHUNK ? bytes : CHUNK);
        pulse_mark();
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return ft_fail(FT_ERR_IO, "cannot write %s: %s", path,
                           put < 0 ? strerror(errno) : "nothing was written");
        from += put;
        bytes -= (size_t)put;
    }
    return FT_OK;
}

/* fsync, of a large file piece by piece, because all of it on a slow disk would look like a hang: a
 * piece is waited for while the next one is already on its way. Gives the errno, or 0. */
static int sync_all(int fd)
{
    const unsigned wait =
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    struct stat info;
    const bool is_file = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    for (off_t at = 0; is_file && at < info.st_size; at += SYNC_PIECE) {
        (void)sync_file_range(fd, at + SYNC_PIECE, SYNC_PIECE, SYNC_FILE_RANGE_WRITE);
        if (sync_file_range(fd, at, SYNC_PIECE, wait) != 0 &&
            (errno == EIO || errno == ENOSPC || errno == EDQUOT))
            return errno; /* said once: fsync would not say it again */
        pulse_mark();
    }
    int failed;
    do
        failed = fsync(fd) != 0 ? errno : 0;
    while (failed == EINTR);
    return failed;
}

/* close is never made again: the descriptor is gone, whatever it says, and EINTR says no more. */
static int close_all(int fd)
{
    return close(fd) != 0 && errno != EINTR ? errno : 0;
}

ft_status file_sync(const char *path)
{
    const int fd = open_anyway(path, O_RDONLY | O_NONBLOCK);
    if (fd < 0)
        return ft_fail(FT_ERR_IO, "cannot open %s to sync it: %s", path, strerror(errno));
    const int failed = sync_all(fd);
    const int failed_close = close_all(fd);
    if (failed || failed_close)
        return ft_fail(FT_ERR_IO, "cannot sync %s: %s", path,
                       strerror(failed ? failed : failed_close));
    return FT_OK;
}

/* What is there under the name, left by a run that died or put there by someone, is removed and
 * never written to: a link would lead elsewhere, a FIFO block. */
static ft_status create_new(int *fd, const char *path)
{
    if (unlink(path) != 0 && errno != ENOENT)
        return ft_fail(FT_ERR_IO, "cannot remove %s: %s", path, strerror(errno));
    *fd = open_anyway(path, O_WRONLY | O_CREAT | O_EXCL);
    return *fd >= 0 ? FT_OK : ft_fail(FT_ERR_IO, "cannot create %s: %s", path, strerror(errno));
}

ft_status file_open_append(int *fd, const char *path)
{
    struct stat info;
    *fd = open_anyway(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK);
    if (*fd < 0)
        return ft_fail(FT_ERR_IO, "cannot open %s: %s", path,
                       errno == ELOOP   ? "it is a symbolic link, which is not followed"
                       : errno == ENXIO ? "it is not a regular file"
                                        : strerror(errno));
    const int reason = fstat(*fd, &info) != 0 ? errno : 0;
    if (!reason && S_ISREG(info.st_mode))
        return FT_OK;
    (void)close(*fd);
    *fd = -1;
    return ft_fail(FT_ERR_IO, "cannot open %s: %s", path,
                   reason ? strerror(reason) : "it is not a regular file");
}

/* Syncs and closes what was written; a failure of either, and status where it is one already. */
static ft_status finish(int fd, const char *path, ft_status status)
{
    const int failed = status == FT_OK ? sync_all(fd) : 0;
    const int failed_close = close_all(fd);
    if (failed)
        return ft_fail(FT_ERR_IO, "cannot sync %s: %s", path, strerror(failed));
    if (failed_close && status == FT_OK)
        return ft_fail(FT_ERR_IO, "cannot close %s: %s", path, strerror(failed_close));
    return status;
}

ft_status file_write_synced(const char *path, const void *data, size_t bytes)
{
    int fd = -1;
    FT_TRY(create_new(&fd, path));
    return finish(fd, path, file_write_all(fd, data, bytes, path));
}

ft_status file_replace(const char *path, const void *data, size_t bytes)
{
    char temporary[FILE_PATH_MAX], folder[FILE_PATH_MAX];
    if (snprintf(temporary, sizeof temporary, "%s.tmp", path) >= FILE_PATH_MAX)
        return ft_fail(FT_ERR_USAGE, "path too long: %.80s...", path);
    ft_status status = file_write_synced(temporary, data, bytes);
    if (status == FT_OK && rename(temporary, path) != 0)
        status = ft_fail(FT_ERR_IO, "cannot rename %s to %s: %s", temporary, path, strerror(errno));
    if (status != FT_OK) {
        (void)unlink(temporary);
        return status;
    }
    file_folder(folder, path);
    return file_sync(folder);
}

ft_status file_draft_open(struct file_draft *draft, const char *path)
{
    const int n = snprintf(draft->path, sizeof draft->path, "%s.tmp", path);
    if (n < 0 || n >= FILE_PATH_MAX)
        return ft_fail(FT_ERR_USAGE, "path too long: %.80s...", path);
    return create_new(&draft->fd, draft->path);
}

ft_status file_draft_close(struct file_draft *draft, const char *path, ft_status status)
{
    char folder[FILE_PATH_MAX];
    status = finish(draft->fd, draft->path, status);
    if (status == FT_OK && rename(draft->path, path) != 0)
        status =
            ft_fail(FT_ERR_IO, "cannot rename %s to %s: %s", draft->path, path, strerror(errno));
    if (status != FT_OK) {
        (void)unlink(draft->path);
        return status;
    }
    file_folder(folder, path);
    return file_sync(folder);
}

ft_status file_make_folders(const char *path)
{
    char part[FILE_PATH_MAX];
    const size_t length = strlen(path);
    if (length == 0 || length >= sizeof part)
        return ft_fail(FT_ERR_OUTPUT, "folder name is empty or too long: %.80s", path);
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        const int reason = mkdir(part, 0777) != 0 ? errno : 0;
        if (reason && reason != EEXIST && !file_is_folder(part)) /* EROFS, EACCES: may be there */
            return ft_fail(FT_ERR_OUTPUT, "cannot create folder %s: %s", part, strerror(reason));
    }
    struct stat info;
    const int reason = stat(path, &info) != 0 ? errno : 0;
    if (!reason && S_ISDIR(info.st_mode))
        return FT_OK;
    return ft_fail(FT_ERR_OUTPUT, "cannot create folder %s: %s", path,
                   reason ? strerror(reason) : "a file of that name exists");
}

ft_status file_next_entry(const struct dirent **entry, DIR *folder, const char *path)
{
    errno = 0;
    *entry = readdir(folder);
    return *entry || errno == 0
               ? FT_OK
               : ft_fail(FT_ERR_IO, "cannot read folder %s: %s", path, strerror(errno));
}

static ft_status remove_entries(DIR *folder, const char *path)
{
    for (;;) {
        const struct dirent *entry;
        char name[FILE_PATH_MAX];
        struct stat info;
        FT_TRY(file_next_entry(&entry, folder, path));
        if (!entry)
            return FT_OK;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        FT_TRY(file_join(name, path, entry->d_name));
        if (lstat(name, &info) == 0 && S_ISDIR(info.st_mode))
            FT_TRY(file_remove_folder(name));
        else if (unlink(name) != 0 && errno != ENOENT)
            return ft_fail(FT_ERR_IO, "cannot remove %s: %s", name, strerror(errno));
    }
}

ft_status file_remove_folder(const char *path)
{
    struct stat info;
    if (lstat(path, &info) == 0 && !S_ISDIR(info.st_mode)) /* a link goes, what it names stays */
        return unlink(path) == 0 || errno == ENOENT
                   ? FT_OK
                   : ft_fail(FT_ERR_IO, "cannot remove %s: %s", path, strerror(errno));
    const int fd = open_anyway(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return FT_OK;
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (!folder) {
        const ft_status status =
            ft_fail(FT_ERR_IO, "cannot open folder %s: %s", path, strerror(errno));
        if (fd >= 0)
            (void)close(fd);
        return status;
    }
    const ft_status status = remove_entries(folder, path);
    (void)closedir(folder);
    if (status == FT_OK && rmdir(path) != 0)
        return ft_fail(FT_ERR_IO, "cannot remove folder %s: %s", path, strerror(errno));
    return status;
}

ft_status file_absolute(char out[FILE_PATH_MAX], const char *path)
{
    char here[FILE_PATH_MAX];
    char *resolved = realpath(path, NULL);
    if (!resolved && errno == ENOMEM) /* a name that is not resolved is another name */
        return ft_fail(FT_ERR_INTERNAL, "out of memory: the path %s", path);
    if (resolved) {
        const int n = snprintf(out, FILE_PATH_MAX, "%s", resolved);
        free(resolved);
        return n < FILE_PATH_MAX ? FT_OK : ft_fail(FT_ERR_USAGE, "path too long: %.80s", path);
    }
    if (path[0] == '/')
        return file_join(out, "", path);
    if (!getcwd(here, sizeof here))
        return ft_fail(FT_ERR_IO, "cannot read the current folder: %s", strerror(errno));
    return file_join(out, here, path);
}

ft_status file_free_bytes(int64_t *bytes, const char *folder)
{
    struct statvfs disk;
    uint64_t available = 0;
    if (statvfs(folder, &disk) != 0)
        return ft_fail(FT_ERR_IO, "cannot ask for the free space of %s: %s", folder,
                       strerror(errno));
    if (!checked_mul(&available, disk.f_bavail, disk.f_frsize) || available > INT64_MAX)
        available = INT64_MAX;
    *bytes = (int64_t)available;
    return FT_OK;
}
