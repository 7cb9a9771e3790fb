/* ALBERT: one block for all layers, and embeddings smaller than the hidden size. */
#include "families.h"

static const char *const names[N_ROLES] = {
    [ROLE_EMBED] = "embeddings.word_embeddings.weight",
    [ROLE_POSITIONS] = "embeddings.position_embeddings.weight",
    [ROLE_TYPES] = "embeddings.token_type_embeddings.weight",
    [ROLE_EMBED_NORM] = "embeddings.LayerNorm.weight",
    [ROLE_EMBED_NORM_BIAS] = "embeddings.LayerNorm.bias",
    [ROLE_EMBED_OUT] = "encoder.embedding_hidden_mapping_in.weight",
    [ROLE_EMBED_OUT_BIAS] = "encoder.embedding_hidden_mapping_in.bias",
    [ROLE_Q] = "attention.query.weight",
    [ROLE_K] = "attention.key.weight",
    [ROLE_V] = "attention.value.weight",
    [ROLE_Q_BIAS] = "attention.query.bias",
    [ROLE_K_BIAS] = "attention.key.bias",
    [ROLE_V_BIAS] = "attention.value.bias",
    [ROLE_O] = "attention.dense.weight",
    [ROLE_O_BIAS] = "attention.dense.bias",
    [ROLE_MLP_NORM] = "attention.LayerNorm.weight",
    [ROLE_MLP_NORM_BIAS] = "attention.LayerNorm.bias",
    [ROLE_UP] = "ffn.weight",
    [ROLE_UP_BIAS] = "ffn.bias",
    [ROLE_DOWN] = "ffn_output.weight",
    [ROLE_DOWN_BIAS] = "ffn_output.bias",
    [ROLE_FINAL_NORM] = "full_layer_layer_norm.weight",
    [ROLE_FINAL_NORM_BIAS] = "full_layer_layer_norm.bias",
    [ROLE_POOLER] = "pooler.weight",
    [ROLE_POOLER_BIAS] = "pooler.bias"};

static const char *const head_names[N_ROLES] = {[ROLE_HEAD_DENSE] = "classifier.dense.weight",
                                                [ROLE_HEAD_DENSE_BIAS] = "classifier.dense.bias",
                                                [ROLE_HEAD_OUT] = "classifier.weight",
                                                [ROLE_HEAD_OUT_BIAS] = "classifier.bias"};

static const char *const harmless[] = {"predictions.", "sop_classifier.", "pooler.",
                                       "embeddings.position_ids", NULL};

static const struct config_key keys[] = {
    {"vocab_size", KEY_SIZE, KEY_AT(V), V_MAX, 30000, 1},
    {"embedding_size", KEY_SIZE, KEY_AT(E), C_MAX, 128, 1},
    {"hidden_size", KEY_SIZE, KEY_AT(C), C_MAX, 4096, 1},
    {"num_hidden_layers", KEY_SIZE, KEY_AT(L), L_MAX, 12, 1},
    {"num_attention_heads", KEY_SIZE, KEY_AT(Hq), H_MAX, 64, 1},
    {"intermediate_size", KEY_SIZE, KEY_AT(F), F_MAX, 16384, 1},
    {"max_position_embeddings", KEY_SIZE, KEY_AT(T_max), T_LIMIT, 512, 1},
    {"type_vocab_size", KEY_COUNT, KEY_AT(n_types), V_MAX, 2, 0},
    {"hidden_act", KEY_FUNCTION, KEY_AT(function), 0, FUNCTION_GELU_TANH, 0},
    {"layer_norm_eps", KEY_REAL, KEY_AT(norm_eps), 1, 1e-12, 1e-12},
    {"num_hidden_groups", KEY_FIXED, 0, 0, 1, 0},
    {"inner_group_num", KEY_FIXED, 0, 0, 1, 0},
    KEY_RATE("hidden_dropout_prob", hidden_dropout, 0),
    KEY_RATE("attention_probs_dropout_prob", attention_dropout, 0),
    KEY_RATE("classifier_dropout_prob", classifier_dropout, 0.1),
    {NULL, 0, 0, 0, 0, 0}};

static ft_status settle(struct model_config *c, const json_t *json)
{
    c->embedding_dropout = c->hidden_dropout;
    c->bos = c->eos = -1;
    return config_require_word(json, "position_embedding_type", "absolute");
}

const struct family family_albert = {.type = "albert",
                                     .base_class = "AlbertModel",
                                     .classifier_class = "AlbertForSequenceClassification",
                                     .keys = keys,
                                     .prefix = "albert.",
                                     .block = {"encoder.albert_layer_groups.", ".albert_layers.0."},
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
                                                .shared_layers = true,
                                                .has_pooler = true,
                                                .head_function = FUNCTION_TANH},
                                     .settle = settle};
