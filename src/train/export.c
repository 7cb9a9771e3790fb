/*
 *     trained model -> logits on the prompts
 *                   -> folder or file beside `out`
 *     rounded       -> logits
 *     released; the written model is read -> logits -> compared -> renamed
 *
 * so that one copy of the parameters is in memory at a time, and what is compared came from the
 * disk. Between the two the trained model's own weights are rounded as the file has them: the
 * written model must give those logits, whatever the rounding costs.
 */
#include "train/export.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "export_parts.h"
#include "train/alone.h"
#include "train/plan.h"
#include "train/run_settings.h"

/* --- where to write --- */

static ft_status check_free(const char *out)
{
    return file_exists(out)
               ? ft_fail(FT_ERR_OUTPUT, "%s exists: name another place, or remove it first", out)
               : FT_OK;
}

/* out without slashes at its end, and a name beside it: of a file one that is known as GGUF. */
static ft_status set_paths(struct exporter *x)
{
    char parent[FILE_PATH_MAX];
    FT_TRY(file_join(x->out, "", x->request->out));
    size_t n = strlen(x->out);
    while (n > 1 && x->out[n - 1] == '/')
        x->out[--n] = '\0';
    const int stem = x->request->gguf ? (int)(n - strlen(".gguf")) : (int)n;
    const int written = snprintf(x->temporary, sizeof x->temporary, "%.*s.tmp%s", stem, x->out,
                                 x->request->gguf ? ".gguf" : "");
    if (written < 0 || written >= FILE_PATH_MAX)
        return ft_fail(FT_ERR_USAGE, "path too long: %.80s...", x->out);
    FT_TRY(check_free(x->out));
    file_folder(parent, x->out);
    return file_make_folders(parent);
}

static ft_status remove_temporary(const struct exporter *x)
{
    if (!x->request->gguf)
        return file_remove_folder(x->temporary);
    if (unlink(x->temporary) != 0 && errno != ENOENT)
        return ft_fail(FT_ERR_IO, "cannot remove %s: %s", x->temporary, strerror(errno));
    return FT_OK;
}

/* What came to be at `out` meanwhile stays. */
static ft_status commit(const struct exporter *x)
{
    char parent[FILE_PATH_MAX];
    FT_TRY(check_free(x->out));
    if (rename(x->temporary, x->out) != 0)
        return ft_fail(FT_ERR_IO, "cannot rename %s to %s: %s", x->temporary, x->out,
                       strerror(errno));
    file_folder(parent, x->out);
    return file_sync(parent);
}

/* --- the trained model --- */

/* Before anything large is read. */
static ft_status check_form(const struct exporter *x)
{
    const struct session *s = &x->trained.session;
    if (!x->request->gguf)
        return FT_OK;
    FT_TRY(model_check_gguf(&s->config));
    return tokenizer_check_gguf(s->tokenizer, x->settings->model.path);
}

static ft_status open_decoder(struct exporter *x, struct comm *solo)
{
    struct session *s = &x->trained.session;
    struct model_shape *shape = &x->trained.shape;
    struct memory_plan plan;
    FT_TRY(session_open_model(s, solo, x->settings));
    FT_TRY(check_form(x));
    prompts_shape(shape, s);
    FT_TRY(memory_plan_of_shape(&plan, solo, x->settings, &s->config, shape));
    FT_TRY(memory_plan_check(&plan, solo));
    FT_TRY(model_create(&s->model, &s->config, shape));
    return run_weights_find(s, &x->request->weights, &x->found);
}

static ft_status open_classifier(struct exporter *x, struct comm *solo)
{
    if (x->request->gguf)
        return ft_fail(FT_ERR_USAGE,
                       "%s is a run of a classification, and GGUF has no place for "
                       "its head; use --format hf",
                       x->request->run_dir);
    return classifier_open_exact(&x->trained, solo, x->settings, &x->request->weights, &x->found);
}

static ft_status open_trained(struct exporter *x, struct comm *solo)
{
    FT_TRY(run_settings_read(&x->settings, x->request->run_dir));
    FT_TRY(export_classifies(x) ? open_classifier(x, solo) : open_decoder(x, solo));
    FT_TRY(exported_open(&x->exported, &x->trained));
    x->report->kind = x->request->gguf ? "GGUF" : export_class(&x->exported.config);
    if (export_classifies(x) && !export_has_class(&x->exported.config))
        x->report->kind = "sentence-transformers";
    return FT_OK;
}

static const char *head_text(const struct model_config *c)
{
    if (c->head.kind == HEAD_MLP)
        return "mlp";
    if (c->is_encoder)
        return c->has_pooler ? "linear" : "linear, no pooler";
    return c->head.bias ? "linear with a bias" : "linear";
}

/* Says which form it is and why. */
static void explain(const struct exporter *x)
{
    static const char *const poolings[] = {"auto", "cls", "mean", "last"};
    const struct model_config *c = &x->exported.config;
    if (!export_classifies(x))
        log_info("writing %s in %s", x->report->kind, ggml_type_name(x->request->type));
    else if (export_has_class(c))
        log_info("writing %s: transformers has this very head (pooling %s, %s)", x->report->kind,
                 poolings[c->head.pooling], head_text(c));
    else
        log_info("writing a folder of sentence-transformers, whose encode() gives the logits: "
                 "transformers has no class with this head (pooling %s, %s)",
                 poolings[c->head.pooling], head_text(c));
}

/* --- writing --- */

ft_status export_write_folder(const char *folder, struct session *s, const struct model_tensors *m,
                              int type)
{
    const int seq_len =
        s->settings->task == RUN_TASK_CLASSIFICATION ? s->settings->data.seq_len : 0;
    const struct folder_form form = {.type = type,
                                     .shard_bytes = SHARD_BYTES,
                                     .label_names = s->labels.names,
                                     .source_path = s->settings->model.path,
                                     .seq_len = seq_len};
    FT_TRY(file_make_folders(folder));
    FT_TRY(model_export_folder(folder, m, &form));
    if (seq_len > 0)
        tokenizer_set_length_max(s->tokenizer, seq_len);
    return tokenizer_write(s->tokenizer, folder);
}

static ft_status write_folder(struct exporter *x)
{
    const struct exported *e = &x->exported;
    const struct model_tensors tensors = {&e->config, e->layout, (const float *const *)e->values};
    FT_TRY(export_write_folder(x->temporary, &x->trained.session, &tensors, x->request->type));
    FT_TRY(model_card_write(x->temporary, file_base_name(x->out), e, &x->trained, &x->found));
    return file_sync(x->temporary);
}

static ft_status put_names(struct gguf_writer *w, const struct exporter *x)
{
    char name[FILE_PATH_MAX];
    const char *base = file_base_name(x->out);
    (void)snprintf(name, sizeof name, "%.*s", (int)(strlen(base) - strlen(".gguf")), base);
    FT_TRY(gguf_put_text(w, "general.name", name));
    FT_TRY(gguf_put_u32(w, "general.base_model.count", 1));
    return gguf_put_text(w, "general.base_model.0.name", file_base_name(x->settings->model.path));
}

static ft_status write_gguf(struct exporter *x)
{
    const struct exported *e = &x->exported;
    const struct model_tensors tensors = {&e->config, e->layout, (const float *const *)e->values};
    struct gguf_writer w = {0};
    ft_status status = put_names(&w, x);
    if (status == FT_OK)
        status = tokenizer_put_gguf(x->trained.session.tokenizer, &w, x->settings->model.path,
                                    e->config.V);
    if (status == FT_OK)
        status = model_export_gguf(&w, x->temporary, &tensors, x->request->type);
    gguf_writer_clear(&w);
    return status;
}

static ft_status write_and_check(struct exporter *x)
{
    char text[FT_ERR_TEXT_MAX];
    FT_TRY(remove_temporary(x)); /* of an export that was killed */
    ft_status status = x->request->gguf ? write_gguf(x) : write_folder(x);
    if (status == FT_OK)
        status = export_check_written(x);
    if (status == FT_OK)
        status = commit(x);
    if (status == FT_OK)
        return FT_OK;
    (void)snprintf(text, sizeof text, "%s", ft_error_text());
    (void)remove_temporary(x);
    return ft_fail(status, "%s", text);
}

static ft_status export_alone(struct exporter *x, struct comm *solo)
{
    FT_TRY(set_paths(x));
    FT_TRY(open_trained(x, solo));
    explain(x);
    FT_TRY(export_ask_trained(x));
    FT_TRY(write_and_check(x));
    log_info("written: %s", x->out);
    return FT_OK;
}

/* On rank 0, in a world of its own: local and collective is the same. */
static ft_status work(struct comm *solo, void *context)
{
    struct exporter *x = context;
    const ft_status status = export_alone(x, solo);
    mem_free(x->expected);
    mem_free(x->rounded);
    mem_free(x->got);
    prompts_close(&x->prompts);
    exported_close(&x->exported);
    classifier_close(&x->trained);
    settings_destroy(&x->settings);
    return status;
}

ft_status export_run(struct comm *comm, const struct export_request *request,
                     struct export_report *report)
{
    struct exporter *x = NULL;
    FT_AGREE(comm, FT_ALLOC(x, 1)); /* paths: too much for a stack */
    *report = (struct export_report){0};
    x->request = request;
    x->report = report;
    const ft_status status = alone_run(comm, work, x);
    mem_free(x);
    return status;
}
