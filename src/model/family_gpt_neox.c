/* GPT-NeoX and Pythia: attention and MLP side by side, a quarter of each head turns, q, k and v of
 * a head are neighbours. */
#include "families.h"

static const char *const neox_names[N_ROLES] = {[ROLE_EMBED] = "embed_in.weight",
                                                [ROLE_ATTN_NORM] = "input_layernorm.weight",
                                                [ROLE_ATTN_NORM_BIAS] = "input_layernorm.bias",
                                                [ROLE_Q] = "attention.query_key_value.weight",
                                                [ROLE_Q_BIAS] = "attention.query_key_value.bias",
                                                [ROLE_O] = "attention.dense.weight",
                                                [ROLE_O_BIAS] = "attention.dense.bias",
                                                [ROLE_MLP_NORM] = "post_attention_layernorm.weight",
                                                [ROLE_MLP_NORM_BIAS] =
                                                    "post_attention_layernorm.bias",
                                                [ROLE_UP] = "mlp.dense_h_to_4h.weight",
                                                [ROLE_UP_BIAS] = "mlp.dense_h_to_4h.bias",
                                                [ROLE_DOWN] = "mlp.dense_4h_to_h.weight",
                                                [ROLE_DOWN_BIAS] = "mlp.dense_4h_to_h.bias",
                                                [ROLE_FINAL_NORM] = "final_layer_norm.weight",
                                                [ROLE_FINAL_NORM_BIAS] = "final_layer_norm.bias"};

static const char *const neox_head_names[N_ROLES] = {[ROLE_LM_HEAD] = "embed_out.weight",
                                                     [ROLE_HEAD_DENSE] = "classifier.dense.weight",
                                                     [ROLE_HEAD_DENSE_BIAS] =
                                                         "classifier.dense.bias",
                                                     [ROLE_HEAD_OUT] = "score.weight",
                                                     [ROLE_HEAD_OUT_BIAS] = "score.bias"};

static const struct config_key neox_keys[] = {
    {"vocab_size", KEY_SIZE, KEY_AT(V), V_MAX, 50432, 1},
    {"hidden_size", KEY_SIZE, KEY_AT(C), C_MAX, 6144, 1},
    {"num_hidden_layers", KEY_SIZE, KEY_AT(L), L_MAX, 44, 1},
    {"num_attention_heads", KEY_SIZE, KEY_AT(Hq), H_MAX, 64, 1},
    {"intermediate_size", KEY_SIZE, KEY_AT(F), F_MAX, 24576, 1},
    {"max_position_embeddings", KEY_SIZE, KEY_AT(T_max), T_LIMIT, 2048, 1},
    {"hidden_act", KEY_FUNCTION, KEY_AT(function), 0, FUNCTION_GELU, 0},
    {"layer_norm_eps", KEY_REAL, KEY_AT(norm_eps), 1, 1e-5, 1e-12},
    KEY_TIED(0),
    {"use_parallel_residual", KEY_BOOL, KEY_AT(parallel), 0, 1, 0},
    {"attention_bias", KEY_BOOL, KEY_AT(attention_bias), 0, 1, 0},
    KEY_RATE("hidden_dropout", hidden_dropout, 0),
    KEY_RATE("attention_dropout", attention_dropout, 0),
    KEY_RATE("classifier_dropout", classifier_dropout, 0.1),
    KEY_IDS(0, 2),
    {NULL, 0, 0, 0, 0, 0}};

static ft_status settle_neox(struct model_config *c, const json_t *json)
{
    (void)json;
    c->output_bias = c->attention_bias;
    c->embedding_dropout = c->hidden_dropout;
    return FT_OK;
}

const struct family family_gpt_neox = {.type = "gpt_neox",
                                       .base_class = "GPTNeoXModel",
                                       .lm_class = "GPTNeoXForCausalLM",
                                       .classifier_class = "GPTNeoXForSequenceClassification",
                                       .gguf = "gptneox",
                                       .gguf_order = GGUF_NEOX,
                                       .gguf_function = FUNCTION_GELU,
                                       .keys = neox_keys,
                                       .theta = "rotary_emb_base",
                                       .theta_absent = 10000,
                                       .rotary_absent = 0.25,
                                       .rotary_share = "rotary_pct",
                                       .prefix = "gpt_neox.",
                                       .block = {"layers.", "."},
                                       .names = neox_names,
                                       .head_names = neox_head_names,
                                       .harmless = no_harmless,
                                       .traits = {.norm = NORM_LAYER,
                                                  .norm_bias = true,
                                                  .pre_norms = true,
                                                  .mlp_bias = true,
                                                  .fused_qkv = true,
                                                  .interleaved = true},
                                       .settle = settle_neox};
