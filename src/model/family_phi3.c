/* Phi 3 and 4-mini: a Llama whose q, k, v and whose gate, up are one tensor each. */
#include "families.h"

static const char *const phi3_names[N_ROLES] = {[ROLE_EMBED] = "embed_tokens.weight",
                                                [ROLE_ATTN_NORM] = "input_layernorm.weight",
                                                [ROLE_Q] = "self_attn.qkv_proj.weight",
                                                [ROLE_O] = "self_attn.o_proj.weight",
                                                [ROLE_MLP_NORM] = "post_attention_layernorm.weight",
                                                [ROLE_GATE] = "mlp.gate_up_proj.weight",
                                                [ROLE_DOWN] = "mlp.down_proj.weight",
                                                [ROLE_FINAL_NORM] = "norm.weight"};

static const struct config_key phi3_keys[] = {
    DECODER_SIZES(32064, 3072, 32, 32, 0, 8192, 4096),
    KEY_HEAD_DIM(0),
    {"hidden_act", KEY_FUNCTION, KEY_AT(function), 0, FUNCTION_SILU, 0},
    KEY_RMS_EPS(1e-5),
    KEY_TIED(0),
    {"sliding_window", KEY_WINDOW, KEY_AT(window), T_LIMIT, 0, 0},
    KEY_RATE("embd_pdrop", embedding_dropout, 0),
    KEY_RATE("resid_pdrop", hidden_dropout, 0),
    KEY_RATE("attention_dropout", attention_dropout, 0),
    KEY_IDS(1, 32000),
    {NULL, 0, 0, 0, 0, 0}};

const struct family family_phi3 = {
    .type = "phi3",
    .base_class = "Phi3Model",
    .lm_class = "Phi3ForCausalLM",
    .classifier_class = "Phi3ForSequenceClassification",
    .gguf = "phi3",
    .keys = phi3_keys,
    .theta_absent = 10000,
    .rotary_share = "partial_rotary_factor",
    .names = phi3_names,
    LIKE_LLAMA,
    .traits = {.pre_norms = true, .gated = true, .fused_qkv = true, .fused_gate_up = true}};
