/*
 * A model folder of the BERT family with vocab.txt and no tokenizer.json: one token a line, its id
 * the line's number. What tokenizer.json would say comes from tokenizer_config.json, and from BERT
 * where that says nothing. Whatever else the folder's files ask for is an error: transformers can
 * write it out as a tokenizer.json.
 */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "token/json_parts.h"

static const char ADVICE[] = "save it anew with AutoTokenizer and save_pretrained() of "
                             "transformers, which writes a tokenizer.json";

/** Bytes of a line without the white space at its end, as `tokenizers` reads it. */
static size_t trim(const char *line, size_t bytes)
{
    size_t end = 0;
    for (size_t i = 0; i < bytes;) {
        int taken = 0;
        const uint32_t code = utf8_decode(line + i, &taken);
        i += (size_t)taken;
        if (!utf8_is_space(code))
            end = i;
    }
    return end;
}

static ft_status add_line(struct vocab *vocab, int64_t id, const char *line, size_t bytes)
{
    size_t bad_at = 0;
    ft_status status = FT_OK;
    if (!utf8_check(line, bytes, &bad_at))
        status = ft_fail(FT_ERR_INPUT, "not valid UTF-8 at its byte %zu", bad_at);
    else if (memchr(line, 0, bytes))
        status = ft_fail(FT_ERR_INPUT, "a zero byte");
    else if ((bytes = trim(line, bytes)) > 0 && vocab_find(vocab, line, bytes) < 0)
        status = vocab_add(vocab, id, line, bytes);
    return status == FT_OK ? FT_OK : ft_fail_within(status, "line %lld", (long long)id + 1);
}

/** Empty lines give no token; of lines alike the last one counts, hence from the end. */
static ft_status read_lines(struct vocab *vocab, const char *text, size_t bytes)
{
    int64_t n_lines = 0;
    bytes -= bytes > 0 && text[bytes - 1] == '\n';
    for (size_t i = 0; i <= bytes; i++)
        n_lines += i == bytes || text[i] == '\n';
    if (n_lines > TOKENIZER_VOCAB_MAX)
        return ft_fail(FT_ERR_INPUT, "%lld lines, at most %d are read", (long long)n_lines,
                       TOKENIZER_VOCAB_MAX);
    for (size_t end = bytes; n_lines > 0; n_lines--) {
        size_t start = end;
        while (start > 0 && text[start - 1] != '\n')
            start--;
        FT_TRY(add_line(vocab, n_lines - 1, text + start, end - start));
        end = start - (start > 0);
    }
    return vocab->count > 0 ? FT_OK : ft_fail(FT_ERR_INPUT, "no tokens");
}

ft_status tokenizer_read_vocab(struct tokenizer *t, const char *path)
{
    char *text = NULL;
    size_t bytes = 0;
    t->model = &tokenizer_wordpiece;
    FT_TRY(file_read_all(&text, &bytes, path, TOKENIZER_FILE_MAX));
    const ft_status status = read_lines(&t->vocab, text, bytes);
    mem_free(text);
    t->n_model = t->vocab.n;
    return status == FT_OK ? FT_OK : ft_fail_within(status, "%s", path);
}

/** Whether the classes of transformers with this name are BERT's own by another name. */
static bool is_bert_class(const char *name)
{
    static const char *const FAMILIES[] = {"Bert",        "DistilBert", "Electra",     "MobileBert",
                                           "SqueezeBert", "ConvBert",   "MegatronBert"};
    for (size_t i = 0; i < sizeof FAMILIES / sizeof *FAMILIES; i++) {
        const size_t n = strlen(FAMILIES[i]);
        if (strncmp(name, FAMILIES[i], n) == 0 &&
            (strcmp(name + n, "Tokenizer") == 0 || strcmp(name + n, "TokenizerFast") == 0))
            return true;
    }
    return false;
}

/** Flags of a special token that is an object: none may be set. */
static ft_status check_flags(const json_t *token, const char *where)
{
    static const char *const FLAGS[] = {"lstrip", "rstrip", "single_word", "normalized"};
    for (size_t i = 0; i < sizeof FLAGS / sizeof *FLAGS; i++) {
        if (json_is_true(json_object_get(token, FLAGS[i])))
            return ft_fail(FT_ERR_INPUT, "%s has %s = true beside a vocab.txt; %s", where, FLAGS[i],
                           ADVICE);
    }
    return FT_OK;
}

ft_status tokenizer_check_vocab_roles(const json_t *config)
{
    const json_t *more = json_object_get(config, "additional_special_tokens");
    for (int role = 0; role < ROLES; role++) {
        const char *key = token_role_key((enum token_role)role);
        FT_TRY(check_flags(json_object_get(config, key), key));
    }
    return json_array_size(more) == 0
               ? FT_OK
               : ft_fail(FT_ERR_INPUT, "additional_special_tokens beside a vocab.txt; %s", ADVICE);
}

/** Added tokens: only those that have a role, or have none of the flags and are special. */
static ft_status check_added(const struct tokenizer *t, json_t *added)
{
    const char *key;
    json_t *token;
    json_object_foreach(added, key, token)
    {
        char quote[VOCAB_QUOTE];
        const char *text = json_string_value(json_object_get(token, "content"));
        bool has_role = false;
        for (int role = 0; role < ROLES && text; role++)
            has_role |= t->roles[role] && strcmp(t->roles[role], text) == 0;
        if (!has_role)
            return ft_fail(FT_ERR_INPUT, "added_tokens_decoder has %s beside a vocab.txt; %s",
                           text ? vocab_quote(quote, text, strlen(text)) : "no content", ADVICE);
        FT_TRY(check_flags(token, "a token of added_tokens_decoder"));
    }
    return FT_OK;
}

ft_status tokenizer_read_vocab_rules(struct tokenizer *t, const json_t *config)
{
    const char *class = NULL;
    json_t *added = NULL;
    bool found = false;
    char quote[VOCAB_QUOTE];
    FT_TRY(json_get_text(config, "tokenizer_class", &class, &found));
    if (found && !is_bert_class(class))
        return ft_fail(FT_ERR_INPUT, "tokenizer_class is %s, whose vocab.txt is not read; %s",
                       vocab_quote(quote, class, strlen(class)), ADVICE);
    FT_TRY(json_get_bool(config, "do_lower_case", &t->bert.lower, &found));
    t->bert.strip = t->bert.lower; /* where the file does not say */
    FT_TRY(json_get_bool(config, "strip_accents", &t->bert.strip, &found));
    FT_TRY(json_get_bool(config, "tokenize_chinese_chars", &t->bert.spaced, &found));
    FT_TRY(json_get_object(config, "added_tokens_decoder", &added, &found));
    FT_TRY(tokenizer_check_vocab_roles(config));
    return check_added(t, added);
}

/** Text of a role, by default BERT's; its id, or -1 where BERT's own is not in the vocabulary. */
static ft_status place_role(struct tokenizer *t, int32_t *id, enum token_role role,
                            const char *usual)
{
    char quote[VOCAB_QUOTE];
    const bool named = t->roles[role] != NULL;
    const char *text = named ? t->roles[role] : usual;
    *id = vocab_find(&t->vocab, text, strlen(text));
    if (*id < 0 && !named && (role == ROLE_PAD || role == ROLE_MASK))
        return FT_OK;
    if (*id < 0)
        return ft_fail(FT_ERR_INPUT, "%s %s is not in vocab.txt", token_role_key(role),
                       vocab_quote(quote, text, strlen(text)));
    if (!named)
        t->roles[role] = mem_copy_text(usual);
    return t->roles[role] ? FT_OK : FT_ERR_INTERNAL;
}

ft_status tokenizer_finish_vocab(struct tokenizer *t)
{
    static const char *const USUAL[ROLES] = {[ROLE_UNK] = "[UNK]",
                                             [ROLE_SEP] = "[SEP]",
                                             [ROLE_PAD] = "[PAD]",
                                             [ROLE_CLS] = "[CLS]",
                                             [ROLE_MASK] = "[MASK]"};
    struct decoder_step *decoder = NULL;
    int32_t ids[ROLES];
    FT_TRY(decoder_add_text(&t->decoder, &decoder, DECODER_WORDPIECE, "##"));
    decoder->cleanup = true;
    t->pieces = PIECES_WORDPIECE;
    for (int role = 0; role < ROLES; role++) {
        ids[role] = -1;
        if (t->roles[role] || USUAL[role])
            FT_TRY(place_role(t, &ids[role], (enum token_role)role, USUAL[role]));
    }
    FT_TRY(wordpiece_begin(&t->wordpiece, &t->vocab, "##", ids[ROLE_UNK], 100));
    bert_prepare(&t->bert);
    for (int32_t last = -1;;) { /* in the order of their ids, each once */
        int32_t next = INT32_MAX;
        for (int role = 0; role < ROLES; role++)
            next = ids[role] > last && ids[role] < next ? ids[role] : next;
        if (next == INT32_MAX)
            break;
        FT_TRY(tokenizer_add_token(t, next, ADDED_SPECIAL));
        last = next;
    }
    FT_TRY(token_list_append(&t->before, &ids[ROLE_CLS], 1));
    return token_list_append(&t->after, &ids[ROLE_SEP], 1);
}
