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
    float *params; /**< (N) */
    float *grads;  /**< (N) sums over supervised tokens; NULL for a model that only evaluates */

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

/**
 * Builds a model and takes all its memory; parameters and gradients are zero.
 *
 * @param[out] out        gives the model
 * @param[in]  max_tokens tokens of the largest micro-batch
 * @param[in]  max_length longest sequence
 * @param[in]  trains     with gradients and what the backward pass needs
 * @return FT_OK, FT_ERR_INTERNAL (memory)
 */
ft_status model_create(struct model **out, const struct model_config *config, int max_tokens,
                       int max_length, bool trains);

/** Takes *model (may be NULL), sets NULL. */
void model_destroy(struct model **model);

/** Bytes that model_create would take for activations, exactly, without taking them. */
ft_status model_activation_bytes(int64_t *bytes, const struct model_config *config, int max_tokens,
                                 int max_length, bool trains);

/**
 * Sum of the losses of the batch's supervised tokens [nats].
 *
 * Source of the block: Touvron et al. 2023, section 2.2.
 */
double model_loss(struct model *model, const struct batch *batch);

/** As model_loss, and adds the gradient of that SUM to model->grads. */
double model_loss_backward(struct model *model, const struct batch *batch);

/** Logits of every row: (n_tokens, V). For tests and continuations; training never holds them all.
 */
void model_logits(struct model *model, float *logits, const struct batch *batch);

/** Floating-point operations of one training step over so many tokens in sequences of T. */
double model_step_flops(const struct model_config *config, int64_t n_params, double n_tokens,
                        double T);

#endif
