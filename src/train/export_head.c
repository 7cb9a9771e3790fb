/*
 * The table of the written model. A head of mode transfer reads the output of one block; without
 * the blocks above, that block is the last one, and hidden_states[l] of an encoder is what such a
 * shorter model ends with: its last norm is the one that block l + 1 read. A decoder's last norm
 * would come on top, and no program has a model that joins several layers, so both are refused.
 */
#include <string.h>

#include "base/mem.h"
#include "export_parts.h"

static ft_status check_layers(const struct transfer_head *head, const struct model_config *c)
{
    if (head->n_layers > 1)
        return ft_fail(FT_ERR_USAGE,
                       "the head reads %d layers side by side, and neither transformers nor "
                       "sentence-transformers has a model that does; fit it on one: "
                       "transfer.layer = -1",
                       head->n_layers);
    if (head->layers[0] < c->L && !c->post_norm)
        return ft_fail(FT_ERR_USAGE,
                       "the head reads layer %d of %d of a decoder before its last norm, which "
                       "neither transformers nor sentence-transformers gives; fit it on the last "
                       "layer: transfer.layer = -1",
                       head->layers[0], c->L);
    return FT_OK;
}

/* The frozen model's configuration with the head of mode transfer. */
static ft_status set_config(struct model_config *c, const struct transfer_head *head)
{
    FT_TRY(check_layers(head, c));
    c->has_pooler = c->has_pooler && head->layers[0] == c->L;
    c->L = head->layers[0];
    c->head = (struct head_config){
        .n_labels = head->K, .pooling = head->pooling, .kind = head->kind, .bias = true};
    return FT_OK;
}

static float *head_values(const struct transfer_head *head, int role)
{
    switch (role) {
    case ROLE_HEAD_DENSE:
        return head->dense_weight;
    case ROLE_HEAD_DENSE_BIAS:
        return head->dense_bias;
    case ROLE_HEAD_OUT:
        return head->out_weight;
    default:
        return head->out_bias;
    }
}

/* Where the trained model has the values of a tensor. */
static float *find_values(const struct tensor_spec *t, const struct classifier *trained)
{
    const struct model *m = trained->session.model;
    const bool is_transfer = trained->head.K > 0;
    int role = t->role, layer = t->layer;
    if (is_transfer && role >= ROLE_HEAD_DENSE)
        return head_values(&trained->head, role);
    const bool is_last = role == ROLE_FINAL_NORM || role == ROLE_FINAL_NORM_BIAS;
    if (is_transfer && is_last && trained->head.layers[0] < m->config.L) {
        role += ROLE_ATTN_NORM - ROLE_FINAL_NORM;
        layer = trained->head.layers[0];
    }
    const int64_t offset = layout_offset(m->layout, role, layer);
    return offset < 0 ? NULL : m->params + offset;
}

ft_status exported_open(struct exported *e, const struct classifier *trained)
{
    *e = (struct exported){.config = trained->session.config};
    if (trained->head.K > 0)
        FT_TRY(set_config(&e->config, &trained->head));
    FT_TRY(layout_create(&e->layout, &e->config));
    FT_TRY(FT_ALLOC(e->values, e->layout->n_tensors));
    for (int i = 0; i < e->layout->n_tensors; i++) {
        e->values[i] = find_values(&e->layout->tensors[i], trained);
        if (!e->values[i])
            return ft_fail(FT_ERR_INTERNAL, "the trained model has no tensor %s",
                           e->layout->tensors[i].name);
    }
    return FT_OK;
}

void exported_close(struct exported *e)
{
    mem_free(e->values);
    layout_destroy(&e->layout);
}
