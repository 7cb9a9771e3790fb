/*
 * A folder of sentence-transformers lists its modules in modules.json; the one of type ...Pooling
 * has a folder of its own, where config.json has a flag for each kind of pooling, or one word.
 */
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "model_file.h"

struct pooling_word {
    const char *flag, *word;
    enum pooling pooling;
};

static const struct pooling_word words[] = {
    {"pooling_mode_cls_token", "cls", POOLING_CLS},
    {"pooling_mode_mean_tokens", "mean", POOLING_MEAN},
    {"pooling_mode_lasttoken", "lasttoken", POOLING_LAST},
    {"pooling_mode_max_tokens", "max", POOLING_AUTO},
    {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", POOLING_AUTO},
    {"pooling_mode_weightedmean_tokens", "weightedmean", POOLING_AUTO}};
enum { N_WORDS = sizeof words / sizeof words[0] };

/* What the flags or the word say; *what is the last kind that is on, *n how many are. */
static ft_status get_modes(int *n, const struct pooling_word **what, const json_t *json)
{
    const char *word = NULL;
    bool found;
    *n = 0;
    *what = NULL;
    FT_TRY(json_get_text(json, "pooling_mode", &word, &found));
    for (int i = 0; i < N_WORDS; i++) {
        bool is_on = false;
        FT_TRY(json_get_bool(json, words[i].flag, &is_on, &found));
        if (is_on || (word && strcmp(word, words[i].word) == 0)) {
            *what = &words[i];
            ++*n;
        }
    }
    return FT_OK;
}

static ft_status from_module(struct model_config *c, const char *path)
{
    json_t *json;
    const struct pooling_word *what = NULL;
    int n = 0;
    FT_TRY(json_read_file(&json, path, CONFIG_BYTES_MAX));
    ft_status status = json_is_object(json)
                           ? get_modes(&n, &what, json)
                           : ft_fail(FT_ERR_INPUT, "the document is not an object");
    json_decref(json);
    if (status != FT_OK)
        return ft_fail_within(status, "%s", path);
    if (n == 1 && what->pooling != POOLING_AUTO)
        c->folder_pooling = what->pooling;
    else
        log_warn("%s: this pooling is not supported and was passed over: one of cls, mean and last "
                 "is",
                 path);
    return FT_OK;
}

static bool leaves_folder(const char *path)
{
    return path[0] == '/' || strcmp(path, "..") == 0 || strncmp(path, "../", 3) == 0 ||
           strstr(path, "/../") || (strlen(path) > 3 && !strcmp(path + strlen(path) - 3, "/.."));
}

/* The path of the pooling module; NULL where there is none. Borrowed from json. */
static ft_status find_module(const char **path, const json_t *json)
{
    size_t i;
    const json_t *module;
    *path = NULL;
    if (!json_is_array(json))
        return ft_fail(FT_ERR_INPUT, "the document is not a list of modules");
    json_array_foreach(json, i, module)
    {
        const char *type, *dot;
        if (!json_is_object(module))
            return ft_fail(FT_ERR_INPUT, "module %zu is not an object", i);
        FT_TRY(json_get_text(module, "type", &type, NULL));
        dot = strrchr(type, '.');
        if (strcmp(dot ? dot + 1 : type, "Pooling") != 0)
            continue;
        FT_TRY(json_get_text(module, "path", path, NULL));
        return leaves_folder(*path)
                   ? ft_fail(FT_ERR_INPUT, "path \"%s\" of module %zu leaves the model's folder",
                             *path, i)
                   : FT_OK;
    }
    return FT_OK;
}

ft_status config_read_pooling(struct model_config *c, const char *folder)
{
    char modules[FILE_PATH_MAX], place[FILE_PATH_MAX], config[FILE_PATH_MAX];
    json_t *json;
    const char *path;
    FT_TRY(file_join(modules, folder, "modules.json"));
    if (!file_exists(modules))
        return FT_OK;
    FT_TRY(json_read_file(&json, modules, CONFIG_BYTES_MAX));
    ft_status status = find_module(&path, json);
    if (status != FT_OK)
        status = ft_fail_within(status, "%s", modules);
    const bool is_there = status == FT_OK && path;
    if (is_there)
        status = file_join(place, folder, path);
    json_decref(json);
    if (status != FT_OK || !is_there)
        return status;
    FT_TRY(file_join(config, place, "config.json"));
    return from_module(c, config);
}
