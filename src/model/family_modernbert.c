/* ModernBERT: an encoder built like a recent decoder: rotation, gated MLP, norms without bias
 * before each half block, and two local layers for each global one. */
#include "families.h"

static const char *const names[N_ROLES] = {[ROLE_EMBED] = "embeddings.tok_embeddings.weight",
                                           [ROLE_EMBED_NORM] = "embeddings.norm.weight",
                                           [ROLE_EMBED_NORM_BIAS] = "embeddings.norm.bias",
                                           [ROLE_ATTN_NORM] = "attn_norm.weight",
                                           [ROLE_ATTN_NORM_BIAS] = "attn_norm.bias",
                                           [ROLE_Q] = "attn.Wqkv.weight",
                                           [ROLE_Q_BIAS] = "attn.Wqkv.bias",
                                           [ROLE_O] = "attn.Wo.weight",
                                           [ROLE_O_BIAS] = "attn.Wo.bias",
                                           [ROLE_MLP_NORM] = "mlp_norm.weight",
                                           [ROLE_MLP_NORM_BIAS] = "mlp_norm.bias",
                                           [ROLE_GATE] = "mlp.Wi.weight",
                                           [ROLE_GATE_BIAS] = "mlp.Wi.bias",
                                           [ROLE_DOWN] = "mlp.Wo.weight",
                                           [ROLE_DOWN_BIAS] = "mlp.Wo.bias",
                                           [ROLE_FINAL_NORM] = "final_norm.weight",
                                           [ROLE_FINAL_NORM_BIAS] = "final_norm.bias"};

static const char *const head_names[N_ROLES] = {[ROLE_HEAD_DENSE] = "classifier.dense.weight",
                                                [ROLE_HEAD_DENSE_BIAS] = "classifier.dense.bias",
                                                [ROLE_HEAD_OUT] = "classifier.weight",
                                                [ROLE_HEAD_OUT_BIAS] = "classifier.bias"};

static const char *const harmless[] = {"head.", "decoder.", NULL};

static const struct config_key keys[] = {
    {"vocab_size", KEY_SIZE, KEY_AT(V), V_MAX, 50368, 1},
    {"hidden_size", KEY_SIZE, KEY_AT(C), C_MAX, 768, 1},
    {"num_hidden_layers", KEY_SIZE, KEY_AT(L), L_MAX, 22, 1},
    {"num_attention_heads", KEY_SIZE, KEY_AT(Hq), H_MAX, 12, 1},
    {"intermediate_size", KEY_SIZE, KEY_AT(F), F_MAX, 1152, 1},
    {"max_position_embeddings", KEY_SIZE, KEY_AT(T_max), T_LIMIT, 8192, 1},
    {"hidden_activation", KEY_FUNCTION, KEY_AT(function), 0, FUNCTION_GELU, 0},
    {"norm_eps", KEY_REAL, KEY_AT(norm_eps), 1, 1e-5, 1e-12},
    {"norm_bias", KEY_BOOL, KEY_AT(norm_bias), 0, 0, 0},
    {"attention_bias", KEY_BOOL, KEY_AT(attention_bias), 0, 0, 0},
    {"mlp_bias", KEY_BOOL, KEY_AT(mlp_bias), 0, 0, 0},
    {"local_attention", KEY_WINDOW, KEY_AT(window), T_LIMIT, 128, 0},
    KEY_RATE("embedding_dropout", embedding_dropout, 0),
    {"attention_dropout", KEY_FIXED, 0, 0, 0, 0},
    KEY_RATE("classifier_dropout", classifier_dropout, 0),
    {"mlp_dropout", KEY_FIXED, 0, 0, 0, 0},
    {NULL, 0, 0, 0, 0, 0}};

/* local_attention counts both sides. */
static ft_status settle(struct model_config *c, const json_t *json)
{
    (void)json;
    c->window /= 2;
    c->output_bias = c->attention_bias;
    c->bos = c->eos = -1;
    return FT_OK;
}

static void unsettle(struct model_config *c)
{
    c->window *= 2;
}

const struct family family_modernbert = {
    .type = "modernbert",
    .base_class = "ModernBertModel",
    .keys = keys,
    .theta = "global_rope_theta",
    .local_theta = "local_rope_theta",
    .theta_absent = 160000,
    .local_theta_absent = 10000,
    .rotary_absent = 1,
    .prefix = "model.",
    .block = {"layers.", "."},
    .names = names,
    .head_names = head_names,
    .harmless = harmless,
    .traits = {.embed_norm = true,
               .norm = NORM_LAYER,
               .pre_norms = true,
               .skips_first_norm = true,
               .is_encoder = true,
               .gated = true,
               .fused_qkv = true,
               .fused_gate_up = true,
               .head_function = FUNCTION_GELU},
    .settle = settle,
    .unsettle = unsettle,
    .pattern = {LOCAL_ALL_BUT_FIRST_OF, "global_attn_every_n_layers", 3}};
