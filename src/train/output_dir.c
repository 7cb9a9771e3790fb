/*
 * The lock is an OFD lock (fcntl) on dir/.lock, not the file's existence: the kernel, or the NFS
 * server, drops it when the holder dies, so a killed run never locks its folder for good. The file
 * stays: a lock file that is removed can be locked twice, by one process that opened it before and
 * one after.
 */
#include "train/output_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/timer.h"

enum { HOLDER_MAX = 512, NONCE_MAX = 128, POLL_NS = 50000000 };
static const double patience_s = 30.0;

/* Rank 0's locks, the last one taken last: compare holds its own folder and that of a method. */
enum { LOCKS_MAX = 4 };
static int locks[LOCKS_MAX];
static int n_locks;

static ft_status refuse_busy(int fd, const char *dir)
{
    char holder[HOLDER_MAX] = "";
    const ssize_t n = pread(fd, holder, sizeof holder - 1, 0);
    holder[n > 0 ? n : 0] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
    return ft_fail(
        FT_ERR_OUTPUT,
        "output directory %s is in use by another run (%s); wait for it, stop it, or set "
        "another output.dir",
        dir, holder[0] ? holder : "it has not yet said which");
}

static ft_status write_holder(int fd, const struct comm *comm, const char *path)
{
    char holder[HOLDER_MAX];
    const char *job = getenv("SLURM_JOB_ID");
    (void)snprintf(holder, sizeof holder, "host %s, process %ld%s%s\n", comm_host(comm),
                   (long)getpid(), job ? ", job " : "", job ? job : "");
    if (ftruncate(fd, 0) != 0)
        return ft_fail(FT_ERR_IO, "cannot write %s: %s", path, strerror(errno));
    return file_write_all(fd, holder, strlen(holder), path);
}

static ft_status take_lock(const struct comm *comm, const char *dir)
{
    char path[FILE_PATH_MAX];
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    FT_TRY(file_join(path, dir, ".lock"));
    struct stat info;
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (fd < 0)
        return ft_fail(FT_ERR_OUTPUT, "cannot create %s: %s", path,
                       errno == ELOOP ? "it is a symbolic link, which is not followed"
                                      : strerror(errno));
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        (void)close(fd);
        return ft_fail(FT_ERR_OUTPUT, "%s is not a regular file", path);
    }
    locks[n_locks++] = fd;
    if (fcntl(fd, F_OFD_SETLK, &whole) != 0) {
        if (errno == EAGAIN || errno == EACCES)
            return refuse_busy(fd, dir);
        log_warn("%s cannot be locked (%s): make sure that no other run uses this folder", path,
                 strerror(errno));
    }
    return write_holder(fd, comm, path);
}

/* Rank 0: folder, lock, and a file with a text that no earlier run wrote. */
static ft_status create(char nonce[NONCE_MAX], const struct comm *comm, const char *dir,
                        const char *probe)
{
    struct timespec now;
    FT_TRY(fault_point("output"));
    FT_TRY(file_make_folders(dir));
    FT_TRY(take_lock(comm, dir));
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)snprintf(nonce, NONCE_MAX, "%.64s %ld %lld.%09ld", comm_host(comm), (long)getpid(),
                   (long long)now.tv_sec, now.tv_nsec);
    const ft_status status = file_replace(probe, nonce, strlen(nonce));
    return status == FT_ERR_IO ? ft_fail(FT_ERR_OUTPUT, "%s", ft_error_text()) : status;
}

/* A file that cannot be read may be one that is not there yet; a want of memory is not. */
static ft_status look_for(bool *is_there, const char *path, const char *nonce)
{
    char *text = NULL;
    size_t bytes = 0;
    const ft_status status = file_read_all(&text, &bytes, path, NONCE_MAX);
    *is_there = status == FT_OK && strcmp(text, nonce) == 0;
    mem_free(text);
    return status == FT_ERR_INTERNAL ? status : FT_OK;
}

static ft_status wait_until_seen(const struct comm *comm, const char *dir, const char *probe,
                                 const char *nonce)
{
    const struct timespec pause = {.tv_nsec = POLL_NS};
    const double start = timer_now();
    bool is_there = false;
    FT_TRY(fault_point("output-seen"));
    for (;;) {
        FT_TRY(look_for(&is_there, probe, nonce));
        if (is_there)
            return FT_OK;
        if (timer_now() - start > patience_s)
            return ft_fail(
                FT_ERR_OUTPUT,
                "host %s does not see what rank 0 wrote in %s %.0f s ago; output.dir must "
                "be on a file system that all nodes share",
                comm_host(comm), dir, patience_s);
        (void)nanosleep(&pause, NULL);
    }
}

static ft_status prepare(struct comm *comm, const char *dir)
{
    char nonce[NONCE_MAX] = "", probe[FILE_PATH_MAX];
    const bool is_first = comm_rank(comm) == 0;
    FT_AGREE(comm, file_join(probe, dir, ".probe"));
    FT_AGREE(comm, is_first ? create(nonce, comm, dir, probe) : FT_OK);
    comm_bcast(comm, nonce, NONCE_MAX, 0);
    const ft_status status = comm_agree(comm, wait_until_seen(comm, dir, probe, nonce));
    if (is_first)
        (void)unlink(probe);
    return status;
}

ft_status output_dir_prepare(struct comm *comm, const char *dir)
{
    const int held = n_locks;
    const ft_status status = prepare(comm, dir);
    if (status != FT_OK && n_locks > held)
        output_dir_release();
    return status;
}

void output_dir_release(void)
{
    if (n_locks > 0)
        (void)close(locks[--n_locks]); /* an OFD lock ends with its last descriptor */
}
