/**
 * The head that mode transfer leaves: a small HDF5 file that knows which frozen vectors it takes
 * and of which backbone.
 *
 *     logits = out_weight * tanh(dense_weight * x + dense_bias) + out_bias     mlp
 *     logits = out_weight * x + out_bias                                       linear
 *
 * x: the outputs of `layers` under `pooling`, side by side. Not collective.
 */
#ifndef FT_MODEL_HEAD_FILE_H
#define FT_MODEL_HEAD_FILE_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/hash.h"
#include "config/settings.h"

enum { HEAD_LAYERS_MAX = 4 };

struct transfer_head {
    enum head_kind kind;
    int K;                                 /**< labels */
    int C;                                 /**< elements of one layer's vector */
    int n_layers, layers[HEAD_LAYERS_MAX]; /**< blocks counted from 1, ascending */
    enum pooling pooling;                  /**< cls, mean or last */
    int hidden;                            /**< mlp: rows of dense_weight; else 0 */
    float *dense_weight; /**< (hidden, n_layers * C); NULL for linear; owned as all arrays here */
    float *dense_bias;   /**< (hidden) */
    float *out_weight;   /**< (K, hidden), linear (K, n_layers * C) */
    float *out_bias;     /**< (K) */
    const char **labels; /**< (K) names in order, within label_text */
    struct buffer label_text;
    char backbone_hash[HASH_TEXT], tokenizer_hash[HASH_TEXT];
    char data_hash[HASH_TEXT]; /**< of the training data's files */
    int seq_len;               /**< tokens to which documents were cut */
    enum head_solver solver;
    double l2;        /**< lbfgs */
    double gradient;  /**< lbfgs: largest element of the gradient at the solution */
    char program[64]; /**< version and revision that made it */
};

/**
 * Allocates the arrays for kind, K, C, n_layers and hidden, which are set, and copies the names.
 *
 * @param[in] labels (K)
 */
ft_status transfer_head_allocate(struct transfer_head *head, const char *const *labels);

void transfer_head_clear(struct transfer_head *head);

/** Elements of x. */
int transfer_head_width(const struct transfer_head *head);

/**
 * logits (n, K) of n vectors.
 *
 * @param[in] x       (n, width)
 * @param[in] scratch (n, hidden) for an mlp; else NULL
 */
void transfer_head_apply(float *logits, const struct transfer_head *head, const float *x, int n,
                         float *scratch);

/** Writes the file atomically; equal heads give equal files. FT_ERR_IO. */
ft_status head_file_write(const struct transfer_head *head, const char *path);

/**
 * Reads and checks everything in it.
 *
 * @param[out] out gives the head (transfer_head_clear)
 * @return FT_OK; FT_ERR_INPUT (message: file and what is wrong); FT_ERR_IO
 */
ft_status head_file_read(struct transfer_head *out, const char *path);

/** FT_ERR_INPUT naming both hashes where the head was made for another backbone or tokenizer. */
ft_status head_file_check(const struct transfer_head *head, const char *path,
                          const char *backbone_hash, const char *tokenizer_hash);

#endif
