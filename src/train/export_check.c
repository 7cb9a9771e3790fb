/* The written model, read by the program's own readers, against the trained one. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "export_parts.h"
#include "format/json.h"
#include "model/convert.h"

enum { ROUND_ELEMENTS = 1024 }; /* a multiple of every block */

/* Differences of logits as shares of the largest one. The written model against the trained one
 * with rounded weights: sums in another order, and RoPE's base and the epsilon of norms, which GGUF
 * keeps in f32. */
static const double SAME = 1e-4;

/* Against the trained model as it is: what rounding may cost. A weight moves by 2^-12 of its size
 * at most in f16, by 2^-9 in bf16, by 2^-8 of its block's largest in Q8_0; over the layers such
 * steps add up like random ones, tenfold at most in the models tried. A model that loses more has
 * weights that the type cannot hold. */
static double tolerance(int type)
{
    switch (type) {
    case GGML_F32:
        return SAME;
    case GGML_F16:
        return 0.01;
    default:
        return 0.1;
    }
}

static int64_t count_logits(const struct exporter *x)
{
    const struct batch *b = &x->prompts.batch;
    const struct model_config *c = &x->exported.config;
    return export_classifies(x) ? (int64_t)b->n_segments * c->head.n_labels
                                : (int64_t)b->n_tokens * c->V;
}

static void ask_trained(struct exporter *x, float *logits)
{
    const struct batch *batch = &x->prompts.batch;
    if (export_classifies(x))
        memcpy(logits, classifier_logits(&x->trained, batch),
               (size_t)count_logits(x) * sizeof *logits);
    else
        model_logits(x->trained.session.model, logits, batch);
}

ft_status export_ask_trained(struct exporter *x)
{
    FT_TRY(prompts_open(&x->prompts, &x->trained.session));
    const int64_t n = count_logits(x);
    FT_TRY(FT_ALLOC(x->expected, n));
    FT_TRY(FT_ALLOC(x->rounded, n));
    FT_TRY(FT_ALLOC(x->got, n));
    ask_trained(x, x->expected);
    return FT_OK;
}

/* Each value becomes what the file says. */
static void round_values(float *values, int64_t n, int type)
{
    unsigned char bytes[ROUND_ELEMENTS * sizeof(float)];
    int64_t elements;
    uint64_t block_bytes;
    ggml_type_block(type, &elements, &block_bytes);
    for (int64_t first = 0; first < n; first += ROUND_ELEMENTS) {
        const int64_t left = n - first, count = left < ROUND_ELEMENTS ? left : ROUND_ELEMENTS;
        (void)ggml_quantize(bytes, values + first, count / elements, type);
        (void)ggml_dequantize(values + first, bytes, count / elements, type);
    }
}

/* In a GGUF file blocks follow the file's rows, which may be the table's columns. */
static ft_status round_for_gguf(float *values, const struct model_config *c,
                                const struct tensor_spec *t, int type)
{
    FT_TRY(model_gguf_order(values, c, t, true));
    round_values(values, t->n, model_gguf_type(c, t, type));
    return model_gguf_order(values, c, t, false);
}

static ft_status round_trained(struct exporter *x)
{
    const struct layout *l = x->exported.layout;
    struct ft_failure failure = FT_NO_FAILURE;
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < l->n_tensors; i++) {
        const struct tensor_spec *t = &l->tensors[i];
        float *values = x->exported.values[i];
        if (x->request->gguf)
            ft_failure_note(&failure, i,
                            round_for_gguf(values, &x->exported.config, t, x->request->type));
        else
            round_values(values, t->n, x->request->type);
    }
    return ft_failure_give(&failure);
}

/* The configuration as the files have it; nothing but the head's size is told. */
static ft_status read_config(struct model_config *c, const struct exporter *x)
{
    const struct model_config *wanted = &x->exported.config;
    FT_TRY(model_config_read(c, x->temporary));
    if (export_classifies(x)) {
        c->head = wanted->head;
        c->head.pooling = model_config_pooling(c, POOLING_AUTO);
    }
    if (c->V != wanted->V || c->head.pooling != wanted->head.pooling)
        return ft_fail(FT_ERR_INTERNAL,
                       "%s describes another model: vocabulary %d, pooling %d in place of %d, %d",
                       x->temporary, c->V, (int)c->head.pooling, wanted->V,
                       (int)wanted->head.pooling);
    return FT_OK;
}

static ft_status ask_written(struct exporter *x, struct model *m)
{
    FT_TRY(model_read_params(m->params, m->layout, &m->config, x->temporary));
    FT_TRY(model_read_head(m->params, m->layout, &m->config, x->temporary));
    if (!export_classifies(x)) {
        model_logits(m, x->got, &x->prompts.batch);
        return FT_OK;
    }
    (void)model_loss(m, &x->prompts.batch);
    memcpy(x->got, model_class_logits(m), (size_t)count_logits(x) * sizeof *x->got);
    return FT_OK;
}

static ft_status check_numbers(const float *logits, int64_t n, const char *whose)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(logits[i]))
            return ft_fail(FT_ERR_INTERNAL, "logit %lld of the %s model is %g", (long long)i, whose,
                           (double)logits[i]);
    return FT_OK;
}

static double largest_difference(const float *a, const float *b, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)a[i] - (double)b[i]));
    return most;
}

static ft_status compare(const struct exporter *x)
{
    struct export_report *r = x->report;
    const char *type = ggml_type_name(x->request->type);
    const int64_t n = r->n_logits = count_logits(x);
    FT_TRY(check_numbers(x->expected, n, "trained"));
    FT_TRY(check_numbers(x->got, n, "written"));
    for (int64_t i = 0; i < n; i++)
        r->largest = fmax(r->largest, fabs((double)x->expected[i]));
    r->difference = largest_difference(x->expected, x->got, n);
    const double wrong = largest_difference(x->rounded, x->got, n);
    if (!(wrong <= SAME * r->largest))
        return ft_fail(FT_ERR_INTERNAL,
                       "the written model is not the trained one: beyond what %s explains its "
                       "logits differ by up to %.3g (largest logit %.3g); nothing was kept",
                       type, wrong, r->largest);
    if (r->difference > tolerance(x->request->type) * r->largest)
        return ft_fail(FT_ERR_INTERNAL,
                       "the weights do not bear %s: the logits of the written model differ by up "
                       "to %.3g (largest logit %.3g); choose a finer type; nothing was kept",
                       type, r->difference, r->largest);
    log_info("read back: the largest of %lld differences of logits is %.3g (largest logit %.3g; "
             "%.1e of it not by rounding to %s)",
             (long long)n, r->difference, r->largest, wrong, type);
    return FT_OK;
}

static ft_status check_tokenizer(const struct exporter *x)
{
    struct tokenizer *t = NULL;
    FT_TRY(tokenizer_open(&t, x->temporary));
    const ft_status status = prompts_check_tokenizer(&x->prompts, t, &x->trained.session);
    tokenizer_close(&t);
    return status;
}

/* The names of the labels, each in its place. */
static ft_status check_labels(const struct exporter *x)
{
    char path[FILE_PATH_MAX];
    json_t *json = NULL;
    const struct label_names *labels = &x->trained.session.labels;
    if (!export_classifies(x))
        return FT_OK;
    FT_TRY(file_join(path, x->temporary, "config.json"));
    FT_TRY(json_read_file(&json, path, 1 << 28));
    const json_t *names = json_object_get(json, "id2label");
    bool is_right = json_object_size(names) == (size_t)labels->n;
    for (int k = 0; k < labels->n && is_right; k++) {
        char key[16];
        (void)snprintf(key, sizeof key, "%d", k);
        const char *name = json_string_value(json_object_get(names, key));
        is_right = name && strcmp(name, labels->names[k]) == 0;
    }
    json_decref(json);
    return is_right ? FT_OK : ft_fail(FT_ERR_INTERNAL, "%s: id2label is not the run's", path);
}

static ft_status read_and_ask(struct exporter *x)
{
    struct model_config config;
    struct model_shape shape;
    struct model *m = NULL;
    FT_TRY(check_tokenizer(x));
    FT_TRY(check_labels(x));
    FT_TRY(read_config(&config, x));
    prompts_shape(&shape, &x->trained.session);
    FT_TRY(model_create(&m, &config, &shape));
    const ft_status status = ask_written(x, m);
    model_destroy(&m);
    return status;
}

ft_status export_check_written(struct exporter *x)
{
    FT_TRY(round_trained(x));
    ask_trained(x, x->rounded);
    model_destroy(&x->trained.session.model);
    FT_TRY(fault_point("export-written"));
    const ft_status status = read_and_ask(x);
    if (status == FT_ERR_INPUT) /* a file of ours, not of the user's */
        return ft_fail_within(FT_ERR_INTERNAL, "what was written cannot be read back");
    return status == FT_OK ? compare(x) : status;
}
