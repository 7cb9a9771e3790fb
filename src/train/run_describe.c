#include "train/run_describe.h"

#include <string.h>

#include "base/file.h"
#include "ckpt/checkpoint.h"
#include "model/head_file.h"
#include "train/labels_file.h"
#include "train/run_settings.h"

enum { LABELS_SHOWN = 20 };

static const char *const poolings[] = {"auto", "cls", "mean", "last"};

static bool has_entry(const char *folder, const char *name)
{
    char path[FILE_PATH_MAX];
    return file_join(path, folder, name) == FT_OK && file_exists(path);
}

bool run_recognises(const char *path)
{
    return file_is_folder(path) && has_entry(path, "resolved.cfg");
}

/* "2: "negative", "positive"", the first of them where they are many. */
static ft_status print_labels(const char *const *names, int n, FILE *to)
{
    struct buffer text = {0};
    ft_status status = FT_OK;
    for (int k = 0; status == FT_OK && k < n && k < LABELS_SHOWN; k++) {
        status = buffer_print(&text, k > 0 ? ", " : "");
        if (status == FT_OK)
            status = label_print(&text, names[k]);
    }
    if (status == FT_OK)
        (void)fprintf(to, "labels            %d: %s%s\n", n, text.data,
                      n > LABELS_SHOWN ? ", ..." : "");
    buffer_clear(&text);
    return status;
}

static ft_status describe_labels(const char *path, FILE *to)
{
    struct label_names labels = {0};
    FT_TRY(labels_file_read(&labels, path));
    const ft_status status = print_labels(labels.names, labels.n, to);
    label_names_clear(&labels);
    return status;
}

bool head_recognises(const char *path)
{
    return file_is_regular(path) && strcmp(file_base_name(path), "head.h5") == 0;
}

static ft_status print_head(const struct transfer_head *head, FILE *to)
{
    FT_TRY(print_labels(head->labels, head->K, to));
    (void)fprintf(to, "head              %s on layer%s", head->kind == HEAD_MLP ? "mlp" : "linear",
                  head->n_layers > 1 ? "s" : "");
    for (int i = 0; i < head->n_layers; i++)
        (void)fprintf(to, " %d", head->layers[i]);
    (void)fprintf(to, ", %d channels each\npooling           %s\n", head->C,
                  poolings[head->pooling]);
    if (head->kind == HEAD_MLP)
        (void)fprintf(to, "hidden            %d\n", head->hidden);
    if (head->solver == SOLVER_LBFGS)
        (void)fprintf(to, "fitted by         lbfgs, l2 %g, gradient %.2g\n", head->l2,
                      head->gradient);
    else
        (void)fprintf(to, "fitted by         adamw\n");
    (void)fprintf(to, "sequence length   %d\nbackbone          hash %s\n", head->seq_len,
                  head->backbone_hash);
    (void)fprintf(to, "tokenizer         hash %s\nmade by           %s\n", head->tokenizer_hash,
                  head->program);
    return FT_OK;
}

ft_status head_describe(const char *path, FILE *to)
{
    struct transfer_head head = {0};
    FT_TRY(head_file_read(&head, path));
    (void)fprintf(to, "%s: head of mode transfer\n", path);
    const ft_status status = print_head(&head, to);
    transfer_head_clear(&head);
    return status;
}

static void print_settings(const struct settings *s, const char *path, FILE *to)
{
    static const char *const modes[] = {"finetune", "transfer", "last-layers",
                                        "transfer-then-finetune"};
    static const char *const tasks[] = {"causal-lm", "classification", "instruct"};
    (void)fprintf(to, "%s: run, mode %s, task %s\n", path, modes[s->mode], tasks[s->task]);
    (void)fprintf(to, "model             %s\n", s->model.path);
    (void)fprintf(to, "sequence length   %d\n", s->data.seq_len);
}

ft_status run_describe(const char *path, FILE *to)
{
    struct settings *settings = NULL;
    FT_TRY(run_settings_read(&settings, path));
    print_settings(settings, path, to);
    settings_destroy(&settings);
    if (has_entry(path, "head.h5")) {
        char head[FILE_PATH_MAX];
        FT_TRY(file_join(head, path, "head.h5"));
        FT_TRY(head_describe(head, to));
    }
    if (has_entry(path, "labels.json"))
        FT_TRY(describe_labels(path, to));
    if (has_entry(path, "checkpoints"))
        return ckpt_describe(path, to);
    return FT_OK;
}
