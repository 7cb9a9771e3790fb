/*
 * The first tokens go through the usual pass, which leaves their keys and values in the cache;
 * every later token meets the cache alone.
 */
#include "model/generate.h"

#include <omp.h>
#include <string.h>

#include "kv_cache.h"
#include "math/attention_cached.h"
#include "model/blocks.h"

struct kv_cache {
    int max_tokens, n; /* n: read before the pass that is going on */
    enum elem elem;
    int64_t width; /* Hkv * D */
    int L;
    void *keys, *values; /* (L, max_tokens, width) */
    float *scratch;
    int32_t *positions; /* (max_tokens) 0, 1, 2 ... */
    int32_t starts[2];
};

static ft_status allocate(struct kv_cache *c)
{
    const int64_t count = (int64_t)c->L * c->max_tokens * c->width;
    const int64_t bytes = count * (int64_t)elem_bytes(c->elem);
    char *keys, *values;
    FT_TRY(FT_ALLOC(keys, bytes));
    c->keys = keys;
    FT_TRY(FT_ALLOC(values, bytes));
    c->values = values;
    FT_TRY(FT_ALLOC(c->scratch,
                    (int64_t)attention_cached_scratch_count(c->max_tokens, omp_get_max_threads())));
    FT_TRY(FT_ALLOC(c->positions, c->max_tokens));
    for (int t = 0; t < c->max_tokens; t++)
        c->positions[t] = t;
    return FT_OK;
}

ft_status kv_cache_create(struct kv_cache **out, const struct model *model, int max_tokens)
{
    struct kv_cache *c;
    *out = NULL;
    FT_TRY(FT_ALLOC(c, 1));
    c->max_tokens = max_tokens;
    c->elem = model->elem;
    c->width = (int64_t)model->config.Hkv * model->config.D;
    c->L = model->config.L;
    const ft_status status = allocate(c);
    if (status != FT_OK)
        kv_cache_destroy(&c);
    *out = c;
    return status;
}

void kv_cache_destroy(struct kv_cache **cache)
{
    if (!*cache)
        return;
    mem_free((*cache)->positions);
    mem_free((*cache)->scratch);
    mem_free((*cache)->values);
    mem_free((*cache)->keys);
    FT_FREE(*cache);
}

void kv_cache_clear(struct kv_cache *cache)
{
    cache->n = 0;
}

int kv_cache_length(const struct kv_cache *cache)
{
    return cache->n;
}

static int64_t layer_at(const struct kv_cache *c, int layer)
{
    return (int64_t)layer * c->max_tokens * c->width;
}

/* Keys and values of the new rows, head by head, behind those of before. */
static void store(struct kv_cache *c, const struct model *m, const void *qkv, int layer, int n)
{
    const int stride = qkv_width(&m->config), D = m->config.D;
    const int to_values = m->config.interleaved ? D : m->config.Hkv * D;
    const size_t bytes = (size_t)D * elem_bytes(c->elem);
    for (int t = 0; t < n; t++)
        for (int kv = 0; kv < m->config.Hkv; kv++) {
            const int64_t to = layer_at(c, layer) + (c->n + t) * c->width + (int64_t)kv * D;
            const int64_t from = (int64_t)t * stride + m->k.at + (int64_t)kv * m->k.step;
            memcpy(elem_at(c->keys, c->elem, to), elem_const_at(qkv, c->elem, from), bytes);
            memcpy(elem_at(c->values, c->elem, to), elem_const_at(qkv, c->elem, from + to_values),
                   bytes);
        }
}

bool kv_cache_attend(struct kv_cache *c, const struct model *m, const struct attention_shape *shape,
                     int layer)
{
    const struct block_acts *a = &m->acts[layer];
    const struct cached_attention cached = {.n_new = shape->n_tokens,
                                            .n_tokens = c->n + shape->n_tokens,
                                            .q = m->q,
                                            .Hkv = shape->Hkv,
                                            .D = shape->D,
                                            .reach = shape->reach,
                                            .scale = shape->scale,
                                            .softcap = shape->softcap,
                                            .type = c->elem};
    store(c, m, a->qkv, layer, shape->n_tokens);
    if (c->n == 0)
        return false;
    attention_cached(
        a->att, a->qkv, qkv_width(&m->config), elem_const_at(c->keys, c->elem, layer_at(c, layer)),
        elem_const_at(c->values, c->elem, layer_at(c, layer)), &cached, c->scratch, c->max_tokens);
    return true;
}

void model_continue(struct model *model, struct kv_cache *cache, float *logits,
                    const int32_t *tokens, int n)
{
    cache->starts[1] = n;
    const struct batch batch = {.n_tokens = n,
                                .n_segments = 1,
                                .tokens = (int32_t *)tokens,
                                .positions = cache->positions + cache->n,
                                .segment_start = cache->starts};
    model->cache = cache;
    model_last_logits(model, logits, &batch);
    model->cache = NULL;
    cache->n += n;
}
