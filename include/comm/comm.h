/**
 * Everything the program asks of MPI. comm.c is the only file that includes <mpi.h>.
 *
 * Unless said otherwise every function is collective over all ranks of the comm, in the same order,
 * and its size arguments must agree. Counts are int64_t: calls are cut into pieces that MPI's int
 * counts carry. A failure of MPI itself aborts the job with rank, file and line; it is never a
 * user's mistake.
 */
#ifndef FT_COMM_COMM_H
#define FT_COMM_COMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct comm;

/**
 * Starts MPI and gives the world. A node is what shares memory; the environment's FT_NODE_RANKS=k
 * makes every k ranks of a node a node of their own, so that tests and measurements on one machine
 * see what happens between nodes. A world of one rank while the launcher says there are more
 * (SLURM_NTASKS > 1 in a job step or OMPI_COMM_WORLD_SIZE > 1) is FT_ERR_USAGE; *out is valid then
 * too, so that main can report and close.
 */
ft_status comm_open(struct comm **out, int *argc, char ***argv);

/** Ends MPI. NULL is allowed; sets NULL. */
void comm_close(struct comm **comm);

/** Not collective: this rank, their number, this rank's place on its node and the node's rank
 * count. */
int comm_rank(const struct comm *comm);
int comm_size(const struct comm *comm);
int comm_node_rank(const struct comm *comm);
int comm_node_size(const struct comm *comm);

/** Not collective: name of this rank's host, and the MPI library's one-line version. Borrowed. */
const char *comm_host(const struct comm *comm);
const char *comm_library(void);

/**
 * All ranks learn the worst status of any rank and the message of the lowest rank that had it.
 *
 * The message of a rank other than 0 gets the prefix "rank R: ". This is the one way a local
 * failure leaves a collective function.
 */
ft_status comm_agree(struct comm *comm, ft_status local);

/** Returns the agreed status where the local call failed on any rank. */
#define FT_AGREE(comm, call)                                                                       \
    do {                                                                                           \
        ft_status ft_agreed_ = comm_agree((comm), (call));                                         \
        if (ft_agreed_ != FT_OK)                                                                   \
            return ft_agreed_;                                                                     \
    } while (0)

/** As FT_AGREE where something must be released: sets `status` and jumps to `out`. */
#define FT_AGREE_OUT(comm, call)                                                                   \
    do {                                                                                           \
        status = comm_agree((comm), (call));                                                       \
        if (status != FT_OK)                                                                       \
            goto out;                                                                              \
    } while (0)

/**
 * Rank 0 works, the others wait for it without using a core, and all end with its status and
 * message, as after comm_agree.
 *
 * Blocking MPI calls spin. Here the waiting ranks test a non-blocking broadcast between sleeps of
 * 10 ms, which rank 0 enters whatever work returned. Signals are work's to look for: mpirun sends
 * them to every rank, and one that only a waiting rank got still stands in its flag afterwards.
 *
 * @param[in] work    called on rank 0 alone; solo is a world of this one rank, so that every
 *                    collective function runs on it unchanged; borrowed for the call. It must not
 *                    use world
 * @param[in] context handed to work
 */
ft_status comm_alone(struct comm *world, ft_status (*work)(struct comm *solo, void *context),
                     void *context);

void comm_barrier(struct comm *comm);

/** data (bytes) of rank root to all ranks. */
void comm_bcast(struct comm *comm, void *data, int64_t bytes, int root);

/** As comm_bcast, among the ranks of one node, from node rank 0. Collective over each node. */
void comm_node_bcast(struct comm *comm, void *data, int64_t bytes);

/** Bitwise or over the ranks of one node, in place. Collective over each node. */
void comm_node_or(struct comm *comm, void *bits, int64_t bytes);

/** Element-wise over ranks, in place; the result is on every rank. */
void comm_sum_f64(struct comm *comm, double *values, int64_t n);
void comm_max_f64(struct comm *comm, double *values, int64_t n);
void comm_min_f64(struct comm *comm, double *values, int64_t n);
void comm_sum_i64(struct comm *comm, int64_t *values, int64_t n);
void comm_max_i64(struct comm *comm, int64_t *values, int64_t n);

/** Sum of the values of all lower ranks (0 on rank 0). */
int64_t comm_exscan_i64(struct comm *comm, int64_t value);

/** (n) of each rank -> (size, n) in rank order, on every rank. */
void comm_allgather(struct comm *comm, void *all, const void *mine, int64_t bytes);

/**
 * (n_i bytes) of each rank, concatenated in rank order, on every rank.
 *
 * @param[out] all     (sum of counts) bytes, or NULL to fill only counts
 * @param[out] counts  (size) bytes of each rank
 */
void comm_allgather_varying(struct comm *comm, void *all, int64_t *counts, const void *mine,
                            int64_t bytes);

/** All-gather in place: every rank ends with values[first[r] ... first[r+1]-1] of each rank r. */
void comm_gather_slices_f32(struct comm *comm, float *values, const int64_t *first, int64_t chunk);

/** Messages between two ranks that travel while both work. */
struct comm_messages;

/**
 * Room for n messages at a time, numbered from 0. Not collective.
 *
 * @param[out] out gives the room; borrows comm
 */
ft_status comm_messages_create(struct comm_messages **out, struct comm *comm, int n);

/** Every message must be done. NULL is allowed; sets NULL. Not collective. */
void comm_messages_destroy(struct comm_messages **messages);

/**
 * Start message i, which must be done, and return at once; data is borrowed until it is done. Not
 * collective. Messages of one pair of ranks arrive in the order in which they were sent, so
 * receives must be started in that order.
 *
 * @param[in] bytes below 2^31; equal on both sides
 */
void comm_send_start(struct comm_messages *m, int i, const void *data, int64_t bytes, int to);
void comm_receive_start(struct comm_messages *m, int i, void *data, int64_t bytes, int from);

/** Whether message i is done, or was never started. Moves all messages on. Not collective. */
bool comm_message_done(struct comm_messages *m, int i);

#endif
