/** Architecture of a model, from config.json or GGUF metadata: every number is in a checked range.
 */
#ifndef FT_MODEL_CONFIG_H
#define FT_MODEL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define MODEL_ROPE_DIVISORS_MAX 256

enum rope_scaling_kind { ROPE_PLAIN, ROPE_LLAMA3 };

/** Plain data without pointers: it can be sent to other ranks as bytes. */
struct model_config {
    char family[32]; /**< "llama" */
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
};

/**
 * Reads config.json of a folder, or the metadata of a .gguf file. Absent keys take the defaults of
 * transformers' LlamaConfig. Not collective.
 *
 * @return FT_OK; FT_ERR_INPUT: the message names file and key, and for what is not supported
 *         (architecture, activation, RoPE scaling) its name; FT_ERR_IO
 */
ft_status model_config_read(struct model_config *out, const char *path);

#endif
