/* BPE in a tokenizer.json: over bytes where the pre_tokenizer ends with ByteLevel, else over
 * characters. */
#include <string.h>

#include "token/json_parts.h"

/** What must be absent, null, or do nothing. */
static ft_status check_neutral(const json_t *model)
{
    static const char *const TEXTS[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    for (int i = 0; i < 2; i++) {
        const char *text = "";
        bool found = false;
        FT_TRY(json_get_text(model, TEXTS[i], &text, &found));
        if (found && *text)
            return ft_fail(FT_ERR_INPUT, "%s is not empty, which is not supported", TEXTS[i]);
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

/** Over bytes the two flags ask for nothing where every byte has a token. */
static ft_status check_bytes(const struct bpe *bpe, bool fuse_unknown, bool byte_fallback)
{
    int byte = 0;
    while (byte < 256 && bpe->byte_ids[byte] >= 0)
        byte++;
    return byte == 256 || !(fuse_unknown || byte_fallback)
               ? FT_OK
               : ft_fail(FT_ERR_INPUT,
                         "%s is true, which is not supported with ByteLevel where a byte (0x%02x) "
                         "has no token",
                         fuse_unknown ? "fuse_unk" : "byte_fallback", (unsigned)byte);
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
    struct bpe *bpe = &t->bpe;
    bool found = false, ignore_merges = false, fuse_unknown = false, byte_fallback = false;
    json_t *vocab = NULL, *merges = NULL;
    FT_TRY(json_part_only_keys(model, "it", KEYS));
    FT_TRY(check_neutral(model));
    FT_TRY(json_get_object(model, "vocab", &vocab, NULL));
    FT_TRY(json_get_array(model, "merges", &merges, NULL));
    FT_TRY(json_get_bool(model, "ignore_merges", &ignore_merges, &found));
    FT_TRY(json_get_bool(model, "fuse_unk", &fuse_unknown, &found));
    FT_TRY(json_get_bool(model, "byte_fallback", &byte_fallback, &found));
    FT_TRY(json_part_vocab(&t->vocab, vocab));
    t->n_model = t->vocab.n;
    const bool bytes = pretokenizer_ends_in_bytes(&t->pretokenizer);
    FT_TRY(bytes ? bpe_begin(bpe, &t->vocab) : bpe_begin_characters(bpe, &t->vocab));
    FT_TRY(read_merges(bpe, merges));
    bpe->ignore_merges = ignore_merges;
    FT_TRY(json_part_unknown_token(&bpe->unknown, &t->vocab, model));
    if (bytes)
        return check_bytes(bpe, fuse_unknown, byte_fallback);
    bpe->fuse_unknown = fuse_unknown;
    bpe->byte_fallback = byte_fallback;
    return FT_OK;
}

ft_status json_part_read_bpe(struct tokenizer *t, const json_t *model)
{
    t->pieces = PIECES_BPE;
    const ft_status status = read_model_parts(t, model);
    return status == FT_OK ? FT_OK : ft_fail_within(status, "model");
}
