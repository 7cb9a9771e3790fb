#include "model/layout.h"

#include <string.h>

#include "base/mem.h"
#include "base/size.h"
#include "names.h"

static bool has_pooler(const struct model_config *c)
{
    return c->has_pooler && (c->head.n_labels == 0 || c->head.pooling == POOLING_CLS);
}

static bool exists(int role, const struct model_config *c)
{
    const bool is_mlp = c->head.n_labels > 0 && c->head.kind == HEAD_MLP;
    switch (role) {
    case ROLE_POSITIONS:
        return c->positions == POSITION_LEARNED;
    case ROLE_TYPES:
        return c->n_types > 0;
    case ROLE_ATTN_NORM_BIAS:
    case ROLE_MLP_NORM_BIAS:
    case ROLE_FINAL_NORM_BIAS:
        return c->norm == NORM_LAYER;
    case ROLE_Q_BIAS:
    case ROLE_K_BIAS:
    case ROLE_V_BIAS:
    case ROLE_O_BIAS:
        return c->attention_bias;
    case ROLE_GATE:
        return c->activation == ACTIVATION_SWIGLU;
    case ROLE_GATE_BIAS:
        return c->activation == ACTIVATION_SWIGLU && c->mlp_bias;
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
        return true;
    }
}

/* Shape of a role; a vector has dims[1] = 1. Returns n_dims. */
static int shape(int64_t dims[2], int role, const struct model_config *c)
{
    const int64_t C = c->C, F = c->F, q = (int64_t)c->Hq * c->D, kv = (int64_t)c->Hkv * c->D;
    const int64_t rows[N_ROLES] = {/* 0: C */
                                   [ROLE_EMBED] = c->V,
                                   [ROLE_POSITIONS] = c->T_max,
                                   [ROLE_TYPES] = c->n_types,
                                   [ROLE_Q] = q,
                                   [ROLE_K] = kv,
                                   [ROLE_V] = kv,
                                   [ROLE_Q_BIAS] = q,
                                   [ROLE_K_BIAS] = kv,
                                   [ROLE_V_BIAS] = kv,
                                   [ROLE_GATE] = F,
                                   [ROLE_UP] = F,
                                   [ROLE_GATE_BIAS] = F,
                                   [ROLE_UP_BIAS] = F,
                                   [ROLE_LM_HEAD] = c->V,
                                   [ROLE_HEAD_OUT] = c->head.n_labels,
                                   [ROLE_HEAD_OUT_BIAS] = c->head.n_labels};
    const int64_t columns[N_ROLES] = {
        /* 0: a vector */
        [ROLE_EMBED] = C,      [ROLE_POSITIONS] = C, [ROLE_TYPES] = C,   [ROLE_Q] = C,
        [ROLE_K] = C,          [ROLE_V] = C,         [ROLE_O] = q,       [ROLE_GATE] = C,
        [ROLE_UP] = C,         [ROLE_DOWN] = F,      [ROLE_LM_HEAD] = C, [ROLE_POOLER] = C,
        [ROLE_HEAD_DENSE] = C, [ROLE_HEAD_OUT] = C};
    dims[0] = rows[role] ? rows[role] : C;
    dims[1] = columns[role] ? columns[role] : 1;
    return columns[role] ? 2 : 1;
}

static ft_status add(struct layout *l, int role, int layer, const struct model_config *c)
{
    if (!exists(role, c))
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
    for (int layer = 0; layer < c->L; layer++)
        for (int role = ROLE_ATTN_NORM; role <= ROLE_DOWN_BIAS; role++)
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
    FT_TRY(create(out, (int64_t)config->L * (ROLE_DOWN_BIAS + 1 - ROLE_ATTN_NORM) + N_ROLES));
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
    return layout_offset(layout, config->post_norm ? ROLE_Q : ROLE_ATTN_NORM, first);
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
