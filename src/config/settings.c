/*
 * Defaults are texts in the table and go through the same parser as overrides; the file is scanned,
 * parsed by libconfig, and walked setting by setting, so that an unknown name cannot hide.
 * Overrides come last. What concerns more than one key is checked once, on the result.
 */
#include "config/settings.h"

#include <errno.h>
#include <libconfig.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "config/assign.h"
#include "config/keys.h"
#include "config/methods.h"
#include "config/scan.h"

static ft_status set_defaults(struct settings *s)
{
    const struct origin from = {.name = "default", .folder = "/"};
    for (const struct key *key = config_keys; key->name; key++)
        if (!(key->flags & KEY_REQUIRED) || *key->default_text)
            FT_TRY(assign_text(s, key, key->default_text, &from));
    return FT_OK;
}

static ft_status refuse_unknown(const struct origin *from, const char *name)
{
    char place[32] = "";
    if (from->line > 0)
        (void)snprintf(place, sizeof place, ":%d", from->line);
    if (key_is_section(name))
        return ft_fail(FT_ERR_USAGE, "%s%s: %s is a group of keys: write %s: { ... };", from->name,
                       place, name, name);
    return ft_fail(FT_ERR_USAGE,
                   "%s%s: unknown key %.80s; the nearest known one is %s (finetune --help-config "
                   "lists all)",
                   from->name, place, name, key_nearest(name)->name);
}

static ft_status read_setting(struct settings *s, const char *section,
                              const config_setting_t *setting, struct origin *from)
{
    char name[256];
    from->line = (int)config_setting_source_line(setting);
    (void)snprintf(name, sizeof name, "%s%s%s", section, *section ? "." : "",
                   config_setting_name(setting));
    const struct key *key = key_find(name);
    return key ? assign_setting(s, key, setting, from) : refuse_unknown(from, name);
}

static ft_status read_group(struct settings *s, const config_setting_t *group, struct origin *from)
{
    const char *section = config_setting_is_root(group) ? "" : config_setting_name(group);
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        if (!*section && config_setting_is_group(setting) &&
            strcmp(config_setting_name(setting), "compare") == 0)
            FT_TRY(methods_read(s, setting, from));
        else if (!*section && config_setting_is_group(setting) &&
                 key_is_section(config_setting_name(setting)))
            FT_TRY(read_group(s, setting, from));
        else
            FT_TRY(read_setting(s, section, setting, from));
    }
    return FT_OK;
}

static ft_status read_text(struct settings *s, const char *text, size_t bytes, struct origin *from)
{
    config_t config;
    ft_status status;
    if (bytes > SETTINGS_TEXT_MAX)
        return ft_fail(FT_ERR_USAGE, "%s: %zu bytes; a configuration has at most %d", from->name,
                       bytes, SETTINGS_TEXT_MAX);
    FT_TRY(scan_text(text, bytes, from->name));
    config_init(&config);
    if (config_read_string(&config, text))
        status = read_group(s, config_root_setting(&config), from);
    else
        status = ft_fail(FT_ERR_USAGE, "%s:%d: %s", from->name, config_error_line(&config),
                         config_error_text(&config));
    config_destroy(&config);
    return status;
}

static ft_status read_override(struct settings *s, const char *override, const char *folder)
{
    char name[256];
    const struct origin from = {.name = "override", .folder = folder};
    const size_t length = strcspn(override, "=");
    if (!override[length] || length == 0 || length >= sizeof name)
        return ft_fail(FT_ERR_USAGE, "override %.80s: write section.key=value", override);
    memcpy(name, override, length);
    name[length] = '\0';
    if (strncmp(name, "compare.", strlen("compare.")) == 0)
        return methods_read_override(s, name, override + length + 1, &from);
    const struct key *key = key_find(name);
    return key ? assign_text(s, key, override + length + 1, &from) : refuse_unknown(&from, name);
}

static ft_status read_overrides(struct settings *s, int n, char **overrides)
{
    char here[FILE_PATH_MAX];
    if (n > 0 && !getcwd(here, sizeof here))
        return ft_fail(FT_ERR_IO, "cannot read the current folder: %s", strerror(errno));
    for (int i = 0; i < n; i++)
        FT_TRY(read_override(s, overrides[i], here));
    return FT_OK;
}

static ft_status check_required(const struct settings *s, const char *name)
{
    for (const struct key *key = config_keys; key->name; key++)
        if (key->flags & KEY_REQUIRED && !*(char *const *)((const char *)s + key->at))
            return ft_fail(FT_ERR_USAGE, "%s: %s is missing: %s", name, key->name, key->help);
    return FT_OK;
}

static ft_status check_classification(const struct settings *s, const char *name)
{
    const bool is_metric = s->training.best_metric != BEST_METRIC_LOSS;
    const char *key = NULL;
    if (s->transfer.layer == 0)
        return ft_fail(FT_ERR_USAGE,
                       "%s: transfer.layer = 0: layers count from 1, or from -1 backwards", name);
    if (s->task == RUN_TASK_CLASSIFICATION)
        return FT_OK;
    if (s->task != RUN_TASK_INSTRUCT && s->data.packing)
        return ft_fail(FT_ERR_USAGE,
                       "%s: data.packing needs task = \"instruct\": the windows of causal-lm are "
                       "always full",
                       name);
    if (s->mode == RUN_MODE_TRANSFER || s->mode == RUN_MODE_TRANSFER_THEN_FINETUNE)
        key = "mode transfer";
    else if (is_metric)
        key = "training.best_metric other than loss";
    else if (s->training.label_smoothing > 0)
        key = "training.label_smoothing";
    else if (s->training.class_weights != CLASS_WEIGHTS_NONE)
        key = "training.class_weights";
    else if (s->training.head_lr > 0)
        key = "training.head_lr";
    return key ? ft_fail(FT_ERR_USAGE, "%s: %s needs task = \"classification\"", name, key) : FT_OK;
}

static ft_status check_together(const struct settings *s, const char *name)
{
    const bool has_validation = s->data.validation.n > 0 || s->data.validation_fraction > 0;
    FT_TRY(check_classification(s, name));
    if (s->data.validation.n > 0 && s->data.validation_fraction > 0)
        return ft_fail(FT_ERR_USAGE,
                       "%s: data.validation and data.validation_fraction are both set; keep one",
                       name);
    if (s->training.min_lr > s->training.lr)
        return ft_fail(FT_ERR_USAGE, "%s: training.min_lr = %.9g is above training.lr = %.9g", name,
                       s->training.min_lr, s->training.lr);
    if (s->training.warmup >= 1 && s->training.warmup != floor(s->training.warmup))
        return ft_fail(FT_ERR_USAGE,
                       "%s: training.warmup = %.9g is from 1 on a number of steps: write a whole "
                       "number, or a fraction below 1",
                       name, s->training.warmup);
    if (s->training.patience > 0 && !has_validation)
        return ft_fail(FT_ERR_USAGE,
                       "%s: training.patience needs data.validation or data.validation_fraction",
                       name);
    if (s->training.eval_every > 0 && !has_validation)
        return ft_fail(FT_ERR_USAGE,
                       "%s: training.eval_every needs data.validation or data.validation_fraction",
                       name);
    return FT_OK;
}

static ft_status parse(struct settings *s, const char *text, size_t bytes, const char *name,
                       const char *folder, int n_overrides, char **overrides)
{
    struct origin from = {.name = name, .folder = folder};
    FT_TRY(set_defaults(s));
    FT_TRY(read_text(s, text, bytes, &from));
    FT_TRY(read_overrides(s, n_overrides, overrides));
    FT_TRY(check_required(s, name));
    return check_together(s, name);
}

ft_status settings_parse(struct settings **out, const char *text, size_t bytes, const char *name,
                         const char *folder, int n_overrides, char **overrides)
{
    FT_TRY(FT_ALLOC(*out, 1));
    const ft_status status = parse(*out, text, bytes, name, folder, n_overrides, overrides);
    if (status != FT_OK)
        settings_destroy(out);
    return status;
}

/* What is wrong with the file itself is the user's command line, not a bad input file. */
static ft_status read_file(char **text, size_t *bytes, const char *path)
{
    const ft_status status = file_read_all(text, bytes, path, SETTINGS_FILE_MAX);
    if (status == FT_ERR_INPUT)
        return ft_fail_within(FT_ERR_USAGE, "configuration file");
    return status;
}

ft_status settings_load(struct settings **out, const char *path, int n_overrides, char **overrides)
{
    char *text = NULL, absolute[FILE_PATH_MAX], folder[FILE_PATH_MAX];
    size_t bytes = 0;
    *out = NULL;
    FT_TRY(read_file(&text, &bytes, path));
    file_folder(folder, path);
    ft_status status = file_absolute(absolute, folder);
    if (status == FT_OK)
        status = settings_parse(out, text, bytes, path, absolute, n_overrides, overrides);
    mem_free(text);
    return status;
}

void settings_destroy(struct settings **s)
{
    if (!*s)
        return;
    for (const struct key *key = config_keys; key->name; key++)
        assign_clear(*s, key);
    methods_clear(*s);
    FT_FREE(*s);
}

ft_status settings_format(const struct settings *s, struct buffer *out)
{
    const struct key *before = config_keys;
    for (const struct key *key = config_keys; key->name; before = key++) {
        const size_t n = key_section_length(key), n_before = key_section_length(before);
        const bool is_new = n != n_before || strncmp(key->name, before->name, n) != 0;
        if (is_new && n_before)
            FT_TRY(buffer_print(out, "};\n"));
        if (is_new && n)
            FT_TRY(buffer_print(out, "%.*s: {\n", (int)n, key->name));
        FT_TRY(buffer_print(out, "%s%s = ", n ? "  " : "", key->name + (n ? n + 1 : 0)));
        FT_TRY(key_format(key, s, out));
        FT_TRY(buffer_print(out, ";\n"));
    }
    if (key_section_length(before))
        FT_TRY(buffer_print(out, "};\n"));
    return methods_format(s, out);
}

static ft_status print_key(FILE *to, const struct key *key)
{
    struct buffer accepts = {0};
    const bool is_text = key->type >= KEY_TEXT || key->words, must = key->flags & KEY_REQUIRED;
    const char *quote = is_text ? "\"" : "";
    const ft_status status = key_describe(key, &accepts);
    if (status == FT_OK && must && !*key->default_text)
        (void)fprintf(to, "%s  (no default)\n    %s; must be set\n    %s\n", key->name,
                      accepts.data, key->help);
    else if (status == FT_OK)
        (void)fprintf(to, "%s = %s%s%s\n    %s\n    %s\n", key->name, quote, key->default_text,
                      quote, accepts.data, key->help);
    buffer_clear(&accepts);
    return status;
}

ft_status settings_print_help(FILE *to)
{
    (void)fprintf(
        to, "Keys of a configuration file (libconfig), with their defaults. In the file a "
            "key stands in its group,\ntraining: { lr = 2e-5; }; on the command line it is "
            "written training.lr=2e-5.\nRelative paths start from the file's folder, on the "
            "command line from the current one.\nAn integer beyond 32 bits needs an L behind "
            "it in the file.\nWhat one method of the verb compare does otherwise stands in groups "
            "of their own:\ncompare: { last-layers: { training: { lr = 1e-4; }; }; };\n\n");
    for (const struct key *key = config_keys; key->name; key++)
        FT_TRY(print_key(to, key));
    if (ferror(to))
        return ft_fail(FT_ERR_IO, "cannot print the keys: %s", strerror(errno));
    return FT_OK;
}

ft_status settings_require_training(const struct settings *s)
{
    if (s->data.train.n == 0)
        return ft_fail(FT_ERR_USAGE, "data.train is missing: name the training data");
    return FT_OK;
}

static ft_status compare_key(const struct key *key, const struct settings *now,
                             const struct settings *then)
{
    struct buffer a = {0}, b = {0};
    ft_status status = key_format(key, now, &a);
    if (status == FT_OK)
        status = key_format(key, then, &b);
    if (status == FT_OK && strcmp(a.data, b.data) != 0)
        status = ft_fail(FT_ERR_USAGE,
                         "%s = %.200s, but the checkpoint was made with %.200s; use that value, or "
                         "another output.dir for a new run",
                         key->name, a.data, b.data);
    buffer_clear(&a);
    buffer_clear(&b);
    return status;
}

ft_status settings_compare_resume(const struct settings *now, const char *checkpoint_text)
{
    struct settings *then = NULL;
    ft_status status = settings_parse(&then, checkpoint_text, strlen(checkpoint_text),
                                      "configuration in the checkpoint", "/", 0, NULL);
    if (status == FT_ERR_USAGE)
        return ft_fail(FT_ERR_INPUT, "%s", ft_error_text());
    for (const struct key *key = config_keys; key->name && status == FT_OK; key++)
        if (!(key->flags & KEY_MAY_DIFFER))
            status = compare_key(key, now, then);
    settings_destroy(&then);
    return status;
}
