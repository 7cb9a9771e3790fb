/*
 * A value is assigned to a scratch copy of the settings by the same code as the key itself, then
 * kept as the text that key_format gives: "METHOD.section.key=value", absolute paths included.
 */
#include "config/methods.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static const char *const methods[] = {"transfer", "last-layers", "finetune"};
enum { N_METHODS = sizeof methods / sizeof *methods };

/* ":line" of the file, or "" on the command line. */
static const char *line_of(char text[16], const struct origin *from)
{
    (void)snprintf(text, 16, from->line > 0 ? ":%d" : "", from->line);
    return text;
}

static ft_status check_method(const char *name, size_t length, const struct origin *from)
{
    char line[16];
    for (int i = 0; i < N_METHODS; i++)
        if (strlen(methods[i]) == length && strncmp(methods[i], name, length) == 0)
            return FT_OK;
    return ft_fail(FT_ERR_USAGE,
                   "%s%s: compare.%.*s is no method; the groups of compare are transfer, "
                   "last-layers and finetune",
                   from->name, line_of(line, from), (int)length, name);
}

/* Keys that compare itself decides, or that would give the methods different data. */
static const char *const common[] = {"mode",
                                     "task",
                                     "data.train",
                                     "data.validation",
                                     "data.test",
                                     "data.validation_fraction",
                                     "data.text_field",
                                     "data.label_field",
                                     "data.cache",
                                     "data.max_windows",
                                     "output.dir"};

static ft_status check_key(const struct key *key, const char *name, const struct origin *from)
{
    char line[16];
    if (!key)
        return ft_fail(FT_ERR_USAGE, "%s%s: compare.%.120s is no key; the nearest known one is %s",
                       from->name, line_of(line, from), name,
                       key_nearest(strchr(name, '.') + 1)->name);
    bool is_common = false;
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        is_common = is_common || strcmp(key->name, common[i]) == 0;
    if (!is_common)
        return FT_OK;
    return ft_fail(FT_ERR_USAGE, "%s%s: compare.%.120s: %s is the same for all methods", from->name,
                   line_of(line, from), name, key->name);
}

/* Adds "name=value", or replaces the value that name has. Takes entry. */
static ft_status keep(struct text_list *list, char *entry)
{
    const size_t length = strcspn(entry, "=") + 1;
    for (int i = 0; i < list->n; i++)
        if (strncmp(list->items[i], entry, length) == 0) {
            mem_free(list->items[i]);
            list->items[i] = entry;
            return FT_OK;
        }
    char **items = mem_resize(list->items, (size_t)list->n + 1, sizeof *items);
    if (!items) {
        mem_free(entry);
        return FT_ERR_INTERNAL;
    }
    list->items = items;
    items[list->n++] = entry;
    return FT_OK;
}

/* name: "METHOD.section.key"; the scratch settings hold the value. */
static ft_status keep_value(struct settings *s, const struct key *key, const char *name,
                            const struct settings *scratch)
{
    struct buffer text = {0};
    char *entry = NULL;
    ft_status status = buffer_print(&text, "%s=", name);
    if (status == FT_OK)
        status = key_format(key, scratch, &text);
    if (status == FT_OK && !(entry = mem_copy_text(text.data)))
        status = FT_ERR_INTERNAL;
    buffer_clear(&text);
    return status == FT_OK ? keep(&s->compare, entry) : status;
}

/* One value of either origin: setting, or text where setting is NULL. */
static ft_status read_value(struct settings *s, const char *name, const config_setting_t *setting,
                            const char *text, const struct origin *from)
{
    struct settings *scratch;
    char line[16];
    const char *dot = strchr(name, '.');
    if (!dot)
        return ft_fail(FT_ERR_USAGE, "%s%s: compare.%.120s: write compare.METHOD.section.key",
                       from->name, line_of(line, from), name);
    FT_TRY(check_method(name, (size_t)(dot - name), from));
    const struct key *key = key_find(dot + 1);
    FT_TRY(check_key(key, name, from));
    FT_TRY(FT_ALLOC(scratch, 1));
    ft_status status = setting ? assign_setting(scratch, key, setting, from)
                               : assign_text(scratch, key, text, from);
    if (status == FT_OK)
        status = keep_value(s, key, name, scratch);
    assign_clear(scratch, key);
    mem_free(scratch);
    return status;
}

/* The groups below compare, whose dotted name is `prefix`. */
static ft_status read_level(struct settings *s, const config_setting_t *group, const char *prefix,
                            int depth, struct origin *from)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        char name[256];
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        from->line = (int)config_setting_source_line(setting);
        const int n = snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "",
                               config_setting_name(setting));
        if (n < 0 || (size_t)n >= sizeof name)
            return ft_fail(FT_ERR_USAGE, "%s:%d: a name of %d bytes in the group compare",
                           from->name, from->line, n);
        if (config_setting_is_group(setting) && depth < 2)
            FT_TRY(read_level(s, setting, name, depth + 1, from));
        else
            FT_TRY(read_value(s, name, setting, NULL, from));
    }
    return FT_OK;
}

ft_status methods_read(struct settings *s, const config_setting_t *group, struct origin *from)
{
    return read_level(s, group, "", 0, from);
}

ft_status methods_read_override(struct settings *s, const char *name, const char *value,
                                const struct origin *from)
{
    return read_value(s, name + strlen("compare."), NULL, value, from);
}

/* The value that a method has for a key; NULL: none. */
static const char *find(const struct settings *s, const char *method, const struct key *key)
{
    char name[256];
    const int length = snprintf(name, sizeof name, "%s.%s=", method, key->name);
    for (int i = 0; i < s->compare.n; i++)
        if (strncmp(s->compare.items[i], name, (size_t)length) == 0)
            return s->compare.items[i] + length;
    return NULL;
}

static ft_status format_method(const struct settings *s, const char *method, struct buffer *out)
{
    const struct key *open = NULL; /* a key of the section that is open */
    for (const struct key *key = config_keys; key->name; key++) {
        const char *value = find(s, method, key);
        const size_t n = key_section_length(key);
        if (!value)
            continue;
        const bool is_same =
            open && key_section_length(open) == n && strncmp(open->name, key->name, n) == 0;
        if (open && !is_same)
            FT_TRY(buffer_print(out, "    };\n"));
        if (n > 0 && !is_same)
            FT_TRY(buffer_print(out, "    %.*s: {\n", (int)n, key->name));
        FT_TRY(buffer_print(out, "%s%s = %s;\n", n ? "      " : "    ", key->name + (n ? n + 1 : 0),
                            value));
        open = n > 0 ? key : NULL;
    }
    return open ? buffer_print(out, "    };\n") : FT_OK;
}

ft_status methods_format(const struct settings *s, struct buffer *out)
{
    if (s->compare.n == 0)
        return FT_OK;
    FT_TRY(buffer_print(out, "compare: {\n"));
    for (int i = 0; i < N_METHODS; i++) {
        FT_TRY(buffer_print(out, "  %s: {\n", methods[i]));
        FT_TRY(format_method(s, methods[i], out));
        FT_TRY(buffer_print(out, "  };\n"));
    }
    return buffer_print(out, "};\n");
}

void methods_clear(struct settings *s)
{
    for (int i = 0; i < s->compare.n; i++)
        mem_free(s->compare.items[i]);
    mem_free(s->compare.items);
    s->compare = (struct text_list){0};
}

/* The entries of one method as overrides "section.key=value": borrowed. */
static int overrides_of(char **out, const struct settings *s, const char *method)
{
    const size_t length = strlen(method);
    int n = 0;
    for (int i = 0; i < s->compare.n; i++)
        if (strncmp(s->compare.items[i], method, length) == 0 && s->compare.items[i][length] == '.')
            out[n++] = s->compare.items[i] + length + 1;
    return n;
}

ft_status settings_for_method(struct settings **out, const struct settings *s, const char *method,
                              const char *output_dir)
{
    static char none[] = "";
    char name[64];
    struct settings plain = *s; /* without the groups of compare, and with a cache of its own */
    struct buffer text = {0}, mode = {0}, dir = {0};
    char **overrides = NULL;
    plain.compare = (struct text_list){0};
    plain.data.cache = none;
    *out = NULL;
    ft_status status = FT_ALLOC(overrides, s->compare.n + 2);
    if (status == FT_OK)
        status = settings_format(&plain, &text);
    if (status == FT_OK)
        status = buffer_print(&mode, "mode=%s", method);
    if (status == FT_OK)
        status = buffer_print(&dir, "output.dir=%s", output_dir);
    if (status == FT_OK) {
        int n = overrides_of(overrides, s, method);
        overrides[n++] = mode.data;
        overrides[n++] = dir.data;
        (void)snprintf(name, sizeof name, "compare.%s", method);
        status = settings_parse(out, text.data, text.used, name, "/", n, overrides);
    }
    buffer_clear(&dir);
    buffer_clear(&mode);
    buffer_clear(&text);
    mem_free(overrides);
    return status;
}
