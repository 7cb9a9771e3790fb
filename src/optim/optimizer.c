#include "optim/optimizer.h"

#include <math.h>

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

ft_status optimizer_create(struct optimizer **out, struct comm *comm, int64_t N, int zero,
                           int bucket_mb)
{
    struct optimizer *o;
    const int rank = comm_rank(comm), size = comm_size(comm);
    *out = NULL;
    FT_TRY(FT_ALLOC(o, 1));
    o->zero = zero;
    o->chunk = (int64_t)bucket_mb << 18;
    ft_status status = FT_ALLOC(o->first, size + 1);
    if (status == FT_OK) {
        optimizer_slices(o->first, N, size);
        o->from = zero ? o->first[rank] : 0;
        o->to = zero ? o->first[rank + 1] : N;
        status = FT_ALLOC(o->m, o->to - o->from);
    }
    if (status == FT_OK)
        status = FT_ALLOC(o->v, o->to - o->from);
    if (status != FT_OK)
        optimizer_destroy(&o);
    *out = o;
    return status;
}

void optimizer_destroy(struct optimizer **optimizer)
{
    struct optimizer *o = *optimizer;
    if (!o)
        return;
    mem_free(o->v);
    mem_free(o->m);
    mem_free(o->first);
    FT_FREE(*optimizer);
}

float *optimizer_slice(const struct optimizer *o, float *moments, int rank)
{
    return moments + (o->first[rank] - o->from);
}

ft_status optimizer_step(double *norm, struct optimizer *o, struct comm *comm, float *params,
                         float *grads, const struct layout *layout, const struct adamw_hyper *hyper,
                         double divisor, int64_t step)
{
    const int rank = comm_rank(comm);
    const int64_t mine = o->first[rank], end = o->first[rank + 1];
    if (o->zero)
        comm_reduce_slices_f32(comm, grads, o->first, o->chunk);
    else
        comm_sum_f32(comm, grads, layout->N, o->chunk);
    double square = sum_of_squares(grads + mine, end - mine);
    comm_sum_f64(comm, &square, 1);
    *norm = sqrt(square) / divisor;
    if (!isfinite(*norm))
        return ft_fail(
            FT_ERR_INTERNAL,
            "gradient norm of step %lld is not finite; parameters were left as they were "
            "(lower training.lr, or look at the data of this step)",
            (long long)step);
    double factor = 1.0;
    if (hyper->clip > 0.0 && hyper->clip / (*norm + 1e-6) < 1.0)
        factor = hyper->clip / (*norm + 1e-6);
    adamw_update(params, grads, o->m, o->v, o->from, o->to, layout, hyper, factor / divisor, step);
    if (o->zero)
        comm_gather_slices_f32(comm, params, o->first, o->chunk);
    return FT_OK;
}
