#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/signals.h"
#include "cli/verbs.h"
#include "train/classify.h"
#include "train/predict.h"

/* Writes answers as JSON lines. */
struct writer {
    struct buffer names;   /* of the labels as JSON texts, each ended by a zero byte */
    int64_t *first;        /* (K) where each begins */
    double *probabilities; /* (K) */
    struct buffer lines;
};

static ft_status add_name(struct writer *w, int k, const char *name)
{
    json_t *json = json_string(name);
    char *text = json ? json_dumps(json, JSON_ENCODE_ANY) : NULL;
    json_decref(json);
    w->first[k] = (int64_t)w->names.used;
    const ft_status status = text ? buffer_append(&w->names, text, strlen(text) + 1)
                                  : ft_fail(FT_ERR_INTERNAL, "out of memory: names of labels");
    free(text);
    return status;
}

static ft_status writer_open(struct writer *w, const struct label_names *labels)
{
    FT_TRY(FT_ALLOC(w->first, labels->n));
    FT_TRY(FT_ALLOC(w->probabilities, labels->n));
    for (int k = 0; k < labels->n; k++)
        FT_TRY(add_name(w, k, labels->names[k]));
    return FT_OK;
}

static void writer_clear(struct writer *w)
{
    buffer_clear(&w->names);
    buffer_clear(&w->lines);
    mem_free(w->first);
    mem_free(w->probabilities);
}

static const char *name_of(const struct writer *w, int k)
{
    return w->names.data + w->first[k];
}

/* {"label": "a", "probabilities": {"a": 0.9, "b": 0.1}} */
static ft_status add_line(struct writer *w, const float *logits, int K)
{
    class_probabilities(w->probabilities, logits, K);
    FT_TRY(buffer_print(&w->lines, "{\"label\": %s, \"probabilities\": {",
                        name_of(w, class_of_logits(logits, K))));
    for (int k = 0; k < K; k++)
        FT_TRY(buffer_print(&w->lines, "%s%s: %.17g", k > 0 ? ", " : "", name_of(w, k),
                            w->probabilities[k]));
    return buffer_print(&w->lines, "}}\n");
}

/* One JSON line a text. Local. */
static ft_status write_answers(void *context, const struct answers *answers)
{
    static const char no_label[] = "{\"label\": null, \"probabilities\": null}\n";
    struct writer *w = context;
    const int K = answers->labels->n;
    if (!w->first)
        FT_TRY(writer_open(w, answers->labels));
    w->lines.used = 0;
    for (int i = 0; i < answers->n; i++)
        FT_TRY(answers->n_tokens[i] > 0 ? add_line(w, answers->logits + (int64_t)i * K, K)
                                        : buffer_append(&w->lines, no_label, sizeof no_label - 1));
    if (fwrite(w->lines.data, 1, w->lines.used, stdout) != w->lines.used || fflush(stdout) != 0)
        return ft_fail(FT_ERR_IO, "cannot write to standard output");
    return FT_OK;
}

static ft_status check_arguments(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (argv[i][0] == '-' && argv[i][1])
            return ft_fail(FT_ERR_USAGE, "predict knows no option %.80s", argv[i]);
    if (argc < 1 || argc > 2)
        return ft_fail(FT_ERR_USAGE, "usage: finetune predict RUN_DIR [FILE|-]");
    return FT_OK;
}

ft_status verb_predict(struct comm *comm, int argc, char **argv)
{
    struct writer writer = {0};
    signals_watch();
    FT_TRY(check_arguments(argc, argv));
    const ft_status status =
        predict_texts(comm, argv[0], argc > 1 ? argv[1] : NULL, write_answers, &writer);
    writer_clear(&writer);
    return status;
}
