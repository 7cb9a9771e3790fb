/* What the readers and writers of model files share; not for other layers. */
#ifndef FT_MODEL_MODEL_FILE_H
#define FT_MODEL_MODEL_FILE_H

#include <stdbool.h>

#include "format/json.h"
#include "model/config.h"

#define CONFIG_BYTES_MAX (16 << 20)
#define DROPOUT_MAX 0.99

/* Largest sizes of a model. */
enum {
    V_MAX = 1 << 24,
    C_MAX = 1 << 18,
    L_MAX = 1024,
    H_MAX = 4096,
    F_MAX = 1 << 22,
    T_LIMIT = 1 << 28
};

/* Whether the name ends in .gguf. */
bool model_path_is_gguf(const char *path);

/* A size in [1, max], `absent` where the key is not there. */
ft_status config_get_dim(const json_t *json, const char *key, int max, int absent, int *out);

/* A word that must be the one that is supported, where it is there at all. */
ft_status config_require_word(const json_t *json, const char *key, const char *wanted);

/* What llama3's scaling divides frequency i of a head by; the formula of transformers. */
double config_llama3_divisor(const struct model_config *c, int i);

/* config_bert.c: config.json of a BERT. */
ft_status config_from_bert(struct model_config *c, const json_t *json);

/* Whether the weights of the folder have a pooler: no key says so. */
ft_status config_find_pooler(struct model_config *c, const char *folder);

/* config_pooling.c: folder_pooling from modules.json and the pooling module's config.json. */
ft_status config_read_pooling(struct model_config *c, const char *folder);

#endif
