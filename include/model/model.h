/**
 * A decoder: parameters, gradients, and the forward and backward pass over one packed micro-batch.
 *
 * Local: links no MPI. All memory is taken in model_create; the passes allocate nothing.
 */
#ifndef FT_MODEL_MODEL_H
#define FT_MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "model/batch.h"
#include "model/config.h"
#include "model/layout.h"

/** What is kept of one block for its backward pass; rows are tokens. */
struct block_acts {
    float *x;       /**< (n, C) input */
    float *rstd1;   /**< (n) */
    float *qkv;     /**< (n, (Hq + 2 Hkv) * D) rotated queries and keys, values */
    float *att;     /**< (n, Hq * D) attention output */
    float *lse;     /**< (n, Hq) */
    float *x_mid;   /**< (n, C) after attention */
    float *rstd2;   /**< (n) */
    float *gate_up; /**< (n, 2F) */
};

/** Element offsets of one block's tensors in the flat buffer; -1 = the model has none. */
struct block_offsets {
    int64_t attn_norm, qkv, qkv_bias, o, o_bias, mlp_norm, gate_up, gate_up_bias, down, down_bias;
};

struct model {
    struct model_config config;
    struct layout *layout;
    float *params;            /**< (N) */
    int64_t trainable_from;   /**< 0 when everything learns */
    int first_layer;          /**< first block that learns */
    struct layout *trainable; /**< the tensors from there on */
    float *grads; /**< (trainable->N) of the trainable part; sums over supervised tokens; NULL for a
                       model that only evaluates */
    const float *class_weights; /**< (K) borrowed, or NULL: all 1; set by the caller */
    float label_smoothing;      /**< classification; set by the caller */

    int max_tokens;                /**< largest batch */
    int max_length;                /**< longest sequence */
    struct block_offsets *offsets; /**< (L) */
    int64_t embed, final_norm, lm_head;

    struct arena memory;     /**< everything below */
    struct block_acts *acts; /**< (L); when only evaluating all blocks share one */
    float *x_last;           /**< (max_tokens, C) output of the last block */
    float *rstd_last;        /**< (max_tokens) */
    float *h;                /**< (max_tokens, C) normed rows */
    float *delta;            /**< (max_tokens, C) what a half block adds */
    float *act;              /**< (max_tokens, F) */
    float *logits;           /**< (LM_CHUNK, V) */
    float *losses;           /**< (max_tokens) */
    float *cosine, *sine;    /**< (max_length, D/2) */
    float *attention;        /**< tile scratch */
    float *dx, *dh, *datt, *dqkv, *dact, *dgate_up, *dkv; /**< backward only */
};

/** Logits exist for so many rows at a time. */
enum { LM_CHUNK = 512 };

/** How large a model's batches may be, and what of it learns. */
struct model_shape {
    int max_tokens;       /**< of the largest micro-batch */
    int max_length;       /**< of the longest sequence */
    int max_segments;     /**< sequences of a micro-batch */
    bool trains;          /**< with gradients and what the backward pass needs */
    int trainable_layers; /**< the last so many blocks and what follows them; 0 = everything */
};

/**
 * Builds a model and takes all its memory; parameters and gradients are zero.
 *
 * @param[out] out gives the model
 * @return FT_OK, FT_ERR_INTERNAL (memory)
 */
ft_status model_create(struct model **out, const struct model_config *config,
                       const struct model_shape *shape);

/** Takes *model (may be NULL), sets NULL. */
void model_destroy(struct model **model);

/** Bytes that model_create would take for activations, exactly, without taking them. */
ft_status model_activation_bytes(int64_t *bytes, const struct model_config *config,
                                 const struct model_shape *shape);

/**
 * Sum of the losses of the batch's supervised tokens [nats], or of its documents in classification
 * (each times its class weight). No dropout.
 *
 * Source of the block: Touvron et al. 2023, section 2.2; Devlin et al. 2018.
 */
double model_loss(struct model *model, const struct batch *batch);

/** Classification: (n_segments, K) logits of the last batch that went through model_loss. Borrowed
 * until the next pass. */
const float *model_class_logits(const struct model *model);

/** As model_loss, and adds the gradient of that SUM to model->grads. With dropout at the rates of
 * the configuration, keyed by batch->dropout_key, in the parts that learn. */
double model_loss_backward(struct model *model, const struct batch *batch);

/** Logits of every row: (n_tokens, V). For tests and continuations; training never holds them all.
 */
void model_logits(struct model *model, float *logits, const struct batch *batch);

/** Sees the output of block `layer` (from 1) as transformers' hidden_states[layer]: (n_tokens, C).
 */
typedef void model_visitor(void *context, int layer, const float *hidden);

/** Runs the blocks alone and shows each one's output to visit. */
void model_hidden(struct model *model, const struct batch *batch, model_visitor *visit,
                  void *context);

/**
 * One vector a segment: out (n_segments, C) from hidden (n_tokens, C) of a block. POOLING_CLS on
 * the last layer goes through the model's pooler where it has one.
 */
void model_pool(const struct model *model, float *out, const float *hidden,
                const struct batch *batch, int layer, enum pooling pooling);

/** Floating-point operations of one training step over so many tokens in sequences of T. */
double model_step_flops(const struct model_config *config, int64_t n_params, double n_tokens,
                        double T);

#endif
