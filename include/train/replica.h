/** Whether the ranks still hold the same numbers: memory and processors fail without a word. */
#ifndef FT_TRAIN_REPLICA_H
#define FT_TRAIN_REPLICA_H

#include <stdint.h>

#include "comm/comm.h"

/** A buffer of which every rank has a copy. */
struct replica_part {
    const void *data; /**< may be NULL where bytes is 0 */
    int64_t bytes;
};

/**
 * Compares one hash (XXH3) of the parts (n) over all ranks: 16 bytes in one reduction. Collective.
 *
 * Finds what differs now. What a rank got wrong in the elements that it alone updates (zero = 1)
 * has reached all ranks by the next step, and is the same everywhere.
 *
 * @param[in] step for the message
 * @return FT_OK; FT_ERR_INTERNAL where ranks differ, naming those that differ from the majority and
 *         their hosts, or, without a majority, those that differ from rank 0. The same on all ranks
 */
ft_status replica_check(struct comm *comm, const struct replica_part *parts, int n, int64_t step);

#endif
