#include "optim/optimizer.h"

#include <math.h>

#include "base/fault.h"
#include "base/mem.h"
#include "math/reduce.h"

void optimizer_slices(int64_t *first, int64_t N, int size)
{
    const int64_t units = (N + 15) / 16;
    for (int r = 0; r <= size; r++) {
        const int64_t border = units / size * r + units % size * r / size;
        first[r] = border * 16 < N ? border * 16 : N;
    }
}

static ft_status allocate(struct optimizer *o, const struct comm *comm, int64_t N)
{
    const int rank = comm_rank(comm), size = comm_size(comm);
    FT_TRY(FT_ALLOC(o->first, size + 1));
    optimizer_slices(o->first, N, size);
    o->from = o->zero ? o->first[rank] : 0;
    o->to = o->zero ? o->first[rank + 1] : N;
    FT_TRY(FT_ALLOC(o->m, o->to - o->from));
    return FT_ALLOC(o->v, o->to - o->from);
}

ft_status optimizer_create(struct optimizer **out, struct comm *comm, int64_t N, int zero,
                           int bucket_mb, bool bf16_wire)
{
    struct optimizer *o = NULL;
    *out = NULL;
    FT_AGREE(comm, FT_ALLOC(o, 1));
    o->zero = zero;
    ft_status status = comm_agree(comm, allocate(o, comm, N));
    if (status == FT_OK) {
        const struct reducer_shape shape = {o->first, bucket_mb, bf16_wire};
        status = reducer_create(&o->reducer, comm, &shape);
    }
    if (status == FT_OK)
        o->grads = reducer_gradients(o->reducer);
    else
        optimizer_destroy(&o);
    *out = o;
    return status;
}

void optimizer_destroy(struct optimizer **optimizer)
{
    struct optimizer *o = *optimizer;
    if (!o)
        return;
    reducer_destroy(&o->reducer);
    mem_free(o->v);
    mem_free(o->m);
    mem_free(o->first);
    FT_FREE(*optimizer);
}

float *optimizer_slice(const struct optimizer *o, float *moments, int rank)
{
    return moments + (o->first[rank] - o->from);
}

/* Bucket by bucket, so that the first ones travel while the last ones are worked on. */
static void step_on_slice(struct optimizer *o, float *params, uint16_t *params16,
                          const struct layout *layout, const struct adamw_hyper *hyper,
                          double scale, int64_t step)
{
    for (int i = 0; i < reducer_n_own(o->reducer); i++) {
        int64_t from, to;
        reducer_own(o->reducer, i, &from, &to);
        adamw_update(params, params16, o->grads, o->m + (from - o->from), o->v + (from - o->from),
                     from, to, layout, hyper, scale, step);
        reducer_offer(o->reducer, i, params);
    }
    reducer_gather(o->reducer, params, params16);
}

static void step_on_all(struct optimizer *o, float *params, uint16_t *params16,
                        const struct layout *layout, const struct adamw_hyper *hyper, double scale,
                        int64_t step)
{
    for (int i = 0; i < reducer_n_own(o->reducer); i++)
        reducer_offer(o->reducer, i, o->grads);
    reducer_gather(o->reducer, o->grads, NULL);
    adamw_update(params, params16, o->grads, o->m, o->v, o->from, o->to, layout, hyper, scale,
                 step);
}

double optimizer_norm(const struct optimizer *o, struct comm *comm, double divisor)
{
    const int rank = comm_rank(comm);
    const int64_t mine = o->first[rank], end = o->first[rank + 1];
    double square = sum_of_squares(o->grads + mine, end - mine);
    fault_data("gradient", &square, sizeof square);
    comm_sum_f64(comm, &square, 1);
    return sqrt(square) / divisor;
}

void optimizer_step(struct optimizer *o, float *params, uint16_t *params16,
                    const struct layout *layout, const struct adamw_hyper *hyper, double divisor,
                    double norm, int64_t step)
{
    double factor = 1.0;
    if (hyper->clip > 0.0 && hyper->clip / (norm + 1e-6) < 1.0)
        factor = hyper->clip / (norm + 1e-6);
    if (o->zero)
        step_on_slice(o, params, params16, layout, hyper, factor / divisor, step);
    else
        step_on_all(o, params, params16, layout, hyper, factor / divisor, step);
}
