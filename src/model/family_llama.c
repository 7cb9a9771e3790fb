/* Llama 1 to 3, and Mistral, which is a Llama that may see a window only. */
#include "families.h"

const char *const llama_names[N_ROLES] = {[ROLE_EMBED] = "embed_tokens.weight",
                                          [ROLE_ATTN_NORM] = "input_layernorm.weight",
                                          [ROLE_Q] = "self_attn.q_proj.weight",
                                          [ROLE_K] = "self_attn.k_proj.weight",
                                          [ROLE_V] = "self_attn.v_proj.weight",
                                          [ROLE_Q_BIAS] = "self_attn.q_proj.bias",
                                          [ROLE_K_BIAS] = "self_attn.k_proj.bias",
                                          [ROLE_V_BIAS] = "self_attn.v_proj.bias",
                                          [ROLE_Q_NORM] = "self_attn.q_norm.weight",
                                          [ROLE_K_NORM] = "self_attn.k_norm.weight",
                                          [ROLE_O] = "self_attn.o_proj.weight",
                                          [ROLE_O_BIAS] = "self_attn.o_proj.bias",
                                          [ROLE_MLP_NORM] = "post_attention_layernorm.weight",
                                          [ROLE_GATE] = "mlp.gate_proj.weight",
                                          [ROLE_UP] = "mlp.up_proj.weight",
                                          [ROLE_GATE_BIAS] = "mlp.gate_proj.bias",
                                          [ROLE_UP_BIAS] = "mlp.up_proj.bias",
                                          [ROLE_DOWN] = "mlp.down_proj.weight",
                                          [ROLE_DOWN_BIAS] = "mlp.down_proj.bias",
                                          [ROLE_FINAL_NORM] = "norm.weight"};

const char *const decoder_head_names[N_ROLES] = {[ROLE_LM_HEAD] = "lm_head.weight",
                                                 [ROLE_HEAD_DENSE] = "classifier.dense.weight",
                                                 [ROLE_HEAD_DENSE_BIAS] = "classifier.dense.bias",
                                                 [ROLE_HEAD_OUT] = "score.weight",
                                                 [ROLE_HEAD_OUT_BIAS] = "score.bias"};

const char *const no_harmless[] = {NULL};

static const struct config_key llama_keys[] = {
    DECODER_SIZES(32000, 4096, 32, 32, 0, 11008, 2048),
    KEY_HEAD_DIM(0),
    {"hidden_act", KEY_FUNCTION, KEY_AT(function), 0, FUNCTION_SILU, 0},
    KEY_RMS_EPS(1e-6),
    KEY_TIED(0),
    {"attention_bias", KEY_BOOL, KEY_AT(attention_bias), 0, 0, 0},
    {"mlp_bias", KEY_BOOL, KEY_AT(mlp_bias), 0, 0, 0},
    KEY_RATE("attention_dropout", attention_dropout, 0),
    KEY_IDS(1, 2),
    {NULL, 0, 0, 0, 0, 0}};

/* In Llama one flag stands for all four projections. */
static ft_status settle_llama(struct model_config *c, const json_t *json)
{
    (void)json;
    c->output_bias = c->attention_bias;
    return FT_OK;
}

const struct family family_llama = {.type = "llama",
                                    .base_class = "LlamaModel",
                                    .lm_class = "LlamaForCausalLM",
                                    .classifier_class = "LlamaForSequenceClassification",
                                    .gguf = "llama",
                                    .gguf_order = GGUF_LLAMA,
                                    .keys = llama_keys,
                                    .theta_absent = 10000,
                                    .names = llama_names,
                                    LIKE_LLAMA,
                                    .traits = {.pre_norms = true, .gated = true},
                                    .settle = settle_llama};

static const struct config_key mistral_keys[] = {
    DECODER_SIZES(32000, 4096, 32, 32, 8, 14336, 131072),
    KEY_HEAD_DIM(0),
    {"hidden_act", KEY_FUNCTION, KEY_AT(function), 0, FUNCTION_SILU, 0},
    KEY_RMS_EPS(1e-6),
    KEY_TIED(0),
    {"sliding_window", KEY_WINDOW, KEY_AT(window), T_LIMIT, 4096, 0},
    KEY_RATE("attention_dropout", attention_dropout, 0),
    KEY_IDS(1, 2),
    {NULL, 0, 0, 0, 0, 0}};

/* llama.cpp calls it a llama too, so its files are read as that family. */
const struct family family_mistral = {.type = "mistral",
                                      .base_class = "MistralModel",
                                      .lm_class = "MistralForCausalLM",
                                      .classifier_class = "MistralForSequenceClassification",
                                      .gguf = "llama",
                                      .gguf_order = GGUF_LLAMA,
                                      .keys = mistral_keys,
                                      .theta_absent = 10000,
                                      .names = llama_names,
                                      LIKE_LLAMA,
                                      .traits = {.pre_norms = true, .gated = true}};
