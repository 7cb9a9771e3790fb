#include "support/interpose.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

const char *const interposed_names[N_INTERPOSED] = {
    "mkdir",   "open",  "opendir", "readdir",   "stat",   "lstat",     "fstat",   "access",
    "statvfs", "read",  "pread",   "write",     "pwrite", "ftruncate", "lseek",   "sync_file_range",
    "fsync",   "close", "rename",  "renameat2", "unlink", "rmdir",     "symlink", "readlink"};

enum { FDS_MAX = 4096 };
static bool is_ours[FDS_MAX]; /* descriptors of files below the folder */
static char below[4096];
static struct interpose_fault fault;
static int64_t n_hits;
int64_t interposed_counts[N_INTERPOSED];
static bool is_armed;
static __thread bool is_main; /* set by interpose_below: MPI's threads are left alone */

void interpose_below(const char *folder)
{
    (void)snprintf(below, sizeof below, "%s", folder);
    is_main = true;
}

void interpose_arm(const struct interpose_fault *wanted)
{
    fault = *wanted;
    n_hits = 0;
    memset(interposed_counts, 0, sizeof interposed_counts);
    is_armed = true;
}

int64_t interpose_disarm(void)
{
    is_armed = false;
    return n_hits;
}

static void (*record)(const struct interposed_change *change);

void interpose_record(void (*sink)(const struct interposed_change *change))
{
    record = sink;
}

/* Tells of a call that worked; gives back its result. */
static int64_t tell(int64_t result, bool counts, const struct interposed_change *change)
{
    if (record && counts && result >= 0)
        record(change);
    return result;
}

/* The function of that name that this file hides. */
static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        abort();
    return found;
}

static bool counts_path(const char *path)
{
    return is_main && below[0] && path && strncmp(path, below, strlen(below)) == 0;
}

static bool counts_fd(int fd)
{
    return is_main && fd >= 0 && fd < FDS_MAX && is_ours[fd];
}

/* Whether this call is to fail: errno is set then. */
static bool strikes(enum interposed call, bool counts)
{
    if (!is_armed || !counts)
        return false;
    const int64_t n = ++interposed_counts[call];
    if (call != fault.call || fault.k == 0 || n < fault.k || (n > fault.k && !fault.is_lasting))
        return false;
    if (fault.is_deadly)
        (void)raise(SIGKILL);
    n_hits++;
    errno = fault.error;
    return true;
}

/* The result of a call that is to fail: done or not, it is reported as failed. */
#define FAIL(call)                                                                                 \
    do {                                                                                           \
        if (fault.is_done)                                                                         \
            (void)(call);                                                                          \
        errno = fault.error;                                                                       \
    } while (0)

#define NEXT(name)                                                                                 \
    static __typeof__(&name) real;                                                                 \
    if (!real)                                                                                     \
    real = (__typeof__(&name))(uintptr_t)next(#name)

/* name(arguments) on a path or descriptor, gives -1 where it fails */
#define WRAP(kind, counts, type, name, parameters, arguments)                                      \
    type name parameters                                                                           \
    {                                                                                              \
        NEXT(name);                                                                                \
        if (!strikes(kind, counts))                                                                \
            return real arguments;                                                                 \
        FAIL(real arguments);                                                                      \
        return -1;                                                                                 \
    }

/* The same, of a call that changes something: what it changes is told. */
#define WRAP_CHANGE(kind, counts, name, parameters, arguments, ...)                                \
    int name parameters                                                                            \
    {                                                                                              \
        NEXT(name);                                                                                \
        if (!strikes(kind, counts))                                                                \
            return (int)tell(real arguments, counts,                                               \
                             &(struct interposed_change){.call = (kind), __VA_ARGS__});            \
        FAIL(real arguments);                                                                      \
        return -1;                                                                                 \
    }

WRAP_CHANGE(CALL_MKDIR, counts_path(path), mkdir, (const char *path, mode_t mode), (path, mode),
            .path = path)
WRAP_CHANGE(CALL_UNLINK, counts_path(path), unlink, (const char *path), (path), .path = path)
WRAP_CHANGE(CALL_RMDIR, counts_path(path), rmdir, (const char *path), (path), .path = path)
WRAP_CHANGE(CALL_RENAME, counts_path(from), rename, (const char *from, const char *to), (from, to),
            .path = from, .to = to)
WRAP_CHANGE(CALL_RENAMEAT2, counts_path(from), renameat2,
            (int fd, const char *from, int to_fd, const char *to, unsigned flags),
            (fd, from, to_fd, to, flags), .path = from, .to = to, .flags = (int)flags)
WRAP_CHANGE(CALL_FSYNC, counts_fd(fd), fsync, (int fd), (fd), .fd = fd)
WRAP_CHANGE(CALL_FTRUNCATE, counts_fd(fd), ftruncate, (int fd, off_t bytes), (fd, bytes), .fd = fd,
            .at = bytes)
WRAP(CALL_SYMLINK, counts_path(path), int, symlink, (const char *target, const char *path),
     (target, path))
WRAP(CALL_ACCESS, counts_path(path), int, access, (const char *path, int mode), (path, mode))
WRAP(CALL_READLINK, counts_path(path), ssize_t, readlink,
     (const char *path, char *out, size_t bytes), (path, out, bytes))
WRAP(CALL_STATVFS, counts_path(path), int, statvfs, (const char *path, struct statvfs *out),
     (path, out))
WRAP(CALL_STAT, counts_path(path), int, stat, (const char *path, struct stat *out), (path, out))
WRAP(CALL_LSTAT, counts_path(path), int, lstat, (const char *path, struct stat *out), (path, out))
WRAP(CALL_FSTAT, counts_fd(fd), int, fstat, (int fd, struct stat *out), (fd, out))
WRAP(CALL_LSEEK, counts_fd(fd), off_t, lseek, (int fd, off_t at, int from), (fd, at, from))
WRAP(CALL_SYNC_FILE_RANGE, counts_fd(fd), int, sync_file_range,
     (int fd, off_t at, off_t bytes, unsigned flags), (fd, at, bytes, flags))

/* A descriptor is gone after close, whatever close says. */
int close(int fd)
{
    NEXT(close);
    const bool counts = counts_fd(fd), is_failure = strikes(CALL_CLOSE, counts);
    if (fd >= 0 && fd < FDS_MAX)
        is_ours[fd] = false;
    const int result = real(fd);
    if (!is_failure)
        return (int)tell(result, counts, &(struct interposed_change){.call = CALL_CLOSE, .fd = fd});
    errno = fault.error;
    return -1;
}

int open(const char *path, int flags, ...)
{
    NEXT(open);
    va_list args;
    va_start(args, flags);
    const mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    if (strikes(CALL_OPEN, counts_path(path)))
        return -1;
    const int fd = real(path, flags, mode);
    if (fd >= 0 && fd < FDS_MAX)
        is_ours[fd] = counts_path(path);
    return (int)tell(
        fd, counts_path(path),
        &(struct interposed_change){.call = CALL_OPEN, .path = path, .fd = fd, .flags = flags});
}

DIR *opendir(const char *path)
{
    NEXT(opendir);
    if (strikes(CALL_OPENDIR, counts_path(path)))
        return NULL;
    DIR *folder = real(path);
    if (folder && dirfd(folder) < FDS_MAX)
        is_ours[dirfd(folder)] = counts_path(path);
    return folder;
}

int closedir(DIR *folder)
{
    NEXT(closedir);
    if (dirfd(folder) < FDS_MAX)
        is_ours[dirfd(folder)] = false;
    return real(folder);
}

struct dirent *readdir(DIR *folder)
{
    NEXT(readdir);
    return strikes(CALL_READDIR, counts_fd(dirfd(folder))) ? NULL : real(folder);
}

/* Of a struck transfer without an error half is done, at least one byte; CHANGED is what it
 * changes. */
#define WRAP_TRANSFER(kind, name, parameters, arguments, changed)                                  \
    ssize_t name parameters                                                                        \
    {                                                                                              \
        NEXT(name);                                                                                \
        const bool is_struck = strikes(kind, counts_fd(fd));                                       \
        if (is_struck && fault.error != 0) {                                                       \
            FAIL(real arguments);                                                                  \
            return -1;                                                                             \
        }                                                                                          \
        if (is_struck)                                                                             \
            bytes = (bytes + 1) / 2;                                                               \
        const ssize_t n = real arguments;                                                          \
        const struct interposed_change change = {.call = (kind),                                   \
                                                 .fd = fd,                                         \
                                                 .data = data,                                     \
                                                 .bytes = n > 0 ? (size_t)n : 0,                   \
                                                 .at = (changed)};                                 \
        return (changed) >= 0 ? tell(n, counts_fd(fd), &change) : n;                               \
    }

/* Where the next byte would be written, after n. */
static int64_t end_of(int fd)
{
    NEXT(lseek);
    return record && counts_fd(fd) ? real(fd, 0, SEEK_CUR) : 0;
}

WRAP_TRANSFER(CALL_READ, read, (int fd, void *data, size_t bytes), (fd, data, bytes), -1)
WRAP_TRANSFER(CALL_PREAD, pread, (int fd, void *data, size_t bytes, off_t at),
              (fd, data, bytes, at), -1)
WRAP_TRANSFER(CALL_WRITE, write, (int fd, const void *data, size_t bytes), (fd, data, bytes),
              end_of(fd) - (n > 0 ? n : 0))
WRAP_TRANSFER(CALL_PWRITE, pwrite, (int fd, const void *data, size_t bytes, off_t at),
              (fd, data, bytes, at), at)
