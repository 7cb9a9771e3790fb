/*
 * A rank opens its peers' memory by /proc/PID/fd/N. The numbers are exchanged once, with the file's
 * identity: in another PID namespace the same path may be some other file.
 *
 * MPI_Win_allocate_shared would do, but Open MPI puts it into a file of /dev/shm, which containers
 * cut to 64 MiB, and says so on stderr instead of by a status.
 */
#include "comm/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

/* How a rank's block is found. */
struct place {
    int64_t device, inode, pid;
    int fd, leader;
};

static void *map(int fd, int64_t bytes, int protection)
{
    void *block = mmap(NULL, (size_t)bytes, protection, MAP_SHARED, fd, 0);
    if (block == MAP_FAILED)
        return NULL;
    (void)madvise(block, (size_t)bytes, MADV_HUGEPAGE); /* where the machine allows it here */
    return block;
}

/* This rank's own block; false with errno set. */
static bool make_block(struct place *mine, struct shared *s)
{
    struct stat info;
    mine->fd = memfd_create("finetune", MFD_CLOEXEC);
    if (mine->fd < 0 || ftruncate(mine->fd, s->bytes) != 0 || fstat(mine->fd, &info) != 0)
        return false;
    mine->device = (int64_t)info.st_dev;
    mine->inode = (int64_t)info.st_ino;
    s->blocks[s->index] = map(mine->fd, s->bytes, PROT_READ | PROT_WRITE);
    return s->blocks[s->index] != NULL;
}

static bool open_block(void **block, const struct place *p, int64_t bytes)
{
    char path[64];
    struct stat info;
    (void)snprintf(path, sizeof path, "/proc/%lld/fd/%d", (long long)p->pid, p->fd);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (fstat(fd, &info) != 0 || (int64_t)info.st_dev != p->device ||
        (int64_t)info.st_ino != p->inode)
        errno = ESTALE;
    else
        *block = map(fd, bytes, PROT_READ);
    const int reason = errno;
    (void)close(fd);
    errno = reason;
    return *block != NULL;
}

static void unmap_all(struct shared *s)
{
    for (int i = 0; i < s->n && s->is_mapped; i++) {
        if (s->blocks[i])
            (void)munmap(s->blocks[i], (size_t)s->bytes);
        s->blocks[i] = NULL;
    }
}

/* Everyone's block, seen by the whole node; the same answer on all ranks. Collective. */
static bool share(struct shared *s, struct comm *comm, struct place *places)
{
    const int rank = comm_rank(comm);
    struct place mine = places[rank]; /* the leader is known */
    mine.pid = (int64_t)getpid();
    s->is_mapped = true;
    bool works = make_block(&mine, s);
    if (!works)
        mine.pid = -1;
    comm_allgather(comm, places, &mine, sizeof mine);
    for (int i = 0; i < s->n && works; i++)
        if (i != s->index)
            works = open_block(&s->blocks[i], &places[s->ranks[i]], s->bytes);
    const ft_status status = /* before this, others may still look for the file */
        comm_agree(comm, works ? FT_OK : ft_fail(FT_ERR_IO, "%s", strerror(errno)));
    if (mine.fd >= 0)
        (void)close(mine.fd);
    if (status != FT_OK) {
        unmap_all(s);
        log_warn("ranks of one node cannot see each other's memory (%s): they send messages",
                 ft_error_text());
    }
    return status == FT_OK;
}

/* One block for this rank alone, from ordinary memory. */
static ft_status stay_alone(struct shared *s, int rank, int size)
{
    s->is_mapped = false;
    s->n = 1;
    s->index = 0;
    s->ranks[0] = rank;
    for (int r = 0; r < size; r++)
        s->leaders[r] = r;
    s->blocks[0] = mem_alloc((size_t)s->bytes, 1);
    return s->blocks[0] ? FT_OK : FT_ERR_INTERNAL;
}

static ft_status allocate(struct shared **out, struct place **places, const struct comm *comm,
                          int64_t bytes)
{
    struct shared *s;
    FT_TRY(FT_ALLOC(s, 1));
    *out = s;
    s->bytes = bytes;
    s->n = comm_node_size(comm);
    s->index = comm_node_rank(comm);
    FT_TRY(FT_ALLOC(s->leaders, comm_size(comm)));
    FT_TRY(FT_ALLOC(s->ranks, s->n));
    FT_TRY(FT_ALLOC(s->blocks, s->n));
    return FT_ALLOC(*places, comm_size(comm));
}

ft_status shared_create(struct shared **out, struct comm *comm, int64_t bytes)
{
    const int rank = comm_rank(comm), size = comm_size(comm);
    struct place *places = NULL, mine = {.leader = rank, .fd = -1};
    ft_status status;
    *out = NULL;
    FT_AGREE_OUT(comm, allocate(out, &places, comm, bytes));
    struct shared *s = *out;
    comm_node_bcast(comm, &mine.leader, sizeof mine.leader);
    comm_allgather(comm, places, &mine, sizeof mine);
    bool any_group = false;
    for (int r = 0, i = 0; r < size; r++) {
        s->leaders[r] = places[r].leader;
        any_group = any_group || s->leaders[r] != r;
        if (s->leaders[r] == mine.leader)
            s->ranks[i++] = r;
    }
    const bool is_shared = any_group && share(s, comm, places);
    status = comm_agree(comm, is_shared ? FT_OK : stay_alone(s, rank, size));
out:
    mem_free(places);
    if (status != FT_OK)
        shared_destroy(out);
    return status;
}

void shared_destroy(struct shared **shared)
{
    struct shared *s = *shared;
    if (!s)
        return;
    if (s->is_mapped)
        unmap_all(s);
    else if (s->blocks)
        mem_free(s->blocks[0]);
    mem_free(s->blocks);
    mem_free(s->ranks);
    mem_free(s->leaders);
    FT_FREE(*shared);
}
