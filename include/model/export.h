/**
 * Models into files that other programs read, and heads back from them. Nothing here is collective.
 *
 * A folder is one of transformers where it has a class for the model: ...ForCausalLM, ...Model, and
 * ...ForSequenceClassification (encoder: cls through the pooler, linear; decoder: last, linear
 * without bias). With any other head it is one of sentence-transformers, whose encode() gives the
 * logits.
 */
#ifndef FT_MODEL_EXPORT_H
#define FT_MODEL_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/file.h"
#include "format/gguf_write.h"
#include "model/config.h"
#include "model/layout.h"

#define SHARD_BYTES INT64_C(5000000000) /**< as transformers has it */

/** A model as it is written: its table, and where the values of each tensor are. All borrowed. */
struct model_tensors {
    const struct model_config *config;
    const struct layout *layout;
    const float *const *values; /**< (layout->n_tensors) */
};

/** Gives the places of all tensors of a flat buffer (N): *out (layout->n_tensors), mem_free. */
ft_status model_tensors_of(const float ***out, const struct layout *layout, const float *params);

/** Whether transformers has a class for the configuration's head. */
bool export_has_class(const struct model_config *config);

/** "BertForSequenceClassification" and so on: what config.json names. */
const char *export_class(const struct model_config *config);

/** How a folder is written. */
struct folder_form {
    int type;                       /**< of every tensor: GGML_F32, GGML_F16 or GGML_BF16 */
    int64_t shard_bytes;            /**< of the tensors in one file; a tensor is never split */
    const char *const *label_names; /**< (K) for id2label; NULL where there is no head */
    const char *source_path; /**< where the model came from: a folder's ids of special tokens and
                                  generation_config.json are carried over; may be NULL */
    int seq_len; /**< tokens to which sentence-transformers shall cut texts; 0: not said */
};

/**
 * Writes safetensors (with an index where they are several), config.json, and what else belongs to
 * the kind of folder, each file synced. Tokenizer files are token/'s to write; the caller renames
 * the folder into place.
 *
 * @param[in] folder exists
 * @return FT_OK; FT_ERR_IO; FT_ERR_INTERNAL; FT_ERR_USAGE naming a tensor with a value too large
 *         for the type; FT_ERR_INPUT (the source's config.json is unreadable, a label is no UTF-8)
 */
ft_status model_export_folder(const char *folder, const struct model_tensors *m,
                              const struct folder_form *form);

/** FT_ERR_USAGE, saying what, where a GGUF file cannot hold the model: its family, or a head. */
ft_status model_check_gguf(const struct model_config *config);

/** Type of a tensor in a GGUF file of a type: vectors are F32, and of Q8_0 those matrices F16 whose
 * rows do not divide into blocks. */
int model_gguf_type(const struct model_config *config, const struct tensor_spec *t, int type);

/** x (t->n) from the table's order to that of a GGUF file, in place, or back. */
ft_status model_gguf_order(float *x, const struct model_config *config, const struct tensor_spec *t,
                           bool to_file);

/**
 * Writes a .gguf file as llama.cpp's converter does: tensors in model_gguf_type, Llama's Q and K
 * rows in ggml's order.
 *
 * @param[in,out] w    holds what is to stand in the metadata beside the architecture: general.name,
 *                     the tokenizer; the rest is added here
 * @param[in]     type GGML_F32, GGML_F16, GGML_BF16 or GGML_Q8_0
 * @return as model_export_folder; FT_ERR_USAGE as model_check_gguf
 */
ft_status model_export_gguf(struct gguf_writer *w, const char *path, const struct model_tensors *m,
                            int type);

/**
 * Reads the head of a folder that model_export_folder wrote into its place in params (N);
 * model_read_params passes it over.
 *
 * @return FT_OK; FT_ERR_INPUT (a tensor is missing, misshapen or not finite); FT_ERR_IO
 */
ft_status model_read_head(float *params, const struct layout *layout,
                          const struct model_config *config, const char *folder);

#endif
