/* The files of a model folder that say what the tokenizer's tokens are for. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "token/json_parts.h"

#define CONFIG_MAX (64ull << 20) /* bytes of tokenizer_config.json, config.json, a template */

const char *token_role_key(enum token_role role)
{
    static const char *const KEYS[ROLES] = {
        [ROLE_BOS] = "bos_token",  [ROLE_EOS] = "eos_token", [ROLE_UNK] = "unk_token",
        [ROLE_SEP] = "sep_token",  [ROLE_PAD] = "pad_token", [ROLE_CLS] = "cls_token",
        [ROLE_MASK] = "mask_token"};
    return KEYS[role];
}

/** Copies a token's text: a string, or an object with "content". Absent or null leaves NULL. */
static ft_status copy_token(char **out, const json_t *config, const char *key)
{
    const json_t *value = json_object_get(config, key);
    const char *text = NULL;
    bool found = false;
    if (json_is_object(value))
        FT_TRY(json_get_text(value, "content", &text, NULL));
    else
        FT_TRY(json_get_text(config, key, &text, &found));
    if (!text)
        return FT_OK;
    *out = mem_copy_text(text);
    return *out ? FT_OK : FT_ERR_INTERNAL;
}

/** A template: a string, or the entry "default" of a list of named ones. */
static ft_status copy_template(char **out, const json_t *config)
{
    const json_t *value = json_object_get(config, "chat_template"), *entry;
    const char *text = json_string_value(value);
    size_t i;
    json_array_foreach(value, i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "name"));
        if (name && strcmp(name, "default") == 0)
            text = json_string_value(json_object_get(entry, "template"));
    }
    if (!text)
        return FT_OK;
    *out = mem_copy_text(text);
    return *out ? FT_OK : FT_ERR_INTERNAL;
}

static ft_status read_tokens(struct tokenizer *t, const json_t *config)
{
    for (int role = 0; role < ROLES; role++)
        FT_TRY(copy_token(&t->roles[role], config, token_role_key((enum token_role)role)));
    FT_TRY(copy_template(&t->chat_template, config));
    const json_t *length = json_object_get(config, "model_max_length");
    t->length_max = json_is_integer(length) ? json_integer_value(length) : 0;
    const char *eos = t->roles[ROLE_EOS];
    if (!eos)
        return FT_OK;
    t->eos = vocab_find(&t->vocab, eos, strlen(eos));
    char quote[VOCAB_QUOTE];
    return t->eos >= 0 ? FT_OK
                       : ft_fail(FT_ERR_INPUT, "eos_token %s is not in the vocabulary",
                                 vocab_quote(quote, eos, strlen(eos)));
}

/** First eos_token_id of config.json: an integer or a list. */
static ft_status read_eos_id(struct tokenizer *t, const json_t *config)
{
    const json_t *value = json_object_get(config, "eos_token_id");
    if (json_is_array(value))
        value = json_array_get(value, 0);
    if (!value || json_is_null(value))
        return FT_OK;
    size_t bytes;
    const json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
    if (id < 0 || id >= t->vocab.n || !vocab_text(&t->vocab, (int32_t)id, &bytes))
        return ft_fail(FT_ERR_INPUT, "eos_token_id is not the id of a token (0 ... %d)",
                       t->vocab.n - 1);
    t->eos = (int32_t)id;
    t->roles[ROLE_EOS] = mem_copy_text(vocab_text(&t->vocab, (int32_t)id, &bytes));
    return t->roles[ROLE_EOS] ? FT_OK : FT_ERR_INTERNAL;
}

typedef ft_status (*config_reader)(struct tokenizer *t, const json_t *config);

/** Reads folder/name by `read` where the file exists. */
static ft_status read_config(struct tokenizer *t, const char *folder, const char *name,
                             config_reader read)
{
    char path[FILE_PATH_MAX];
    json_t *root = NULL;
    FT_TRY(file_join(path, folder, name));
    if (!file_exists(path))
        return FT_OK;
    FT_TRY(json_read_file(&root, path, CONFIG_MAX));
    const ft_status status =
        json_is_object(root) ? read(t, root) : ft_fail(FT_ERR_INPUT, "no JSON object");
    json_decref(root);
    return status == FT_OK ? FT_OK : ft_fail_within(status, "%s", path);
}

/** transformers 5 writes the template as a file of its own, which wins. */
static ft_status read_template_file(struct tokenizer *t, const char *folder)
{
    char path[FILE_PATH_MAX];
    size_t bytes = 0;
    FT_TRY(file_join(path, folder, "chat_template.jinja"));
    if (!file_exists(path))
        return FT_OK;
    FT_FREE(t->chat_template);
    return file_read_all(&t->chat_template, &bytes, path, CONFIG_MAX);
}

/** Roles that tokenizer_config.json does not name; an end of text is not sought here. */
static ft_status read_map(struct tokenizer *t, const json_t *map)
{
    for (int role = 0; role < ROLES; role++) {
        if (role != ROLE_EOS && !t->roles[role])
            FT_TRY(copy_token(&t->roles[role], map, token_role_key((enum token_role)role)));
    }
    return t->json ? FT_OK : tokenizer_check_vocab_roles(map);
}

/** The rules of a vocab.txt, whose special tokens have been read from both files. */
static ft_status read_rules(struct tokenizer *t, const char *folder)
{
    char path[FILE_PATH_MAX];
    FT_TRY(file_join(path, folder, "added_tokens.json"));
    if (file_exists(path))
        return ft_fail(FT_ERR_INPUT,
                       "%s beside a vocab.txt is not read; save the tokenizer anew with "
                       "AutoTokenizer and save_pretrained() of transformers, which writes a "
                       "tokenizer.json",
                       path);
    t->bert.clean = t->bert.spaced = t->bert.lower = t->bert.strip = true;
    FT_TRY(read_config(t, folder, "tokenizer_config.json", tokenizer_read_vocab_rules));
    const ft_status status = tokenizer_finish_vocab(t);
    return status == FT_OK ? FT_OK : ft_fail_within(status, "%s", folder);
}

/** Why there is no tokenizer: the file of another kind that is there, and what makes one of it. */
static ft_status fail_without(const char *folder, const char *path)
{
    static const char *const OTHERS[] = {"tokenizer.model", "spiece.model",
                                         "sentencepiece.bpe.model", "vocab.json", "tekken.json"};
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
        char other[FILE_PATH_MAX];
        FT_TRY(file_join(other, folder, OTHERS[i]));
        if (file_exists(other))
            return ft_fail(FT_ERR_INPUT,
                           "%s does not exist, and %s is not read; make one of it with "
                           "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) of "
                           "transformers, with the package sentencepiece",
                           path, OTHERS[i]);
    }
    return ft_fail(FT_ERR_INPUT,
                   "%s does not exist, nor does a vocab.txt; save it there with "
                   "tokenizer.save_pretrained() of transformers",
                   path);
}

/** tokenizer.json, else the tokens of vocab.txt. */
static ft_status read_tokenizer(struct tokenizer *t, const char *folder)
{
    char path[FILE_PATH_MAX], vocab[FILE_PATH_MAX];
    FT_TRY(file_join(path, folder, "tokenizer.json"));
    FT_TRY(file_join(vocab, folder, "vocab.txt"));
    if (file_exists(path)) {
        FT_TRY(file_read_all(&t->json, &t->json_bytes, path, TOKENIZER_FILE_MAX));
        return tokenizer_parse_json(t, t->json, t->json_bytes, path);
    }
    if (file_exists(vocab))
        return tokenizer_read_vocab(t, vocab);
    return fail_without(folder, path);
}

ft_status tokenizer_read_folder(struct tokenizer *t, const char *folder)
{
    FT_TRY(read_tokenizer(t, folder));
    FT_TRY(read_config(t, folder, "tokenizer_config.json", read_tokens));
    FT_TRY(read_config(t, folder, "special_tokens_map.json", read_map));
    FT_TRY(read_template_file(t, folder));
    if (!t->json)
        FT_TRY(read_rules(t, folder));
    return t->eos < 0 ? read_config(t, folder, "config.json", read_eos_id) : FT_OK;
}
