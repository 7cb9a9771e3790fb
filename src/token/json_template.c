/*
 * post_processor of a tokenizer.json: the special tokens around a single text. ByteLevel moves
 * offsets alone, which are not read here. In a Sequence only one processor may add tokens: a second
 * one takes the pieces of the first for texts of their own.
 */
#include <string.h>

#include "token/json_parts.h"

/* More than any model asks for, and less than any seq_len would bear. */
enum { TEMPLATE_MAX = 64 };

static ft_status add_id(struct tokenizer *t, struct token_list *list, int64_t id)
{
    size_t bytes;
    if (id < 0 || id >= t->vocab.n || !vocab_text(&t->vocab, (int32_t)id, &bytes))
        return ft_fail(FT_ERR_INPUT, "it uses the id %lld, which no token has", (long long)id);
    if (list->n >= TEMPLATE_MAX)
        return ft_fail(FT_ERR_INPUT, "more than %d special tokens around a text", TEMPLATE_MAX);
    const int32_t value = (int32_t)id;
    return token_list_append(list, &value, 1);
}

/** The ids of a special token, which the template names. */
static ft_status add_special(struct tokenizer *t, struct token_list *list, const json_t *specials,
                             const char *name)
{
    json_t *special = NULL, *ids = NULL, *id;
    size_t i;
    FT_TRY(json_get_object(specials, name, &special, NULL));
    FT_TRY(json_get_array(special, "ids", &ids, NULL));
    json_array_foreach(ids, i, id)
    {
        if (!json_is_integer(id))
            return ft_fail(FT_ERR_INPUT, "the ids of a special token are no integers");
        FT_TRY(add_id(t, list, json_integer_value(id)));
    }
    return FT_OK;
}

static ft_status check_type_id(const json_t *piece)
{
    int64_t type_id = 0;
    bool found = false;
    FT_TRY(json_get_int(piece, "type_id", 0, INT32_MAX, &type_id, &found));
    return type_id == 0 ? FT_OK
                        : ft_fail(FT_ERR_INPUT, "type_id is %lld in \"single\"; only 0 is read",
                                  (long long)type_id);
}

/** One piece of "single": a special token, or the text. */
static ft_status read_piece(struct tokenizer *t, struct token_list *const around[2], int *n_texts,
                            const json_t *specials, const json_t *piece)
{
    json_t *special = NULL, *sequence = NULL;
    const char *id = NULL;
    bool has_special = false, has_sequence = false;
    if (!json_is_object(piece))
        return ft_fail(FT_ERR_INPUT, "a piece of \"single\" is no object");
    FT_TRY(json_get_object(piece, "SpecialToken", &special, &has_special));
    FT_TRY(json_get_object(piece, "Sequence", &sequence, &has_sequence));
    if (has_special == has_sequence)
        return ft_fail(FT_ERR_INPUT, "a piece of \"single\" is neither {\"SpecialToken\": ...} nor "
                                     "{\"Sequence\": ...}");
    const json_t *part = has_special ? special : sequence;
    FT_TRY(json_get_text(part, "id", &id, NULL));
    FT_TRY(check_type_id(part));
    if (has_special)
        return add_special(t, around[*n_texts > 0], specials, id);
    if (strcmp(id, "A") != 0 || ++*n_texts > 1)
        return ft_fail(FT_ERR_INPUT, "\"single\" does not hold the text (\"A\") just once");
    return FT_OK;
}

static ft_status read_pieces(struct tokenizer *t, struct token_list *const around[2],
                             const json_t *part)
{
    static const char *const KEYS[] = {"type", "single", "pair", "special_tokens", NULL};
    json_t *pieces = NULL, *specials = NULL, *piece;
    size_t i;
    int n_texts = 0;
    FT_TRY(json_part_only_keys(part, "it", KEYS));
    FT_TRY(json_get_array(part, "single", &pieces, NULL));
    FT_TRY(json_get_object(part, "special_tokens", &specials, NULL));
    json_array_foreach(pieces, i, piece) FT_TRY(read_piece(t, around, &n_texts, specials, piece));
    return n_texts == 1
               ? FT_OK
               : ft_fail(FT_ERR_INPUT, "\"single\" does not hold the text (\"A\") just once");
}

/** [text, id] of "cls" or "sep". */
static ft_status read_pair(struct tokenizer *t, struct token_list *list, const json_t *part,
                           const char *key)
{
    json_t *pair = NULL;
    FT_TRY(json_get_array(part, key, &pair, NULL));
    const json_t *text = json_array_get(pair, 0), *id = json_array_get(pair, 1);
    if (json_array_size(pair) != 2 || !json_is_string(text) || !json_is_integer(id))
        return ft_fail(FT_ERR_INPUT, "%s is not [\"text\", id]", key);
    return add_id(t, list, json_integer_value(id));
}

/** BertProcessing, RobertaProcessing: cls, text, sep. */
static ft_status read_cls_sep(struct tokenizer *t, struct token_list *const around[2],
                              const json_t *part)
{
    static const char *const KEYS[] = {"type", "sep", "cls", "trim_offsets", "add_prefix_space",
                                       NULL};
    FT_TRY(json_part_only_keys(part, "it", KEYS));
    FT_TRY(read_pair(t, around[0], part, "cls"));
    return read_pair(t, around[1], part, "sep");
}

typedef ft_status (*processor_reader)(struct tokenizer *t, struct token_list *const around[2],
                                      const json_t *part);

/** A processor that is no Sequence. */
static ft_status read_processor(struct tokenizer *t, const json_t *part, const char *where)
{
    static const struct {
        const char *type;
        processor_reader read;
    } PROCESSORS[] = {{"TemplateProcessing", read_pieces},
                      {"BertProcessing", read_cls_sep},
                      {"RobertaProcessing", read_cls_sep}};
    const char *type;
    FT_TRY(json_part_type(&type, part, where));
    if (json_part_is(type, "ByteLevel"))
        return FT_OK;
    for (size_t i = 0; i < sizeof PROCESSORS / sizeof *PROCESSORS; i++) {
        if (!json_part_is(type, PROCESSORS[i].type))
            continue;
        if (tokenizer_template_size(t) > 0)
            return ft_fail(FT_ERR_INPUT, "%s %s is the second that adds tokens; one is read", where,
                           type);
        struct token_list *const around[2] = {&t->before, &t->after};
        const ft_status status = PROCESSORS[i].read(t, around, part);
        return status == FT_OK ? FT_OK : ft_fail_within(status, "%s %s", where, type);
    }
    return json_part_unknown(where, type ? type : "null");
}

ft_status json_part_read_template(struct tokenizer *t, const json_t *part)
{
    const char *type;
    json_t *steps = NULL, *step;
    size_t i;
    FT_TRY(json_part_type(&type, part, "post_processor"));
    if (!type)
        return FT_OK;
    if (!json_part_is(type, "Sequence"))
        return read_processor(t, part, "post_processor");
    FT_TRY(json_get_array(part, "processors", &steps, NULL));
    json_array_foreach(steps, i, step) FT_TRY(read_processor(t, step, "post_processor, a step,"));
    return FT_OK;
}
