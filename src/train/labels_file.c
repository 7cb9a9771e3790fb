#include "train/labels_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "format/json.h"

#define LABELS_BYTES_MAX (256 << 20)

ft_status labels_file_write(const struct label_names *labels, const char *output_dir)
{
    char path[FILE_PATH_MAX];
    char *text = NULL;
    FT_TRY(file_join(path, output_dir, "labels.json"));
    json_t *array = json_array();
    for (int32_t i = 0; i < labels->n; i++)
        (void)json_array_append_new(array, json_string(labels->names[i]));
    ft_status status = json_print(&text, array, JSON_INDENT(2), path);
    json_decref(array);
    if (status == FT_OK)
        status = file_replace(path, text, strlen(text));
    free(text);
    return status;
}

static ft_status from_array(struct label_names *labels, const json_t *array)
{
    struct label_table table = {0};
    ft_status status = FT_OK;
    if (!json_is_array(array))
        return ft_fail(FT_ERR_INPUT, "not a list of labels");
    for (size_t i = 0; i < json_array_size(array) && status == FT_OK; i++) {
        int32_t index;
        const json_t *name = json_array_get(array, i);
        status = json_is_string(name) ? label_table_add(&index, &table, json_string_value(name),
                                                        json_string_length(name))
                                      : ft_fail(FT_ERR_INPUT, "label %zu is no text", i);
        if (status == FT_OK && index != (int32_t)i)
            status = ft_fail(FT_ERR_INPUT, "label %zu is there twice", i);
    }
    if (status == FT_OK)
        status = label_names_create(labels, &table);
    for (int32_t i = 0; status == FT_OK && i < labels->n; i++)
        if (strcmp(labels->names[i], json_string_value(json_array_get(array, (size_t)i))) != 0)
            status = ft_fail(FT_ERR_INPUT, "the labels are not in order");
    label_table_clear(&table);
    return status;
}

ft_status labels_file_read(struct label_names *labels, const char *output_dir)
{
    char path[FILE_PATH_MAX];
    json_t *array;
    *labels = (struct label_names){0};
    FT_TRY(file_join(path, output_dir, "labels.json"));
    if (!file_exists(path))
        return ft_fail(FT_ERR_INPUT,
                       "%s does not exist: no classification was trained in that folder", path);
    FT_TRY(json_read_file(&array, path, LABELS_BYTES_MAX));
    ft_status status = from_array(labels, array);
    if (status == FT_OK && labels->n < 2)
        status = ft_fail(FT_ERR_INPUT, "fewer than two labels");
    json_decref(array);
    if (status != FT_OK)
        label_names_clear(labels);
    return status == FT_OK ? FT_OK : ft_fail_within(status, "%s", path);
}
