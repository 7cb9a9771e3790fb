#include "config/keys.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct settings, member)
#define ANY_SEED 1e19 /* above every int64_t */

static const char word_list_modes[] = "finetune transfer last-layers transfer-then-finetune";
static const char word_list_schedules[] = "constant linear cosine wsd";

const struct key config_keys[] = {
    {"mode", KEY_WORD, AT(mode), "finetune", 0, 0, word_list_modes, 0,
     "what learns; finetune: all weights; transfer: a new head on the frozen model, by rank 0 "
     "alone; last-layers: the last blocks and the head; transfer-then-finetune: first the head, "
     "then all weights"},
    {"task", KEY_WORD, AT(task), "causal-lm", 0, 0, "causal-lm classification instruct", 0,
     "what is learnt; causal-lm: the next token of the text; classification: a label a document; "
     "instruct: the assistant's part of conversations"},
    {"seed", KEY_LONG, AT(seed), "42", 0, ANY_SEED, NULL, 0,
     "decides the order of the data, the validation split, folds, dropout and a new head"},

    {"model.path", KEY_PATH, AT(model.path), "", 0, 0, NULL, KEY_REQUIRED,
     "Hugging Face folder (config.json, *.safetensors, tokenizer.json) or a .gguf file"},
    {"model.precision", KEY_WORD, AT(model.precision), "auto", 0, 0, "auto fp32 bf16", 0,
     "what the large matrix products read: fp32, or bf16 with sums, weights and moments in fp32; "
     "auto: bf16 where all processors have instructions for it (AMX, AVX512-BF16), else fp32"},
    {"model.trainable_layers", KEY_INT, AT(model.trainable_layers), "2", 1, 1024, NULL, 0,
     "mode last-layers: so many of the last blocks learn, with what comes after them"},

    {"data.train", KEY_PATHS, AT(data.train), "", 0, 0, NULL, 0,
     ".jsonl, .csv, .txt, a folder of .txt, or prepared shards; a list of these too"},
    {"data.validation", KEY_PATHS, AT(data.validation), "", 0, 0, NULL, 0,
     "as data.train; decides the best checkpoint and early stopping"},
    {"data.test", KEY_PATHS, AT(data.test), "", 0, 0, NULL, KEY_MAY_DIFFER,
     "as data.train; only the verb evaluate reads it"},
    {"data.validation_fraction", KEY_REAL, AT(data.validation_fraction), "0.0", 0, 1, NULL,
     KEY_BELOW_HIGH,
     "share of the training documents set aside for validation where data.validation is empty"},
    {"data.text_field", KEY_TEXT, AT(data.text_field), "text", 0, 0, NULL, KEY_REQUIRED,
     "key of a JSONL line, or column of a CSV file, that holds the text"},
    {"data.label_field", KEY_TEXT, AT(data.label_field), "label", 0, 0, NULL, KEY_REQUIRED,
     "classification: key of a JSONL line, or column of a CSV file, that holds the label"},
    {"data.cache", KEY_PATH, AT(data.cache), "", 0, 0, NULL, KEY_MAY_DIFFER,
     "folder for token shards and features; \"\" = output.dir/cache; name one to share them "
     "between "
     "runs"},
    {"data.seq_len", KEY_INT, AT(data.seq_len), "512", 1, 1048576, NULL, 0,
     "tokens of a window; classification, instruct: tokens of a document or a conversation, the "
     "rest is cut off; at most the model's positions"},
    {"data.shuffle", KEY_BOOL, AT(data.shuffle), "true", 0, 0, NULL, 0,
     "new order of the windows, documents or conversations in every epoch; false: file order"},
    {"data.max_windows", KEY_LONG, AT(data.max_windows), "0", 0, 1e12, NULL, 0,
     "above 0: use only the first so many windows (classification: documents; instruct: "
     "conversations, or windows where data.packing is on) of each set"},
    {"data.isolate_documents", KEY_BOOL, AT(data.isolate_documents), "false", 0, 0, NULL, 0,
     "no attention across the border of two documents in a window; conversations never see each "
     "other"},
    {"data.chat_template", KEY_TEXT, AT(data.chat_template), "auto", 0, 0, NULL, KEY_REQUIRED,
     "instruct: how messages become text; auto: as the model's own chat template says; or chatml, "
     "qwen2.5, qwen3, llama2, llama3, llama3.1, mistral-v0.1, mistral-v0.2, mistral, mistral-nemo, "
     "gemma, "
     "gemma3, "
     "zephyr, phi3, phi3.5"},
    {"data.train_on", KEY_WORD, AT(data.train_on), "assistant", 0, 0, "assistant all", 0,
     "instruct: which tokens the loss counts; assistant: what the assistant says and the end of "
     "its "
     "turns (of prompt and completion: the completion); all: every token"},
    {"data.packing", KEY_BOOL, AT(data.packing), "false", 0, 0, NULL, 0,
     "instruct: a sequence is a window of data.seq_len tokens that holds as many conversations as "
     "fit; false: a sequence is one conversation"},

    {"training.epochs", KEY_REAL, AT(training.epochs), "1.0", 0, 1e6, NULL,
     KEY_ABOVE_LOW | KEY_MAY_DIFFER, "passes over the training data; a fraction is allowed"},
    {"training.max_steps", KEY_LONG, AT(training.max_steps), "0", 0, 1e9, NULL, KEY_MAY_DIFFER,
     "above 0: optimizer steps of the run, whatever training.epochs says"},
    {"training.micro_batch", KEY_INT, AT(training.micro_batch), "4", 1, 65536, NULL, KEY_MAY_DIFFER,
     "sequences per forward pass on one rank: memory grows with it"},
    {"training.global_batch", KEY_INT, AT(training.global_batch), "32", 1, 16777216, NULL, 0,
     "sequences per optimizer step over all ranks"},
    {"training.lr", KEY_REAL, AT(training.lr), "2e-05", 0, 10, NULL, KEY_ABOVE_LOW,
     "learning rate after warmup"},
    {"training.min_lr", KEY_REAL, AT(training.min_lr), "0.0", 0, 10, NULL, 0,
     "learning rate at the last step of linear, cosine and wsd; at most training.lr"},
    {"training.schedule", KEY_WORD, AT(training.schedule), "cosine", 0, 0, word_list_schedules, 0,
     "course of the learning rate after warmup; wsd: constant, then linear over the last 20 %"},
    {"training.warmup", KEY_REAL, AT(training.warmup), "0.03", 0, 1e9, NULL, 0,
     "steps in which the learning rate rises: below 1 a fraction of all steps, from 1 on a "
     "number of steps"},
    {"training.weight_decay", KEY_REAL, AT(training.weight_decay), "0.1", 0, 10, NULL, 0,
     "decoupled decay of every tensor of two or more dimensions"},
    {"training.beta1", KEY_REAL, AT(training.beta1), "0.9", 0, 1, NULL, KEY_BELOW_HIGH,
     "AdamW: decay of the first moment"},
    {"training.beta2", KEY_REAL, AT(training.beta2), "0.95", 0, 1, NULL, KEY_BELOW_HIGH,
     "AdamW: decay of the second moment"},
    {"training.eps", KEY_REAL, AT(training.eps), "1e-08", 0, 1, NULL, KEY_ABOVE_LOW,
     "AdamW: added to the root of the second moment"},
    {"training.clip", KEY_REAL, AT(training.clip), "1.0", 0, 1e6, NULL, 0,
     "largest L2 norm of the whole gradient; 0 = no clipping"},
    {"training.on_spike", KEY_WORD, AT(training.on_spike), "ignore", 0, 0, "ignore skip stop", 0,
     "a step whose loss jumps, or whose loss or gradient is not finite; ignore: a jump is written "
     "down, what is not finite ends the run; skip: the step makes no update; stop: the run ends"},
    {"training.spike_sigma", KEY_REAL, AT(training.spike_sigma), "6.0", 0, 1e6, NULL, 0,
     "so many standard deviations above the mean of the last 128 losses a loss is a jump; 0: none "
     "is"},
    {"training.recompute", KEY_WORD, AT(training.recompute), "none", 0, 0, "none attention block",
     KEY_MAY_DIFFER,
     "saves memory for time, with the same results; the backward pass computes again: attention: "
     "queries, keys, values and attention; block: everything but each block's input"},
    {"training.eval_every", KEY_LONG, AT(training.eval_every), "0", 0, 1e9, NULL, KEY_MAY_DIFFER,
     "steps between evaluations; 0 = at the end of every epoch, where there is validation data"},
    {"training.patience", KEY_INT, AT(training.patience), "0", 0, 1000000, NULL, KEY_MAY_DIFFER,
     "stop after so many evaluations without a better one; 0 = never"},
    {"training.best_metric", KEY_WORD, AT(training.best_metric), "loss", 0, 0,
     "loss accuracy macro_f1", 0,
     "what on validation decides the best checkpoint, and mode transfer's choices; accuracy and "
     "macro_f1 need task classification"},
    {"training.dropout", KEY_REAL, AT(training.dropout), "auto", 0, 1, "auto", KEY_BELOW_HIGH,
     "auto: the rates of the model folder's config.json in the parts that learn, none in frozen "
     "parts; a number: that rate instead"},
    {"training.label_smoothing", KEY_REAL, AT(training.label_smoothing), "0.0", 0, 1, NULL,
     KEY_BELOW_HIGH, "classification: share of the target spread evenly over all labels"},
    {"training.class_weights", KEY_WORD, AT(training.class_weights), "none", 0, 0, "none balanced",
     0, "classification; balanced: documents / (labels * documents of the label)"},
    {"training.head_lr", KEY_REAL, AT(training.head_lr), "0.0", 0, 10, NULL, 0,
     "classification: learning rate of the new head; 0 = training.lr; where adamw fits the head "
     "alone in mode transfer, 0 = 1e-3"},

    {"transfer.pooling", KEY_WORD, AT(transfer.pooling), "auto", 0, 0, "auto cls mean last", 0,
     "a document's vector; cls: first token, through the model's pooler where it has one; mean; "
     "last: last token; auto: chosen on validation in mode transfer, in the other modes what the "
     "model's folder says"},
    {"transfer.layer", KEY_INT, AT(transfer.layer), "auto", -1024, 1024, "auto last4", 0,
     "mode transfer: the layer whose output is used, from 1, -1 = last; last4: the last four side "
     "by side; auto: chosen on validation, else by 5-fold cross-validation on the training data"},
    {"transfer.head", KEY_WORD, AT(transfer.head), "linear", 0, 0, "linear mlp", 0,
     "classification: the new output layer; mlp: dense, tanh, dense"},
    {"transfer.solver", KEY_WORD, AT(transfer.solver), "lbfgs", 0, 0, "lbfgs adamw", 0,
     "mode transfer, linear head: lbfgs to convergence, or adamw in mini-batches as the mlp head"},
    {"transfer.l2", KEY_REAL, AT(transfer.l2), "auto", 0, 1e6, "auto", 0,
     "lbfgs: half this times the squared weights is added to the mean loss over standardised "
     "features; auto: chosen as transfer.layer"},
    {"transfer.cache", KEY_BOOL, AT(transfer.cache), "true", 0, 0, NULL, 0,
     "keep the frozen model's features in data.cache, so that later runs need no forward pass"},

    {"distributed.zero", KEY_INT, AT(distributed.zero), "1", 0, 1, NULL, KEY_MAY_DIFFER,
     "1: each rank keeps its share of the optimizer's state; 0: every rank keeps all of it"},
    {"distributed.overlap", KEY_BOOL, AT(distributed.overlap), "true", 0, 0, NULL, KEY_MAY_DIFFER,
     "sum gradients over ranks while the backward pass still works on others; false: after it; the "
     "result is the same to the last bit"},
    {"distributed.bucket_mb", KEY_INT, AT(distributed.bucket_mb), "32", 1, 1024, NULL,
     KEY_MAY_DIFFER, "MiB of gradients that are summed and sent at a time"},
    {"distributed.wire", KEY_WORD, AT(distributed.wire), "fp32", 0, 0, "fp32 bf16", KEY_MAY_DIFFER,
     "what gradients are sent as between nodes; bf16 halves the bytes and rounds each node's part "
     "to "
     "8 bits; within a node ranks read each other's memory, and nothing is rounded"},
    {"distributed.watchdog_s", KEY_INT, AT(distributed.watchdog_s), "600", 0, 1000000, NULL,
     KEY_MAY_DIFFER,
     "seconds until a rank that hangs is named and the job ended with code 76; 0 = never"},

    {"checkpoint.every_steps", KEY_LONG, AT(checkpoint.every_steps), "0", 0, 1e9, NULL,
     KEY_MAY_DIFFER, "steps between checkpoints; 0 = by time only"},
    {"checkpoint.every_minutes", KEY_REAL, AT(checkpoint.every_minutes), "30.0", 0, 1e6, NULL,
     KEY_MAY_DIFFER, "minutes between checkpoints; 0 = by steps only; the end always writes one"},
    {"checkpoint.keep", KEY_INT, AT(checkpoint.keep), "2", 2, 1000000, NULL, KEY_MAY_DIFFER,
     "newest checkpoints kept; the best one is kept besides"},

    {"output.dir", KEY_PATH, AT(output.dir), "", 0, 0, NULL, KEY_REQUIRED | KEY_MAY_DIFFER,
     "folder of the run: settings, metrics, checkpoints, final model; resumes what it holds"},
    {.name = NULL},
};

size_t key_section_length(const struct key *key)
{
    const char *dot = strchr(key->name, '.');
    return dot ? (size_t)(dot - key->name) : 0;
}

const struct key *key_find(const char *name)
{
    for (const struct key *key = config_keys; key->name; key++)
        if (strcmp(key->name, name) == 0)
            return key;
    return NULL;
}

bool key_is_section(const char *section)
{
    const size_t length = strlen(section);
    for (const struct key *key = config_keys; key->name; key++)
        if (length > 0 && key_section_length(key) == length &&
            strncmp(key->name, section, length) == 0)
            return true;
    return false;
}

enum { DISTANCE_MAX = 64 };

/* Levenshtein distance of the first DISTANCE_MAX bytes, one row at a time */
static int distance(const char *a, const char *b)
{
    int row[DISTANCE_MAX + 1];
    const int n = (int)strnlen(a, DISTANCE_MAX), m = (int)strnlen(b, DISTANCE_MAX);
    for (int j = 0; j <= m; j++)
        row[j] = j;
    for (int i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            const int replaced = diagonal + (a[i - 1] != b[j - 1]);
            const int shorter = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);
            diagonal = row[j];
            row[j] = replaced < shorter ? replaced : shorter;
        }
    }
    return row[m];
}

/* after the last dot: a right key in a wrong section is nearer than a wrong key in the right one */
static const char *leaf(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

const struct key *key_nearest(const char *name)
{
    const struct key *best = config_keys;
    int least = 1 << 20;
    for (const struct key *key = config_keys; key->name; key++) {
        const int whole = 2 * distance(name, key->name);
        const int part = 2 * distance(leaf(name), leaf(key->name)) + 1;
        const int nearer = whole < part ? whole : part;
        if (nearer < least) {
            least = nearer;
            best = key;
        }
    }
    return best;
}

/* Where a number is expected, a word is stored as a number outside its range. */
static double word_value(const struct key *key, int number)
{
    return key->type == KEY_REAL ? -1.0 - number : (double)INT_MIN + number;
}

bool key_word_value(const struct key *key, const char *word, double *value)
{
    const int number = key->words ? key_word_number(key, word) : -1;
    *value = number < 0 ? 0 : word_value(key, number);
    return number >= 0;
}

int key_word_number(const struct key *key, const char *word)
{
    const size_t length = strlen(word);
    int number = 0;
    for (const char *at = key->words; *at; number++) {
        const size_t n = strcspn(at, " ");
        if (n == length && strncmp(at, word, n) == 0)
            return number;
        at += n + (at[n] == ' ');
    }
    return -1;
}

static ft_status describe_range(const struct key *key, const char *type, struct buffer *out)
{
    if (key->words)
        FT_TRY(
            buffer_print(out, "%s%s, or ", strchr(key->words, ' ') ? "one of " : "", key->words));
    const char *above = key->flags & KEY_ABOVE_LOW ? "above " : "";
    const char *below = key->flags & KEY_BELOW_HIGH ? "below " : "";
    if (key->high >= ANY_SEED)
        return buffer_print(out, "%s, from %.15g", type, key->low);
    return buffer_print(out, "%s, %s%.15g to %s%.15g", type, above, key->low, below, key->high);
}

ft_status key_describe(const struct key *key, struct buffer *out)
{
    switch (key->type) {
    case KEY_BOOL:
        return buffer_print(out, "true or false");
    case KEY_INT:
    case KEY_LONG:
        return describe_range(key, "integer", out);
    case KEY_REAL:
        return describe_range(key, "number", out);
    case KEY_TEXT:
        return buffer_print(out, "text");
    case KEY_PATH:
        return buffer_print(out, "path");
    case KEY_PATHS:
        return buffer_print(out, "path or list of paths");
    default:
        return buffer_print(out, "%s: %s", strchr(key->words, ' ') ? "one of" : "word", key->words);
    }
}

/* shortest decimal text that gives the bits back, and that libconfig takes for a float */
static ft_status format_real(double value, struct buffer *out)
{
    char text[40];
    if (value == floor(value) && fabs(value) < 1e15)
        return buffer_print(out, "%.1f", value);
    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return buffer_print(out, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static ft_status format_text(const char *text, struct buffer *out)
{
    FT_TRY(buffer_append(out, "\"", 1));
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            FT_TRY(buffer_append(out, "\\", 1));
        FT_TRY(buffer_append(out, text, 1));
    }
    return buffer_append(out, "\"", 1);
}

static ft_status format_list(const struct text_list *list, struct buffer *out)
{
    if (list->n == 1)
        return format_text(list->items[0], out);
    FT_TRY(buffer_append(out, "[", 1));
    for (int i = 0; i < list->n; i++) {
        FT_TRY(buffer_print(out, "%s", i ? ", " : ""));
        FT_TRY(format_text(list->items[i], out));
    }
    return buffer_append(out, "]", 1);
}

static ft_status format_word(const struct key *key, int number, struct buffer *out)
{
    const char *at = key->words;
    for (; number > 0; number--)
        at += strcspn(at, " ") + 1;
    return buffer_print(out, "\"%.*s\"", (int)strcspn(at, " "), at);
}

static int count_words(const struct key *key)
{
    int n = 1;
    for (const char *c = key->words; *c; c++)
        n += *c == ' ';
    return n;
}

/* Number of the word that a member of a number's type holds; -1 where it holds a number. */
static int word_in_number(const struct key *key, const void *at)
{
    if (!key->words || (key->type != KEY_REAL && key->type != KEY_INT))
        return -1;
    const double value = key->type == KEY_REAL ? *(const double *)at : *(const int *)at;
    for (int number = 0; number < count_words(key); number++)
        if (value == word_value(key, number))
            return number;
    return -1;
}

ft_status key_format(const struct key *key, const struct settings *s, struct buffer *out)
{
    const void *at = (const char *)s + key->at;
    const int word = word_in_number(key, at);
    if (word >= 0)
        return format_word(key, word, out);
    switch (key->type) {
    case KEY_BOOL:
        return buffer_print(out, "%s", *(const bool *)at ? "true" : "false");
    case KEY_INT:
        return buffer_print(out, "%d", *(const int *)at);
    case KEY_LONG: {
        const int64_t value = *(const int64_t *)at;
        return buffer_print(out, "%lld%s", (long long)value, value > INT32_MAX ? "L" : "");
    }
    case KEY_REAL:
        return format_real(*(const double *)at, out);
    case KEY_TEXT:
    case KEY_PATH:
        return format_text(*(char *const *)at, out);
    case KEY_PATHS:
        return format_list(at, out);
    default:
        return format_word(key, *(const int *)at, out);
    }
}
