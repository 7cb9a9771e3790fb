/*
 * Gemma 2 and 3, text only: norms before and behind each half block, weights of norms kept as their
 * distance from 1, embeddings scaled by the root of the hidden size, local layers between global
 * ones. Gemma 2 caps the scores and the logits; Gemma 3 norms q and k instead, and its local layers
 * turn faster.
 */
#include <math.h>

#include "families.h"

static const char *const gemma_names[N_ROLES] = {
    [ROLE_EMBED] = "embed_tokens.weight",
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
    [ROLE_ATTN_OUT_NORM] = "post_attention_layernorm.weight",
    [ROLE_MLP_NORM] = "pre_feedforward_layernorm.weight",
    [ROLE_GATE] = "mlp.gate_proj.weight",
    [ROLE_UP] = "mlp.up_proj.weight",
    [ROLE_DOWN] = "mlp.down_proj.weight",
    [ROLE_MLP_OUT_NORM] = "post_feedforward_layernorm.weight",
    [ROLE_FINAL_NORM] = "norm.weight"};

#define GEMMA_KEYS                                                                                 \
    KEY_HEAD_DIM(256), KEY_RMS_EPS(1e-6), KEY_TIED(1),                                             \
        {"hidden_activation", KEY_FUNCTION, KEY_AT(function), 0, FUNCTION_GELU_TANH, 0},           \
        {"attention_bias", KEY_BOOL, KEY_AT(attention_bias), 0, 0, 0},                             \
        {"query_pre_attn_scalar", KEY_SCALE, KEY_AT(attention_scale), 1e9, 256, 1e-3},             \
        {"sliding_window", KEY_WINDOW, KEY_AT(window), T_LIMIT, 4096, 0},                          \
        {"use_bidirectional_attention", KEY_FIXED, 0, 0, 0, 0},                                    \
        KEY_RATE("attention_dropout", attention_dropout, 0), KEY_IDS(2, 1)

static const struct config_key gemma2_keys[] = {
    DECODER_SIZES(256000, 2304, 26, 8, 4, 9216, 8192),
    GEMMA_KEYS,
    {"attn_logit_softcapping", KEY_CAP, KEY_AT(attention_softcap), 1e6, 50, 0},
    {"final_logit_softcapping", KEY_CAP, KEY_AT(logit_softcap), 1e6, 30, 0},
    {NULL, 0, 0, 0, 0, 0}};

static const struct config_key gemma3_keys[] = {
    DECODER_SIZES(262208, 2304, 26, 8, 4, 9216, 131072),
    GEMMA_KEYS,
    {"attn_logit_softcapping", KEY_CAP, KEY_AT(attention_softcap), 1e6, 0, 0},
    {"final_logit_softcapping", KEY_CAP, KEY_AT(logit_softcap), 1e6, 0, 0},
    {NULL, 0, 0, 0, 0, 0}};

/* The root is taken in f32, as transformers does. */
static void scale_embeddings(struct model_config *c)
{
    c->embed_scale = (double)sqrtf((float)c->C);
    c->output_bias = c->attention_bias;
}

static ft_status settle_gemma(struct model_config *c, const json_t *json)
{
    (void)json;
    scale_embeddings(c);
    return FT_OK;
}

/* GGUF does not say the scale; of the models known only the largest differ from 1 / sqrt(D). */
static void settle_gguf(struct model_config *c, int largest_layers)
{
    if (c->L == largest_layers)
        c->attention_scale = 1.0 / sqrt((double)c->C / c->Hq);
    scale_embeddings(c);
}

static void settle_gguf_gemma2(struct model_config *c)
{
    settle_gguf(c, 46);
}

static void settle_gguf_gemma3(struct model_config *c)
{
    settle_gguf(c, 62);
}

const struct family family_gemma2 = {
    .type = "gemma2",
    .base_class = "Gemma2Model",
    .lm_class = "Gemma2ForCausalLM",
    .classifier_class = "Gemma2ForSequenceClassification",
    .gguf = "gemma2",
    .gguf_order = GGUF_GEMMA,
    .gguf_function = FUNCTION_GELU_TANH,
    .keys = gemma2_keys,
    .theta_absent = 10000,
    .names = gemma_names,
    LIKE_LLAMA,
    .traits = {.pre_norms = true, .output_norms = true, .norm_shift = 1, .gated = true},
    .settle = settle_gemma,
    .settle_gguf = settle_gguf_gemma2,
    .pattern = {LOCAL_ALL_BUT_LAST_OF, NULL, 2}};

const struct family family_gemma3 = {
    .type = "gemma3_text",
    .base_class = "Gemma3TextModel",
    .lm_class = "Gemma3ForCausalLM",
    .classifier_class = "Gemma3TextForSequenceClassification",
    .gguf = "gemma3",
    .gguf_order = GGUF_GEMMA,
    .gguf_function = FUNCTION_GELU_TANH,
    .keys = gemma3_keys,
    .local_theta = "rope_local_base_freq",
    .theta_absent = 1000000,
    .local_theta_absent = 10000,
    .names = gemma_names,
    LIKE_LLAMA,
    .traits = {.pre_norms = true,
               .output_norms = true,
               .norm_shift = 1,
               .gated = true,
               .qk_norm = QK_NORM_HEAD},
    .settle = settle_gemma,
    .settle_gguf = settle_gguf_gemma3,
    .pattern = {LOCAL_ALL_BUT_LAST_OF, "sliding_window_pattern", 6}};
