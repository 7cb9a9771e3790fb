/** Mean loss of a window set, data-parallel. */
#ifndef FT_TRAIN_EVALUATE_H
#define FT_TRAIN_EVALUATE_H

#include "comm/comm.h"
#include "data/loader.h"
#include "model/model.h"

struct evaluation {
    double loss;    /**< mean over tokens [nats] */
    int64_t tokens; /**< supervised tokens, all ranks */
};

/**
 * Every window once, in file order; rank r takes floor(r W / n) ... floor((r+1) W / n) - 1.
 * Collective.
 *
 * @param[in] batch made by batch_create; as many windows as fit are computed at a time
 * @return FT_OK; FT_ERR_IO / FT_ERR_INPUT of a shard; FT_ERR_INTERNAL when the loss is not finite
 */
ft_status evaluate_windows(struct evaluation *out, struct comm *comm, struct model *model,
                           const struct window_set *set, struct batch *batch);

#endif
