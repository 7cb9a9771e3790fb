/**
 * Continuing a text token by token: keys and values of what was read are kept, so that each new
 * token costs one row of products. Decoders without a classification head.
 *
 * Local; all memory is taken in kv_cache_create.
 */
#ifndef FT_MODEL_GENERATE_H
#define FT_MODEL_GENERATE_H

#include <stdint.h>

#include "base/err.h"
#include "model/model.h"

struct kv_cache;

/** Elements are of the model's elem: 2 L Hkv D for each of max_tokens tokens. */
ft_status kv_cache_create(struct kv_cache **out, const struct model *model, int max_tokens);

/** Takes *cache (may be NULL), sets NULL. */
void kv_cache_destroy(struct kv_cache **cache);

/** Forgets what was read. */
void kv_cache_clear(struct kv_cache *cache);

/** Tokens read so far. */
int kv_cache_length(const struct kv_cache *cache);

/**
 * Reads n tokens behind those that the cache holds.
 *
 * @param[out] logits (V) for the token that follows the last of them
 * @param[in]  n      at most the model's max_tokens; with what was read at most its max_length and
 *                    the cache's max_tokens
 */
void model_continue(struct model *model, struct kv_cache *cache, float *logits,
                    const int32_t *tokens, int n);

#endif
