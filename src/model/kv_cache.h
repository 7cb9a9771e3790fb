/* What the forward pass asks of the cache; not for other layers. */
#ifndef FT_MODEL_KV_CACHE_H
#define FT_MODEL_KV_CACHE_H

#include "math/attention.h"
#include "model/generate.h"

/* Keeps keys and values of the block's new rows. Behind earlier rows it also fills a->att, from the
 * cache, and says so. */
bool kv_cache_attend(struct kv_cache *cache, const struct model *m,
                     const struct attention_shape *shape, int layer);

#endif
