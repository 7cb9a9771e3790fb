/* llama.cpp's names of families and tensors, for reading and for writing; not for other layers. */
#ifndef FT_MODEL_GGUF_NAMES_H
#define FT_MODEL_GGUF_NAMES_H

#include <stdbool.h>

#include "model/layout.h"
#include "names.h"

struct gguf_family {
    const char *family;       /* model_type of config.json */
    const char *architecture; /* general.architecture */
    bool pairs_rows; /* rows of Q and K: those that turn together lie side by side (convert.c) */
};

/* NULL where llama.cpp's form of the family is not known here. */
const struct gguf_family *gguf_family_find(const struct model_config *config);

/* Name of a tensor; false where GGUF has none. */
bool gguf_tensor_name(char name[TENSOR_NAME], const struct tensor_spec *t);

#endif
