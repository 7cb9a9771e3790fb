/** Tokenizers of tests/golden/tokenizer/pipelines.json: a file with some parts replaced. */
#ifndef FT_TESTS_PIPELINES_H
#define FT_TESTS_PIPELINES_H

#include "base/mem.h"
#include "format/json.h"
#include "support/token_cases.h"

/** Puts the map of unigram.json where a part stands for it. */
static inline void put_map(json_t *part, json_t *map)
{
    const char *key;
    json_t *value;
    size_t i;
    if (json_is_array(part)) {
        json_array_foreach(part, i, value) put_map(value, map);
        return;
    }
    json_object_foreach(part, key, value)
    {
        if (strcmp(key, "precompiled_charsmap") == 0)
            CHECK(json_object_set(part, key, map) == 0);
        else
            put_map(value, map);
    }
}

static inline json_t *merges_as_text(const json_t *merges)
{
    json_t *out = json_array(), *merge;
    size_t i;
    json_array_foreach(merges, i, merge)
    {
        char text[512];
        (void)snprintf(text, sizeof text, "%s %s", json_string_value(json_array_get(merge, 0)),
                       json_string_value(json_array_get(merge, 1)));
        CHECK(json_array_append_new(out, json_string(text)) == 0);
    }
    return out;
}

static inline json_t *some_tokens(json_t *vocab)
{
    json_t *out = json_object(), *id;
    const char *text;
    json_object_foreach(vocab, text, id)
    {
        if (strncmp(text, "<0x", 3) != 0 || strcmp(text, "<0xA0>") < 0)
            CHECK(json_object_set(out, text, id) == 0);
    }
    return out;
}

/** Replaces the value of a member, of the object at the top or of its member `outer`: scores stay
 * as they are written. */
static inline void replace_member(struct buffer *text, const char *outer, const char *key,
                                  json_t *value)
{
    size_t start = 0, from = 0, n = text->used;
    bool found = false;
    struct buffer out = {0};
    char *dumped = NULL;
    CHECK_STATUS(json_print(&dumped, value, 0, key), FT_OK);
    if (outer)
        CHECK_STATUS(json_find_raw(&found, &start, &n, text->data, text->used, outer), FT_OK);
    CHECK_STATUS(json_find_raw(&found, &from, &n, text->data + start, n, key), FT_OK);
    CHECK(found);
    CHECK_STATUS(buffer_append(&out, text->data, start + from), FT_OK);
    CHECK_STATUS(buffer_append(&out, dumped, strlen(dumped)), FT_OK);
    CHECK_STATUS(buffer_append(&out, text->data + start + from + n, text->used - start - from - n),
                 FT_OK);
    buffer_clear(text);
    *text = out;
    free(dumped);
}

static inline void replace_in_model(struct buffer *text, json_t *model, json_t *parts)
{
    const char *key;
    json_t *value;
    json_object_foreach(parts, key, value)
    {
        json_t *now = json_object_get(model, key), *made = NULL;
        if (strcmp(key, "merges") == 0)
            made = merges_as_text(now);
        else if (strcmp(key, "vocab") == 0)
            made = some_tokens(now);
        replace_member(text, "model", key, made ? made : value);
        json_decref(made);
    }
}

/** The text of a pipeline's tokenizer.json. */
static inline void build_pipeline(struct buffer *text, const json_t *pipeline)
{
    char path[FILE_PATH_MAX], *file = NULL;
    const char *key;
    size_t bytes = 0;
    json_t *value, *map_file = golden_json("unigram.json");
    json_t *map = json_object_get(json_object_get(map_file, "normalizer"), "precompiled_charsmap");
    (void)snprintf(path, sizeof path, "%s%s.json", TOKEN_GOLDEN,
                   json_string_value(json_object_get(pipeline, "base")));
    CHECK_STATUS(file_read_all(&file, &bytes, path, 1 << 24), FT_OK);
    CHECK_STATUS(buffer_append(text, file, bytes), FT_OK);
    json_t *root = json_loadb(file, bytes, 0, NULL), *parts = json_object_get(pipeline, "parts");
    json_object_foreach(parts, key, value)
    {
        json_t *part = json_deep_copy(value);
        put_map(part, map);
        if (strcmp(key, "model") == 0)
            replace_in_model(text, json_object_get(root, key), part);
        else
            replace_member(text, NULL, key, part);
        json_decref(part);
    }
    json_decref(root);
    json_decref(map_file);
    mem_free(file);
}

/** Opens the tokenizer of a name. */
static inline void open_pipeline(struct tokenizer **t, const json_t *golden, const char *name)
{
    json_t *pipeline;
    size_t i;
    json_array_foreach(json_object_get(golden, "pipelines"), i, pipeline)
    {
        struct buffer text = {0};
        if (strcmp(json_string_value(json_object_get(pipeline, "name")), name) != 0)
            continue;
        build_pipeline(&text, pipeline);
        CHECK_STATUS(tokenizer_open_json(t, text.data, text.used, name), FT_OK);
        buffer_clear(&text);
    }
}

#endif
