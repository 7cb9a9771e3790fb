/* model/export_gguf: a model as GGUF is read back as the same model, in every type. */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "format/weights.h"
#include "model/convert.h"
#include "model/export.h"
#include "support/check.h"

#define GOLDEN TESTS_DIR "/golden/"

static char folder[] = "/tmp/ft-export-gguf-XXXXXX";

struct loaded {
    struct model_config config;
    struct layout *layout;
    float *params;
};

static void load(struct loaded *m, const char *path)
{
    *m = (struct loaded){0};
    CHECK_STATUS(model_config_read(&m->config, path), FT_OK);
    CHECK_STATUS(layout_create(&m->layout, &m->config), FT_OK);
    CHECK_STATUS(FT_ALLOC(m->params, m->layout->N), FT_OK);
    CHECK_STATUS(model_read_params(m->params, m->layout, &m->config, path), FT_OK);
}

static void unload(struct loaded *m)
{
    mem_free(m->params);
    layout_destroy(&m->layout);
}

static ft_status write_gguf(const struct loaded *m, const char *path, int type)
{
    struct gguf_writer w = {0};
    const float **values;
    FT_TRY(model_tensors_of(&values, m->layout, m->params));
    const struct model_tensors tensors = {&m->config, m->layout, values};
    ft_status status = gguf_put_text(&w, "general.name", "test");
    if (status == FT_OK)
        status = model_export_gguf(&w, path, &tensors, type);
    gguf_writer_clear(&w);
    mem_free(values);
    return status;
}

/* Largest difference of a tensor's elements, as a share of its largest one. */
static double distance(const struct loaded *a, const struct loaded *b, const struct tensor_spec *t)
{
    double most = 0, difference = 0;
    for (int64_t i = t->offset; i < t->offset + t->n; i++) {
        most = fmax(most, fabs((double)a->params[i]));
        difference = fmax(difference, fabs((double)a->params[i] - (double)b->params[i]));
    }
    return most > 0 ? difference / most : difference;
}

static void check_same(const struct loaded *m, const char *path, int type, double matrices)
{
    struct loaded back;
    load(&back, path);
    CHECK(m->layout->N == back.layout->N && m->config.V == back.config.V &&
          m->config.T_max == back.config.T_max && m->config.D == back.config.D &&
          m->config.tied_embeddings == back.config.tied_embeddings &&
          m->config.attention_bias == back.config.attention_bias &&
          m->config.mlp_bias == back.config.mlp_bias);
    for (int i = 0; i < m->layout->n_tensors && m->layout->N == back.layout->N; i++) {
        const struct tensor_spec *t = &m->layout->tensors[i];
        const double d = distance(m, &back, t);
        if (d > (t->n_dims < 2 ? 0 : matrices) ||
            (d == 0 && type == GGML_Q8_0 && t->n_dims == 2 && t->dims[1] % 32 == 0)) {
            (void)fprintf(stderr, "%s: %s differs by %g\n", path, t->name, d);
            CHECK(0);
        }
    }
    unload(&back);
}

static void check_types(const char *source)
{
    static const struct {
        int type;
        double share; /* half a step of the largest */
    } rows[] = {{GGML_F32, 0}, {GGML_F16, 0x1p-11}, {GGML_BF16, 0x1p-8}, {GGML_Q8_0, 0.0042}};
    char path[FILE_PATH_MAX];
    struct loaded m;
    load(&m, source);
    CHECK_STATUS(file_join(path, folder, "m.gguf"), FT_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_STATUS(write_gguf(&m, path, rows[i].type), FT_OK);
        check_same(&m, path, rows[i].type, rows[i].share);
    }
    unload(&m);
}

/* Bit for bit the tensors that the reference's converter would store. */
static void check_reference(void)
{
    char path[FILE_PATH_MAX];
    struct loaded m;
    struct weights *a = NULL, *b = NULL;
    load(&m, GOLDEN "llama-tiny");
    CHECK_STATUS(file_join(path, folder, "m.gguf"), FT_OK);
    CHECK_STATUS(write_gguf(&m, path, GGML_F32), FT_OK);
    CHECK_STATUS(weights_open(&a, path), FT_OK);
    CHECK_STATUS(weights_open(&b, GOLDEN "gguf/llama-tiny.gguf"), FT_OK);
    CHECK(weights_count(a) == weights_count(b));
    for (int i = 0; a && b && i < weights_count(b); i++) {
        const struct weight_info *info = weights_info(b, i);
        const int index = weights_find(a, info->name);
        char *x = mem_alloc(info->bytes, 1), *y = mem_alloc(info->bytes, 1);
        CHECK(index >= 0);
        CHECK_STATUS(weights_read_raw(a, index, x, info->bytes), FT_OK);
        CHECK_STATUS(weights_read_raw(b, i, y, info->bytes), FT_OK);
        CHECK(memcmp(x, y, info->bytes) == 0);
        mem_free(x);
        mem_free(y);
    }
    weights_close(&a);
    weights_close(&b);
    unload(&m);
}

/* Rows that do not divide into blocks are stored as halves, and vectors as they are. */
static void check_stored_types(void)
{
    char path[FILE_PATH_MAX];
    struct loaded m;
    struct weights *w = NULL;
    load(&m, GOLDEN "llama-tiny"); /* 32 channels, 48 in the MLP */
    CHECK_STATUS(file_join(path, folder, "m.gguf"), FT_OK);
    CHECK_STATUS(write_gguf(&m, path, GGML_Q8_0), FT_OK);
    CHECK_STATUS(weights_open(&w, path), FT_OK);
    CHECK(strcmp(weights_info(w, weights_find(w, "blk.0.ffn_up.weight"))->type_name, "Q8_0") == 0);
    CHECK(strcmp(weights_info(w, weights_find(w, "blk.0.ffn_down.weight"))->type_name, "F16") == 0);
    CHECK(strcmp(weights_info(w, weights_find(w, "output_norm.weight"))->type_name, "F32") == 0);
    weights_close(&w);
    m.params[m.layout->tensors[0].offset + 7] = 7e4f;
    CHECK_FAILS(write_gguf(&m, path, GGML_F16), FT_ERR_USAGE,
                "tensor token_embd.weight holds 70000, and F16 ends at 65504");
    CHECK_STATUS(write_gguf(&m, path, GGML_BF16), FT_OK);
    unload(&m);
}

static void check_refusals(void)
{
    struct model_config c;
    CHECK_STATUS(model_config_read(&c, GOLDEN "heads/bert"), FT_OK);
    CHECK_FAILS(model_check_gguf(&c), FT_ERR_USAGE, "family \"bert\" is not written as GGUF");
    CHECK_STATUS(model_config_read(&c, GOLDEN "llama-tiny"), FT_OK);
    c.head = (struct head_config){2, POOLING_LAST, HEAD_LINEAR, false};
    CHECK_FAILS(model_check_gguf(&c), FT_ERR_USAGE, "no place for the head");
}

/* Of a golden family: the configuration as the file says it, and equal parameters. Orders of rows
 * and columns are undone exactly; Gemma's weights of norms are rounded when 1 is added. */
static void check_family(const char *name)
{
    char source[FILE_PATH_MAX], path[FILE_PATH_MAX];
    struct loaded m, back;
    (void)snprintf(source, sizeof source, GOLDEN "families/%s", name);
    CHECK_STATUS(file_join(path, folder, "family.gguf"), FT_OK);
    load(&m, source);
    if (m.config.norm_shift > 0 || m.config.window > 0) { /* GGUF says no scale and no pattern */
        m.config.attention_scale = 0;
        for (int l = 0; l < m.config.L; l++)
            if (strcmp(m.config.family, "gemma3_text") == 0)
                m.config.local_layers[0] |= UINT64_C(1) << l;
    }
    if (strcmp(name, "qwen2") == 0) /* nor a window of this family */
        m.config.window = 0;
    CHECK_STATUS(write_gguf(&m, path, GGML_F32), FT_OK);
    load(&back, path);
    CHECK(strcmp(back.config.family, m.config.family) == 0 ||
          strcmp(m.config.family, "mistral") == 0);
    CHECK(back.config.rotary == m.config.rotary && back.config.function == m.config.function);
    CHECK(back.config.parallel == m.config.parallel &&
          back.config.tied_embeddings == m.config.tied_embeddings);
    CHECK(back.config.rope.scaling == m.config.rope.scaling);
    CHECK(back.config.norm == m.config.norm && back.layout->N == m.layout->N);
    const double most = m.config.norm_shift > 0 ? 1e-6 : 0;
    for (int i = 0; i < m.layout->n_tensors && back.layout->N == m.layout->N; i++)
        if (distance(&m, &back, &m.layout->tensors[i]) > most) {
            (void)fprintf(stderr, "%s: %s differs\n", name, m.layout->tensors[i].name);
            CHECK(0);
        }
    unload(&back);
    unload(&m);
}

static void test_families(void)
{
    static const char *const names[] = {
        "llama-linear", "llama-yarn", "mistral", "qwen2", "qwen3",    "gemma2",
        "gemma3",       "phi3",       "olmo2",   "gpt2",  "gpt_neox", "gpt_neox-serial"};
    struct loaded m;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        check_family(names[i]);
    load(&m, GOLDEN "families/llama-dynamic");
    CHECK_FAILS(write_gguf(&m, "/tmp/none.gguf", GGML_F32), FT_ERR_USAGE, "dynamic scaling");
    unload(&m);
    load(&m, GOLDEN "families/gemma2");
    CHECK_FAILS(write_gguf(&m, "/tmp/none.gguf", GGML_F32), FT_ERR_USAGE, "the scale of");
    unload(&m);
    load(&m, GOLDEN "families/gemma3");
    m.config.attention_scale = 0;
    CHECK_FAILS(write_gguf(&m, "/tmp/none.gguf", GGML_F32), FT_ERR_USAGE, "layers of this model");
    unload(&m);
    load(&m, GOLDEN "families/roberta");
    CHECK_FAILS(write_gguf(&m, "/tmp/none.gguf", GGML_F32), FT_ERR_USAGE, "\"roberta\"");
    unload(&m);
}

int main(void)
{
    CHECK(mkdtemp(folder) != NULL);
    check_types(GOLDEN "llama-tiny");
    check_types(GOLDEN "llama-tied"); /* biases, llama3's RoPE */
    check_reference();
    check_stored_types();
    check_refusals();
    test_families();
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
    return check_end();
}
