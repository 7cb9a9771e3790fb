#include "train/evaluate.h"

#include <math.h>

#include "base/fault.h"

/* Sum of losses and tokens of windows first ... last-1. Local. */
static ft_status sum_windows(double sums[2], struct model *model, const struct window_set *set,
                             struct batch *batch, int64_t first, int64_t last)
{
    const int most = batch->micro_batch;
    FT_TRY(fault_point("evaluate"));
    for (int64_t at = first; at < last; at += most) {
        const int n = (int)(last - at < most ? last - at : most);
        for (int i = 0; i < n; i++)
            batch->windows[i] = at + i;
        FT_TRY(batch_fill(batch, set, batch->windows, n));
        sums[0] += model_loss(model, batch);
        sums[1] += (double)batch->n_supervised;
    }
    return FT_OK;
}

ft_status evaluate_windows(struct evaluation *out, struct comm *comm, struct model *model,
                           const struct window_set *set, struct batch *batch)
{
    const int64_t W = set->n_windows, rank = comm_rank(comm), size = comm_size(comm);
    double sums[2] = {0, 0};
    FT_AGREE(comm, sum_windows(sums, model, set, batch, rank * W / size, (rank + 1) * W / size));
    comm_sum_f64(comm, sums, 2);
    out->tokens = (int64_t)sums[1];
    out->loss = sums[0] / sums[1];
    if (!isfinite(out->loss))
        return ft_fail(FT_ERR_INTERNAL, "the loss of an evaluation is not finite");
    return FT_OK;
}
