#include "model/layout.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/size.h"

/* One row per role: its name (behind "model.layers.%d." where it is in a block) and when it exists.
 */
struct role_row {
    const char *name;
    bool is_in_block;
};

static const struct role_row roles[N_ROLES] = {
    [ROLE_EMBED] = {"model.embed_tokens.weight", false},
    [ROLE_ATTN_NORM] = {"input_layernorm.weight", true},
    [ROLE_Q] = {"self_attn.q_proj.weight", true},
    [ROLE_K] = {"self_attn.k_proj.weight", true},
    [ROLE_V] = {"self_attn.v_proj.weight", true},
    [ROLE_Q_BIAS] = {"self_attn.q_proj.bias", true},
    [ROLE_K_BIAS] = {"self_attn.k_proj.bias", true},
    [ROLE_V_BIAS] = {"self_attn.v_proj.bias", true},
    [ROLE_O] = {"self_attn.o_proj.weight", true},
    [ROLE_O_BIAS] = {"self_attn.o_proj.bias", true},
    [ROLE_MLP_NORM] = {"post_attention_layernorm.weight", true},
    [ROLE_GATE] = {"mlp.gate_proj.weight", true},
    [ROLE_UP] = {"mlp.up_proj.weight", true},
    [ROLE_GATE_BIAS] = {"mlp.gate_proj.bias", true},
    [ROLE_UP_BIAS] = {"mlp.up_proj.bias", true},
    [ROLE_DOWN] = {"mlp.down_proj.weight", true},
    [ROLE_DOWN_BIAS] = {"mlp.down_proj.bias", true},
    [ROLE_FINAL_NORM] = {"model.norm.weight", false},
    [ROLE_LM_HEAD] = {"lm_head.weight", false}};

static bool exists(int role, const struct model_config *c)
{
    switch (role) {
    case ROLE_Q_BIAS:
    case ROLE_K_BIAS:
    case ROLE_V_BIAS:
    case ROLE_O_BIAS:
        return c->attention_bias;
    case ROLE_GATE_BIAS:
    case ROLE_UP_BIAS:
    case ROLE_DOWN_BIAS:
        return c->mlp_bias;
    case ROLE_LM_HEAD:
        return !c->tied_embeddings;
    default:
        return true;
    }
}

/* Shape of a role; a vector has dims[1] = 1. Returns n_dims. */
static int shape(int64_t dims[2], int role, const struct model_config *c)
{
    const int64_t C = c->C, F = c->F, q = (int64_t)c->Hq * c->D, kv = (int64_t)c->Hkv * c->D;
    const int64_t rows[N_ROLES] = {
        [ROLE_EMBED] = c->V,  [ROLE_ATTN_NORM] = C,  [ROLE_Q] = q,         [ROLE_K] = kv,
        [ROLE_V] = kv,        [ROLE_Q_BIAS] = q,     [ROLE_K_BIAS] = kv,   [ROLE_V_BIAS] = kv,
        [ROLE_O] = C,         [ROLE_O_BIAS] = C,     [ROLE_MLP_NORM] = C,  [ROLE_GATE] = F,
        [ROLE_UP] = F,        [ROLE_GATE_BIAS] = F,  [ROLE_UP_BIAS] = F,   [ROLE_DOWN] = C,
        [ROLE_DOWN_BIAS] = C, [ROLE_FINAL_NORM] = C, [ROLE_LM_HEAD] = c->V};
    const int64_t columns[N_ROLES] = {
        /* 0: a vector */
        [ROLE_EMBED] = C, [ROLE_Q] = C,  [ROLE_K] = C,    [ROLE_V] = C,      [ROLE_O] = q,
        [ROLE_GATE] = C,  [ROLE_UP] = C, [ROLE_DOWN] = F, [ROLE_LM_HEAD] = C};
    dims[0] = rows[role];
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
    if (layer < 0)
        (void)snprintf(t->name, sizeof t->name, "%s", roles[role].name);
    else
        (void)snprintf(t->name, sizeof t->name, "model.layers.%d.%s", layer, roles[role].name);
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
    FT_TRY(add(l, ROLE_EMBED, -1, c));
    for (int layer = 0; layer < c->L; layer++)
        for (int role = ROLE_ATTN_NORM; role <= ROLE_DOWN_BIAS; role++)
            FT_TRY(add(l, role, layer, c));
    FT_TRY(add(l, ROLE_FINAL_NORM, -1, c));
    return add(l, ROLE_LM_HEAD, -1, c);
}

ft_status layout_create(struct layout **out, const struct model_config *config)
{
    *out = NULL;
    struct layout *l;
    FT_TRY(FT_ALLOC(l, 1));
    ft_status status = FT_ALLOC(l->tensors, (size_t)config->L * (ROLE_DOWN_BIAS + 1) + 3);
    if (status == FT_OK)
        status = fill(l, config);
    if (status != FT_OK)
        layout_destroy(&l);
    *out = l;
    return status;
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
