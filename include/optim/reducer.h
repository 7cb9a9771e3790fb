/**
 * The exchange of gradients and parameters between ranks, in buckets, while the backward pass
 * works.
 *
 * The flat buffer is cut into one slice a rank, a slice into buckets. Each bucket's sum over all
 * ranks ends on the slice's owner; afterwards the owner's values of it go to all ranks. Sums are
 * taken in a fixed order: the same bits in every run at one number of ranks and nodes, whatever the
 * timing, with overlap or without.
 *
 * All ranks take part in every bucket, also those without work and those whose work failed: what
 * they say to be ready is then simply what their gradients hold.
 */
#ifndef FT_OPTIM_REDUCER_H
#define FT_OPTIM_REDUCER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "comm/comm.h"

struct reducer;

/** What a reducer cuts, and how it goes from node to node. */
struct reducer_shape {
    const int64_t *first; /**< (size + 1) borders of the slices; kept by the caller */
    int bucket_mb;        /**< largest bucket [MiB of f32] */

    /** Between nodes partial sums of gradients travel rounded to bf16 and are added in f32: each
     * node's part but the owner's own is off by up to 2^-8 of itself, so that a sum is off by at
     * most 2^-8 times the sum of the magnitudes of what the other nodes sent. What is not finite
     * stays so, and a finite value above 3.39e38 becomes infinite. Parameters always travel whole.
     */
    bool bf16_wire;
};

/**
 * Collective; shape must agree on all ranks.
 *
 * @param[out] out gives the reducer; borrows comm and shape->first
 * @return FT_OK, FT_ERR_INTERNAL (memory), the same on all ranks
 */
ft_status reducer_create(struct reducer **out, struct comm *comm,
                         const struct reducer_shape *shape);

/** Takes *reducer (may be NULL), sets NULL. Not collective. */
void reducer_destroy(struct reducer **reducer);

/** Bytes of one rank beside its N gradients: what arrives from other nodes. */
int64_t reducer_extra_bytes(int size, int node_size, int64_t N, int bucket_mb, bool bf16_wire);

/** (N) f32 where this rank's gradients must be summed up; zero at first. Borrowed. */
float *reducer_gradients(const struct reducer *r);

/**
 * This rank's gradients from element `from` on are final for this step: what can be summed is
 * summed. Not collective, never waits; from may not grow within a step.
 */
void reducer_ready(struct reducer *r, int64_t from);

/**
 * Ends the reduction of a step: waits until the sums of this rank's slice stand in its gradients.
 * Collective. Elements of other slices are unspecified afterwards; no gradient may be written
 * before all ranks have returned and some later collective call has said so.
 */
void reducer_finish(struct reducer *r);

/** Number of this rank's own buckets, and the elements from ... to-1 of the ith; the slice's last
 * elements come first. Not collective. */
int reducer_n_own(const struct reducer *r);
void reducer_own(const struct reducer *r, int i, int64_t *from, int64_t *to);

/**
 * Hands out values (N) of the ith own bucket. Not collective, never waits. Allowed from the first
 * collective call after reducer_finish on; own buckets each once, in their order.
 */
void reducer_offer(struct reducer *r, int i, const float *values);

/**
 * Ends the handing out, for which each rank has offered all its buckets: writes the buckets of all
 * other ranks. Collective; gradients may be written afterwards.
 *
 * @param[out] values   (N); may be the gradients themselves
 * @param[out] values16 (N) the same rounded to bf16, or NULL; own buckets are left alone
 */
void reducer_gather(struct reducer *r, float *values, uint16_t *values16);

/** Seconds this rank has spent in the functions above since the last call: the communication that
 * is not hidden behind work. */
double reducer_take_seconds(struct reducer *r);

#endif
