/* Hugging Face's names of a family's tensors; not for other layers. */
#ifndef FT_MODEL_NAMES_H
#define FT_MODEL_NAMES_H

#include "model/config.h"

enum { TENSOR_NAME = 128 };

/* Name of a role (enum tensor_role) in a layer, -1 outside the blocks. */
void tensor_name(char name[TENSOR_NAME], const struct model_config *c, int role, int layer);

/* What transformers puts before the names of a backbone that sits in a larger model: "model.",
 * "bert."; base models are saved without it. */
const char *tensor_prefix(const struct model_config *c);

#endif
