/* generation_config.json: the source's own where it has one, else the ids that end a text. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "export_private.h"

enum { GENERATION_BYTES_MAX = 1 << 20 };

/* Byte for byte, once it is known to be an object. */
static ft_status copy_file(const char *to, const char *from)
{
    char *text = NULL;
    size_t bytes = 0;
    json_t *json = NULL;
    FT_TRY(file_read_all(&text, &bytes, from, GENERATION_BYTES_MAX));
    ft_status status = json_parse(&json, text, bytes, from);
    if (status == FT_OK && !json_is_object(json))
        status = ft_fail(FT_ERR_INPUT, "%s is no JSON object", from);
    if (status == FT_OK)
        status = file_replace(to, text, bytes);
    json_decref(json);
    mem_free(text);
    return status;
}

static ft_status make_file(const char *path, const struct model_config *c, const json_t *source)
{
    struct buffer text = {0};
    ft_status status = buffer_print(&text, "{\n");
    if (status == FT_OK)
        status = export_print_id(&text, "bos_token_id", source, c->bos);
    if (status == FT_OK)
        status = export_print_id(&text, "eos_token_id", source, c->eos);
    if (status == FT_OK)
        status = export_print_id(&text, "pad_token_id", source, -1);
    if (status == FT_OK)
        status = buffer_print(&text, "  \"_from_model_config\": true\n}\n");
    if (status == FT_OK)
        status = file_replace(path, text.data, text.used);
    buffer_clear(&text);
    return status;
}

ft_status export_generation(const char *folder, const struct model_config *c,
                            const struct folder_form *form)
{
    static const char NAME[] = "generation_config.json";
    char path[FILE_PATH_MAX], from[FILE_PATH_MAX] = "";
    json_t *source = NULL;
    FT_TRY(file_join(path, folder, NAME));
    if (form->source_path)
        FT_TRY(file_join(from, form->source_path, NAME));
    if (from[0] && file_is_regular(from))
        return copy_file(path, from);
    FT_TRY(export_source_config(&source, form->source_path));
    const ft_status status = make_file(path, c, source);
    json_decref(source);
    return status;
}
