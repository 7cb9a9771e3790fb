/* DistilBERT: a BERT without token types and pooler, with other names for all. */
#include "families.h"

static const char *const names[N_ROLES] = {[ROLE_EMBED] = "embeddings.word_embeddings.weight",
                                           [ROLE_POSITIONS] =
                                               "embeddings.position_embeddings.weight",
                                           [ROLE_EMBED_NORM] = "embeddings.LayerNorm.weight",
                                           [ROLE_EMBED_NORM_BIAS] = "embeddings.LayerNorm.bias",
                                           [ROLE_ATTN_NORM] = "output_layer_norm.weight",
                                           [ROLE_ATTN_NORM_BIAS] = "output_layer_norm.bias",
                                           [ROLE_Q] = "attention.q_lin.weight",
                                           [ROLE_K] = "attention.k_lin.weight",
                                           [ROLE_V] = "attention.v_lin.weight",
                                           [ROLE_Q_BIAS] = "attention.q_lin.bias",
                                           [ROLE_K_BIAS] = "attention.k_lin.bias",
                                           [ROLE_V_BIAS] = "attention.v_lin.bias",
                                           [ROLE_O] = "attention.out_lin.weight",
                                           [ROLE_O_BIAS] = "attention.out_lin.bias",
                                           [ROLE_MLP_NORM] = "sa_layer_norm.weight",
                                           [ROLE_MLP_NORM_BIAS] = "sa_layer_norm.bias",
                                           [ROLE_UP] = "ffn.lin1.weight",
                                           [ROLE_UP_BIAS] = "ffn.lin1.bias",
                                           [ROLE_DOWN] = "ffn.lin2.weight",
                                           [ROLE_DOWN_BIAS] = "ffn.lin2.bias",
                                           [ROLE_FINAL_NORM] = "output_layer_norm.weight",
                                           [ROLE_FINAL_NORM_BIAS] = "output_layer_norm.bias"};

static const char *const head_names[N_ROLES] = {[ROLE_HEAD_DENSE] = "pre_classifier.weight",
                                                [ROLE_HEAD_DENSE_BIAS] = "pre_classifier.bias",
                                                [ROLE_HEAD_OUT] = "classifier.weight",
                                                [ROLE_HEAD_OUT_BIAS] = "classifier.bias"};

static const char *const harmless[] = {"vocab_", "qa_outputs.", "embeddings.position_ids", NULL};

/* The table of positions is stored, sinusoidal or not. */
static const struct config_key keys[] = {
    {"vocab_size", KEY_SIZE, KEY_AT(V), V_MAX, 30522, 1},
    {"dim", KEY_SIZE, KEY_AT(C), C_MAX, 768, 1},
    {"n_layers", KEY_SIZE, KEY_AT(L), L_MAX, 6, 1},
    {"n_heads", KEY_SIZE, KEY_AT(Hq), H_MAX, 12, 1},
    {"hidden_dim", KEY_SIZE, KEY_AT(F), F_MAX, 3072, 1},
    {"max_position_embeddings", KEY_SIZE, KEY_AT(T_max), T_LIMIT, 512, 1},
    {"activation", KEY_FUNCTION, KEY_AT(function), 0, FUNCTION_GELU, 0},
    KEY_RATE("dropout", hidden_dropout, 0.1),
    KEY_RATE("attention_dropout", attention_dropout, 0.1),
    KEY_RATE("seq_classif_dropout", classifier_dropout, 0.2),
    {NULL, 0, 0, 0, 0, 0}};

/* No dropout follows attention. */
static ft_status settle(struct model_config *c, const json_t *json)
{
    (void)json;
    c->norm_eps = 1e-12;
    c->embedding_dropout = c->hidden_dropout;
    c->bos = c->eos = -1;
    return FT_OK;
}

const struct family family_distilbert = {.type = "distilbert",
                                         .base_class = "DistilBertModel",
                                         .classifier_class = "DistilBertForSequenceClassification",
                                         .own_head = HEAD_MLP,
                                         .keys = keys,
                                         .prefix = "distilbert.",
                                         .block = {"transformer.layer.", "."},
                                         .names = names,
                                         .head_names = head_names,
                                         .harmless = harmless,
                                         .traits = {.positions = POSITION_LEARNED,
                                                    .embed_norm = true,
                                                    .norm = NORM_LAYER,
                                                    .norm_bias = true,
                                                    .post_norm = true,
                                                    .skips_first_norm = true,
                                                    .is_encoder = true,
                                                    .attention_bias = true,
                                                    .output_bias = true,
                                                    .mlp_bias = true,
                                                    .skips_attention_dropout = true,
                                                    .head_function = FUNCTION_RELU},
                                         .settle = settle};
