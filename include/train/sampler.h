/** The next token: the likeliest, or one drawn. Nothing here is collective. */
#ifndef FT_TRAIN_SAMPLER_H
#define FT_TRAIN_SAMPLER_H

#include <stdint.h>

#include "base/err.h"

struct sampling {
    double temperature; /**< logits are divided by it; 0: always the likeliest token */
    double top_p;       /**< draws come from the fewest likeliest tokens with so much probability */
    uint64_t seed;
};

struct sampler;

/** @param[in] V vocabulary */
ft_status sampler_create(struct sampler **out, const struct sampling *sampling, int V);

/** Takes *s (may be NULL), sets NULL. */
void sampler_destroy(struct sampler **s);

/**
 * The next token: a pure function of logits, settings, and the numbers of the text and of the token
 * in it. Of equal logits the lowest id counts as the likeliest.
 *
 * @param[in] logits (V) finite
 *
 * Source of top_p: Holtzman et al. 2019.
 */
int32_t sampler_choose(struct sampler *s, const float *logits, int64_t text, int64_t token);

#endif
