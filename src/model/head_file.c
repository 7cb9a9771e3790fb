/*
 *     /out/weight (K, hidden or width)   /out/bias (K)
 *     /dense/weight (hidden, width)      /dense/bias (hidden)      mlp only
 *     /labels (K) texts
 *     attributes of /: format, kind, layers, pooling, backbone, tokenizer, seq_len, solver, l2,
 *     gradient, program
 *     its seal (format/h5.h)
 */
#include "model/head_file.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "format/h5.h"
#include "math/activation.h"
#include "math/gemm.h"
#include "math/ops.h"

enum { HEAD_K_MAX = 100000, HEAD_WIDTH_MAX = 1 << 20, HEAD_LABEL_MAX = 256 };

static const char format_name[] = "finetune-head-2";
static const char *const kinds[] = {[HEAD_LINEAR] = "linear", [HEAD_MLP] = "mlp"};
static const char *const solvers[] = {[SOLVER_LBFGS] = "lbfgs", [SOLVER_ADAMW] = "adamw"};
static const char *const poolings[] = {[POOLING_AUTO] = "auto",
                                       [POOLING_CLS] = "cls",
                                       [POOLING_MEAN] = "mean",
                                       [POOLING_LAST] = "last"};

int transfer_head_width(const struct transfer_head *head)
{
    return head->n_layers * head->C;
}

/* Elements of a row of out_weight. */
static int out_width(const struct transfer_head *head)
{
    return head->kind == HEAD_MLP ? head->hidden : transfer_head_width(head);
}

static ft_status allocate_weights(struct transfer_head *head)
{
    const int64_t width = transfer_head_width(head);
    if (head->kind == HEAD_MLP) {
        FT_TRY(FT_ALLOC(head->dense_weight, head->hidden * width));
        FT_TRY(FT_ALLOC(head->dense_bias, head->hidden));
    }
    FT_TRY(FT_ALLOC(head->out_weight, (int64_t)head->K * out_width(head)));
    return FT_ALLOC(head->out_bias, head->K);
}

/* Points labels to the K texts, one behind the other, of label_text. */
static ft_status point_labels(struct transfer_head *head)
{
    const char *at = head->label_text.data;
    FT_TRY(FT_ALLOC(head->labels, head->K));
    for (int k = 0; k < head->K; k++, at += strlen(at) + 1)
        head->labels[k] = at;
    return FT_OK;
}

ft_status transfer_head_allocate(struct transfer_head *head, const char *const *labels)
{
    for (int k = 0; k < head->K; k++)
        FT_TRY(buffer_append(&head->label_text, labels[k], strlen(labels[k]) + 1));
    FT_TRY(point_labels(head));
    return allocate_weights(head);
}

void transfer_head_clear(struct transfer_head *head)
{
    mem_free(head->dense_weight);
    mem_free(head->dense_bias);
    mem_free(head->out_weight);
    mem_free(head->out_bias);
    mem_free(head->labels);
    buffer_clear(&head->label_text);
    *head = (struct transfer_head){0};
}

void transfer_head_apply(float *logits, const struct transfer_head *head, const float *x, int n,
                         float *scratch)
{
    const int width = transfer_head_width(head), K = head->K, hidden = head->hidden;
    if (head->kind == HEAD_MLP) {
        gemm_nt(scratch, hidden, x, width, head->dense_weight, width, n, hidden, width, 0.0f);
        bias_forward(scratch, head->dense_bias, n, hidden, ELEM_F32);
        tanh_forward(scratch, scratch, (int64_t)n * hidden);
        x = scratch;
    }
    gemm_nt(logits, K, x, out_width(head), head->out_weight, out_width(head), n, K, out_width(head),
            0.0f);
    bias_forward(logits, head->out_bias, n, K, ELEM_F32);
}

static ft_status write_matrix(struct h5_file *file, const char *group, const float *weight,
                              const float *bias, int64_t rows, int64_t columns)
{
    char name[64];
    const int64_t dims[2] = {rows, columns};
    (void)snprintf(name, sizeof name, "/%s/weight", group);
    FT_TRY(h5_write(file, name, H5_F32, 2, dims, weight));
    (void)snprintf(name, sizeof name, "/%s/bias", group);
    return h5_write(file, name, H5_F32, 1, dims, bias);
}

static ft_status write_attributes(struct h5_file *file, const struct transfer_head *head)
{
    int64_t layers[HEAD_LAYERS_MAX];
    for (int i = 0; i < head->n_layers; i++)
        layers[i] = head->layers[i];
    FT_TRY(h5_put_text(file, "/", "format", format_name));
    FT_TRY(h5_put_text(file, "/", "kind", kinds[head->kind]));
    FT_TRY(h5_put_i64s(file, "/", "layers", layers, head->n_layers));
    FT_TRY(h5_put_text(file, "/", "pooling", poolings[head->pooling]));
    FT_TRY(h5_put_text(file, "/", "backbone", head->backbone_hash));
    FT_TRY(h5_put_text(file, "/", "tokenizer", head->tokenizer_hash));
    FT_TRY(h5_put_text(file, "/", "data", head->data_hash));
    FT_TRY(h5_put_i64(file, "/", "seq_len", head->seq_len));
    FT_TRY(h5_put_text(file, "/", "solver", solvers[head->solver]));
    FT_TRY(h5_put_f64(file, "/", "l2", head->l2));
    FT_TRY(h5_put_f64(file, "/", "gradient", head->gradient));
    return h5_put_text(file, "/", "program", head->program);
}

static ft_status write_all(struct h5_file *file, const struct transfer_head *head)
{
    FT_TRY(write_attributes(file, head));
    FT_TRY(h5_write_texts(file, "/labels", head->K, head->labels));
    if (head->kind == HEAD_MLP)
        FT_TRY(write_matrix(file, "dense", head->dense_weight, head->dense_bias, head->hidden,
                            transfer_head_width(head)));
    return write_matrix(file, "out", head->out_weight, head->out_bias, head->K, out_width(head));
}

static ft_status write_to(const struct transfer_head *head, const char *path)
{
    struct h5_file *file = NULL;
    FT_TRY(h5_create_sealed(&file, path));
    FT_TRY(h5_finish(&file, write_all(file, head)));
    return h5_seal(path);
}

ft_status head_file_write(const struct transfer_head *head, const char *path)
{
    char temporary[FILE_PATH_MAX], folder[FILE_PATH_MAX];
    if (snprintf(temporary, sizeof temporary, "%s.tmp", path) >= (int)sizeof temporary)
        return ft_fail(FT_ERR_USAGE, "path too long: %.80s...", path);
    (void)unlink(temporary); /* of a run that was killed */
    const ft_status status = write_to(head, temporary);
    if (status != FT_OK) {
        (void)unlink(temporary);
        return status;
    }
    if (rename(temporary, path) != 0)
        return ft_fail(FT_ERR_IO, "cannot rename %s to %s: %s", temporary, path, strerror(errno));
    file_folder(folder, path);
    return file_sync(folder);
}

/* Number of the word that an attribute holds. */
static ft_status read_word(int *number, const struct h5_file *file, const char *name,
                           const char *const *words, int first, int n_words)
{
    char *text = NULL;
    FT_TRY(h5_get_text(file, "/", name, &text));
    *number = -1;
    for (int i = first; i < n_words; i++)
        if (strcmp(text, words[i]) == 0)
            *number = i;
    const ft_status status =
        *number >= 0 ? FT_OK : ft_fail(FT_ERR_INPUT, "attribute %s is \"%.40s\"", name, text);
    mem_free(text);
    return status;
}

static ft_status read_text(char *out, size_t room, const struct h5_file *file, const char *name)
{
    char *text = NULL;
    FT_TRY(h5_get_text(file, "/", name, &text));
    const int n = snprintf(out, room, "%s", text);
    mem_free(text);
    return n >= 0 && (size_t)n < room ? FT_OK
                                      : ft_fail(FT_ERR_INPUT, "attribute %s is too long", name);
}

static ft_status read_hash(char out[HASH_TEXT], const struct h5_file *file, const char *name)
{
    FT_TRY(read_text(out, HASH_TEXT, file, name));
    if (strspn(out, "0123456789abcdef") != HASH_TEXT - 1)
        return ft_fail(FT_ERR_INPUT, "attribute %s is not a hash of %d digits", name,
                       HASH_TEXT - 1);
    return FT_OK;
}

static ft_status read_words(struct transfer_head *head, const struct h5_file *file)
{
    int kind, pooling, solver;
    FT_TRY(read_word(&kind, file, "kind", kinds, 0, sizeof kinds / sizeof *kinds));
    FT_TRY(read_word(&pooling, file, "pooling", poolings, POOLING_CLS,
                     sizeof poolings / sizeof *poolings));
    FT_TRY(read_word(&solver, file, "solver", solvers, 0, sizeof solvers / sizeof *solvers));
    head->kind = (enum head_kind)kind;
    head->pooling = (enum pooling)pooling;
    head->solver = (enum head_solver)solver;
    FT_TRY(read_hash(head->backbone_hash, file, "backbone"));
    FT_TRY(read_hash(head->tokenizer_hash, file, "tokenizer"));
    FT_TRY(read_hash(head->data_hash, file, "data"));
    return read_text(head->program, sizeof head->program, file, "program");
}

static ft_status read_numbers(struct transfer_head *head, const struct h5_file *file)
{
    int64_t layers[HEAD_LAYERS_MAX], n_layers = 0, seq_len = 0;
    FT_TRY(h5_get_i64s(file, "/", "layers", layers, HEAD_LAYERS_MAX, &n_layers));
    FT_TRY(h5_get_i64(file, "/", "seq_len", &seq_len));
    FT_TRY(h5_get_f64(file, "/", "l2", &head->l2));
    FT_TRY(h5_get_f64(file, "/", "gradient", &head->gradient));
    if (n_layers < 1 || seq_len < 1 || seq_len > INT32_MAX)
        return ft_fail(FT_ERR_INPUT, "%lld layers, seq_len %lld", (long long)n_layers,
                       (long long)seq_len);
    if (!(head->l2 >= 0.0) || !isfinite(head->l2) || !(head->gradient >= 0.0))
        return ft_fail(FT_ERR_INPUT, "l2 %g, gradient %g", head->l2, head->gradient);
    for (int64_t i = 0; i < n_layers; i++) {
        if (layers[i] < 1 || layers[i] > 1024 || (i > 0 && layers[i] <= layers[i - 1]))
            return ft_fail(FT_ERR_INPUT, "layer %lld is not possible there", (long long)layers[i]);
        head->layers[i] = (int)layers[i];
    }
    head->n_layers = (int)n_layers;
    head->seq_len = (int)seq_len;
    return FT_OK;
}

static ft_status read_shape(int64_t dims[2], const struct h5_file *file, const char *name)
{
    int64_t all[H5_DIMS_MAX];
    int n_dims = 0;
    FT_TRY(h5_dims(file, name, H5_F32, &n_dims, all));
    if (n_dims != 2 || all[0] < 1 || all[0] > HEAD_WIDTH_MAX || all[1] < 1 ||
        all[1] > HEAD_WIDTH_MAX)
        return ft_fail(FT_ERR_INPUT, "%s has not the shape of a matrix of weights", name);
    dims[0] = all[0];
    dims[1] = all[1];
    return FT_OK;
}

/* K, C and hidden from the shapes. */
static ft_status read_shapes(struct transfer_head *head, const struct h5_file *file)
{
    int64_t out[2] = {0, 0}, dense[2] = {0, 0};
    FT_TRY(read_shape(out, file, "/out/weight"));
    if (head->kind == HEAD_MLP)
        FT_TRY(read_shape(dense, file, "/dense/weight"));
    const int64_t width = head->kind == HEAD_MLP ? dense[1] : out[1];
    if (out[0] < 2 || out[0] > HEAD_K_MAX || width % head->n_layers != 0 ||
        (head->kind == HEAD_MLP && out[1] != dense[0]))
        return ft_fail(FT_ERR_INPUT, "shapes of weights that do not fit together");
    head->K = (int)out[0];
    head->C = (int)(width / head->n_layers);
    head->hidden = (int)dense[0];
    return FT_OK;
}

static ft_status check_finite(const float *x, int64_t n, const char *what)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return ft_fail(FT_ERR_INPUT, "%s: element %lld is not finite", what, (long long)i);
    return FT_OK;
}

static ft_status read_array(float *x, const struct h5_file *file, const char *name, int64_t n)
{
    FT_TRY(h5_read(file, name, H5_F32, n, x));
    return check_finite(x, n, name);
}

static ft_status read_weights(struct transfer_head *head, const struct h5_file *file)
{
    FT_TRY(allocate_weights(head));
    if (head->kind == HEAD_MLP) {
        FT_TRY(read_array(head->dense_weight, file, "/dense/weight",
                          (int64_t)head->hidden * transfer_head_width(head)));
        FT_TRY(read_array(head->dense_bias, file, "/dense/bias", head->hidden));
    }
    FT_TRY(read_array(head->out_weight, file, "/out/weight", (int64_t)head->K * out_width(head)));
    return read_array(head->out_bias, file, "/out/bias", head->K);
}

static ft_status read_labels(struct transfer_head *head, const struct h5_file *file)
{
    int64_t n = 0;
    FT_TRY(h5_read_texts(file, "/labels", HEAD_K_MAX, HEAD_LABEL_MAX, &head->label_text, &n));
    if (n != head->K)
        return ft_fail(FT_ERR_INPUT, "%lld labels for %d rows of weights", (long long)n, head->K);
    FT_TRY(point_labels(head));
    for (int k = 1; k < head->K; k++)
        if (strcmp(head->labels[k - 1], head->labels[k]) >= 0)
            return ft_fail(FT_ERR_INPUT, "label %d is out of order or there twice", k);
    return FT_OK;
}

static ft_status read_all(struct transfer_head *head, const struct h5_file *file)
{
    char format[32];
    FT_TRY(read_text(format, sizeof format, file, "format"));
    if (strcmp(format, format_name) != 0)
        return ft_fail(FT_ERR_INPUT, "format \"%s\", this program reads %s", format, format_name);
    FT_TRY(read_words(head, file));
    FT_TRY(read_numbers(head, file));
    FT_TRY(read_shapes(head, file));
    FT_TRY(read_labels(head, file));
    return read_weights(head, file);
}

ft_status head_file_read(struct transfer_head *out, const char *path)
{
    struct h5_file *file = NULL;
    *out = (struct transfer_head){0};
    FT_TRY(h5_open_sealed(&file, path));
    const ft_status status = read_all(out, file);
    (void)h5_close(&file);
    if (status == FT_OK)
        return FT_OK;
    transfer_head_clear(out);
    return ft_fail_within(status, "head file %s", path);
}

ft_status head_file_check(const struct transfer_head *head, const char *path,
                          const char *backbone_hash, const char *tokenizer_hash)
{
    if (strcmp(head->backbone_hash, backbone_hash) != 0)
        return ft_fail(
            FT_ERR_INPUT,
            "%s was made for another model: its backbone has hash %s, model.path has %s; "
            "name the model that it was trained on",
            path, head->backbone_hash, backbone_hash);
    if (strcmp(head->tokenizer_hash, tokenizer_hash) != 0)
        return ft_fail(FT_ERR_INPUT,
                       "%s was made with another tokenizer (hash %s, model.path has %s)", path,
                       head->tokenizer_hash, tokenizer_hash);
    return FT_OK;
}
