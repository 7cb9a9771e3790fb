/* What the writers of model folders share; not for other layers. */
#ifndef FT_MODEL_EXPORT_PRIVATE_H
#define FT_MODEL_EXPORT_PRIVATE_H

#include "base/buffer.h"
#include "format/json.h"
#include "model/export.h"

/* One of the dense modules behind the pooling in a folder of sentence-transformers. */
struct dense_module {
    int weight_role;      /* its bias, where there is one, is the next role */
    const char *function; /* PyTorch's class of what follows */
};

enum { DENSE_MODULES_MAX = 3 };

/* Which there are, in their order: [pooler] [dense of the mlp] output layer. Gives their number. */
int export_list_denses(struct dense_module out[DENSE_MODULES_MAX], const struct layout *l,
                       const struct model_config *c);

/* "folder/2_Dense" and so on. */
ft_status export_dense_folder(char out[FILE_PATH_MAX], const char *folder, int index);

/* The first tensor with this role; NULL where there is none. */
const struct tensor_spec *export_find_role(const struct layout *l, int role);

/* config.json of the folder that a model came from; *out stays NULL where it came from none. Gives
 * *out (json_decref). */
ft_status export_source_config(json_t **out, const char *source_path);

/* An id as the source has it (it may be a list), else ours, else null: a line of an object. */
ft_status export_print_id(struct buffer *b, const char *key, const json_t *source, int64_t id);

/* export_config.c: config.json. */
ft_status export_config(const char *folder, const struct model_config *c,
                        const struct folder_form *form);

/* export_generation.c: generation_config.json. */
ft_status export_generation(const char *folder, const struct model_config *c,
                            const struct folder_form *form);

/* export.c: one file of tensors, values (n) side by side with them. */
ft_status export_tensors(const char *folder, const char *name, const struct tensor_spec *tensors,
                         const float *const *values, int n, int type);

/* export.c: all tensors of a table, in as many files as form says. */
ft_status export_weights(const char *folder, const struct layout *layout,
                         const float *const *values, const struct folder_form *form);

/* export_modules.c: backbone, pooling and dense layers as sentence-transformers loads them. */
ft_status export_modules(const char *folder, const struct model_tensors *m,
                         const struct folder_form *form);

#endif
