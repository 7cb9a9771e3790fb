/* README.md of an exported folder: what it is, from what it was made, how good it is, how to load
 * it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ckpt/checkpoint.h"
#include "export_parts.h"
#include "format/json.h"
#include "train/version.h"

#define METRICS_BYTES_MAX (UINT64_C(1) << 30)

struct card {
    struct buffer text;
    const char *name;
    const struct exported *exported;
    const struct session *session;
    const struct transfer_head *head; /* mode transfer; else NULL */
    const struct weights_found *found;
    struct ckpt_meta meta; /* of a checkpoint */
};

static bool classifies(const struct card *c)
{
    return c->exported->config.head.n_labels > 0;
}

static bool is_modules(const struct card *c)
{
    return classifies(c) && !export_has_class(&c->exported->config);
}

static ft_status put_head(struct card *c)
{
    static const char *const modes[] = {"finetune", "transfer", "last-layers",
                                        "transfer-then-finetune"};
    const struct session *s = c->session;
    FT_TRY(buffer_print(&c->text,
                        "---\n"
                        "library_name: %s\n"
                        "pipeline_tag: %s\n"
                        "tags:\n- finetune\n"
                        "---\n\n"
                        "# %s\n\n"
                        "%s, adapted by %s (mode %s).\n\n",
                        is_modules(c) ? "sentence-transformers" : "transformers",
                        classifies(c) ? "text-classification" : "text-generation", c->name,
                        file_base_name(s->settings->model.path), FT_PROGRAM,
                        modes[s->settings->mode]));
    return buffer_print(&c->text, "| | |\n|---|---|\n| base model | `%s`, content hash `%s` |\n",
                        file_base_name(s->settings->model.path),
                        c->head ? c->head->backbone_hash : c->meta.model_hash);
}

static ft_status put_data(struct card *c)
{
    const struct text_list *train = &c->session->settings->data.train;
    FT_TRY(buffer_print(&c->text, "| training data |"));
    for (int i = 0; i < train->n; i++)
        FT_TRY(
            buffer_print(&c->text, "%s `%s`", i > 0 ? "," : "", file_base_name(train->items[i])));
    return buffer_print(&c->text, "; content hash `%s` |\n",
                        c->head ? c->head->data_hash : c->meta.data_hash);
}

static ft_status put_training(struct card *c)
{
    const struct settings *settings = c->session->settings;
    FT_TRY(buffer_print(&c->text, "| sequence length | %d tokens |\n", settings->data.seq_len));
    if (c->head)
        return buffer_print(&c->text, "| head | on layer %d of the frozen model, L2 %g |\n",
                            c->head->layers[0], c->head->l2);
    if (c->found->step < 0)
        return FT_OK;
    FT_TRY(buffer_print(&c->text,
                        "| weights | after step %lld (%.2f epochs of the training data) |\n"
                        "| optimizer | AdamW, %d sequences a step, learning rate up to %g |\n",
                        (long long)c->meta.step, c->meta.epoch, settings->training.global_batch,
                        settings->training.lr));
    if (c->meta.n_loss > 0)
        FT_TRY(buffer_print(&c->text,
                            "| training loss | %.4f at the first step, %.4f at the last |\n",
                            c->meta.loss[0], c->meta.loss[c->meta.n_loss - 1]));
    return FT_OK;
}

/* One line of metrics.jsonl: of an evaluation after the step whose weights these are. */
static ft_status put_metric_line(struct card *c, const char *line, size_t bytes, const char *path)
{
    static const char *const names[][2] = {{"eval_loss", "loss"},
                                           {"eval_perplexity", "perplexity"},
                                           {"eval_accuracy", "accuracy"},
                                           {"eval_macro_f1", "macro F1"}};
    json_t *json = NULL;
    FT_TRY(json_parse(&json, line, bytes, path));
    ft_status status = FT_OK;
    const json_t *step = json_object_get(json, "step");
    const bool is_meant = json_object_get(json, "eval_loss") && json_is_integer(step) &&
                          json_integer_value(step) == c->found->step;
    for (size_t i = 0; is_meant && i < sizeof names / sizeof *names && status == FT_OK; i++) {
        const json_t *value = json_object_get(json, names[i][0]);
        if (json_is_number(value))
            status = buffer_print(&c->text, "| validation: %s | %.4f |\n", names[i][1],
                                  json_number_value(value));
    }
    json_decref(json);
    return status;
}

static ft_status put_metrics(struct card *c)
{
    char path[FILE_PATH_MAX], *text = NULL;
    size_t bytes = 0;
    FT_TRY(file_join(path, c->session->settings->output.dir, "metrics.jsonl"));
    if (c->found->step < 0 || !file_is_regular(path))
        return FT_OK;
    FT_TRY(file_read_all(&text, &bytes, path, METRICS_BYTES_MAX));
    ft_status status = FT_OK;
    for (char *line = text; *line && status == FT_OK;) {
        const size_t n = strcspn(line, "\n");
        if (memmem(line, n, "\"eval_loss\"", 11))
            status = put_metric_line(c, line, n, path);
        line += n + (line[n] == '\n');
    }
    mem_free(text);
    return status;
}

static ft_status put_labels(struct card *c)
{
    const struct label_names *labels = &c->session->labels;
    if (!classifies(c))
        return FT_OK;
    FT_TRY(buffer_print(&c->text, "| labels | %d |\n", labels->n));
    return FT_OK;
}

static ft_status put_use(struct card *c)
{
    FT_TRY(buffer_print(&c->text, "\n## Use\n\n```python\n"));
    if (is_modules(c))
        FT_TRY(buffer_print(&c->text,
                            "import json\n"
                            "from sentence_transformers import SentenceTransformer\n\n"
                            "model = SentenceTransformer(\"PATH\")\n"
                            "labels = json.load(open(\"PATH/config.json\"))[\"id2label\"]\n"
                            "logits = model.encode([\"some text\"], convert_to_tensor=True)\n"
                            "probabilities = logits.float().softmax(-1)   # one column a label\n"
                            "print(labels[str(probabilities[0].argmax().item())])\n"));
    else if (classifies(c))
        FT_TRY(buffer_print(&c->text,
                            "from transformers import pipeline\n\n"
                            "classify = pipeline(\"text-classification\", model=\"PATH\")\n"
                            "print(classify(\"some text\", truncation=True, top_k=None))\n"));
    else
        FT_TRY(buffer_print(
            &c->text, "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
                      "tokenizer = AutoTokenizer.from_pretrained(\"PATH\")\n"
                      "model = AutoModelForCausalLM.from_pretrained(\"PATH\")\n"
                      "ids = tokenizer(\"Some text\", return_tensors=\"pt\")\n"
                      "print(tokenizer.decode(model.generate(**ids, max_new_tokens=40)[0]))\n"));
    return buffer_print(&c->text, "```\n\n"
                                  "## Licence\n\n"
                                  "The licence of the base model applies to this model too. It is "
                                  "not known to the program\nthat wrote this card, nor is that of "
                                  "the training data: look both up before you pass the\nmodel on, "
                                  "and name them here.\n");
}

static ft_status write_card(struct card *c, const char *folder)
{
    char path[FILE_PATH_MAX];
    FT_TRY(put_head(c));
    FT_TRY(put_data(c));
    FT_TRY(put_labels(c));
    FT_TRY(put_training(c));
    FT_TRY(put_metrics(c));
    FT_TRY(put_use(c));
    FT_TRY(file_join(path, folder, "README.md"));
    return file_replace(path, c->text.data, c->text.used);
}

ft_status model_card_write(const char *folder, const char *name, const struct exported *e,
                           const struct classifier *trained, const struct weights_found *found)
{
    const struct session *s = &trained->session;
    struct card c = {.name = name,
                     .exported = e,
                     .session = s,
                     .head = trained->head.K > 0 ? &trained->head : NULL,
                     .found = found};
    ft_status status = FT_OK;
    if (found->step >= 0)
        status = ckpt_load_meta(s->comm, s->settings->output.dir, found->step, &c.meta);
    if (status == FT_OK)
        status = write_card(&c, folder);
    ckpt_meta_clear(&c.meta);
    buffer_clear(&c.text);
    return status;
}
