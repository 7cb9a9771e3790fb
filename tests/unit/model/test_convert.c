/* model/layout and model/convert: the tensor table, import from all forms, export and back. */
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "format/weights.h"
#include "model/convert.h"
#include "support/check.h"

#define GOLDEN TESTS_DIR "/golden/"

struct loaded {
    struct model_config config;
    struct layout *layout;
    float *params;
};

static ft_status load(struct loaded *m, const char *path)
{
    *m = (struct loaded){0};
    FT_TRY(model_config_read(&m->config, path));
    FT_TRY(layout_create(&m->layout, &m->config));
    FT_TRY(FT_ALLOC(m->params, m->layout->N));
    return model_read_params(m->params, m->layout, &m->config, path);
}

static void unload(struct loaded *m)
{
    layout_destroy(&m->layout);
    FT_FREE(m->params);
}

static int same_params(const struct loaded *a, const struct loaded *b)
{
    return a->layout && b->layout && a->layout->N == b->layout->N &&
           memcmp(a->params, b->params, (size_t)a->layout->N * sizeof *a->params) == 0;
}

static void test_layout(void)
{
    struct model_config c = {.family = "llama",
                             .pre_norms = true,
                             .gated = true,
                             .V = 11,
                             .C = 6,
                             .E = 6,
                             .L = 2,
                             .Hq = 2,
                             .Hkv = 1,
                             .D = 4,
                             .F = 5,
                             .attention_bias = true,
                             .output_bias = true,
                             .mlp_bias = true};
    struct layout *l = NULL;
    CHECK_STATUS(layout_create(&l, &c), FT_OK);
    int64_t end = 0;
    for (int i = 0; i < l->n_tensors; i++) {
        const struct tensor_spec *t = &l->tensors[i];
        CHECK(t->offset == end && t->n == t->dims[0] * t->dims[1] && t->decays == (t->n_dims == 2));
        CHECK(layout_find(l, t->name) == i && layout_offset(l, t->role, t->layer) == t->offset);
        end += t->n;
    }
    CHECK(end == l->N && l->n_tensors == 2 * 16 + 3);
    const int64_t q = layout_offset(l, ROLE_Q, 1), gate = layout_offset(l, ROLE_GATE, 1);
    CHECK(layout_offset(l, ROLE_K, 1) == q + 48 && layout_offset(l, ROLE_V, 1) == q + 48 + 24);
    CHECK(layout_offset(l, ROLE_UP, 1) == gate + 30);
    CHECK(layout_offset(l, ROLE_V_BIAS, 1) == layout_offset(l, ROLE_Q_BIAS, 1) + 8 + 4);
    CHECK(strcmp(l->tensors[layout_find(l, "lm_head.weight")].name, "lm_head.weight") == 0);
    layout_destroy(&l);
    c.tied_embeddings = true;
    c.attention_bias = c.output_bias = c.mlp_bias = false;
    CHECK_STATUS(layout_create(&l, &c), FT_OK);
    CHECK(l->n_tensors == 2 + 2 * 9 && layout_offset(l, ROLE_LM_HEAD, -1) == -1);
    layout_destroy(&l);
    c = (struct model_config){.family = "llama",
                              .V = 1 << 24,
                              .C = 1 << 18,
                              .E = 1 << 18,
                              .L = 1,
                              .Hq = 1,
                              .Hkv = 1,
                              .D = 2,
                              .F = 1};
    CHECK_STATUS(layout_create(&l, &c), FT_OK); /* the largest of each: still counted */
    layout_destroy(&l);
}

/* The rows of an encoder with a head: names as transformers has them, what learns is a suffix. */
static void test_encoder_layout(void)
{
    struct model_config c;
    struct layout *l = NULL, *suffix = NULL;
    CHECK_STATUS(model_config_read(&c, GOLDEN "heads/bert"), FT_OK);
    CHECK(c.has_pooler && c.attention_dropout == 0.2 && c.classifier_dropout == 0.3);
    c.head = (struct head_config){3, POOLING_CLS, HEAD_LINEAR, true};
    CHECK_STATUS(layout_create(&l, &c), FT_OK);
    CHECK(l->n_tensors == 5 + 2 * 16 + 2 + 2 && l->tensors[0].role == ROLE_EMBED);
    const int norm = layout_find(l, "bert.encoder.layer.0.output.LayerNorm.bias");
    CHECK(norm >= 0 && l->tensors[norm].role == ROLE_ATTN_NORM_BIAS && l->tensors[norm].layer == 1);
    CHECK(layout_find(l, "bert.embeddings.LayerNorm.weight") == 3);
    CHECK(l->tensors[layout_find(l, "bert.encoder.layer.1.output.LayerNorm.weight")].role ==
          ROLE_FINAL_NORM);
    CHECK(layout_find(l, "classifier.bias") == l->n_tensors - 1);
    CHECK(layout_trainable_from(l, &c, 0) == 0);
    CHECK(layout_trainable_from(l, &c, 1) == layout_offset(l, ROLE_Q, 1));
    CHECK(layout_trainable_from(l, &c, 9) == layout_offset(l, ROLE_Q, 0));
    const int64_t from = layout_trainable_from(l, &c, 1);
    CHECK_STATUS(layout_suffix(&suffix, l, from), FT_OK);
    CHECK(suffix->N == l->N - from && suffix->tensors[0].offset == 0);
    CHECK(strcmp(suffix->tensors[0].name, "bert.encoder.layer.1.attention.self.query.weight") == 0);
    CHECK(layout_offset(suffix, ROLE_HEAD_OUT, -1) == layout_offset(l, ROLE_HEAD_OUT, -1) - from);
    layout_destroy(&suffix);
    layout_destroy(&l);
    c.head = (struct head_config){3, POOLING_MEAN, HEAD_MLP, false};
    CHECK_STATUS(layout_create(&l, &c), FT_OK);
    CHECK(layout_find(l, "bert.pooler.dense.weight") == -1);
    CHECK(layout_find(l, "classifier.out_proj.bias") == l->n_tensors - 1);
    layout_destroy(&l);
}

/* With "bert." and the tensors of pretraining, or without: the same model. */
static void test_encoder_import(void)
{
    struct loaded plain, prefixed, headed;
    char a[HASH_TEXT], b[HASH_TEXT];
    CHECK_STATUS(load(&plain, GOLDEN "heads/bert"), FT_OK);
    CHECK_STATUS(load(&prefixed, GOLDEN "heads/bert-prefixed"), FT_OK);
    CHECK(same_params(&plain, &prefixed));
    CHECK_STATUS(model_hash(a, plain.layout, plain.params), FT_OK);
    headed = prefixed;
    headed.config.head = (struct head_config){3, POOLING_MEAN, HEAD_LINEAR, true};
    CHECK_STATUS(layout_create(&headed.layout, &headed.config), FT_OK);
    CHECK_STATUS(FT_ALLOC(headed.params, headed.layout->N), FT_OK);
    headed.params[headed.layout->N - 1] = 7;
    CHECK_STATUS(model_read_params(headed.params, headed.layout, &headed.config,
                                   GOLDEN "heads/bert-prefixed"),
                 FT_OK);
    CHECK(headed.params[headed.layout->N - 1] == 7); /* left as it was */
    CHECK(memcmp(headed.params, plain.params, 1000 * sizeof(float)) == 0);
    CHECK_STATUS(model_hash_backbone(b, headed.layout, headed.params, &headed.config,
                                     GOLDEN "heads/bert-prefixed"),
                 FT_OK);
    CHECK(strcmp(a, b) == 0);
    unload(&headed);
    unload(&prefixed);
    unload(&plain);
}

static void test_import(void)
{
    struct loaded folder, gguf, tied, sharded;
    char a[HASH_TEXT], b[HASH_TEXT];
    CHECK_STATUS(load(&folder, GOLDEN "llama-tiny"), FT_OK);
    CHECK_STATUS(load(&gguf, GOLDEN "gguf/llama-tiny.gguf"), FT_OK);
    CHECK(same_params(&folder, &gguf)); /* the permutation of Q and K is undone */
    CHECK_STATUS(model_hash(a, folder.layout, folder.params), FT_OK);
    CHECK_STATUS(model_hash(b, gguf.layout, gguf.params), FT_OK);
    CHECK(strcmp(a, b) == 0);
    gguf.params[5] += 1;
    CHECK_STATUS(model_hash(b, gguf.layout, gguf.params), FT_OK);
    CHECK(strcmp(a, b) != 0);
    CHECK_STATUS(load(&tied, GOLDEN "llama-tied"), FT_OK);
    CHECK_STATUS(load(&sharded, GOLDEN "llama-sharded"), FT_OK);
    CHECK(same_params(&tied, &sharded));
    unload(&folder);
    unload(&gguf);
    unload(&tied);
    unload(&sharded);
}

/* Values against the file itself, not through convert. */
static void test_values(void)
{
    struct loaded m;
    struct weights *w = NULL;
    float x[2048];
    CHECK_STATUS(load(&m, GOLDEN "llama-tiny"), FT_OK);
    CHECK_STATUS(weights_open(&w, GOLDEN "llama-tiny"), FT_OK);
    const char *name = "model.layers.2.self_attn.k_proj.weight";
    const int index = weights_find(w, name), at = layout_find(m.layout, name);
    CHECK(index >= 0 && at >= 0 && weights_info(w, index)->n_elements == 512);
    CHECK_STATUS(weights_read_f32(w, index, x), FT_OK);
    CHECK(memcmp(x, m.params + m.layout->tensors[at].offset, 512 * sizeof *x) == 0);
    weights_close(&w);
    unload(&m);
}

static void check_export(const char *source, int64_t shard_bytes)
{
    char folder[] = "/tmp/ft-convert-XXXXXX";
    struct loaded m, back;
    CHECK(mkdtemp(folder) != NULL);
    CHECK_STATUS(load(&m, source), FT_OK);
    CHECK_STATUS(model_write_folder(folder, m.layout, &m.config, m.params, NULL, source), FT_OK);
    if (shard_bytes) {
        char path[FILE_PATH_MAX];
        CHECK_STATUS(file_join(path, folder, "model.safetensors"), FT_OK);
        CHECK(unlink(path) == 0);
        CHECK_STATUS(model_write_weights(folder, m.layout, m.params, shard_bytes), FT_OK);
        CHECK(!file_exists(path));
    }
    CHECK_STATUS(load(&back, folder), FT_OK);
    CHECK(same_params(&m, &back));
    CHECK(memcmp(&m.config, &back.config, sizeof m.config) == 0);
    unload(&m);
    unload(&back);
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
}

/* A tensor that is written in several chunks, and a model that comes from no folder. */
static void test_large_export(void)
{
    char folder[] = "/tmp/ft-convert-XXXXXX";
    struct loaded m = {.config = {.family = "llama",
                                  .pre_norms = true,
                                  .gated = true,
                                  .head_function = FUNCTION_TANH,
                                  .rotary = 8,
                                  .V = 5000,
                                  .C = 64,
                                  .E = 64,
                                  .L = 1,
                                  .Hq = 2,
                                  .Hkv = 1,
                                  .D = 8,
                                  .F = 16,
                                  .T_max = 32,
                                  .norm_eps = 1e-5,
                                  .rope.theta = 10000.5,
                                  .tied_embeddings = true,
                                  .bos = -1,
                                  .eos = 4999}};
    struct loaded back;
    CHECK(mkdtemp(folder) != NULL);
    CHECK_STATUS(layout_create(&m.layout, &m.config), FT_OK);
    CHECK_STATUS(FT_ALLOC(m.params, m.layout->N), FT_OK);
    for (int64_t i = 0; i < m.layout->N; i++)
        m.params[i] = (float)i;
    CHECK_STATUS(model_write_folder(folder, m.layout, &m.config, m.params, NULL, NULL), FT_OK);
    CHECK_STATUS(load(&back, folder), FT_OK);
    CHECK(same_params(&m, &back));
    CHECK(memcmp(&m.config, &back.config, sizeof m.config) == 0);
    unload(&m);
    unload(&back);
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
}

/* What does not fit the table is named. */
static void test_misfits(void)
{
    struct loaded m;
    struct layout *other = NULL;
    CHECK_STATUS(load(&m, GOLDEN "llama-tiny"), FT_OK);
    struct model_config c = m.config;
    c.L = 2;
    CHECK_STATUS(layout_create(&other, &c), FT_OK);
    CHECK_FAILS(model_read_params(m.params, other, &c, GOLDEN "llama-tiny"), FT_ERR_INPUT,
                "tensor model.layers.2.input_layernorm.weight is not part of");
    layout_destroy(&other);
    c = m.config;
    c.attention_bias = c.output_bias = true;
    CHECK_STATUS(layout_create(&other, &c), FT_OK);
    FT_FREE(m.params);
    CHECK_STATUS(FT_ALLOC(m.params, other->N), FT_OK);
    CHECK_FAILS(model_read_params(m.params, other, &c, GOLDEN "llama-tiny"), FT_ERR_INPUT,
                "tensor model.layers.0.self_attn.q_proj.bias is missing");
    layout_destroy(&other);
    c = m.config;
    c.V = 273;
    CHECK_STATUS(layout_create(&other, &c), FT_OK);
    CHECK_FAILS(model_read_params(m.params, other, &c, GOLDEN "llama-tiny"), FT_ERR_INPUT,
                "tensor model.embed_tokens.weight has 2 dimensions (272, 32)");
    layout_destroy(&other);
    unload(&m);
}

/* Replaces the one place in a file where a number stands. */
static void patch_number(const char *folder, float from, float to)
{
    char path[FILE_PATH_MAX], *data = NULL;
    size_t bytes = 0;
    CHECK_STATUS(file_join(path, folder, "model.safetensors"), FT_OK);
    CHECK_STATUS(file_read_all(&data, &bytes, path, 1 << 24), FT_OK);
    char *at = memmem(data, bytes, &from, sizeof from);
    CHECK(at != NULL);
    if (at)
        memcpy(at, &to, sizeof to);
    CHECK_STATUS(file_replace(path, data, bytes), FT_OK);
    mem_free(data);
}

/* An infinite weight is found and named, by the reader and by the writer. */
static void test_not_finite(void)
{
    char folder[] = "/tmp/ft-convert-XXXXXX";
    struct loaded m, back;
    CHECK(mkdtemp(folder) != NULL);
    CHECK_STATUS(load(&m, GOLDEN "llama-tiny"), FT_OK);
    const struct tensor_spec *t = &m.layout->tensors[layout_find(m.layout, "model.norm.weight")];
    m.params[t->offset + 3] = 12345.678f;
    CHECK_STATUS(model_write_folder(folder, m.layout, &m.config, m.params, NULL, NULL), FT_OK);
    patch_number(folder, 12345.678f, -INFINITY);
    CHECK_FAILS(load(&back, folder), FT_ERR_INPUT, "model.norm.weight: element 3 is not finite");
    m.params[t->offset + 3] = NAN;
    CHECK_FAILS(model_write_folder(folder, m.layout, &m.config, m.params, NULL, NULL),
                FT_ERR_INTERNAL, "tensor model.norm.weight holds nan");
    unload(&m);
    unload(&back);
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
}

int main(void)
{
    test_layout();
    test_encoder_layout();
    test_import();
    test_encoder_import();
    test_values();
    check_export(GOLDEN "llama-tiny", 0);
    check_export(GOLDEN "llama-tied", 0);
    check_export(GOLDEN "llama-tied", 30000);
    check_export(GOLDEN "llama-tied", 1);
    test_large_export();
    test_misfits();
    test_not_finite();
    return check_end();
}
