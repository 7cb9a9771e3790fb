/* What config.c and convert.c share; not for other modules. */
#ifndef FT_MODEL_MODEL_FILE_H
#define FT_MODEL_MODEL_FILE_H

#include <stdbool.h>

/* Whether the name ends in .gguf. */
bool model_path_is_gguf(const char *path);

#endif
