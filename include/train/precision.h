/** What model.precision stands for on this machine. */
#ifndef FT_TRAIN_PRECISION_H
#define FT_TRAIN_PRECISION_H

#include "comm/comm.h"
#include "config/settings.h"
#include "math/elem.h"

/**
 * Replaces "auto" in the settings by "bf16" where the processors of all ranks multiply bf16, else
 * by "fp32", and says which and why in the log. Collective; the same on all ranks afterwards.
 *
 * @return FT_ERR_USAGE where bf16 is asked for and this program was built without oneDNN
 */
ft_status precision_settle(struct settings *settings, struct comm *comm);

/** What the large matrix products read; settled settings only. */
enum elem precision_elem(const struct settings *settings);

/** "fp32" or "bf16". */
const char *precision_name(const struct settings *settings);

#endif
