/** Memory that a run will take, and whether the machine has it: known before the first allocation.
 */
#ifndef FT_TRAIN_PLAN_H
#define FT_TRAIN_PLAN_H

#include "comm/comm.h"
#include "config/settings.h"
#include "model/model.h"

/** Bytes of one rank. */
struct memory_plan {
    int64_t params, grads, moments, activations;
    int64_t other; /**< program, MPI and BLAS buffers, measured once and rounded up */
    int64_t total;
    int64_t node;      /**< of all ranks of this rank's node */
    int64_t available; /**< what the node (or the job's control group) has free */
};

/** The model that the settings ask for: its largest micro-batch, and what of it learns. */
void plan_model_shape(struct model_shape *shape, const struct settings *settings, bool trains);

/** Fills the plan of this rank. Not collective. */
ft_status memory_plan_make(struct memory_plan *plan, const struct comm *comm,
                           const struct settings *settings, const struct model_config *config,
                           bool trains);

/** Fills the plan of a rank among `size`, of which node_size share each node; `available` is this
 * machine's. Not collective. */
ft_status memory_plan_of_ranks(struct memory_plan *plan, int size, int node_size,
                               const struct settings *settings, const struct model_config *config,
                               const struct model_shape *shape);

/** As memory_plan_make for a model of any shape. */
ft_status memory_plan_of_shape(struct memory_plan *plan, const struct comm *comm,
                               const struct settings *settings, const struct model_config *config,
                               const struct model_shape *shape);

/** Adds what stands beside the model: feature matrices of mode transfer. */
void memory_plan_add(struct memory_plan *plan, const struct comm *comm, int64_t bytes);

/** Prints the plan (rank 0's) and refuses with numbers, FT_ERR_USAGE, where a node lacks memory.
 * Collective. */
ft_status memory_plan_check(const struct memory_plan *plan, struct comm *comm);

#endif
