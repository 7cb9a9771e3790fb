/*
 * tokenizer.json of the `tokenizers` package. Each part of the file is held against the forms that
 * are known; a key, type or value beyond them is an error, because ignoring it would give other
 * ids. truncation and padding are ignored: they are left-overs of how somebody used the tokenizer.
 * post_processor only matters with a template, decoder only for text.
 */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "format/json.h"
#include "token/parts.h"

static const char ADVICE[] =
    "byte-level BPE of the GPT-2, Llama 3, Qwen2 and SmolLM families is read";

/** No keys but these (a list that ends with NULL). */
static ft_status only_keys(const json_t *object, const char *where, const char *const *keys)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        int i = 0;
        char quote[VOCAB_QUOTE];
        while (keys[i] && strcmp(key, keys[i]) != 0)
            i++;
        if (!keys[i])
            return ft_fail(FT_ERR_INPUT, "%s has the key %s, which is not known; %s", where,
                           vocab_quote(quote, key, strlen(key)), ADVICE);
    }
    return FT_OK;
}

/** Type of a part: *type is NULL where the part is null. */
static ft_status type_of(const char **type, const json_t *part, const char *where)
{
    *type = NULL;
    if (!part || json_is_null(part))
        return FT_OK;
    if (!json_is_object(part))
        return ft_fail(FT_ERR_INPUT, "%s is no object", where);
    const ft_status status = json_get_text(part, "type", type, NULL);
    return status == FT_OK ? FT_OK : ft_fail_within(status, "%s", where);
}

static ft_status unknown_type(const char *where, const char *type)
{
    char quote[VOCAB_QUOTE];
    return ft_fail(FT_ERR_INPUT, "%s is of type %s, which is not supported; %s", where,
                   vocab_quote(quote, type, strlen(type)), ADVICE);
}

static bool is_type(const char *type, const char *wanted)
{
    return type && strcmp(type, wanted) == 0;
}

static ft_status read_normalizer(struct tokenizer *t, const json_t *part)
{
    static const char *const KEYS[] = {"type", NULL};
    const char *type;
    FT_TRY(type_of(&type, part, "normalizer"));
    t->nfc = is_type(type, "NFC");
    if (!type)
        return FT_OK;
    return t->nfc ? only_keys(part, "normalizer", KEYS) : unknown_type("normalizer", type);
}

/** ByteLevel of a pre_tokenizer. */
static ft_status read_byte_level(bool *use_regex, const json_t *part)
{
    static const char WHERE[] = "pre_tokenizer ByteLevel";
    static const char *const KEYS[] = {"type", "add_prefix_space", "trim_offsets", "use_regex",
                                       NULL};
    bool prefix = false, trim = false, found = false;
    *use_regex = true;
    ft_status status = only_keys(part, WHERE, KEYS);
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
    FT_TRY(only_keys(part, "pre_tokenizer Digits", KEYS));
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
    FT_TRY(only_keys(part, WHERE, KEYS));
    ft_status status = json_get_object(part, "pattern", &pattern, NULL);
    if (status == FT_OK)
        status = only_keys(pattern, "pre_tokenizer Split pattern", PATTERN_KEYS);
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
    FT_TRY(only_keys(part, "pre_tokenizer Sequence", KEYS));
    FT_TRY(json_get_array(part, "pretokenizers", &steps, NULL));
    if (json_array_size(steps) != 2)
        return ft_fail(FT_ERR_INPUT, "pre_tokenizer Sequence has %zu steps, not the known two; %s",
                       json_array_size(steps), ADVICE);
    FT_TRY(type_of(&first, json_array_get(steps, 0), "pre_tokenizer, step 1"));
    FT_TRY(type_of(&second, json_array_get(steps, 1), "pre_tokenizer, step 2"));
    if (!is_type(second, "ByteLevel"))
        return unknown_type("pre_tokenizer, step 2,", second ? second : "null");
    FT_TRY(read_byte_level(&use_regex, json_array_get(steps, 1)));
    const bool digits = is_type(first, "Digits");
    if (!digits && !is_type(first, "Split"))
        return unknown_type("pre_tokenizer, step 1,", first ? first : "null");
    if (use_regex != digits)
        return ft_fail(FT_ERR_INPUT, "pre_tokenizer %s before ByteLevel with use_regex = %s; %s",
                       first, use_regex ? "true" : "false", ADVICE);
    t->kind = SPLIT_SMOLLM;
    return digits ? read_digits(json_array_get(steps, 0))
                  : read_pattern(&t->kind, json_array_get(steps, 0));
}

static ft_status read_pre_tokenizer(struct tokenizer *t, const json_t *part)
{
    const char *type;
    bool use_regex = false;
    FT_TRY(type_of(&type, part, "pre_tokenizer"));
    if (is_type(type, "Sequence"))
        return read_sequence(t, part);
    if (!is_type(type, "ByteLevel"))
        return type ? unknown_type("pre_tokenizer", type)
                    : ft_fail(FT_ERR_INPUT, "pre_tokenizer is missing; %s", ADVICE);
    FT_TRY(read_byte_level(&use_regex, part));
    if (!use_regex)
        return ft_fail(FT_ERR_INPUT, "pre_tokenizer ByteLevel has use_regex = false and no "
                                     "splitter before it, which is not supported");
    t->kind = SPLIT_GPT2;
    return FT_OK;
}

static ft_status check_post_processor(const json_t *part)
{
    const char *type;
    json_t *steps = NULL, *step;
    size_t i;
    FT_TRY(type_of(&type, part, "post_processor"));
    if (!type || is_type(type, "ByteLevel") || is_type(type, "TemplateProcessing"))
        return FT_OK;
    if (!is_type(type, "Sequence"))
        return unknown_type("post_processor", type);
    FT_TRY(json_get_array(part, "processors", &steps, NULL));
    json_array_foreach(steps, i, step)
    {
        FT_TRY(type_of(&type, step, "post_processor, a step,"));
        if (!is_type(type, "ByteLevel") && !is_type(type, "TemplateProcessing"))
            return unknown_type("post_processor, a step,", type ? type : "null");
    }
    return FT_OK;
}

static ft_status check_decoder(const json_t *part)
{
    const char *type;
    FT_TRY(type_of(&type, part, "decoder"));
    if (!type)
        return ft_fail(FT_ERR_INPUT, "decoder is missing; ByteLevel is needed");
    return is_type(type, "ByteLevel") ? FT_OK : unknown_type("decoder", type);
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

static ft_status read_vocab(struct vocab *vocab, json_t *object)
{
    const char *key;
    json_t *value;
    const size_t n = json_object_size(object);
    if (n == 0 || n > TOKENIZER_VOCAB_MAX)
        return ft_fail(FT_ERR_INPUT, "vocab has %zu tokens, not 1 ... %d", n, TOKENIZER_VOCAB_MAX);
    json_object_foreach(object, key, value)
    {
        char quote[VOCAB_QUOTE];
        if (!json_is_integer(value))
            return ft_fail(FT_ERR_INPUT, "vocab: the id of token %s is no integer",
                           vocab_quote(quote, key, strlen(key)));
        /* Gaps are allowed, but not such that a short file takes much memory. */
        if (json_integer_value(value) > 2 * (json_int_t)n + 65536)
            return ft_fail(FT_ERR_INPUT, "vocab: token %s has id %lld in a vocabulary of %zu",
                           vocab_quote(quote, key, strlen(key)),
                           (long long)json_integer_value(value), n);
        const ft_status status = vocab_add(vocab, json_integer_value(value), key, strlen(key));
        if (status != FT_OK)
            return ft_fail_within(status, "vocab");
    }
    return FT_OK;
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
    const char *type = "BPE", *unknown = NULL;
    bool found = false, ignore_merges = false;
    json_t *vocab = NULL, *merges = NULL;
    FT_TRY(json_get_text(model, "type", &type, &found));
    if (strcmp(type, "BPE") != 0)
        return unknown_type("it", type);
    FT_TRY(only_keys(model, "it", KEYS));
    FT_TRY(check_neutral(model));
    FT_TRY(json_get_object(model, "vocab", &vocab, NULL));
    FT_TRY(json_get_array(model, "merges", &merges, NULL));
    FT_TRY(json_get_bool(model, "ignore_merges", &ignore_merges, &found));
    FT_TRY(read_vocab(&t->vocab, vocab));
    FT_TRY(bpe_begin(&t->bpe, &t->vocab));
    FT_TRY(read_merges(&t->bpe, merges));
    t->bpe.ignore_merges = ignore_merges;
    FT_TRY(json_get_text(model, "unk_token", &unknown, &found));
    if (!found)
        return FT_OK;
    t->bpe.unknown = vocab_find(&t->vocab, unknown, strlen(unknown));
    char quote[VOCAB_QUOTE];
    return t->bpe.unknown >= 0 ? FT_OK
                               : ft_fail(FT_ERR_INPUT, "unk_token %s is not in the vocabulary",
                                         vocab_quote(quote, unknown, strlen(unknown)));
}

static ft_status read_model(struct tokenizer *t, const json_t *root)
{
    json_t *model = NULL;
    FT_TRY(json_get_object(root, "model", &model, NULL));
    const ft_status status = read_model_parts(t, model);
    return status == FT_OK ? FT_OK : ft_fail_within(status, "model");
}

/** Its id: that of the model's token, or the next free one, as `tokenizers` numbers them. */
static ft_status place_added(struct tokenizer *t, int32_t n_model, int64_t id, const char *text)
{
    char quote[VOCAB_QUOTE];
    const size_t bytes = strlen(text);
    const int32_t known = vocab_find(&t->vocab, text, bytes);
    const int32_t next = t->vocab.n > t->bpe.n_model ? t->vocab.n : n_model;
    const int32_t expected = known >= 0 ? known : next;
    if (id != expected)
        return ft_fail(FT_ERR_INPUT, "%s has id %lld, where the vocabulary makes it %d",
                       vocab_quote(quote, text, bytes), (long long)id, expected);
    return known >= 0 ? FT_OK : vocab_add(&t->vocab, id, text, bytes);
}

static ft_status read_added(struct tokenizer *t, int32_t n_model, const json_t *token)
{
    static const char *const KEYS[] = {"id",     "content",    "single_word", "lstrip",
                                       "rstrip", "normalized", "special",     NULL};
    static const struct {
        const char *key;
        unsigned flag;
    } FLAGS[] = {{"special", ADDED_SPECIAL},
                 {"lstrip", ADDED_LSTRIP},
                 {"rstrip", ADDED_RSTRIP},
                 {"single_word", ADDED_SINGLE_WORD},
                 {"normalized", ADDED_NORMALIZED}};
    int64_t id = 0;
    const char *text = NULL;
    unsigned flags = 0;
    if (!json_is_object(token))
        return ft_fail(FT_ERR_INPUT, "no object");
    FT_TRY(only_keys(token, "it", KEYS));
    FT_TRY(json_get_int(token, "id", 0, TOKENIZER_VOCAB_MAX - 1, &id, NULL));
    FT_TRY(json_get_text(token, "content", &text, NULL));
    if (!*text)
        return ft_fail(FT_ERR_INPUT, "content is empty");
    for (size_t i = 0; i < sizeof FLAGS / sizeof *FLAGS; i++) {
        bool set = false;
        FT_TRY(json_get_bool(token, FLAGS[i].key, &set, NULL));
        flags |= set ? FLAGS[i].flag : 0;
    }
    FT_TRY(place_added(t, n_model, id, text));
    for (int32_t i = 0; i < t->added.n; i++) {
        if (t->added.tokens[i].id == id)
            return ft_fail(FT_ERR_INPUT, "id %lld was added before", (long long)id);
    }
    return tokenizer_add_token(t, (int32_t)id, flags);
}

static ft_status read_all_added(struct tokenizer *t, const json_t *root)
{
    enum { ADDED_COUNT_MAX = 16384 };
    json_t *list = NULL, *token;
    bool found = false;
    size_t i;
    const int32_t n_model = t->vocab.count;
    FT_TRY(json_get_array(root, "added_tokens", &list, &found));
    if (json_array_size(list) > ADDED_COUNT_MAX)
        return ft_fail(FT_ERR_INPUT, "added_tokens has %zu entries, at most %d are read",
                       json_array_size(list), ADDED_COUNT_MAX);
    json_array_foreach(list, i, token)
    {
        const ft_status status = read_added(t, n_model, token);
        if (status != FT_OK)
            return ft_fail_within(status, "added_tokens, entry %zu", i);
    }
    return FT_OK;
}

static ft_status read_root(struct tokenizer *t, const json_t *root)
{
    static const char *const KEYS[] = {
        "version",       "truncation",     "padding", "added_tokens", "normalizer",
        "pre_tokenizer", "post_processor", "decoder", "model",        NULL};
    if (!json_is_object(root))
        return ft_fail(FT_ERR_INPUT, "no JSON object; is it a tokenizer.json?");
    FT_TRY(only_keys(root, "the file", KEYS));
    FT_TRY(read_normalizer(t, json_object_get(root, "normalizer")));
    FT_TRY(read_pre_tokenizer(t, json_object_get(root, "pre_tokenizer")));
    FT_TRY(check_post_processor(json_object_get(root, "post_processor")));
    FT_TRY(check_decoder(json_object_get(root, "decoder")));
    FT_TRY(read_model(t, root));
    return read_all_added(t, root);
}

ft_status tokenizer_parse_json(struct tokenizer *t, const char *text, size_t bytes,
                               const char *name)
{
    json_t *root = NULL;
    FT_TRY(json_parse(&root, text, bytes, name));
    const ft_status status = read_root(t, root);
    json_decref(root);
    return status == FT_OK ? FT_OK : ft_fail_within(status, "%s", name);
}
