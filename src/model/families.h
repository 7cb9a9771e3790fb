/* The list of families, and what several of them share. */
#ifndef FT_MODEL_FAMILIES_H
#define FT_MODEL_FAMILIES_H

#include "family.h"
#include "model_file.h"

extern const struct family family_llama, family_mistral, family_qwen2, family_qwen3, family_gemma2,
    family_gemma3, family_phi3, family_olmo2, family_gpt2, family_gpt_neox;
extern const struct family family_bert, family_roberta, family_xlm_roberta, family_camembert,
    family_distilbert, family_electra, family_albert, family_modernbert;

/* llama.c: the names of Llama's tensors, and those of decoders' heads. */
extern const char *const llama_names[N_ROLES], *const decoder_head_names[N_ROLES];
extern const char *const no_harmless[];

/* bert.c */
extern const char *const bert_names[N_ROLES];
extern const char *const bert_harmless[];

/* What the relatives of Llama have in common beside their keys, names of tensors and traits. */
#define LIKE_LLAMA                                                                                 \
    .theta = "rope_theta", .rotary_absent = 1, .prefix = "model.", .block = {"layers.", "."},      \
    .head_names = decoder_head_names, .harmless = no_harmless

/* Sizes and flags that most decoders spell alike. */
#define DECODER_SIZES(vocabulary, hidden, layers, heads, kv_heads, intermediate, positions)        \
    {"vocab_size", KEY_SIZE, KEY_AT(V), V_MAX, vocabulary, 1},                                     \
        {"hidden_size", KEY_SIZE, KEY_AT(C), C_MAX, hidden, 1},                                    \
        {"num_hidden_layers", KEY_SIZE, KEY_AT(L), L_MAX, layers, 1},                              \
        {"num_attention_heads", KEY_SIZE, KEY_AT(Hq), H_MAX, heads, 1},                            \
        {"num_key_value_heads", KEY_SIZE, KEY_AT(Hkv), H_MAX, kv_heads, 1},                        \
        {"intermediate_size", KEY_SIZE, KEY_AT(F), F_MAX, intermediate, 1},                        \
    {                                                                                              \
        "max_position_embeddings", KEY_SIZE, KEY_AT(T_max), T_LIMIT, positions, 1                  \
    }

#define KEY_HEAD_DIM(absent)                                                                       \
    {                                                                                              \
        "head_dim", KEY_SIZE, KEY_AT(D), 2 * MODEL_ROPE_DIVISORS_MAX, absent, 1                    \
    }
#define KEY_RMS_EPS(absent)                                                                        \
    {                                                                                              \
        "rms_norm_eps", KEY_REAL, KEY_AT(norm_eps), 1, absent, 1e-12                               \
    }
#define KEY_TIED(absent)                                                                           \
    {                                                                                              \
        "tie_word_embeddings", KEY_BOOL, KEY_AT(tied_embeddings), 0, absent, 0                     \
    }
#define KEY_RATE(name, member, absent)                                                             \
    {                                                                                              \
        name, KEY_REAL, KEY_AT(member), DROPOUT_MAX, absent, 0                                     \
    }
#define KEY_IDS(bos_absent, eos_absent)                                                            \
    {"bos_token_id", KEY_ID, KEY_AT(bos), 0, bos_absent, 0},                                       \
    {                                                                                              \
        "eos_token_id", KEY_ID, KEY_AT(eos), 0, eos_absent, 0                                      \
    }

#endif
