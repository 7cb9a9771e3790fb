/* What normalizer, pre_tokenizer and decoder of a tokenizer.json have in common. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "token/json_parts.h"

ft_status json_part_within(ft_status status, const char *where, const char *type)
{
    return status == FT_OK ? FT_OK : ft_fail_within(status, "%s %s", where, type);
}

ft_status json_part_steps(struct tokenizer *t, const json_t *part, const char *where,
                          const char *list, json_step_reader read)
{
    const char *const keys[] = {"type", list, NULL};
    const char *type;
    json_t *steps = NULL, *step;
    size_t i;
    FT_TRY(json_part_type(&type, part, where));
    if (!type)
        return FT_OK;
    if (!json_part_is(type, "Sequence"))
        return read(t, part, where, type);
    FT_TRY(json_part_only_keys(part, where, keys));
    const ft_status status = json_get_array(part, list, &steps, NULL);
    if (status != FT_OK)
        return ft_fail_within(status, "%s", where);
    json_array_foreach(steps, i, step)
    {
        char place[256];
        (void)snprintf(place, sizeof place, "%.200s, step %zu,", where, i + 1);
        if (!json_is_object(step))
            return ft_fail(FT_ERR_INPUT, "%s is no object", place);
        FT_TRY(json_part_steps(t, step, place, list, read));
    }
    return FT_OK;
}

ft_status json_part_pattern(struct pattern **out, const json_t *step)
{
    static const char *const KEYS[] = {"String", "Regex", NULL};
    json_t *pattern = NULL;
    const char *text = NULL, *regex = NULL;
    bool has_text = false, has_regex = false;
    FT_TRY(json_get_object(step, "pattern", &pattern, NULL));
    FT_TRY(json_part_only_keys(pattern, "pattern", KEYS));
    FT_TRY(json_get_text(pattern, "String", &text, &has_text));
    FT_TRY(json_get_text(pattern, "Regex", &regex, &has_regex));
    if (has_text == has_regex)
        return ft_fail(FT_ERR_INPUT, "pattern is neither {\"String\": ...} nor {\"Regex\": ...}");
    return has_text ? pattern_open_text(out, text) : pattern_open_regex(out, regex);
}

ft_status json_part_bert_rules(struct bert *bert, const json_t *step)
{
    static const char *const KEYS[] = {"type",          "clean_text", "handle_chinese_chars",
                                       "strip_accents", "lowercase",  NULL};
    bool found = false;
    FT_TRY(json_part_only_keys(step, "it", KEYS));
    FT_TRY(json_get_bool(step, "clean_text", &bert->clean, NULL));
    FT_TRY(json_get_bool(step, "handle_chinese_chars", &bert->spaced, NULL));
    FT_TRY(json_get_bool(step, "lowercase", &bert->lower, NULL));
    bert->strip = bert->lower; /* where the file does not say */
    FT_TRY(json_get_bool(step, "strip_accents", &bert->strip, &found));
    bert_prepare(bert);
    return FT_OK;
}

ft_status json_part_character(char out[5], const json_t *step, const char *key)
{
    const char *text = NULL;
    char quote[VOCAB_QUOTE];
    int n = 0;
    FT_TRY(json_get_text(step, key, &text, NULL));
    if (*text)
        (void)utf8_decode(text, &n);
    if (n == 0 || text[n])
        return ft_fail(FT_ERR_INPUT, "%s is %s, not one character", key,
                       vocab_quote(quote, text, strlen(text)));
    memcpy(out, text, (size_t)n + 1);
    return FT_OK;
}

ft_status json_part_prepend(enum prepend_scheme *scheme, const json_t *step)
{
    const char *name = NULL;
    char quote[VOCAB_QUOTE];
    bool prefix = true, found = false, has_prefix = false;
    FT_TRY(json_get_bool(step, "add_prefix_space", &prefix, &has_prefix));
    FT_TRY(json_get_text(step, "prepend_scheme", &name, &found));
    *scheme = found ? prepend_scheme_by_name(name) : prefix ? PREPEND_ALWAYS : PREPEND_NEVER;
    if (*scheme == PREPEND_SCHEMES)
        return ft_fail(FT_ERR_INPUT, "prepend_scheme is %s, not \"always\", \"first\" or \"never\"",
                       vocab_quote(quote, name, strlen(name)));
    return prefix || *scheme == PREPEND_NEVER
               ? FT_OK
               : ft_fail(FT_ERR_INPUT, "add_prefix_space is false, but prepend_scheme is \"%s\"",
                         name);
}
