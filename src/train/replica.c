#include "train/replica.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "base/mem.h"

enum { PARTS_MAX = 8, LISTED_MAX = 8 };

/* What a rank tells when ranks differ. */
struct statement {
    int64_t hash;
    char host[64];
};

static int64_t hash_parts(const struct replica_part *parts, int n)
{
    struct hash_value hashes[PARTS_MAX] = {{0, 0}};
    for (int i = 0; i < n; i++)
        if (parts[i].bytes > 0)
            hashes[i] = hash_bytes(parts[i].data, (size_t)parts[i].bytes);
    return (int64_t)hash_bytes(hashes, sizeof hashes).low;
}

/* The hash of more than half of the ranks; false where there is none. */
static bool find_majority(int64_t *hash, const struct statement *all, int size)
{
    for (int r = 0; r < size; r++) {
        int n = 0;
        for (int other = 0; other < size; other++)
            n += all[other].hash == all[r].hash;
        *hash = all[r].hash;
        if (2 * n > size)
            return true;
    }
    return false;
}

/* "rank 1 (node7), rank 4 (node9)": those with another hash. */
static ft_status list_others(struct buffer *out, const struct statement *all, int size,
                             int64_t hash)
{
    int n = 0;
    for (int r = 0; r < size; r++) {
        if (all[r].hash == hash || ++n > LISTED_MAX)
            continue;
        FT_TRY(buffer_print(out, "%srank %d (%s)", n > 1 ? ", " : "", r, all[r].host));
    }
    return n > LISTED_MAX ? buffer_print(out, " and %d more", n - LISTED_MAX) : FT_OK;
}

/* Every rank comes to the same words. */
static ft_status accuse(const struct statement *all, int size, int64_t step)
{
    int64_t hash = 0;
    struct buffer others = {0};
    char text[FT_ERR_TEXT_MAX / 2];
    const bool has_majority = find_majority(&hash, all, size);
    FT_TRY(list_others(&others, all, size, has_majority ? hash : all[0].hash));
    (void)snprintf(text, sizeof text, "%s", others.data ? others.data : "");
    buffer_clear(&others);
    return ft_fail(FT_ERR_INTERNAL,
                   "silent corruption: after step %lld the parameters of %s differ from those of "
                   "%s; no checkpoint of this step was written, older ones are intact: start "
                   "again to go on from the newest, and without %s if it happens again (bad memory "
                   "or processor; with distributed.zero = 0 also processors of different kinds)",
                   (long long)step, text, has_majority ? "all other ranks" : "rank 0",
                   has_majority ? "that host" : "these hosts");
}

static ft_status find_culprits(struct comm *comm, int64_t hash, int64_t step)
{
    struct statement mine = {.hash = hash}, *all = NULL;
    ft_status status = comm_agree(comm, FT_ALLOC(all, comm_size(comm)));
    (void)snprintf(mine.host, sizeof mine.host, "%s", comm_host(comm));
    if (status == FT_OK) {
        comm_allgather(comm, all, &mine, sizeof mine);
        status = accuse(all, comm_size(comm), step);
    }
    mem_free(all);
    return status;
}

ft_status replica_check(struct comm *comm, const struct replica_part *parts, int n, int64_t step)
{
    const int64_t hash = hash_parts(parts, n);
    int64_t extremes[2] = {hash, ~hash}; /* the least is the complement of the largest complement */
    comm_max_i64(comm, extremes, 2);
    return extremes[0] == ~extremes[1] ? FT_OK : find_culprits(comm, hash, step);
}
