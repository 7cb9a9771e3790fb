/*
 * From the names and orders of files to those of the tensor table, which are Hugging Face's. GGUF's
 * orders are gguf_order.c's.
 */
#include "model/convert.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/signals.h"
#include "format/gguf.h"
#include "format/weights.h"
#include "family.h"
#include "gguf_order.h"
#include "names.h"

struct reader {
    struct weights *weights;
    const struct model_config *config;
    const char *path;
    bool is_gguf;
    bool *used; /* (weights_count) */
};

static ft_status open_reader(struct reader *r)
{
    FT_TRY(weights_open(&r->weights, r->path));
    r->is_gguf = weights_gguf(r->weights) != NULL;
    return FT_ALLOC(r->used, weights_count(r->weights));
}

static void close_reader(struct reader *r)
{
    mem_free(r->used);
    weights_close(&r->weights);
}

static int find_gguf(const struct reader *r, const struct tensor_spec *t)
{
    char name[TENSOR_NAME];
    return gguf_tensor_name(name, r->config, t) ? weights_find(r->weights, name) : -1;
}

/* A name without the family's prefix; the name itself where it has none. */
static const char *bare(const struct model_config *c, const char *name)
{
    const size_t n = strlen(tensor_prefix(c));
    return strncmp(name, tensor_prefix(c), n) == 0 ? name + n : name;
}

/* With the prefix as in the table, or without as base models are saved; an output layer of the
 * family's own name may have the usual one. */
static int find_folder(const struct reader *r, const struct tensor_spec *t)
{
    int index = weights_find(r->weights, t->name);
    if (index < 0)
        index = weights_find(r->weights, bare(r->config, t->name));
    return index < 0 && t->role == ROLE_LM_HEAD ? weights_find(r->weights, "lm_head.weight")
                                                : index;
}

static ft_status check_shape(const struct reader *r, const struct weight_info *info,
                             const struct tensor_spec *t)
{
    const bool is_turned = r->is_gguf && gguf_is_turned(r->config, t);
    const int64_t *dims = t->dims;
    if (info->n_dims == t->n_dims && info->dims[0] == dims[is_turned] &&
        info->dims[1] == dims[!is_turned])
        return FT_OK;
    return ft_fail(FT_ERR_INPUT,
                   "%s: tensor %s has %d dimensions (%lld, %lld), the configuration needs %d "
                   "(%lld, %lld): are both of one model?",
                   r->path, info->name, info->n_dims, (long long)info->dims[0],
                   (long long)info->dims[1], t->n_dims, (long long)t->dims[0],
                   (long long)t->dims[1]);
}

static ft_status check_finite(const struct reader *r, const struct weight_info *info,
                              const float *x)
{
    const int64_t n = info->n_elements;
    uint32_t worst = 0;
    for (int64_t i = 0; i < n; i++) {
        const uint32_t exponent = dtype_bits_from_f32(x[i]) & 0x7f800000u;
        worst = worst > exponent ? worst : exponent;
    }
    if (worst != 0x7f800000u)
        return FT_OK;
    int64_t at = 0;
    while (isfinite(x[at]))
        at++;
    return ft_fail(FT_ERR_INPUT, "%s: tensor %s: element %lld is not finite: fetch the model again",
                   r->path, info->name, (long long)at);
}

/* Where the file keeps the tensor, its shape checked. */
static ft_status find_tensor(struct reader *r, int *index, const struct tensor_spec *t)
{
    *index = r->is_gguf ? find_gguf(r, t) : find_folder(r, t);
    if (*index < 0)
        return ft_fail(FT_ERR_INPUT, "%s: tensor %s is missing: is the configuration this model's?",
                       r->path, t->name);
    r->used[*index] = true;
    return check_shape(r, weights_info(r->weights, *index), t);
}

static ft_status read_tensor(struct reader *r, float *out, const struct tensor_spec *t)
{
    int index;
    FT_TRY(signals_check("the model was being read"));
    FT_TRY(find_tensor(r, &index, t));
    FT_TRY(weights_read_f32(r->weights, index, out));
    FT_TRY(check_finite(r, weights_info(r->weights, index), out));
    return r->is_gguf ? gguf_order_read(out, r->config, t) : FT_OK;
}

static bool is_head(const struct tensor_spec *t)
{
    return t->role >= ROLE_HEAD_DENSE;
}

static bool has_start(const char *name, const char *start)
{
    return strncmp(name, start, strlen(start)) == 0;
}

static bool has_ending(const char *name, const char *ending)
{
    const size_t n = strlen(name), m = strlen(ending);
    return n >= m && strcmp(name + n - m, ending) == 0;
}

/* The triangle of ones that old GPT-2 and NeoX files hold under the name of a bias. */
static bool is_mask(const struct model_config *c, const char *name)
{
    return !c->is_encoder &&
           (has_ending(name, ".attn.bias") || has_ending(name, ".attention.bias"));
}

/* Tensors that files hold beside the parameters and that say nothing new. */
static bool is_harmless(const struct reader *r, const char *name)
{
    const struct model_config *c = r->config;
    const struct family *family = family_of(c);
    const bool has_lm_head = !c->tied_embeddings && !c->is_encoder && c->head.n_labels == 0;
    const char *const lm_head = family->head_names[ROLE_LM_HEAD];
    if (r->is_gguf)
        return strcmp(name, "rope_freqs.weight") == 0 ||
               (!has_lm_head && strcmp(name, "output.weight") == 0);
    for (const char *const *start = family->harmless; *start; start++)
        if (has_start(bare(c, name), *start))
            return true;
    return has_ending(name, "rotary_emb.inv_freq") || has_ending(name, "attn.masked_bias") ||
           has_ending(name, "attention.masked_bias") || is_mask(c, name) ||
           (!has_lm_head && lm_head && strcmp(name, lm_head) == 0);
}

/* A head of an earlier training: every head is made anew here. */
static bool is_old_head(const char *name)
{
    return has_start(name, "classifier.") || has_start(name, "score.") ||
           has_start(name, "pre_classifier.");
}

static ft_status check_unexpected(const struct reader *r)
{
    for (int i = 0; i < weights_count(r->weights); i++) {
        const char *name = weights_info(r->weights, i)->name;
        if (r->used[i] || is_harmless(r, name))
            continue;
        if (!is_old_head(name))
            return ft_fail(
                FT_ERR_INPUT,
                "%s: tensor %s is not part of the model that the configuration describes", r->path,
                name);
        log_info("%s: tensor %s, a head of an earlier training, is not used", r->path, name);
    }
    return FT_OK;
}

static ft_status find_all(struct reader *r, const struct layout *layout)
{
    for (int i = 0, ignored; i < layout->n_tensors; i++)
        if (!is_head(&layout->tensors[i]))
            FT_TRY(find_tensor(r, &ignored, &layout->tensors[i]));
    return FT_OK;
}

/* Each thread reads whole tensors: one region for all of them, however small they are. */
static ft_status read_all(struct reader *r, float *params, const struct layout *layout)
{
    struct ft_failure failure = FT_NO_FAILURE;
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < layout->n_tensors; i++) {
        const struct tensor_spec *t = &layout->tensors[i];
        if (!is_head(t) && !ft_failure_before(&failure, i))
            ft_failure_note(&failure, i, read_tensor(r, params + t->offset, t));
    }
    return ft_failure_give(&failure);
}

/* Each tensor of the table is found and, where there is a buffer, read. */
static ft_status visit_all(float *params, const struct layout *layout,
                           const struct model_config *config, const char *path)
{
    struct reader r = {.config = config, .path = path};
    ft_status status = open_reader(&r);
    if (status == FT_OK)
        status = params ? read_all(&r, params, layout) : find_all(&r, layout);
    if (status == FT_OK)
        status = check_unexpected(&r);
    close_reader(&r);
    return status;
}

ft_status model_read_params(float *params, const struct layout *layout,
                            const struct model_config *config, const char *path)
{
    return visit_all(params, layout, config, path);
}

ft_status model_check_params(const struct layout *layout, const struct model_config *config,
                             const char *path)
{
    return visit_all(NULL, layout, config, path);
}

static struct hash_state *hash_table(const struct layout *layout)
{
    struct hash_state *state = hash_open();
    for (int i = 0; i < layout->n_tensors && state; i++) {
        const struct tensor_spec *t = &layout->tensors[i];
        hash_update(state, t->name, strlen(t->name) + 1);
        hash_update(state, t->dims, sizeof t->dims);
    }
    return state;
}

ft_status model_hash(char text[HASH_TEXT], const struct layout *layout, const float *params)
{
    struct hash_state *state = hash_table(layout);
    if (!state)
        return FT_ERR_INTERNAL;
    hash_update(state, params, (size_t)layout->N * sizeof *params);
    hash_format(text, hash_close(state));
    return FT_OK;
}

/* The tensor of that role and layer; NULL where there is none. */
static const struct tensor_spec *find_role(const struct layout *layout, const struct tensor_spec *t)
{
    for (int i = 0; i < layout->n_tensors; i++)
        if (layout->tensors[i].role == t->role && layout->tensors[i].layer == t->layer)
            return &layout->tensors[i];
    return NULL;
}

/* Adds a tensor that is in the file alone. */
static ft_status hash_unread(struct hash_state *state, struct reader *r,
                             const struct tensor_spec *t)
{
    float *x = NULL;
    if (!r->weights)
        FT_TRY(open_reader(r));
    FT_TRY(FT_ALLOC(x, t->n));
    const ft_status status = read_tensor(r, x, t);
    if (status == FT_OK)
        hash_update(state, x, (size_t)t->n * sizeof *x);
    mem_free(x);
    return status;
}

/* The parameters of the bare model, tensor by tensor. */
static ft_status hash_bare(struct hash_state *state, const struct layout *bare, struct reader *r,
                           const struct layout *layout, const float *params)
{
    for (int i = 0; i < bare->n_tensors; i++) {
        const struct tensor_spec *t = &bare->tensors[i], *read = find_role(layout, t);
        if (read)
            hash_update(state, params + read->offset, (size_t)read->n * sizeof *params);
        else
            FT_TRY(hash_unread(state, r, t));
    }
    return FT_OK;
}

ft_status model_hash_backbone(char text[HASH_TEXT], const struct layout *layout,
                              const float *params, const struct model_config *config,
                              const char *path)
{
    struct model_config bare_config = *config;
    struct reader r = {.config = &bare_config, .path = path};
    struct layout *bare;
    bare_config.head.n_labels = 0;
    FT_TRY(layout_create(&bare, &bare_config));
    struct hash_state *state = hash_table(bare);
    ft_status status = state ? hash_bare(state, bare, &r, layout, params) : FT_ERR_INTERNAL;
    if (state)
        hash_format(text, hash_close(state));
    close_reader(&r);
    layout_destroy(&bare);
    return status;
}
