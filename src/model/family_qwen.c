/* Qwen 2 and 2.5: a Llama with biases on q, k and v. Qwen 3: without them, with norms of q and k.
 */
#include "families.h"

static ft_status settle_qwen(struct model_config *c, const json_t *json)
{
    bool uses_window = false, found;
    FT_TRY(json_get_bool(json, "use_sliding_window", &uses_window, &found));
    if (!uses_window)
        c->window = 0;
    return FT_OK;
}

static const struct config_key qwen2_keys[] = {
    DECODER_SIZES(151936, 4096, 32, 32, 32, 22016, 32768),
    KEY_HEAD_DIM(0),
    {"hidden_act", KEY_FUNCTION, KEY_AT(function), 0, FUNCTION_SILU, 0},
    KEY_RMS_EPS(1e-6),
    KEY_TIED(0),
    {"sliding_window", KEY_WINDOW, KEY_AT(window), T_LIMIT, 4096, 0},
    KEY_RATE("attention_dropout", attention_dropout, 0),
    KEY_IDS(-1, -1),
    {NULL, 0, 0, 0, 0, 0}};

const struct family family_qwen2 = {
    .type = "qwen2",
    .base_class = "Qwen2Model",
    .lm_class = "Qwen2ForCausalLM",
    .classifier_class = "Qwen2ForSequenceClassification",
    .gguf = "qwen2",
    .keys = qwen2_keys,
    .theta_absent = 10000,
    .window_switch = "use_sliding_window",
    .names = llama_names,
    LIKE_LLAMA,
    .traits = {.pre_norms = true, .gated = true, .attention_bias = true},
    .settle = settle_qwen,
    .pattern = {LOCAL_FROM, "max_window_layers", 28}};

static const struct config_key qwen3_keys[] = {
    DECODER_SIZES(151936, 4096, 32, 32, 32, 22016, 32768),
    KEY_HEAD_DIM(128),
    {"hidden_act", KEY_FUNCTION, KEY_AT(function), 0, FUNCTION_SILU, 0},
    KEY_RMS_EPS(1e-6),
    KEY_TIED(0),
    {"attention_bias", KEY_BOOL, KEY_AT(attention_bias), 0, 0, 0},
    {"sliding_window", KEY_WINDOW, KEY_AT(window), T_LIMIT, 4096, 0},
    KEY_RATE("attention_dropout", attention_dropout, 0),
    KEY_IDS(-1, -1),
    {NULL, 0, 0, 0, 0, 0}};

static ft_status settle_qwen3(struct model_config *c, const json_t *json)
{
    c->output_bias = c->attention_bias;
    return settle_qwen(c, json);
}

const struct family family_qwen3 = {
    .type = "qwen3",
    .base_class = "Qwen3Model",
    .lm_class = "Qwen3ForCausalLM",
    .classifier_class = "Qwen3ForSequenceClassification",
    .gguf = "qwen3",
    .keys = qwen3_keys,
    .theta_absent = 10000,
    .window_switch = "use_sliding_window",
    .names = llama_names,
    LIKE_LLAMA,
    .traits = {.pre_norms = true, .gated = true, .qk_norm = QK_NORM_HEAD},
    .settle = settle_qwen3,
    .pattern = {LOCAL_FROM, "max_window_layers", 28}};
