#include "config/assign.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "config/scan.h"

_Static_assert(sizeof(enum schedule_kind) == sizeof(int), "words are stored as int");

static void *member(struct settings *s, const struct key *key)
{
    return (char *)s + key->at;
}

static void list_clear(struct text_list *list)
{
    for (int i = 0; i < list->n; i++)
        mem_free(list->items[i]);
    mem_free(list->items);
    *list = (struct text_list){0};
}

void assign_clear(struct settings *s, const struct key *key)
{
    if (key->type == KEY_PATHS)
        list_clear(member(s, key));
    else if (key->type == KEY_TEXT || key->type == KEY_PATH)
        FT_FREE(*(char **)member(s, key));
}

/* "file:line: key: what it got; what it accepts" */
static ft_status refuse(const struct key *key, const struct origin *from, const char *got)
{
    struct buffer accepts = {0};
    char place[32] = "";
    const ft_status status = key_describe(key, &accepts);
    if (from->line > 0)
        (void)snprintf(place, sizeof place, ":%d", from->line);
    if (status == FT_OK)
        (void)ft_fail(FT_ERR_USAGE, "%s%s: %s = %.120s is not valid; it takes: %s", from->name,
                      place, key->name, got, accepts.data);
    buffer_clear(&accepts);
    return status == FT_OK ? FT_ERR_USAGE : status;
}

static bool is_in_range(const struct key *key, double value)
{
    return value >= key->low && value <= key->high &&
           !(key->flags & KEY_ABOVE_LOW && value <= key->low) &&
           !(key->flags & KEY_BELOW_HIGH && value >= key->high);
}

static ft_status set_real(struct settings *s, const struct key *key, double value,
                          const struct origin *from)
{
    char got[40];
    if (is_in_range(key, value)) {
        *(double *)member(s, key) = value;
        return FT_OK;
    }
    (void)snprintf(got, sizeof got, "%.15g", value);
    return refuse(key, from, got);
}

static ft_status set_integer(struct settings *s, const struct key *key, int64_t value,
                             const struct origin *from)
{
    char got[40];
    if (key->type == KEY_REAL)
        return set_real(s, key, (double)value, from);
    if (is_in_range(key, (double)value) && (key->type == KEY_LONG || value <= INT_MAX)) {
        if (key->type == KEY_LONG)
            *(int64_t *)member(s, key) = value;
        else
            *(int *)member(s, key) = (int)value;
        return FT_OK;
    }
    (void)snprintf(got, sizeof got, "%lld", (long long)value);
    return refuse(key, from, got);
}

static ft_status set_word(struct settings *s, const struct key *key, const char *word,
                          const struct origin *from)
{
    char got[80];
    const int number = key_word_number(key, word);
    if (number >= 0) {
        *(int *)member(s, key) = number;
        return FT_OK;
    }
    (void)snprintf(got, sizeof got, "\"%.70s\"", word);
    return refuse(key, from, got);
}

static bool takes_text(const struct key *key)
{
    return key->type >= KEY_TEXT || key->words;
}

static bool takes_integer(const struct key *key)
{
    return key->type == KEY_INT || key->type == KEY_LONG || key->type == KEY_REAL;
}

/* A word where a number may stand too. */
static ft_status set_number_word(struct settings *s, const struct key *key, const char *word,
                                 const struct origin *from)
{
    char got[80];
    double value;
    if (!key_word_value(key, word, &value)) {
        (void)snprintf(got, sizeof got, "\"%.70s\"", word);
        return refuse(key, from, got);
    }
    if (key->type == KEY_REAL)
        *(double *)member(s, key) = value;
    else
        *(int *)member(s, key) = (int)value;
    return FT_OK;
}

static void cut_last_name(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash)
        slash[slash == path] = '\0';
}

/* Only leading ./ and ../ are folded into the folder: what stands behind a name may be a link. */
static ft_status make_absolute(char out[FILE_PATH_MAX], const char *path, const char *folder)
{
    char base[FILE_PATH_MAX];
    if (path[0] == '/')
        return file_join(out, "", path);
    FT_TRY(file_join(base, "", folder));
    for (;;) {
        if (strncmp(path, "./", 2) == 0 || strcmp(path, ".") == 0) {
            path += path[1] ? 2 : 1;
        } else if (strncmp(path, "../", 3) == 0 || strcmp(path, "..") == 0) {
            cut_last_name(base);
            path += path[2] ? 3 : 2;
        } else {
            break;
        }
        while (*path == '/')
            path++;
    }
    if (!*path)
        return file_join(out, "", base);
    if (strcmp(base, "/") == 0)
        base[0] = '\0'; /* no second slash */
    if (snprintf(out, FILE_PATH_MAX, "%s/%s", base, path) >= FILE_PATH_MAX)
        return ft_fail(FT_ERR_USAGE, "path too long: %.80s...", path);
    return FT_OK;
}

static ft_status copy_text(char **out, const struct key *key, const char *text,
                           const struct origin *from)
{
    char path[FILE_PATH_MAX];
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 32 || *c == 127)
            return refuse(key, from, "a text with a line break or control character");
    if (key->flags & KEY_REQUIRED && !*text)
        return refuse(key, from, "\"\"");
    if (key->type != KEY_TEXT && *text) {
        const ft_status status = make_absolute(path, text, from->folder);
        if (status != FT_OK)
            return ft_fail_within(status, "%s: %s", from->name, key->name);
        text = path;
    }
    *out = mem_copy_text(text);
    return *out ? FT_OK : FT_ERR_INTERNAL;
}

static ft_status list_add(struct text_list *list, const struct key *key, const char *text,
                          const struct origin *from)
{
    if (!*text)
        return refuse(key, from, "a list with an empty path");
    char **items = mem_resize(list->items, (size_t)list->n + 1, sizeof *items);
    if (!items)
        return FT_ERR_INTERNAL;
    list->items = items;
    FT_TRY(copy_text(&items[list->n], key, text, from));
    list->n++;
    return FT_OK;
}

static ft_status set_text(struct settings *s, const struct key *key, const char *text,
                          const struct origin *from)
{
    if (key->type == KEY_WORD)
        return set_word(s, key, text, from);
    if (takes_integer(key))
        return set_number_word(s, key, text, from);
    assign_clear(s, key);
    if (key->type == KEY_PATHS)
        return *text ? list_add(member(s, key), key, text, from) : FT_OK;
    return copy_text(member(s, key), key, text, from);
}

static ft_status set_list(struct settings *s, const struct key *key,
                          const config_setting_t *setting, const struct origin *from)
{
    if (key->type != KEY_PATHS)
        return refuse(key, from, "a list");
    assign_clear(s, key);
    for (int i = 0; i < config_setting_length(setting); i++) {
        const char *text = config_setting_get_string_elem(setting, i);
        if (!text)
            return refuse(key, from, "a list with an entry that is not a text");
        FT_TRY(list_add(member(s, key), key, text, from));
    }
    return FT_OK;
}

ft_status assign_setting(struct settings *s, const struct key *key, const config_setting_t *setting,
                         const struct origin *from)
{
    char got[40];
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_BOOL:
        if (key->type != KEY_BOOL)
            return refuse(key, from, config_setting_get_bool(setting) ? "true" : "false");
        *(bool *)member(s, key) = config_setting_get_bool(setting) != 0;
        return FT_OK;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        if (takes_integer(key))
            return set_integer(s, key, config_setting_get_int64(setting), from);
        (void)snprintf(got, sizeof got, "%lld", config_setting_get_int64(setting));
        return refuse(key, from, got);
    case CONFIG_TYPE_FLOAT:
        if (key->type == KEY_REAL)
            return set_real(s, key, config_setting_get_float(setting), from);
        (void)snprintf(got, sizeof got, "%#.15g", config_setting_get_float(setting));
        return refuse(key, from, got);
    case CONFIG_TYPE_STRING:
        if (takes_text(key))
            return set_text(s, key, config_setting_get_string(setting), from);
        (void)snprintf(got, sizeof got, "\"%.30s\"", config_setting_get_string(setting));
        return refuse(key, from, got);
    case CONFIG_TYPE_ARRAY:
    case CONFIG_TYPE_LIST:
        return set_list(s, key, setting, from);
    default:
        return refuse(key, from, "a group");
    }
}

/* A quoted text at *at: gives what it means (mem_free) and moves *at behind it. */
static ft_status read_quoted(char **out, const char **at, const struct key *key,
                             const struct origin *origin)
{
    const char *whole = *at;
    const char *from = *at + 1;
    char *copy = mem_alloc(strlen(from) + 1, 1), *to = copy;
    if (!copy)
        return FT_ERR_INTERNAL;
    while (*from && *from != '"') {
        if (*from == '\\' && (from[1] == '"' || from[1] == '\\'))
            from++;
        *to++ = *from++;
    }
    if (*from != '"') {
        mem_free(copy);
        return refuse(key, origin, whole);
    }
    *out = copy;
    *at = from + 1;
    return FT_OK;
}

static void skip_spaces(const char **at)
{
    *at += strspn(*at, " \t");
}

/* entries of ["a", "b"], *at behind the bracket */
static ft_status read_list(struct settings *s, const struct key *key, const char *text,
                           const struct origin *from)
{
    const char closing = text[0] == '[' ? ']' : ')';
    const char *at = text + 1;
    assign_clear(s, key);
    skip_spaces(&at);
    while (*at == '"') {
        char *entry = NULL;
        FT_TRY(read_quoted(&entry, &at, key, from));
        const ft_status status = list_add(member(s, key), key, entry, from);
        mem_free(entry);
        FT_TRY(status);
        skip_spaces(&at);
        if (*at != ',')
            break;
        at++;
        skip_spaces(&at);
        if (*at != '"')
            return refuse(key, from, text);
    }
    return at[0] == closing && at[1] == '\0' ? FT_OK : refuse(key, from, text);
}

static ft_status assign_quoted(struct settings *s, const struct key *key, const char *text,
                               const struct origin *from)
{
    char *plain = NULL;
    const char *at = text;
    FT_TRY(read_quoted(&plain, &at, key, from));
    const ft_status status = *at ? refuse(key, from, text) : set_text(s, key, plain, from);
    mem_free(plain);
    return status;
}

ft_status assign_text(struct settings *s, const struct key *key, const char *text,
                      const struct origin *from)
{
    int64_t integer;
    double real;
    const size_t length = strlen(text);
    if (key->words && scan_integer(&integer, text, length) && takes_integer(key))
        return set_integer(s, key, integer, from);
    if (key->words && key->type == KEY_REAL && scan_number(&real, text, length))
        return set_real(s, key, real, from);
    if (takes_text(key)) {
        if (key->type == KEY_PATHS && (text[0] == '[' || text[0] == '('))
            return read_list(s, key, text, from);
        return text[0] == '"' ? assign_quoted(s, key, text, from) : set_text(s, key, text, from);
    }
    if (key->type == KEY_BOOL) {
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
            return refuse(key, from, text);
        *(bool *)member(s, key) = text[0] == 't';
        return FT_OK;
    }
    if (scan_integer(&integer, text, length))
        return set_integer(s, key, integer, from);
    if (key->type == KEY_REAL && scan_number(&real, text, length))
        return set_real(s, key, real, from);
    return refuse(key, from, length ? text : "\"\"");
}
