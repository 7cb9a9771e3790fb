/*
 * Classifiers as folders: for transformers where it has a class for the head, else for
 * sentence-transformers; read back they are the same backbone, and the head stands where it should.
 *
 * Usage: test_export [FOLDER]   keeps the folders in FOLDER, to be loaded by those packages
 */
#include <math.h>
#include <stdlib.h>

#include "base/file.h"
#include "format/json.h"
#include "model/export.h"
#include "support/head_world.h"

static const char *const labels[K] = {"plain", "with \"quotes\"", "zweite Straße"};

/* The tensor `name` of folder/path has the values of the parameters of a role. */
static void check_tensor_file(const struct model *m, const char *folder, const char *path,
                              const char *name, int role)
{
    struct weights *file = NULL;
    const int64_t offset = layout_offset(m->layout, role, -1);
    golden_open(&file, folder, path);
    const int index = weights_find(file, name);
    CHECK(index >= 0 && offset >= 0);
    float *values = golden_read(file, name, false);
    if (values)
        CHECK(memcmp(values, m->params + offset,
                     (size_t)weights_info(file, index)->n_elements * sizeof *values) == 0);
    mem_free(values);
    weights_close(&file);
}

static json_t *read_json(const char *folder, const char *name)
{
    char path[FILE_PATH_MAX];
    json_t *json = NULL;
    CHECK_STATUS(file_join(path, folder, name), FT_OK);
    CHECK_STATUS(json_read_file(&json, path, 1 << 20), FT_OK);
    return json;
}

static void check_config(const char *folder, const char *architecture)
{
    json_t *json = read_json(folder, "config.json");
    const json_t *names = json_object_get(json, "id2label"),
                 *ids = json_object_get(json, "label2id");
    const char *found =
        json_string_value(json_array_get(json_object_get(json, "architectures"), 0));
    CHECK(found && strcmp(found, architecture) == 0);
    for (int i = 0; i < K; i++) {
        const char key[] = {(char)('0' + i), 0};
        const char *name = json_string_value(json_object_get(names, key));
        CHECK(name && strcmp(name, labels[i]) == 0);
        CHECK(json_integer_value(json_object_get(ids, labels[i])) == i);
    }
    json_decref(json);
}

/* The folder as a model: config and backbone as they were. */
static void check_back(const struct world *w, const char *folder)
{
    struct model_config c;
    struct layout *l = NULL;
    const struct model *m = w->model;
    CHECK_STATUS(model_config_read(&c, folder), FT_OK);
    const enum pooling said = c.folder_pooling;
    const bool is_plain = strstr(folder, "bert-cls") || strstr(folder, "llama-last");
    CHECK(said == (is_plain ? POOLING_AUTO : m->config.head.pooling));
    c.head = m->config.head;
    c.folder_pooling = m->config.folder_pooling;
    c.has_pooler = m->config.has_pooler;
    CHECK(memcmp(&c, &m->config, sizeof c) == 0);
    CHECK_STATUS(layout_create(&l, &c), FT_OK);
    float *params = mem_alloc((size_t)l->N, sizeof *params);
    CHECK_STATUS(model_read_params(params, l, &c, folder), FT_OK);
    int64_t n = layout_offset(l, ROLE_HEAD_DENSE, -1);
    n = n < 0 ? layout_offset(l, ROLE_HEAD_OUT, -1) : n;
    CHECK(memcmp(params, m->params, (size_t)n * sizeof *params) == 0);
    mem_free(params);
    layout_destroy(&l);
}

static void export_case(const struct head_case *c, const char *parent)
{
    char folder[FILE_PATH_MAX];
    struct world w;
    struct world_options rates = {
        .hidden = 0.1, .attention = 0.2, .classifier = 0.3}; /* as in the encoder's config.json */
    if (c->name[0] == 'l')
        rates = everything;
    open_world(&w, c, &rates);
    const struct model *m = w.model;
    CHECK_STATUS(file_join(folder, parent, c->name), FT_OK);
    CHECK_STATUS(file_make_folders(folder), FT_OK);
    CHECK_STATUS(model_write_folder(folder, m->layout, &m->config, m->params, labels, c->folder),
                 FT_OK);
    check_back(&w, folder);
    if (strcmp(c->name, "bert-cls") == 0) {
        check_config(folder, "BertForSequenceClassification");
        check_tensor_file(m, folder, "model.safetensors", "classifier.weight", ROLE_HEAD_OUT);
        check_tensor_file(m, folder, "model.safetensors", "bert.pooler.dense.bias",
                          ROLE_POOLER_BIAS);
    } else if (strcmp(c->name, "llama-last") == 0) {
        check_config(folder, "LlamaForSequenceClassification");
        check_tensor_file(m, folder, "model.safetensors", "score.weight", ROLE_HEAD_OUT);
    } else if (strcmp(c->name, "bert-mlp") == 0) {
        check_config(folder, "BertModel");
        check_tensor_file(m, folder, "2_Dense/model.safetensors", "linear.weight", ROLE_HEAD_DENSE);
        check_tensor_file(m, folder, "3_Dense/model.safetensors", "linear.bias",
                          ROLE_HEAD_OUT_BIAS);
        check_tensor_file(m, folder, "model.safetensors", "embeddings.word_embeddings.weight",
                          ROLE_EMBED);
    } else {
        check_config(folder, c->name[0] == 'b' ? "BertModel" : "LlamaModel");
        check_tensor_file(m, folder, "2_Dense/model.safetensors", "linear.weight", ROLE_HEAD_OUT);
    }
    close_world(&w);
}

/* In halves and in several files, which are no longer bit for bit the same; the head is read back
 * too. */
static void export_halves(const struct head_case *c, const char *parent, int type, double share)
{
    char folder[FILE_PATH_MAX];
    struct world w;
    const float **values = NULL;
    float *back = NULL;
    const struct folder_form form = {.type = type,
                                     .shard_bytes = 8000,
                                     .label_names = labels,
                                     .source_path = c->folder,
                                     .seq_len = 17};
    open_world(&w, c, &everything);
    const struct model *m = w.model;
    CHECK_STATUS(file_join(folder, parent, "halves"), FT_OK);
    CHECK_STATUS(file_make_folders(folder), FT_OK);
    CHECK_STATUS(model_tensors_of(&values, m->layout, m->params), FT_OK);
    const struct model_tensors tensors = {&m->config, m->layout, values};
    CHECK_STATUS(model_export_folder(folder, &tensors, &form), FT_OK);
    CHECK_STATUS(FT_ALLOC(back, m->layout->N), FT_OK);
    CHECK_STATUS(model_read_params(back, m->layout, &m->config, folder), FT_OK);
    CHECK_STATUS(model_read_head(back, m->layout, &m->config, folder), FT_OK);
    int n_far = 0, n_same = 0;
    for (int64_t i = 0; i < m->layout->N; i++) {
        n_far += fabs((double)(back[i] - m->params[i])) > share * fabs((double)m->params[i]) + 1e-7;
        n_same += back[i] == m->params[i];
    }
    CHECK(n_far == 0 && (n_same == m->layout->N) == (type == GGML_F32));
    json_t *json = read_json(folder, "config.json");
    const char *dtype = json_string_value(json_object_get(json, "torch_dtype"));
    CHECK(dtype && strcmp(dtype, type == GGML_F32   ? "float32"
                                 : type == GGML_F16 ? "float16"
                                                    : "bfloat16") == 0);
    json_decref(json);
    json = read_json(folder, "model.safetensors.index.json");
    CHECK(json_integer_value(json_object_get(json_object_get(json, "metadata"), "total_size")) >
          10000);
    json_decref(json);
    mem_free(values);
    mem_free(back);
    close_world(&w);
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
}

/* A label that is no text of JSON. */
static void check_bad_label(const char *parent)
{
    static const char *const names[K] = {"a", "b", "\xff"};
    struct world w;
    open_world(&w, &cases[0], &everything);
    CHECK_FAILS(
        model_write_folder(parent, w.model->layout, &w.model->config, w.model->params, names, NULL),
        FT_ERR_INPUT, "is no UTF-8");
    close_world(&w);
}

int main(int argc, char **argv)
{
    char made[] = "/tmp/ft-export-XXXXXX";
    const char *parent = argc > 1 ? argv[1] : mkdtemp(made);
    CHECK(parent != NULL);
    for (int i = 0; i < N_CASES; i++)
        export_case(&cases[i], parent);
    for (int i = 0; i < N_CASES && argc == 1; i++) {
        export_halves(&cases[i], parent, GGML_F32, 0);
        export_halves(&cases[i], parent, GGML_F16, 0x1p-11);
        export_halves(&cases[i], parent, GGML_BF16, 0x1p-8);
    }
    if (argc == 1) {
        check_bad_label(parent);
        CHECK_STATUS(file_remove_folder(parent), FT_OK);
    }
    return check_end();
}
