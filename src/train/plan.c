#include "train/plan.h"

#include "base/fault.h"
#include "base/log.h"
#include "model/layout.h"
#include "optim/reducer.h"
#include "train/precision.h"

/* Resident program, tokenizer, MPI, OpenBLAS's packing buffers and HDF5: 40 to 105 MiB were seen
 * with one and two threads, by the shapes of the products. */
static const int64_t OTHER_BYTES = INT64_C(64) << 20;

/* Rows of one matrix product are counted in int. */
enum { TOKENS_MAX = 1 << 26 };

void plan_model_shape(struct model_shape *shape, const struct settings *settings, bool trains)
{
    const bool is_suffix = settings->mode == RUN_MODE_LAST_LAYERS;
    *shape =
        (struct model_shape){.max_tokens = settings->training.micro_batch * settings->data.seq_len,
                             .max_length = settings->data.seq_len,
                             .max_segments = settings->training.micro_batch,
                             .trains = trains,
                             .grads_elsewhere = trains, /* the optimizer's: see optim/reducer.h */
                             .trainable_layers = is_suffix ? settings->model.trainable_layers : 0,
                             .elem = precision_elem(settings),
                             .recompute = settings->training.recompute};
}

ft_status memory_plan_make(struct memory_plan *plan, const struct comm *comm,
                           const struct settings *settings, const struct model_config *config,
                           bool trains)
{
    const int sequences = settings->training.micro_batch, length = settings->data.seq_len;
    struct model_shape shape;
    if ((int64_t)sequences * length > TOKENS_MAX)
        return ft_fail(
            FT_ERR_USAGE,
            "training.micro_batch = %d times data.seq_len = %d are more than %d tokens at "
            "a time; lower one of them",
            sequences, length, TOKENS_MAX);
    plan_model_shape(&shape, settings, trains);
    return memory_plan_of_shape(plan, comm, settings, config, &shape);
}

ft_status memory_plan_of_ranks(struct memory_plan *plan, int size, int node_size,
                               const struct settings *settings, const struct model_config *config,
                               const struct model_shape *shape)
{
    struct layout *layout;
    *plan = (struct memory_plan){.other = OTHER_BYTES};
    FT_TRY(layout_create(&layout, config));
    const int64_t n_frozen = layout_trainable_from(layout, config, shape->trainable_layers);
    const int64_t N = layout->N - n_frozen;
    layout_destroy(&layout);
    plan->params = (4 + (shape->elem == ELEM_BF16 ? 2 : 0)) * (N + n_frozen);
    if (shape->trains) {
        plan->grads =
            4 * N + reducer_extra_bytes(size, node_size, N, settings->distributed.bucket_mb,
                                        settings->distributed.wire == WIRE_BF16);
        plan->moments = 8 * (settings->distributed.zero ? (N + size - 1) / size : N);
    }
    FT_TRY(model_activation_bytes(&plan->activations, config, shape));
    plan->total = plan->params + plan->grads + plan->moments + plan->activations + plan->other;
    plan->node = plan->total * node_size;
    plan->available = mem_available();
    return FT_OK;
}

ft_status memory_plan_of_shape(struct memory_plan *plan, const struct comm *comm,
                               const struct settings *settings, const struct model_config *config,
                               const struct model_shape *shape)
{
    *plan = (struct memory_plan){0};
    FT_TRY(fault_point("plan"));
    return memory_plan_of_ranks(plan, comm_size(comm), comm_node_size(comm), settings, config,
                                shape);
}

void memory_plan_add(struct memory_plan *plan, const struct comm *comm, int64_t bytes)
{
    plan->other += bytes;
    plan->total += bytes;
    plan->node += bytes * comm_node_size(comm);
}

static double gib(int64_t bytes)
{
    return (double)bytes / (double)(INT64_C(1) << 30);
}

static ft_status check_node(const struct memory_plan *p, const struct comm *comm)
{
    if (p->available < 0 || p->node <= p->available)
        return FT_OK;
    return ft_fail(FT_ERR_USAGE,
                   "this run needs %.2f GiB on %s (%d ranks x %.2f GiB: parameters %.2f, gradients "
                   "%.2f, moments %.2f, activations %.2f, other %.2f), %.2f GiB are available; use "
                   "fewer ranks a node, a smaller training.micro_batch or data.seq_len, or more "
                   "nodes",
                   gib(p->node), comm_host(comm), comm_node_size(comm), gib(p->total),
                   gib(p->params), gib(p->grads), gib(p->moments), gib(p->activations),
                   gib(p->other), gib(p->available));
}

ft_status memory_plan_check(const struct memory_plan *p, struct comm *comm)
{
    log_info("memory per rank: %.2f GiB (parameters %.2f, gradients %.2f, moments %.2f, "
             "activations %.2f, other %.2f); %d on this node: %.2f of %.2f GiB available",
             gib(p->total), gib(p->params), gib(p->grads), gib(p->moments), gib(p->activations),
             gib(p->other), comm_node_size(comm), gib(p->node), gib(p->available));
    return comm_agree(comm, check_node(p, comm));
}
