/*
 * The real example encoder: sentence embeddings (mean over the tokens, then normalised, as its
 * modules.json says) of 20 texts packed into one batch against tests/golden/minilm_reference.*.
 */
#include "format/json.h"
#include "model/convert.h"
#include "model/model.h"
#include "support/example_files.h"
#include "support/golden.h"
#include "token/tokenizer.h"

enum { TEXTS = 20, WIDTH = 384, MOST = 1024 };

struct texts {
    int32_t tokens[MOST], positions[MOST], starts[TEXTS + 1];
    struct batch batch;
    int longest;
};

static void read_texts(struct texts *t)
{
    json_t *json;
    CHECK_STATUS(json_read_file(&json, TESTS_DIR "/golden/minilm_reference.json", 1 << 20), FT_OK);
    CHECK(json_array_size(json) == TEXTS);
    int n = 0;
    for (int s = 0; s < TEXTS; s++) {
        const json_t *ids = json_object_get(json_array_get(json, (size_t)s), "ids");
        const int length = (int)json_array_size(ids);
        t->starts[s] = n;
        t->longest = length > t->longest ? length : t->longest;
        for (int i = 0; i < length && n < MOST; i++, n++) {
            t->tokens[n] = (int32_t)json_integer_value(json_array_get(ids, (size_t)i));
            t->positions[n] = i;
        }
    }
    CHECK(n > 100 && n < MOST);
    t->starts[TEXTS] = n;
    t->batch = (struct batch){.n_tokens = n,
                              .n_segments = TEXTS,
                              .tokens = t->tokens,
                              .positions = t->positions,
                              .segment_start = t->starts};
    json_decref(json);
}

/* The texts themselves give those ids. */
static void check_ids(const struct texts *t, const char *path)
{
    json_t *json;
    struct tokenizer *tokenizer = NULL;
    struct token_list ids = {0};
    CHECK_STATUS(json_read_file(&json, TESTS_DIR "/golden/minilm_reference.json", 1 << 20), FT_OK);
    CHECK_STATUS(tokenizer_open(&tokenizer, path), FT_OK);
    for (int s = 0; s < TEXTS; s++) {
        const json_t *text = json_object_get(json_array_get(json, (size_t)s), "text");
        CHECK_STATUS(tokenizer_encode_document(tokenizer, &ids, json_string_value(text),
                                               json_string_length(text), 512, NULL),
                     FT_OK);
    }
    CHECK((int64_t)ids.n == t->batch.n_tokens &&
          memcmp(ids.ids, t->tokens, (size_t)ids.n * sizeof *ids.ids) == 0);
    token_list_clear(&ids);
    tokenizer_close(&tokenizer);
    json_decref(json);
}

struct result {
    const struct model *model;
    const struct batch *batch;
    float vectors[TEXTS * WIDTH];
};

static void see_hidden(void *context, int layer, const float *hidden)
{
    struct result *r = context;
    const struct model_config *c = &r->model->config;
    if (layer == c->L)
        model_pool(r->model, r->vectors, hidden, r->batch, layer,
                   model_config_pooling(c, POOLING_AUTO));
}

static void normalise(float *x)
{
    double square = 0;
    for (int c = 0; c < WIDTH; c++)
        square += (double)x[c] * (double)x[c];
    for (int c = 0; c < WIDTH; c++)
        x[c] = (float)((double)x[c] / sqrt(square));
}

static void check_embeddings(struct model *model)
{
    static struct texts texts;
    static struct result result;
    struct weights *file;
    double worst = 0;
    read_texts(&texts);
    check_ids(&texts, SOURCE_DIR "/models/minilm");
    result.model = model;
    result.batch = &texts.batch;
    CHECK(texts.longest <= model->max_length && texts.batch.n_tokens <= model->max_tokens);
    model_hidden(model, &texts.batch, see_hidden, &result);
    golden_open(&file, TESTS_DIR "/golden", "minilm_reference.safetensors");
    float *expected = golden_read(file, "embeddings", false);
    for (int s = 0; s < TEXTS; s++)
        normalise(result.vectors + (int64_t)s * WIDTH);
    for (int i = 0; expected && i < TEXTS * WIDTH; i++)
        worst = fmax(worst, fabs((double)result.vectors[i] - (double)expected[i]));
    CHECK(expected && worst <= 1e-5);
    (void)fprintf(stderr, "largest difference of an element: %.2g\n", worst);
    mem_free(expected);
    weights_close(&file);
}

int main(void)
{
    const char *path = SOURCE_DIR "/models/minilm";
    struct model_config c;
    struct model *model = NULL;
    const struct model_shape shape = {
        .max_tokens = MOST, .max_length = 128, .max_segments = TEXTS, .trains = false};
    if (!check_example_file(SOURCE_DIR "/models/minilm/model.safetensors"))
        return check_end();
    CHECK_STATUS(model_config_read(&c, path), FT_OK);
    CHECK(strcmp(c.family, "bert") == 0 && c.is_encoder && c.has_pooler && c.n_types == 2);
    CHECK(c.V == 30522 && c.C == WIDTH && c.L == 6 && c.Hq == 12 && c.D == 32 && c.F == 1536);
    CHECK(c.T_max == 512 && c.folder_pooling == POOLING_MEAN && c.classifier_dropout == 0.1);
    CHECK_STATUS(model_create(&model, &c, &shape), FT_OK);
    CHECK(model->layout->N == 22713216);
    CHECK_STATUS(model_read_params(model->params, model->layout, &c, path), FT_OK);
    check_embeddings(model);
    model_destroy(&model);
    return check_end();
}
