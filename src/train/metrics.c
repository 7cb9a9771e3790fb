#include "train/metrics.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* Whether the line stays where a run goes on after last_step. */
static bool is_kept(const char *line, int64_t last_step, bool evaluation_due)
{
    const int64_t step = step_of_line(line);
    const char *end = strchr(line, '\n'), *found = strstr(line, "\"eval_loss\"");
    return step < last_step || (step == last_step && !(evaluation_due && found && found < end));
}

static ft_status drop_later_lines(const char *path, int64_t last_step, bool evaluation_due)
{
    char *text = NULL;
    size_t bytes = 0;
    struct buffer kept = {0};
    if (!file_exists(path))
        return FT_OK;
    FT_TRY(file_read_own(&text, &bytes, path, UINT64_C(1) << 34));
    ft_status status = FT_OK;
    for (char *line = text, *end; status == FT_OK && (end = strchr(line, '\n')); line = end + 1)
        if (is_kept(line, last_step, evaluation_due))
            status = buffer_append(&kept, line, (size_t)(end - line) + 1);
    if (status == FT_OK && kept.used != bytes)
        status = file_replace(path, kept.data ? kept.data : "", kept.used);
    buffer_clear(&kept);
    mem_free(text);
    return status;
}

ft_status metrics_open(FILE **out, const char *path, int64_t last_step, bool evaluation_due)
{
    int fd = -1;
    FT_TRY(drop_later_lines(path, last_step, evaluation_due));
    FT_TRY(file_open_append(&fd, path));
    *out = fdopen(fd, "a");
    if (*out)
        return FT_OK;
    const int reason = errno;
    (void)close(fd);
    return ft_fail(FT_ERR_IO, "cannot open %s: %s", path, strerror(reason));
}

static ft_status flushed(FILE *file, int written)
{
    if (written < 0 || fflush(file) != 0)
        return ft_fail(FT_ERR_IO, "cannot write metrics.jsonl: %s", strerror(errno));
    return FT_OK;
}

enum { NUMBER_BYTES = 32 };

/* JSON knows no number that is not finite. */
static const char *number(char text[NUMBER_BYTES], double value)
{
    (void)snprintf(text, NUMBER_BYTES, isfinite(value) ? "%.17g" : "null", value);
    return text;
}

ft_status metrics_write_step(FILE *file, const struct step_metrics *m, const char *samples)
{
    char documents[48] = "", loss[NUMBER_BYTES], norm[NUMBER_BYTES], sigma[NUMBER_BYTES];
    if (m->documents > 0)
        (void)snprintf(documents, sizeof documents, "\"documents\": %lld, ",
                       (long long)m->documents);
    int n = fprintf(file,
                    "{\"step\": %lld, \"epoch\": %.17g, \"loss\": %s, "
                    "\"lr\": %.17g, \"grad_norm\": %s, %s\"tokens\": %lld, "
                    "\"ms\": %.3f, \"tokens_per_s\": %.1f",
                    (long long)m->step, m->epoch, number(loss, m->loss), m->lr,
                    number(norm, m->grad_norm), documents, (long long)m->tokens, 1e3 * m->seconds,
                    (double)m->tokens / m->seconds);
    if (n >= 0 && m->is_spike)
        n = fprintf(file, ", \"spike_sigma\": %s, \"skipped\": %s, \"samples\": %s",
                    number(sigma, m->sigma), m->is_skipped ? "true" : "false", samples);
    if (n >= 0)
        n = fprintf(file, "}\n");
    return flushed(file, n);
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
