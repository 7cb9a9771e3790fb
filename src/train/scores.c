#include "train/scores.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/buffer.h"
#include "base/mem.h"
#include "train/columns.h"

enum { NAME_WIDTH_MAX = 32, CELL_NAME_MAX = 12, CELL_MIN = 3, LINE_WIDTH = 100 };

static double ratio(int64_t part, int64_t whole)
{
    return whole ? (double)part / (double)whole : 0.0;
}

double scores_macro_f1(const int64_t *correct, const int64_t *support, const int64_t *predicted,
                       int n_classes)
{
    double sum = 0.0;
    int64_t n = 0;
    for (int k = 0; k < n_classes; k++) {
        sum += ratio(2 * correct[k], support[k] + predicted[k]);
        n += support[k] + predicted[k] > 0;
    }
    return n ? sum / (double)n : 0.0;
}

static void count(struct scores *s, const int32_t *labels, const int32_t *predictions, int64_t n)
{
    const int K = s->n_classes;
    for (int64_t i = 0; i < n; i++) {
        assert(labels[i] >= 0 && labels[i] < K && predictions[i] >= 0 && predictions[i] < K);
        s->classes[labels[i]].support++;
        s->classes[predictions[i]].predicted++;
        s->classes[labels[i]].correct += labels[i] == predictions[i];
        if (s->confusion)
            s->confusion[(int64_t)labels[i] * K + predictions[i]]++;
    }
}

static void score_classes(struct scores *s)
{
    double sum = 0.0;
    int64_t occurring = 0;
    for (int k = 0; k < s->n_classes; k++) {
        struct class_score *c = s->classes + k;
        c->precision = ratio(c->correct, c->predicted);
        c->recall = ratio(c->correct, c->support);
        c->f1 = ratio(2 * c->correct, c->predicted + c->support);
        s->correct += c->correct;
        sum += c->f1;
        occurring += c->predicted + c->support > 0;
    }
    s->accuracy = ratio(s->correct, s->documents);
    s->macro_f1 = occurring ? sum / (double)occurring : 0.0;
}

ft_status scores_of(struct scores *out, const int32_t *labels, const int32_t *predictions,
                    int64_t n, int n_classes)
{
    *out = (struct scores){.n_classes = n_classes, .documents = n};
    if (n == 0)
        return ft_fail(FT_ERR_INPUT, "no documents to score: the evaluated set is empty");
    FT_TRY(FT_ALLOC(out->classes, n_classes));
    if (n_classes <= SCORES_MATRIX_CLASSES)
        FT_TRY(FT_ALLOC(out->confusion, (int64_t)n_classes * n_classes));
    count(out, labels, predictions, n);
    score_classes(out);
    return FT_OK;
}

void scores_clear(struct scores *scores)
{
    FT_FREE(scores->confusion);
    FT_FREE(scores->classes);
}

/* A class's name, or its number from 0 written into scratch. */
static const char *name_of(const char *const *names, int k, char scratch[16])
{
    if (names)
        return names[k];
    (void)snprintf(scratch, 16, "%d", k);
    return scratch;
}

static int widest_name(const struct scores *s, const char *const *names, int min, int max)
{
    char scratch[16];
    int width = min;
    for (int k = 0; k < s->n_classes && width < max; k++) {
        const int w = columns_width(name_of(names, k, scratch));
        width = w > width ? w : width;
    }
    return width < max ? width : max;
}

static ft_status put_classes(struct buffer *out, const struct scores *s, const char *const *names)
{
    const int width = widest_name(s, names, 5, NAME_WIDTH_MAX);
    char scratch[16];
    FT_TRY(columns_put(out, "class", width, false));
    FT_TRY(buffer_print(out, "  precision  recall      F1  documents  predicted\n"));
    for (int k = 0; k < s->n_classes; k++) {
        const struct class_score *c = s->classes + k;
        FT_TRY(columns_put(out, name_of(names, k, scratch), width, false));
        FT_TRY(buffer_print(out, "  %9.4f  %6.4f  %6.4f  %9lld  %9lld\n", c->precision, c->recall,
                            c->f1, (long long)c->support, (long long)c->predicted));
    }
    return FT_OK;
}

/* How the confusion matrix is laid out: width of the row names and of a cell, and whether the
 * classes go by number. */
struct matrix_layout {
    int name, cell;
    bool numbered;
};

static struct matrix_layout lay_out_matrix(const struct scores *s, const char *const *names)
{
    struct matrix_layout m = {.name = widest_name(s, names, 5, NAME_WIDTH_MAX)};
    int64_t most = 0;
    for (int64_t i = 0; i < (int64_t)s->n_classes * s->n_classes; i++)
        most = s->confusion[i] > most ? s->confusion[i] : most;
    const int digits = snprintf(NULL, 0, "%lld", (long long)most);
    m.cell = widest_name(s, names, digits > CELL_MIN ? digits : CELL_MIN,
                         digits > CELL_NAME_MAX ? digits : CELL_NAME_MAX);
    m.numbered = names && m.name + s->n_classes * (m.cell + 2) > LINE_WIDTH;
    if (m.numbered)
        m.cell = digits > CELL_MIN ? digits : CELL_MIN;
    return m;
}

static ft_status put_row_name(struct buffer *out, const struct matrix_layout *m, const char *name,
                              int number)
{
    if (m->numbered && number >= 0)
        FT_TRY(buffer_print(out, "%3d ", number));
    else if (m->numbered)
        FT_TRY(buffer_print(out, "    "));
    return columns_put(out, name, m->name, false);
}

static ft_status put_matrix(struct buffer *out, const struct scores *s, const char *const *names)
{
    const struct matrix_layout m = lay_out_matrix(s, names);
    const int K = s->n_classes;
    char scratch[16];
    FT_TRY(buffer_print(out, "\nconfusion matrix, row: true class, column: predicted class\n"));
    FT_TRY(put_row_name(out, &m, "", -1));
    for (int k = 0; k < K; k++) {
        FT_TRY(buffer_print(out, "  "));
        FT_TRY(columns_put(out, name_of(m.numbered ? NULL : names, k, scratch), m.cell, true));
    }
    for (int row = 0; row < K; row++) {
        FT_TRY(buffer_print(out, "\n"));
        FT_TRY(put_row_name(out, &m, name_of(names, row, scratch), row));
        for (int k = 0; k < K; k++)
            FT_TRY(buffer_print(out, "  %*lld", m.cell,
                                (long long)s->confusion[(int64_t)row * K + k]));
    }
    return buffer_print(out, "\n");
}

static ft_status put_all(struct buffer *out, const struct scores *s, const char *const *names)
{
    const int K = s->n_classes;
    FT_TRY(buffer_print(out, "accuracy %.4f (%lld of %lld documents), macro F1 %.4f\n\n",
                        s->accuracy, (long long)s->correct, (long long)s->documents, s->macro_f1));
    if (!s->confusion)
        return buffer_print(out, "%d classes: their scores are in the JSON output\n", K);
    FT_TRY(put_classes(out, s, names));
    if (K <= SCORES_PRINT_CLASSES)
        return put_matrix(out, s, names);
    return buffer_print(
        out, "\nconfusion matrix: %d x %d, too large to print, see the JSON output\n", K, K);
}

ft_status scores_print(FILE *file, const struct scores *scores, const char *const *names)
{
    struct buffer text = {0};
    ft_status status = put_all(&text, scores, names);
    if (status == FT_OK && (fputs(text.data, file) < 0 || fflush(file) != 0))
        status = ft_fail(FT_ERR_IO, "cannot write the table of scores: %s", strerror(errno));
    buffer_clear(&text);
    return status;
}

/* Takes part into array; false when either is missing (out of memory, not finite, not UTF-8). */
static bool append(json_t *array, json_t *part)
{
    return json_array_append_new(array, part) == 0;
}

static json_t *confusion_json(const struct scores *s)
{
    const int64_t K = s->n_classes;
    json_t *rows = json_array();
    bool ok = rows != NULL;
    for (int64_t row = 0; row < K && ok; row++) {
        json_t *cells = json_array();
        for (int64_t k = 0; k < K && ok; k++)
            ok = append(cells, json_integer(s->confusion[row * K + k]));
        ok = append(rows, cells) && ok;
    }
    if (ok)
        return rows;
    json_decref(rows);
    return NULL;
}

static json_t *classes_json(const struct scores *s, const char *const *names)
{
    json_t *array = json_array();
    bool ok = array != NULL;
    for (int k = 0; k < s->n_classes && ok; k++) {
        const struct class_score *c = s->classes + k;
        ok = append(array, json_pack("{s:s, s:f, s:f, s:f, s:I}", "label", names[k], "precision",
                                     c->precision, "recall", c->recall, "f1", c->f1, "support",
                                     (json_int_t)c->support));
    }
    if (ok)
        return array;
    json_decref(array);
    return NULL;
}

static json_t *names_json(const char *const *names, int n)
{
    json_t *array = json_array();
    bool ok = array != NULL;
    for (int k = 0; k < n && ok; k++)
        ok = append(array, json_string(names[k]));
    if (ok)
        return array;
    json_decref(array);
    return NULL;
}

/* Takes part into object; false as for append. */
static bool put(json_t *object, const char *key, json_t *part)
{
    return json_object_set_new(object, key, part) == 0;
}

ft_status scores_to_json(json_t **out, const struct scores *scores, double loss,
                         const char *const *names)
{
    *out = NULL;
    if (!isfinite(loss))
        return ft_fail(FT_ERR_INTERNAL, "the loss of the evaluation is not finite");
    json_t *json =
        json_pack("{s:f, s:f, s:f, s:I}", "loss", loss, "accuracy", scores->accuracy, "macro_f1",
                  scores->macro_f1, "documents", (json_int_t)scores->documents);
    if (put(json, "labels", names_json(names, scores->n_classes)) &&
        (!scores->confusion || put(json, "confusion", confusion_json(scores))) &&
        put(json, "per_class", classes_json(scores, names))) {
        *out = json;
        return FT_OK;
    }
    json_decref(json);
    return ft_fail(FT_ERR_INTERNAL, "cannot build the result of the evaluation: a label is not "
                                    "UTF-8, or memory is exhausted");
}
