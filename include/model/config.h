/** Architecture of a model, from config.json or GGUF metadata: every number is in a checked range.
 */
#ifndef FT_MODEL_CONFIG_H
#define FT_MODEL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "config/settings.h"

#define MODEL_ROPE_DIVISORS_MAX 256

enum rope_scaling_kind { ROPE_PLAIN, ROPE_LLAMA3 };
enum norm_kind { NORM_RMS, NORM_LAYER }; /**< NORM_LAYER has a bias and subtracts the mean */
enum activation { ACTIVATION_SWIGLU, ACTIVATION_GELU }; /**< SWIGLU: gate and up; GELU: up alone */
enum position_kind { POSITION_ROPE, POSITION_LEARNED };

/** What classification puts behind the last block. */
struct head_config {
    int n_labels;         /**< K; 0: the model predicts tokens */
    enum pooling pooling; /**< never POOLING_AUTO where n_labels > 0 */
    enum head_kind kind;
    bool bias; /**< linear: encoders have one, decoders have none; mlp: always */
};

/** Plain data without pointers: it can be sent to other ranks as bytes. */
struct model_config {
    char family[32]; /**< "llama", "bert" */
    int V;           /**< vocabulary */
    int C;           /**< hidden size */
    int L;           /**< layers */
    int Hq;          /**< query heads */
    int Hkv;         /**< key and value heads; divides Hq */
    int D;           /**< head size; even */
    int F;           /**< intermediate size of the MLP */
    int T_max;       /**< positions the model was made for */
    double norm_eps;
    double rope_theta;
    enum rope_scaling_kind rope_scaling;
    double rope_factor, rope_low_freq_factor, rope_high_freq_factor; /**< ROPE_LLAMA3 only */
    int rope_original_positions;                                     /**< ROPE_LLAMA3 only */
    int n_rope_divisors; /**< 0, or D/2: then the plain frequencies are divided by rope_divisor */
    double rope_divisor[MODEL_ROPE_DIVISORS_MAX]; /**< GGUF's rope_freqs.weight; rope_scaling then
                                                       says in llama3's numbers the same */
    bool tied_embeddings;                         /**< the output layer is the embedding matrix */
    bool attention_bias;                          /**< q, k, v and o */
    bool mlp_bias;                                /**< gate, up and down */
    int64_t bos, eos;                             /**< token ids, the first of a list; -1 = none */

    bool is_encoder; /**< every token sees its whole sequence; there is no output layer of tokens */
    bool post_norm;  /**< the residual stream goes on from the norm's output, as in BERT */
    enum norm_kind norm;
    enum activation activation;
    enum position_kind positions;
    int n_types;     /**< rows of the token-type table, of which row 0 is used; 0 = none */
    bool has_pooler; /**< dense + tanh on the first token */
    double hidden_dropout, attention_dropout, classifier_dropout; /**< rates of config.json */
    enum pooling folder_pooling; /**< what the folder's pooling configuration says, else AUTO */
    struct head_config head;     /**< n_labels = 0 after model_config_read */
};

/**
 * What POOLING_AUTO stands for outside mode transfer: the folder's word, else cls for encoders with
 * a pooler, mean for other encoders, last for decoders.
 */
enum pooling model_config_pooling(const struct model_config *config, enum pooling wanted);

/**
 * Reads config.json of a folder, or the metadata of a .gguf file. Absent keys take the defaults of
 * transformers' LlamaConfig. Not collective.
 *
 * @return FT_OK; FT_ERR_INPUT: the message names file and key, and for what is not supported
 *         (architecture, activation, RoPE scaling) its name; FT_ERR_IO
 */
ft_status model_config_read(struct model_config *out, const char *path);

#endif
