#include "model/layout.h"

#include <string.h>

#include "base/mem.h"
#include "base/size.h"
#include "names.h"

static bool has_pooler(const struct model_config *c)
{
    return c->has_pooler && (c->head.n_labels == 0 || c->head.pooling == POOLING_CLS);
}

static bool has_fused(int role, const struct model_config *c)
{
    return (c->fused_qkv &&
            (role == ROLE_K || role == ROLE_V || role == ROLE_K_BIAS || role == ROLE_V_BIAS)) ||
           (c->fused_gate_up && (role == ROLE_UP || role == ROLE_UP_BIAS));
}

/* Whether the blocks have a norm before their attention that is a tensor of its own. */
static bool has_attn_norm(const struct model_config *c, int layer)
{
    if (c->shared_layers || (layer == 0 && c->skips_first_norm))
        return false;
    return c->pre_norms || c->post_norm;
}

static bool norm_exists(int role, int layer, const struct model_config *c)
{
    const bool has_bias = c->norm == NORM_LAYER && c->norm_bias;
    switch (role) {
    case ROLE_EMBED_NORM:
        return c->embed_norm;
    case ROLE_EMBED_NORM_BIAS:
        return c->embed_norm && has_bias;
    case ROLE_ATTN_NORM:
        return has_attn_norm(c, layer);
    case ROLE_ATTN_NORM_BIAS:
        return has_attn_norm(c, layer) && has_bias;
    case ROLE_MLP_NORM:
        return c->pre_norms || c->post_norm;
    case ROLE_MLP_NORM_BIAS:
        return (c->pre_norms || c->post_norm) && has_bias;
    case ROLE_ATTN_OUT_NORM:
    case ROLE_MLP_OUT_NORM:
        return c->output_norms;
    case ROLE_Q_NORM:
    case ROLE_K_NORM:
        return c->qk_norm != QK_NORM_NONE;
    case ROLE_FINAL_NORM_BIAS:
        return has_bias;
    default:
        return true;
    }
}

static bool exists(int role, int layer, const struct model_config *c)
{
    const bool is_mlp = c->head.n_labels > 0 && c->head.kind == HEAD_MLP;
    if (has_fused(role, c))
        return false;
    switch (role) {
    case ROLE_POSITIONS:
        return c->positions == POSITION_LEARNED;
    case ROLE_TYPES:
        return c->n_types > 0;
    case ROLE_EMBED_OUT:
    case ROLE_EMBED_OUT_BIAS:
        return c->E != c->C;
    case ROLE_Q_BIAS:
    case ROLE_K_BIAS:
    case ROLE_V_BIAS:
        return c->attention_bias;
    case ROLE_O_BIAS:
        return c->output_bias;
    case ROLE_GATE:
        return c->gated;
    case ROLE_GATE_BIAS:
        return c->gated && c->mlp_bias;
    case ROLE_UP_BIAS:
    case ROLE_DOWN_BIAS:
        return c->mlp_bias;
    case ROLE_LM_HEAD:
        return !c->tied_embeddings && !c->is_encoder && c->head.n_labels == 0;
    case ROLE_POOLER:
    case ROLE_POOLER_BIAS:
        return has_pooler(c);
    case ROLE_HEAD_DENSE:
    case ROLE_HEAD_DENSE_BIAS:
        return is_mlp;
    case ROLE_HEAD_OUT:
        return c->head.n_labels > 0;
    case ROLE_HEAD_OUT_BIAS:
        return is_mlp || (c->head.n_labels > 0 && c->head.bias);
    default:
        return norm_exists(role, layer, c);
    }
}

/* Whether the matrix is stored (in, out) in a family that does so. */
static bool is_of_block(int role)
{
    return role == ROLE_Q || role == ROLE_K || role == ROLE_V || role == ROLE_O ||
           role == ROLE_GATE || role == ROLE_UP || role == ROLE_DOWN;
}

/* Shape of a role; a vector has dims[1] = 1. Returns n_dims. */
static int shape(int64_t dims[2], int role, const struct model_config *c)
{
    const int64_t C = c->C, E = c->E, q = (int64_t)c->Hq * c->D, kv = (int64_t)c->Hkv * c->D;
    const int64_t qkv = c->fused_qkv ? q + 2 * kv : q, up = c->fused_gate_up ? 2 * c->F : c->F;
    const bool all = c->qk_norm == QK_NORM_ALL;
    const int64_t rows[N_ROLES] = {/* 0: C */
                                   [ROLE_EMBED] = c->V,
                                   [ROLE_POSITIONS] = (int64_t)c->T_max + c->position_offset,
                                   [ROLE_TYPES] = c->n_types,
                                   [ROLE_EMBED_NORM] = E,
                                   [ROLE_EMBED_NORM_BIAS] = E,
                                   [ROLE_Q] = qkv,
                                   [ROLE_K] = kv,
                                   [ROLE_V] = kv,
                                   [ROLE_Q_BIAS] = qkv,
                                   [ROLE_K_BIAS] = kv,
                                   [ROLE_V_BIAS] = kv,
                                   [ROLE_Q_NORM] = all ? q : c->D,
                                   [ROLE_K_NORM] = all ? kv : c->D,
                                   [ROLE_GATE] = up,
                                   [ROLE_UP] = c->F,
                                   [ROLE_GATE_BIAS] = up,
                                   [ROLE_UP_BIAS] = c->F,
                                   [ROLE_LM_HEAD] = c->V,
                                   [ROLE_HEAD_OUT] = c->head.n_labels,
                                   [ROLE_HEAD_OUT_BIAS] = c->head.n_labels};
    const int64_t columns[N_ROLES] = {
        /* 0: a vector */
        [ROLE_EMBED] = E,  [ROLE_POSITIONS] = E,  [ROLE_TYPES] = E,   [ROLE_EMBED_OUT] = E,
        [ROLE_Q] = C,      [ROLE_K] = C,          [ROLE_V] = C,       [ROLE_O] = q,
        [ROLE_GATE] = C,   [ROLE_UP] = C,         [ROLE_DOWN] = c->F, [ROLE_LM_HEAD] = C,
        [ROLE_POOLER] = C, [ROLE_HEAD_DENSE] = C, [ROLE_HEAD_OUT] = C};
    const bool is_turned = c->transposed && is_of_block(role);
    dims[is_turned ? 1 : 0] = rows[role] ? rows[role] : C;
    dims[is_turned ? 0 : 1] = columns[role] ? columns[role] : 1;
    return columns[role] ? 2 : 1;
}

static ft_status add(struct layout *l, int role, int layer, const struct model_config *c)
{
    if (!exists(role, layer, c))
        return FT_OK;
    struct tensor_spec *t = &l->tensors[l->n_tensors];
    uint64_t n, end;
    t->role = role;
    t->layer = layer;
    t->n_dims = shape(t->dims, role, c);
    t->decays = t->n_dims >= 2;
    t->offset = l->N;
    tensor_name(t->name, c, role, layer);
    if (!checked_mul(&n, (uint64_t)t->dims[0], (uint64_t)t->dims[1]) ||
        !checked_add(&end, n, (uint64_t)l->N) || end > INT64_MAX / 16)
        return ft_fail(FT_ERR_INPUT, "the model's shapes give more parameters than can be counted");
    t->n = (int64_t)n;
    l->N = (int64_t)end;
    l->n_tensors++;
    return FT_OK;
}

static ft_status fill(struct layout *l, const struct model_config *c)
{
    for (int role = 0; role < ROLE_ATTN_NORM; role++)
        FT_TRY(add(l, role, -1, c));
    for (int layer = 0; layer < model_config_blocks(c); layer++)
        for (int role = ROLE_ATTN_NORM; role < ROLE_FINAL_NORM; role++)
            FT_TRY(add(l, role, layer, c));
    for (int role = ROLE_FINAL_NORM; role < N_ROLES; role++)
        FT_TRY(add(l, role, -1, c));
    return FT_OK;
}

static ft_status create(struct layout **out, int64_t n_tensors)
{
    *out = NULL;
    struct layout *l;
    FT_TRY(FT_ALLOC(l, 1));
    const ft_status status = FT_ALLOC(l->tensors, n_tensors);
    if (status != FT_OK)
        layout_destroy(&l);
    *out = l;
    return status;
}

ft_status layout_create(struct layout **out, const struct model_config *config)
{
    FT_TRY(create(out, (int64_t)config->L * (ROLE_FINAL_NORM - ROLE_ATTN_NORM) + N_ROLES));
    const ft_status status = fill(*out, config);
    if (status != FT_OK)
        layout_destroy(out);
    return status;
}

ft_status layout_suffix(struct layout **out, const struct layout *layout, int64_t from)
{
    int first = 0;
    while (first < layout->n_tensors && layout->tensors[first].offset < from)
        first++;
    const int n = layout->n_tensors - first;
    FT_TRY(create(out, n));
    struct layout *l = *out;
    l->n_tensors = n;
    l->N = layout->N - from;
    for (int i = 0; i < n; i++) {
        l->tensors[i] = layout->tensors[first + i];
        l->tensors[i].offset -= from;
    }
    return FT_OK;
}

int64_t layout_trainable_from(const struct layout *layout, const struct model_config *config,
                              int n_layers)
{
    if (n_layers == 0)
        return 0;
    const int first = n_layers < config->L ? config->L - n_layers : 0;
    const int64_t norm = layout_offset(layout, ROLE_ATTN_NORM, first);
    return config->post_norm || norm < 0 ? layout_offset(layout, ROLE_Q, first) : norm;
}

void layout_destroy(struct layout **layout)
{
    if (!*layout)
        return;
    mem_free((*layout)->tensors);
    FT_FREE(*layout);
}

int64_t layout_offset(const struct layout *layout, int role, int layer)
{
    for (int i = 0; i < layout->n_tensors; i++)
        if (layout->tensors[i].role == role && layout->tensors[i].layer == layer)
            return layout->tensors[i].offset;
    return -1;
}

int layout_find(const struct layout *layout, const char *name)
{
    for (int i = 0; i < layout->n_tensors; i++)
        if (strcmp(layout->tensors[i].name, name) == 0)
            return i;
    return -1;
}
