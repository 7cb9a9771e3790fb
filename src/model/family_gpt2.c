/* GPT-2: learned positions, LayerNorm, and matrices stored (in, out). */
#include "families.h"

static const char *const gpt2_names[N_ROLES] = {
    [ROLE_EMBED] = "wte.weight",       [ROLE_POSITIONS] = "wpe.weight",
    [ROLE_ATTN_NORM] = "ln_1.weight",  [ROLE_ATTN_NORM_BIAS] = "ln_1.bias",
    [ROLE_Q] = "attn.c_attn.weight",   [ROLE_Q_BIAS] = "attn.c_attn.bias",
    [ROLE_O] = "attn.c_proj.weight",   [ROLE_O_BIAS] = "attn.c_proj.bias",
    [ROLE_MLP_NORM] = "ln_2.weight",   [ROLE_MLP_NORM_BIAS] = "ln_2.bias",
    [ROLE_UP] = "mlp.c_fc.weight",     [ROLE_UP_BIAS] = "mlp.c_fc.bias",
    [ROLE_DOWN] = "mlp.c_proj.weight", [ROLE_DOWN_BIAS] = "mlp.c_proj.bias",
    [ROLE_FINAL_NORM] = "ln_f.weight", [ROLE_FINAL_NORM_BIAS] = "ln_f.bias"};

static const struct config_key gpt2_keys[] = {
    {"vocab_size", KEY_SIZE, KEY_AT(V), V_MAX, 50257, 1},
    {"n_embd", KEY_SIZE, KEY_AT(C), C_MAX, 768, 1},
    {"n_layer", KEY_SIZE, KEY_AT(L), L_MAX, 12, 1},
    {"n_head", KEY_SIZE, KEY_AT(Hq), H_MAX, 12, 1},
    {"n_inner", KEY_SIZE, KEY_AT(F), F_MAX, 0, 1},
    {"n_ctx", KEY_SIZE, KEY_AT(T_max), T_LIMIT, 1024, 1}, /* of old files; n_positions decides */
    {"n_positions", KEY_SIZE, KEY_AT(T_max), T_LIMIT, 1024, 1},
    {"activation_function", KEY_FUNCTION, KEY_AT(function), 0, FUNCTION_GELU_TANH, 0},
    {"layer_norm_epsilon", KEY_REAL, KEY_AT(norm_eps), 1, 1e-5, 1e-12},
    KEY_TIED(1),
    KEY_RATE("embd_pdrop", embedding_dropout, 0.1),
    KEY_RATE("resid_pdrop", hidden_dropout, 0.1),
    KEY_RATE("attn_pdrop", attention_dropout, 0.1),
    {"scale_attn_weights", KEY_FIXED, 0, 0, 1, 0},
    {"scale_attn_by_inverse_layer_idx", KEY_FIXED, 0, 0, 0, 0},
    {"add_cross_attention", KEY_FIXED, 0, 0, 0, 0},
    KEY_IDS(50256, 50256),
    {NULL, 0, 0, 0, 0, 0}};

const struct family family_gpt2 = {.type = "gpt2",
                                   .base_class = "GPT2Model",
                                   .lm_class = "GPT2LMHeadModel",
                                   .classifier_class = "GPT2ForSequenceClassification",
                                   .gguf = "gpt2",
                                   .gguf_order = GGUF_GPT2,
                                   .gguf_function = FUNCTION_GELU_TANH,
                                   .keys = gpt2_keys,
                                   .prefix = "transformer.",
                                   .block = {"h.", "."},
                                   .names = gpt2_names,
                                   .head_names = decoder_head_names,
                                   .harmless = no_harmless,
                                   .traits = {.positions = POSITION_LEARNED,
                                              .norm = NORM_LAYER,
                                              .norm_bias = true,
                                              .pre_norms = true,
                                              .attention_bias = true,
                                              .output_bias = true,
                                              .mlp_bias = true,
                                              .fused_qkv = true,
                                              .transposed = true}};
