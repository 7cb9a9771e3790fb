#include "train/run_describe.h"

#include "base/file.h"
#include "ckpt/checkpoint.h"
#include "train/labels_file.h"
#include "train/run_settings.h"

enum { LABELS_SHOWN = 20 };

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
static ft_status print_labels(const struct label_names *labels, FILE *to)
{
    struct buffer text = {0};
    ft_status status = FT_OK;
    for (int k = 0; status == FT_OK && k < labels->n && k < LABELS_SHOWN; k++) {
        status = buffer_print(&text, k > 0 ? ", " : "");
        if (status == FT_OK)
            status = label_print(&text, labels->names[k]);
    }
    if (status == FT_OK)
        (void)fprintf(to, "labels            %d: %s%s\n", labels->n, text.data,
                      labels->n > LABELS_SHOWN ? ", ..." : "");
    buffer_clear(&text);
    return status;
}

static ft_status describe_labels(const char *path, FILE *to)
{
    struct label_names labels = {0};
    FT_TRY(labels_file_read(&labels, path));
    const ft_status status = print_labels(&labels, to);
    label_names_clear(&labels);
    return status;
}

static void print_settings(const struct settings *s, const char *path, FILE *to)
{
    static const char *const modes[] = {"finetune", "transfer", "last-layers",
                                        "transfer-then-finetune"};
    static const char *const tasks[] = {"causal-lm", "classification"};
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
    if (has_entry(path, "labels.json"))
        FT_TRY(describe_labels(path, to));
    if (has_entry(path, "checkpoints"))
        return ckpt_describe(path, to);
    return FT_OK;
}
