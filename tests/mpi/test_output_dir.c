/* The output directory: seen by all ranks, held by one run, free again when its holder is gone. */
#include "train/output_dir.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "support/check.h"

/* A path all ranks agree on; rank 0 makes the folder above it. */
static void agree_on_folder(char folder[64], struct comm *comm)
{
    (void)snprintf(folder, 64, "/tmp/test_output_dir.XXXXXX");
    if (comm_rank(comm) == 0)
        CHECK(mkdtemp(folder) != NULL);
    comm_bcast(comm, folder, 64, 0);
}

/* Another run's rank 0 holds the lock: an open file description of its own. */
static int hold(const char *dir)
{
    char path[FILE_PATH_MAX + 16];
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    (void)snprintf(path, sizeof path, "%s/.lock", dir);
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_TRUNC, 0666);
    CHECK(fd >= 0 && fcntl(fd, F_OFD_SETLK, &whole) == 0);
    CHECK(write(fd, "host other, process 7, job 99\n", 30) == 30);
    return fd;
}

static void test_lock(struct comm *comm, const char *dir)
{
    int fd = -1;
    const bool is_first = comm_rank(comm) == 0;
    if (is_first)
        fd = hold(dir);
    CHECK_FAILS(output_dir_prepare(comm, dir), FT_ERR_OUTPUT,
                "in use by another run (host other, process 7, job 99)");
    if (is_first) {
        CHECK(close(fd) == 0);
    }
    CHECK_STATUS(output_dir_prepare(comm, dir),
                 FT_OK); /* no stale lock, and the last try left none */
    output_dir_release();
}

static void test_impossible(struct comm *comm, const char *parent)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/file", parent);
    if (comm_rank(comm) == 0)
        CHECK_STATUS(file_replace(path, "x", 1), FT_OK);
    CHECK_FAILS(output_dir_prepare(comm, path), FT_ERR_OUTPUT, "a file of that name exists");
    (void)snprintf(path, sizeof path, "%s/file/below", parent);
    CHECK_FAILS(output_dir_prepare(comm, path), FT_ERR_OUTPUT, "cannot create folder");
}

int main(int argc, char **argv)
{
    struct comm *comm = NULL;
    char parent[64], dir[FILE_PATH_MAX], probe[FILE_PATH_MAX + 16];
    CHECK_STATUS(comm_open(&comm, &argc, &argv), FT_OK);
    agree_on_folder(parent, comm);
    (void)snprintf(dir, sizeof dir, "%s/a/b", parent);
    CHECK_STATUS(output_dir_prepare(comm, dir), FT_OK);
    CHECK(file_is_folder(dir));
    comm_barrier(comm);
    (void)snprintf(probe, sizeof probe, "%s/.probe", dir);
    CHECK(!file_exists(probe));
    output_dir_release();
    output_dir_release();
    test_lock(comm, dir);
    test_impossible(comm, parent);
    comm_barrier(comm);
    if (comm_rank(comm) == 0)
        CHECK_STATUS(file_remove_folder(parent), FT_OK);
    comm_close(&comm);
    return check_end();
}
