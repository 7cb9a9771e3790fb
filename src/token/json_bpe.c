/* byte-level BPE in a tokenizer.json: its normalizer, splitter, decoder, vocabulary and merges. */
#include <string.h>

#include "token/json_parts.h"

static ft_status read_normalizer(struct tokenizer *t, const json_t *part)
{
    static const char *const KEYS[] = {"type", NULL};
    const char *type;
    FT_TRY(json_part_type(&type, part, "normalizer"));
    t->nfc = json_part_is(type, "NFC");
    if (!type)
        return FT_OK;
    return t->nfc ? json_part_only_keys(part, "normalizer", KEYS)
                  : json_part_unknown("normalizer", type);
}

/** ByteLevel of a pre_tokenizer. */
static ft_status read_byte_level(bool *use_regex, const json_t *part)
{
    static const char WHERE[] = "pre_tokenizer ByteLevel";
    static const char *const KEYS[] = {"type", "add_prefix_space", "trim_offsets", "use_regex",
                                       NULL};
    bool prefix = false, trim = false, found = false;
    *use_regex = true;
    ft_status status = json_part_only_keys(part, WHERE, KEYS);
    if (status != FT_OK)
        return status;
    status = json_get_bool(part, "add_prefix_space", &prefix, NULL);
    if (status == FT_OK)
        status = json_get_bool(part, "trim_offsets", &trim, &found);
    if (status == FT_OK)
        status = json_get_bool(part, "use_regex", use_regex, &found);
    if (status != FT_OK)
        return ft_fail_within(status, "%s", WHERE);
    return prefix ? ft_fail(FT_ERR_INPUT, "%s has add_prefix_space = true, which is not supported",
                            WHERE)
                  : FT_OK;
}

static ft_status read_digits(const json_t *part)
{
    static const char *const KEYS[] = {"type", "individual_digits", NULL};
    bool each = false;
    FT_TRY(json_part_only_keys(part, "pre_tokenizer Digits", KEYS));
    const ft_status status = json_get_bool(part, "individual_digits", &each, NULL);
    if (status != FT_OK)
        return ft_fail_within(status, "pre_tokenizer Digits");
    return each ? FT_OK
                : ft_fail(FT_ERR_INPUT,
                          "pre_tokenizer Digits has individual_digits = false, which is not "
                          "supported");
}

/** Kind by the pattern of a Split. */
static ft_status read_pattern(enum split_kind *kind, const json_t *part)
{
    static const char *const KEYS[] = {"type", "pattern", "behavior", "invert", NULL};
    static const char *const PATTERN_KEYS[] = {"Regex", NULL};
    static const char WHERE[] = "pre_tokenizer Split";
    json_t *pattern = NULL;
    const char *regex = NULL, *behavior = NULL;
    bool invert = false;
    FT_TRY(json_part_only_keys(part, WHERE, KEYS));
    ft_status status = json_get_object(part, "pattern", &pattern, NULL);
    if (status == FT_OK)
        status = json_part_only_keys(pattern, "pre_tokenizer Split pattern", PATTERN_KEYS);
    if (status == FT_OK)
        status = json_get_text(pattern, "Regex", &regex, NULL);
    if (status == FT_OK)
        status = json_get_text(part, "behavior", &behavior, NULL);
    if (status == FT_OK)
        status = json_get_bool(part, "invert", &invert, NULL);
    if (status != FT_OK)
        return ft_fail_within(status, "%s", WHERE);
    if (strcmp(behavior, "Isolated") != 0 || invert)
        return ft_fail(FT_ERR_INPUT,
                       "%s has behavior \"%.32s\", invert = %s; only Isolated, false is supported",
                       WHERE, behavior, invert ? "true" : "false");
    for (int k = 0; k < SPLIT_KINDS; k++) {
        const char *known = split_json_pattern((enum split_kind)k);
        if (known && strcmp(known, regex) == 0) {
            *kind = (enum split_kind)k;
            return FT_OK;
        }
    }
    char quote[VOCAB_QUOTE];
    return ft_fail(FT_ERR_INPUT,
                   "%s has the pattern %s, which is none of those of Llama 3 and Qwen2; patterns "
                   "from files are never run",
                   WHERE, vocab_quote(quote, regex, strlen(regex)));
}

/** The two steps of a Sequence: digits or a pattern, then bytes. */
static ft_status read_sequence(struct tokenizer *t, const json_t *part)
{
    static const char *const KEYS[] = {"type", "pretokenizers", NULL};
    json_t *steps = NULL;
    const char *first = NULL, *second = NULL;
    bool use_regex = false;
    FT_TRY(json_part_only_keys(part, "pre_tokenizer Sequence", KEYS));
    FT_TRY(json_get_array(part, "pretokenizers", &steps, NULL));
    if (json_array_size(steps) != 2)
        return ft_fail(FT_ERR_INPUT, "pre_tokenizer Sequence has %zu steps, not the known two; %s",
                       json_array_size(steps), json_part_advice);
    FT_TRY(json_part_type(&first, json_array_get(steps, 0), "pre_tokenizer, step 1"));
    FT_TRY(json_part_type(&second, json_array_get(steps, 1), "pre_tokenizer, step 2"));
    if (!json_part_is(second, "ByteLevel"))
        return json_part_unknown("pre_tokenizer, step 2,", second ? second : "null");
    FT_TRY(read_byte_level(&use_regex, json_array_get(steps, 1)));
    const bool digits = json_part_is(first, "Digits");
    if (!digits && !json_part_is(first, "Split"))
        return json_part_unknown("pre_tokenizer, step 1,", first ? first : "null");
    if (use_regex != digits)
        return ft_fail(FT_ERR_INPUT, "pre_tokenizer %s before ByteLevel with use_regex = %s; %s",
                       first, use_regex ? "true" : "false", json_part_advice);
    t->kind = SPLIT_SMOLLM;
    return digits ? read_digits(json_array_get(steps, 0))
                  : read_pattern(&t->kind, json_array_get(steps, 0));
}

static ft_status read_pre_tokenizer(struct tokenizer *t, const json_t *part)
{
    const char *type;
    bool use_regex = false;
    FT_TRY(json_part_type(&type, part, "pre_tokenizer"));
    if (json_part_is(type, "Sequence"))
        return read_sequence(t, part);
    if (!json_part_is(type, "ByteLevel"))
        return type ? json_part_unknown("pre_tokenizer", type)
                    : ft_fail(FT_ERR_INPUT, "pre_tokenizer is missing; %s", json_part_advice);
    FT_TRY(read_byte_level(&use_regex, part));
    if (!use_regex)
        return ft_fail(FT_ERR_INPUT, "pre_tokenizer ByteLevel has use_regex = false and no "
                                     "splitter before it, which is not supported");
    t->kind = SPLIT_GPT2;
    return FT_OK;
}

static ft_status check_decoder(const json_t *part)
{
    const char *type;
    FT_TRY(json_part_type(&type, part, "decoder"));
    if (!type)
        return ft_fail(FT_ERR_INPUT, "decoder is missing; ByteLevel is needed");
    return json_part_is(type, "ByteLevel") ? FT_OK : json_part_unknown("decoder", type);
}

/** What must be absent, null, or do nothing. */
static ft_status check_neutral(const json_t *model)
{
    static const char *const TEXTS[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    static const char *const FLAGS[] = {"fuse_unk", "byte_fallback"};
    for (int i = 0; i < 2; i++) {
        const char *text = "";
        bool flag = false, found = false;
        FT_TRY(json_get_text(model, TEXTS[i], &text, &found));
        if (found && *text)
            return ft_fail(FT_ERR_INPUT, "%s is not empty, which is not supported", TEXTS[i]);
        FT_TRY(json_get_bool(model, FLAGS[i], &flag, &found));
        if (found && flag)
            return ft_fail(FT_ERR_INPUT, "%s is true, which is not supported", FLAGS[i]);
    }
    double dropout = 0;
    bool found = false;
    FT_TRY(json_get_real(model, "dropout", 0, 1, &dropout, &found));
    return found && dropout > 0
               ? ft_fail(FT_ERR_INPUT, "dropout is %g, which is not supported", dropout)
               : FT_OK;
}

/** One merge: "left right" or ["left", "right"]. */
static ft_status read_merge(struct bpe *bpe, const json_t *merge, size_t index)
{
    const char *left, *right;
    size_t left_bytes, right_bytes;
    if (json_is_string(merge)) {
        left = json_string_value(merge);
        const char *space = strchr(left, ' ');
        if (!space || strchr(space + 1, ' '))
            return ft_fail(FT_ERR_INPUT, "merge %zu is not two tokens with a space between", index);
        left_bytes = (size_t)(space - left);
        right = space + 1;
        right_bytes = strlen(right);
    } else {
        const json_t *first = json_array_get(merge, 0), *second = json_array_get(merge, 1);
        if (json_array_size(merge) != 2 || !json_is_string(first) || !json_is_string(second))
            return ft_fail(FT_ERR_INPUT, "merge %zu is neither \"a b\" nor [\"a\", \"b\"]", index);
        left = json_string_value(first);
        right = json_string_value(second);
        left_bytes = json_string_length(first);
        right_bytes = json_string_length(second);
    }
    return bpe_add_merge(bpe, left, left_bytes, right, right_bytes);
}

static ft_status read_merges(struct bpe *bpe, json_t *merges)
{
    static const char VERSION[] = "#version";
    size_t i;
    json_t *merge;
    json_array_foreach(merges, i, merge)
    {
        const char *text = json_string_value(merge);
        if (text && strncmp(text, VERSION, sizeof VERSION - 1) == 0)
            continue;
        FT_TRY(read_merge(bpe, merge, i));
    }
    return FT_OK;
}

static ft_status read_model_parts(struct tokenizer *t, const json_t *model)
{
    static const char *const KEYS[] = {"type",
                                       "dropout",
                                       "unk_token",
                                       "continuing_subword_prefix",
                                       "end_of_word_suffix",
                                       "fuse_unk",
                                       "byte_fallback",
                                       "ignore_merges",
                                       "vocab",
                                       "merges",
                                       NULL};
    bool found = false, ignore_merges = false;
    json_t *vocab = NULL, *merges = NULL;
    FT_TRY(json_part_only_keys(model, "it", KEYS));
    FT_TRY(check_neutral(model));
    FT_TRY(json_get_object(model, "vocab", &vocab, NULL));
    FT_TRY(json_get_array(model, "merges", &merges, NULL));
    FT_TRY(json_get_bool(model, "ignore_merges", &ignore_merges, &found));
    FT_TRY(json_part_vocab(&t->vocab, vocab));
    t->n_model = t->vocab.n;
    FT_TRY(bpe_begin(&t->bpe, &t->vocab));
    FT_TRY(read_merges(&t->bpe, merges));
    t->bpe.ignore_merges = ignore_merges;
    return json_part_unknown_token(&t->bpe.unknown, &t->vocab, model);
}

ft_status json_part_read_bpe(struct tokenizer *t, const json_t *root, const json_t *model)
{
    t->model = &tokenizer_byte_level;
    FT_TRY(read_normalizer(t, json_object_get(root, "normalizer")));
    FT_TRY(read_pre_tokenizer(t, json_object_get(root, "pre_tokenizer")));
    FT_TRY(check_decoder(json_object_get(root, "decoder")));
    const ft_status status = read_model_parts(t, model);
    return status == FT_OK ? FT_OK : ft_fail_within(status, "model");
}
