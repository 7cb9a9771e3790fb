/* normalizer of a tokenizer.json. */
#include <string.h>

#include "base/mem.h"
#include "token/json_parts.h"

static ft_status copy_text(char **out, const json_t *step, const char *key)
{
    const char *text = NULL;
    FT_TRY(json_get_text(step, key, &text, NULL));
    *out = mem_copy_text(text);
    return *out ? FT_OK : FT_ERR_INTERNAL;
}

static ft_status read_strip(struct normalizer_step *out, const json_t *step)
{
    FT_TRY(json_get_bool(step, "strip_left", &out->left, NULL));
    return json_get_bool(step, "strip_right", &out->right, NULL);
}

static ft_status read_replace(struct normalizer_step *out, const json_t *step)
{
    FT_TRY(json_part_pattern(&out->pattern, step));
    return copy_text(&out->text, step, "content");
}

static ft_status read_prepend(struct normalizer_step *out, const json_t *step)
{
    return copy_text(&out->text, step, "prepend");
}

static ft_status read_charsmap(struct normalizer_step *out, const json_t *step)
{
    const char *text = NULL;
    FT_TRY(json_get_text(step, "precompiled_charsmap", &text, NULL));
    return charsmap_open(&out->charsmap, text, strlen(text));
}

static ft_status read_bert(struct normalizer_step *out, const json_t *step)
{
    return json_part_bert_rules(&out->bert, step);
}

/* What kinds hold beside their type: at most five keys. */
static const struct {
    const char *keys[6];
    ft_status (*read)(struct normalizer_step *out, const json_t *step);
} PARTS[NORMALIZER_KINDS] = {
    [NORMALIZER_STRIP] = {{"type", "strip_left", "strip_right"}, read_strip},
    [NORMALIZER_REPLACE] = {{"type", "pattern", "content"}, read_replace},
    [NORMALIZER_PREPEND] = {{"type", "prepend"}, read_prepend},
    [NORMALIZER_PRECOMPILED] = {{"type", "precompiled_charsmap"}, read_charsmap},
    [NORMALIZER_BERT] = {{"type", "clean_text", "handle_chinese_chars", "strip_accents",
                          "lowercase"},
                         read_bert},
};

static ft_status read_keys(struct tokenizer *t, const json_t *step, enum normalizer_kind kind)
{
    static const char *const TYPE_ALONE[] = {"type", NULL};
    struct normalizer_step *out = NULL;
    FT_TRY(json_part_only_keys(step, "it", PARTS[kind].read ? PARTS[kind].keys : TYPE_ALONE));
    FT_TRY(normalizer_add(&t->normalizer, &out, kind));
    return PARTS[kind].read ? PARTS[kind].read(out, step) : FT_OK;
}

static ft_status read_step(struct tokenizer *t, const json_t *step, const char *where,
                           const char *type)
{
    const enum normalizer_kind kind = normalizer_by_name(type);
    return kind < NORMALIZER_KINDS ? json_part_within(read_keys(t, step, kind), where, type)
                                   : json_part_unknown(where, type);
}

ft_status json_part_read_normalizer(struct tokenizer *t, const json_t *part)
{
    return json_part_steps(t, part, "normalizer", "normalizers", read_step);
}
