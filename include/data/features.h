/**
 * What the frozen backbone makes of each document: one vector for each block's output and pooling.
 *
 * The backbone runs once per text; its vectors go to an HDF5 cache, so that every later head costs
 * no forward pass. Local: rank 0 alone does this.
 */
#ifndef FT_DATA_FEATURES_H
#define FT_DATA_FEATURES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "config/settings.h"
#include "data/documents.h"
#include "model/config.h"
#include "model/model.h"

/** What is wanted. Borrowed during features_open only. */
struct features_request {
    struct model *model;                  /**< the backbone, made with features_model_shape */
    const struct document_set *documents; /**< at least one */
    const char *what;                     /**< for messages: "training data" */
    const char *cache_dir;                /**< cache_dir/features-KEY; NULL: keep in memory only */
    const char *backbone_hash;            /**< of the model's parameters */
    const char *tokenizer_hash;
    int seq_len;           /**< what documents were cut to [tokens] */
    const char *precision; /**< of the forward pass: "fp32" or "bf16" */
    int layer;             /**< LAYER_AUTO: 1 ... L; LAYER_LAST4; a number, negative from the end */
    enum pooling pooling;  /**< POOLING_AUTO: mean and cls (decoders: mean and last) */
};

struct features;

struct features_stats {
    int64_t n_computed; /**< documents that went through the backbone */
    int64_t n_reused;   /**< documents whose features were in the cache, whole and undamaged */
    int64_t bytes;      /**< of the wanted features */
    double seconds;     /**< wall time of features_open */
};

/**
 * The blocks that a choice of layer needs, first to last, of a model that has L.
 *
 * @param[in] layer as in features_request
 * @return FT_OK; FT_ERR_USAGE: a layer that the model does not have
 */
ft_status features_layers(int *first, int *last, int layer, int L);

/** Batches of features_open: what the model must have room for; seq_len [tokens] of a document. */
void features_model_shape(struct model_shape *shape, int seq_len);

/**
 * Opens the wanted features of all documents; computes those that no cache holds, and says in the
 * log what that takes. The size is known and compared with the free space before the first forward
 * pass. A run that is stopped or killed leaves finished parts, which the next one reuses; damaged
 * parts are made anew, with a warning. The numbers depend on the cache's state in no bit.
 *
 * @param[out] out gives the features (features_close); NULL on failure
 * @return FT_OK; FT_ERR_USAGE: a layer that the model does not have, or more than the memory that
 *         is available (no cache); FT_ERR_IO: more than the disk has free, or it fails;
 *         FT_ERR_OUTPUT: the folder cannot be made; FT_STOPPED when a signal asked for a stop;
 *         FT_ERR_INTERNAL: not finite, out of memory; what reading the documents gives
 */
ft_status features_open(struct features **out, const struct features_request *request);

/** NULL is allowed; sets NULL. */
void features_close(struct features **f);

/** Documents n, and elements C of a vector. */
int64_t features_count(const struct features *f);
int features_width(const struct features *f);

/** Borrowed. */
const struct features_stats *features_stats(const struct features *f);

/** cache_dir/features-KEY; "" without a cache. Borrowed. */
const char *features_folder(const struct features *f);

/**
 * The vectors of one block and pooling in the order of the documents.
 *
 * @param[out] out      (n, C) f32
 * @param[in]  layer    1 ... L
 * @param[in]  pooling  cls, mean or last
 * @return FT_OK; FT_ERR_INTERNAL when they were not wanted; FT_ERR_IO, FT_ERR_INPUT (cache file
 *         changed since features_open)
 */
ft_status features_read(struct features *f, int layer, enum pooling pooling, float *out);

#endif
