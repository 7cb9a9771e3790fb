/* RMS norms of queries and keys, before they turn. */
#include "math/group_norm.h"
#include "model/blocks.h"

/* Two norms: of what, by which weights, and where their parts of the kept buffers begin. */
struct part {
    struct group_norm norm;
    int64_t weight, raw, rstd;
};

static struct part part_of(const struct model *m, const struct heads *heads, int64_t weight)
{
    const struct model_config *c = &m->config;
    const bool of_heads = c->qk_norm == QK_NORM_HEAD;
    struct part p = {.weight = weight};
    p.norm.groups = *heads;
    p.norm.groups.n = norm_groups(c, heads->n);
    p.norm.width = of_heads ? c->D : heads->n * c->D;
    p.norm.shift = (float)c->norm_shift;
    p.norm.eps = (float)c->norm_eps;
    return p;
}

static void find_parts(struct part out[2], const struct model *m, int layer, int n)
{
    const struct model_config *c = &m->config;
    out[0] = part_of(m, &m->q, m->weights[layer].q_norm);
    out[1] = part_of(m, &m->k, m->weights[layer].k_norm);
    out[1].raw = (int64_t)n * c->Hq * c->D;
    out[1].rstd = (int64_t)n * norm_groups(c, c->Hq);
}

void qk_norm_forward(const struct model *m, void *qkv, const struct batch *batch, int layer)
{
    const struct block_acts *a = &m->acts[layer];
    struct part parts[2];
    if (m->config.qk_norm == QK_NORM_NONE)
        return;
    find_parts(parts, m, layer, batch->n_tokens);
    for (int i = 0; i < 2; i++)
        group_norm_forward(qkv, qkv_width(&m->config), elem_at(a->qk, m->elem, parts[i].raw),
                           a->qk_rstd + parts[i].rstd, m->params + parts[i].weight, &parts[i].norm,
                           batch->n_tokens, m->elem);
}

void qk_norm_backward(const struct model *m, void *dqkv, const struct batch *batch, int layer)
{
    const struct block_acts *a = &m->acts[layer];
    struct part parts[2];
    if (m->config.qk_norm == QK_NORM_NONE)
        return;
    find_parts(parts, m, layer, batch->n_tokens);
    for (int i = 0; i < 2; i++)
        group_norm_backward(dqkv, qkv_width(&m->config), grads_of(m, parts[i].weight),
                            elem_at(a->qk, m->elem, parts[i].raw), a->qk_rstd + parts[i].rstd,
                            m->params + parts[i].weight, &parts[i].norm, batch->n_tokens, m->elem);
}
