/** Memory that the ranks of one node see of each other. Links MPI only through comm.h. */
#ifndef FT_COMM_SHARED_H
#define FT_COMM_SHARED_H

#include "comm/comm.h"

struct shared {
    int64_t bytes; /**< of each block, equal on all ranks */
    int n, index;  /**< ranks that see each other, and this one's place among them */
    int *leaders;  /**< (size of the world) lowest rank of each rank's group */
    int *ranks;    /**< (n) world ranks of this group, ascending */
    void **blocks; /**< (n) of each; zero at first; only blocks[index] may be written */
    bool is_mapped;
};

/**
 * A block of memory on every rank. Where a node's ranks cannot see each other's memory (processes
 * in containers of their own), all groups are of one rank, and a warning says why. Collective.
 *
 * The blocks are anonymous files (memfd_create): no name in any file system, no limit of a
 * /dev/shm, nothing left behind by a killed job. Pages of others that this process has read count
 * in its resident size too: see usage_count_foreign.
 *
 * @param[out] out gives the memory; NULL on failure
 * @return FT_OK, FT_ERR_INTERNAL (memory)
 */
ft_status shared_create(struct shared **out, struct comm *comm, int64_t bytes);

/** Takes *shared (may be NULL), sets NULL. Not collective: the others keep what they see. */
void shared_destroy(struct shared **shared);

#endif
