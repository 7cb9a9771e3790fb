/** Parameters from and to model files: name maps, shapes checked against the table, export. */
#ifndef FT_MODEL_CONVERT_H
#define FT_MODEL_CONVERT_H

#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "model/config.h"
#include "model/layout.h"

/**
 * Reads all parameters of a model but those of a classification head, which are left as they are:
 * a head in the file is passed over with a line in the log. Not collective: the rank that calls it
 * reads the files.
 *
 * Hugging Face names with or without the family's "model." or "bert." before them; GGUF names,
 * where the rows of Q and K are put back from ggml's order. Missing, unexpected and misshapen
 * tensors and weights that are not finite are errors that name the tensor.
 *
 * @param[out] params (N) f32
 * @param[in]  path   folder, .gguf or .safetensors file
 * @return FT_OK, FT_ERR_INPUT, FT_ERR_IO, FT_ERR_INTERNAL
 */
ft_status model_read_params(float *params, const struct layout *layout,
                            const struct model_config *config, const char *path);

/** The checks of model_read_params on names and shapes alone: headers are read, no tensor is. */
ft_status model_check_params(const struct layout *layout, const struct model_config *config,
                             const char *path);

/**
 * Writes model.safetensors (f32; shards and an index above 5 GB) and config.json, each synced.
 * Tokenizer files are token/'s to write; the caller renames the folder into place. Not collective.
 *
 * transformers loads the folder as LlamaForCausalLM, BertModel, BertForSequenceClassification (cls
 * through the pooler, linear) or LlamaForSequenceClassification (last, linear without bias). For
 * other heads it is a folder of sentence-transformers, whose encode() gives the logits.
 *
 * @param[in] folder      exists
 * @param[in] params      (N) f32
 * @param[in] label_names (K) for id2label; NULL where there is no head
 * @param[in] source_path where the model came from: a folder's ids of special tokens are carried
 * over as they stand; may be NULL
 * @return FT_OK, FT_ERR_IO, FT_ERR_INTERNAL, FT_ERR_INPUT (the source's config.json is unreadable)
 */
ft_status model_write_folder(const char *folder, const struct layout *layout,
                             const struct model_config *config, const float *params,
                             const char *const *label_names, const char *source_path);

/**
 * The weights alone: model.safetensors when they fit shard_bytes, else shards and an index. A
 * tensor is never split.
 */
ft_status model_write_weights(const char *folder, const struct layout *layout, const float *params,
                              int64_t shard_bytes);

/** XXH3-128 over the names and shapes of the table and the bits of params (N): identity of a model.
 */
ft_status model_hash(char text[HASH_TEXT], const struct layout *layout, const float *params);

/**
 * Identity of the model under a head, whatever head or pooling that is: what model_hash gives for
 * the parameters as read from path with config->head.n_labels = 0. Only tensors that the layout
 * lacks for the head's sake (a pooler, an output layer) are read from the files. Not collective.
 *
 * @param[in] params  (N) as model_read_params left them
 * @return as model_read_params
 */
ft_status model_hash_backbone(char text[HASH_TEXT], const struct layout *layout,
                              const float *params, const struct model_config *config,
                              const char *path);

#endif
