/* OLMo 2: norms behind the half blocks alone, and over all of a row's queries and keys. */
#include "families.h"

static const char *const olmo2_names[N_ROLES] = {
    [ROLE_EMBED] = "embed_tokens.weight",
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
    [ROLE_GATE] = "mlp.gate_proj.weight",
    [ROLE_UP] = "mlp.up_proj.weight",
    [ROLE_DOWN] = "mlp.down_proj.weight",
    [ROLE_MLP_OUT_NORM] = "post_feedforward_layernorm.weight",
    [ROLE_FINAL_NORM] = "norm.weight"};

static const struct config_key olmo2_keys[] = {
    DECODER_SIZES(50304, 4096, 32, 32, 0, 11008, 2048),
    {"hidden_act", KEY_FUNCTION, KEY_AT(function), 0, FUNCTION_SILU, 0},
    KEY_RMS_EPS(1e-5),
    KEY_TIED(0),
    {"attention_bias", KEY_BOOL, KEY_AT(attention_bias), 0, 0, 0},
    KEY_RATE("attention_dropout", attention_dropout, 0),
    KEY_IDS(-1, 50279),
    {NULL, 0, 0, 0, 0, 0}};

static ft_status settle_olmo2(struct model_config *c, const json_t *json)
{
    (void)json;
    c->output_bias = c->attention_bias;
    return FT_OK;
}

const struct family family_olmo2 = {
    .type = "olmo2",
    .base_class = "Olmo2Model",
    .lm_class = "Olmo2ForCausalLM",
    .classifier_class = "Olmo2ForSequenceClassification",
    .gguf = "olmo2",
    .keys = olmo2_keys,
    .theta_absent = 10000,
    .names = olmo2_names,
    LIKE_LLAMA,
    .traits = {.output_norms = true, .gated = true, .qk_norm = QK_NORM_ALL},
    .settle = settle_olmo2};
