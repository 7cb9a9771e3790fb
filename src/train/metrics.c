#include "train/metrics.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/mem.h"

/* Every line starts with {"step": N as this file writes it. */
static int64_t step_of_line(const char *line)
{
    static const char prefix[] = "{\"step\": ";
    if (strncmp(line, prefix, sizeof prefix - 1) != 0)
        return INT64_MAX;
    return strtoll(line + sizeof prefix - 1, NULL, 10);
}

static ft_status drop_later_lines(const char *path, int64_t last_step)
{
    char *text = NULL;
    size_t bytes = 0;
    struct buffer kept = {0};
    if (!file_exists(path))
        return FT_OK;
    FT_TRY(file_read_all(&text, &bytes, path, UINT64_C(1) << 34));
    ft_status status = FT_OK;
    for (char *line = text, *end; status == FT_OK && (end = strchr(line, '\n')); line = end + 1)
        if (step_of_line(line) <= last_step)
            status = buffer_append(&kept, line, (size_t)(end - line) + 1);
    if (status == FT_OK && kept.used != bytes)
        status = file_replace(path, kept.data ? kept.data : "", kept.used);
    buffer_clear(&kept);
    mem_free(text);
    return status;
}

ft_status metrics_open(FILE **out, const char *path, int64_t last_step)
{
    FT_TRY(drop_later_lines(path, last_step));
    *out = fopen(path, "ae");
    if (!*out)
        return ft_fail(FT_ERR_IO, "cannot open %s: %s", path, strerror(errno));
    return FT_OK;
}

static ft_status flushed(FILE *file, int written)
{
    if (written < 0 || fflush(file) != 0)
        return ft_fail(FT_ERR_IO, "cannot write metrics.jsonl: %s", strerror(errno));
    return FT_OK;
}

ft_status metrics_write_step(FILE *file, const struct step_metrics *m)
{
    char documents[48] = "";
    if (m->documents > 0)
        (void)snprintf(documents, sizeof documents, "\"documents\": %lld, ",
                       (long long)m->documents);
    return flushed(file,
                   fprintf(file,
                           "{\"step\": %lld, \"epoch\": %.17g, \"loss\": %.17g, "
                           "\"lr\": %.17g, \"grad_norm\": %.17g, %s\"tokens\": %lld, "
                           "\"ms\": %.3f, \"tokens_per_s\": %.1f}\n",
                           (long long)m->step, m->epoch, m->loss, m->lr, m->grad_norm, documents,
                           (long long)m->tokens, 1e3 * m->seconds, (double)m->tokens / m->seconds));
}

ft_status metrics_write_evaluation(FILE *file, int64_t step, double epoch,
                                   const struct evaluation *e, bool is_classification)
{
    const int n =
        is_classification
            ? fprintf(file,
                      "{\"step\": %lld, \"epoch\": %.17g, \"eval_loss\": %.17g, "
                      "\"eval_accuracy\": %.17g, \"eval_macro_f1\": %.17g, "
                      "\"eval_documents\": %lld}\n",
                      (long long)step, epoch, e->loss, e->accuracy, e->macro_f1, (long long)e->n)
            : fprintf(file,
                      "{\"step\": %lld, \"epoch\": %.17g, \"eval_loss\": %.17g, "
                      "\"eval_perplexity\": %.17g, \"eval_tokens\": %lld}\n",
                      (long long)step, epoch, e->loss, exp(e->loss), (long long)e->n);
    return flushed(file, n);
}

ft_status metrics_close(FILE **file)
{
    if (!*file)
        return FT_OK;
    const int failed = fclose(*file);
    *file = NULL;
    return failed ? ft_fail(FT_ERR_IO, "cannot write metrics.jsonl: %s", strerror(errno)) : FT_OK;
}
