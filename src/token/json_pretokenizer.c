/* pre_tokenizer of a tokenizer.json. */
#include <string.h>

#include "token/json_parts.h"

static ft_status read_metaspace(struct pretokenizer_step *out, const json_t *step)
{
    bool found = false;
    out->splits = true;
    FT_TRY(json_part_character(out->replacement, step, "replacement"));
    FT_TRY(json_part_prepend(&out->prepend, step));
    return json_get_bool(step, "split", &out->splits, &found);
}

static ft_status read_behavior(enum split_behavior *out, const json_t *step, bool required)
{
    const char *name = "Isolated";
    char quote[VOCAB_QUOTE];
    bool found = false;
    FT_TRY(json_get_text(step, "behavior", &name, required ? NULL : &found));
    *out = split_behavior_by_name(name);
    return *out < SPLIT_BEHAVIORS ? FT_OK
                                  : ft_fail(FT_ERR_INPUT, "behavior is %s, which is not known",
                                            vocab_quote(quote, name, strlen(name)));
}

static ft_status read_split(struct pretokenizer_step *out, const json_t *step)
{
    FT_TRY(json_part_pattern(&out->pattern, step));
    FT_TRY(read_behavior(&out->behavior, step, true));
    return json_get_bool(step, "invert", &out->invert, NULL);
}

static ft_status read_byte_level(struct pretokenizer_step *out, const json_t *step)
{
    bool trim = false, found = false;
    out->use_regex = true;
    FT_TRY(json_get_bool(step, "add_prefix_space", &out->prefix_space, NULL));
    FT_TRY(json_get_bool(step, "trim_offsets", &trim, &found));
    return json_get_bool(step, "use_regex", &out->use_regex, &found);
}

static ft_status read_digits(struct pretokenizer_step *out, const json_t *step)
{
    return json_get_bool(step, "individual_digits", &out->each_digit, NULL);
}

static ft_status read_punctuation(struct pretokenizer_step *out, const json_t *step)
{
    return read_behavior(&out->behavior, step, false);
}

/* What kinds hold beside their type: at most five keys. */
static const struct {
    const char *keys[7];
    ft_status (*read)(struct pretokenizer_step *out, const json_t *step);
} PARTS[PRETOKENIZER_KINDS] = {
    [PRETOKENIZER_METASPACE] = {{"type", "replacement", "str_rep", "add_prefix_space",
                                 "prepend_scheme", "split"},
                                read_metaspace},
    [PRETOKENIZER_SPLIT] = {{"type", "pattern", "behavior", "invert"}, read_split},
    [PRETOKENIZER_BYTE_LEVEL] = {{"type", "add_prefix_space", "trim_offsets", "use_regex"},
                                 read_byte_level},
    [PRETOKENIZER_DIGITS] = {{"type", "individual_digits"}, read_digits},
    [PRETOKENIZER_PUNCTUATION] = {{"type", "behavior"}, read_punctuation},
};

static ft_status read_keys(struct tokenizer *t, const json_t *step, enum pretokenizer_kind kind)
{
    static const char *const TYPE_ALONE[] = {"type", NULL};
    struct pretokenizer_step *out = NULL;
    FT_TRY(json_part_only_keys(step, "it", PARTS[kind].read ? PARTS[kind].keys : TYPE_ALONE));
    if (pretokenizer_ends_in_bytes(&t->pretokenizer))
        return ft_fail(FT_ERR_INPUT, "a step behind ByteLevel is not supported");
    FT_TRY(pretokenizer_add(&t->pretokenizer, &out, kind));
    return PARTS[kind].read ? PARTS[kind].read(out, step) : FT_OK;
}

static ft_status read_step(struct tokenizer *t, const json_t *step, const char *where,
                           const char *type)
{
    const enum pretokenizer_kind kind = pretokenizer_by_name(type);
    return kind < PRETOKENIZER_KINDS ? json_part_within(read_keys(t, step, kind), where, type)
                                     : json_part_unknown(where, type);
}

ft_status json_part_read_pre_tokenizer(struct tokenizer *t, const json_t *part)
{
    return json_part_steps(t, part, "pre_tokenizer", "pretokenizers", read_step);
}
