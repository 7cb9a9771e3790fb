#include "names.h"

#include <stdio.h>

#include "model/layout.h"

/* Behind "model." and, in a block, "layers.<layer>.". */
static const char *const llama_names[N_ROLES] = {[ROLE_EMBED] = "embed_tokens.weight",
                                                 [ROLE_ATTN_NORM] = "input_layernorm.weight",
                                                 [ROLE_Q] = "self_attn.q_proj.weight",
                                                 [ROLE_K] = "self_attn.k_proj.weight",
                                                 [ROLE_V] = "self_attn.v_proj.weight",
                                                 [ROLE_Q_BIAS] = "self_attn.q_proj.bias",
                                                 [ROLE_K_BIAS] = "self_attn.k_proj.bias",
                                                 [ROLE_V_BIAS] = "self_attn.v_proj.bias",
                                                 [ROLE_O] = "self_attn.o_proj.weight",
                                                 [ROLE_O_BIAS] = "self_attn.o_proj.bias",
                                                 [ROLE_MLP_NORM] =
                                                     "post_attention_layernorm.weight",
                                                 [ROLE_GATE] = "mlp.gate_proj.weight",
                                                 [ROLE_UP] = "mlp.up_proj.weight",
                                                 [ROLE_GATE_BIAS] = "mlp.gate_proj.bias",
                                                 [ROLE_UP_BIAS] = "mlp.up_proj.bias",
                                                 [ROLE_DOWN] = "mlp.down_proj.weight",
                                                 [ROLE_DOWN_BIAS] = "mlp.down_proj.bias",
                                                 [ROLE_FINAL_NORM] = "norm.weight"};

/* Behind "bert." and, in a block, "encoder.layer.<layer>.". */
static const char *const bert_names[N_ROLES] = {
    [ROLE_EMBED] = "embeddings.word_embeddings.weight",
    [ROLE_POSITIONS] = "embeddings.position_embeddings.weight",
    [ROLE_TYPES] = "embeddings.token_type_embeddings.weight",
    [ROLE_ATTN_NORM] = "output.LayerNorm.weight",
    [ROLE_ATTN_NORM_BIAS] = "output.LayerNorm.bias",
    [ROLE_Q] = "attention.self.query.weight",
    [ROLE_K] = "attention.self.key.weight",
    [ROLE_V] = "attention.self.value.weight",
    [ROLE_Q_BIAS] = "attention.self.query.bias",
    [ROLE_K_BIAS] = "attention.self.key.bias",
    [ROLE_V_BIAS] = "attention.self.value.bias",
    [ROLE_O] = "attention.output.dense.weight",
    [ROLE_O_BIAS] = "attention.output.dense.bias",
    [ROLE_MLP_NORM] = "attention.output.LayerNorm.weight",
    [ROLE_MLP_NORM_BIAS] = "attention.output.LayerNorm.bias",
    [ROLE_UP] = "intermediate.dense.weight",
    [ROLE_UP_BIAS] = "intermediate.dense.bias",
    [ROLE_DOWN] = "output.dense.weight",
    [ROLE_DOWN_BIAS] = "output.dense.bias",
    [ROLE_FINAL_NORM] = "output.LayerNorm.weight",
    [ROLE_FINAL_NORM_BIAS] = "output.LayerNorm.bias",
    [ROLE_POOLER] = "pooler.dense.weight",
    [ROLE_POOLER_BIAS] = "pooler.dense.bias"};

/* What stands beside the backbone. */
static const char *head_name(const struct model_config *c, int role)
{
    const bool is_mlp = c->head.kind == HEAD_MLP;
    switch (role) {
    case ROLE_LM_HEAD:
        return "lm_head.weight";
    case ROLE_HEAD_DENSE:
        return "classifier.dense.weight";
    case ROLE_HEAD_DENSE_BIAS:
        return "classifier.dense.bias";
    case ROLE_HEAD_OUT:
        return is_mlp ? "classifier.out_proj.weight"
                      : (c->is_encoder ? "classifier.weight" : "score.weight");
    case ROLE_HEAD_OUT_BIAS:
        return is_mlp ? "classifier.out_proj.bias"
                      : (c->is_encoder ? "classifier.bias" : "score.bias");
    default:
        return NULL;
    }
}

const char *tensor_prefix(const struct model_config *c)
{
    return c->is_encoder ? "bert." : "model.";
}

/* With post-norm the norm that a block's attention reads belongs to the block before, or to the
 * embeddings. */
static int named_layer(const struct model_config *c, int role, int layer)
{
    if (!c->post_norm)
        return layer;
    if (role == ROLE_FINAL_NORM || role == ROLE_FINAL_NORM_BIAS)
        return c->L - 1;
    return role == ROLE_ATTN_NORM || role == ROLE_ATTN_NORM_BIAS ? layer - 1 : layer;
}

void tensor_name(char name[TENSOR_NAME], const struct model_config *c, int role, int layer)
{
    const char *head = head_name(c, role);
    const char *inner = c->is_encoder ? bert_names[role] : llama_names[role];
    const int place = named_layer(c, role, layer);
    if (head)
        (void)snprintf(name, TENSOR_NAME, "%s", head);
    else if (place >= 0)
        (void)snprintf(name, TENSOR_NAME, "%s%s.%d.%s", tensor_prefix(c),
                       c->is_encoder ? "encoder.layer" : "layers", place, inner);
    else if (role == ROLE_ATTN_NORM || role == ROLE_ATTN_NORM_BIAS)
        (void)snprintf(name, TENSOR_NAME, "%sembeddings.LayerNorm.%s", tensor_prefix(c),
                       role == ROLE_ATTN_NORM ? "weight" : "bias");
    else
        (void)snprintf(name, TENSOR_NAME, "%s%s", tensor_prefix(c), inner);
}
