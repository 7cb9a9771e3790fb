/*
 * token/: conversations are rendered as apply_chat_template of transformers does, by each template,
 * and templates are recognised in their published spelling or not at all.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "chat_format.h"
#include "format/json.h"
#include "support/check.h"
#include "token/chat.h"

#define GOLDEN TESTS_DIR "/golden/"

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* A model folder with a golden tokenizer, its marks, and this template. */
static struct tokenizer *open_tokenizer(const char *folder, const json_t *row)
{
    char path[FILE_PATH_MAX], *text = NULL;
    size_t bytes = 0;
    struct tokenizer *t = NULL;
    (void)snprintf(path, sizeof path, GOLDEN "tokenizer/%s.json", text_of(row, "tokenizer"));
    CHECK_STATUS(file_read_all(&text, &bytes, path, 1 << 24), FT_OK);
    (void)snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    CHECK_STATUS(file_replace(path, text, bytes), FT_OK);
    mem_free(text);
    json_t *config = json_pack("{s:O, s:O, s:O}", "bos_token", json_object_get(row, "bos_token"),
                               "eos_token", json_object_get(row, "eos_token"), "chat_template",
                               json_object_get(row, "template"));
    (void)snprintf(path, sizeof path, "%s/tokenizer_config.json", folder);
    CHECK(config && json_dump_file(config, path, 0) == 0);
    json_decref(config);
    CHECK_STATUS(tokenizer_open(&t, folder), FT_OK);
    return t;
}

static void read_list(struct chat_list *list, const json_t *messages)
{
    const json_t *message;
    size_t i;
    list->n = 0;
    list->text.used = 0;
    CHECK_STATUS(buffer_reserve(&list->text, 1), FT_OK);
    json_array_foreach(messages, i, message)
    {
        enum chat_role role;
        const json_t *content = json_object_get(message, "content");
        const size_t at = list->text.used;
        CHECK(chat_role_find(&role, text_of(message, "role")));
        CHECK_STATUS(
            buffer_append(&list->text, json_string_value(content), json_string_length(content)),
            FT_OK);
        CHECK_STATUS(chat_list_add(list, role, at), FT_OK);
    }
}

static bool is_text(const struct chat_text *out, const char *wanted, const char *behind)
{
    const size_t n = strlen(wanted), m = behind ? strlen(behind) : 0;
    return out->text.used == n + m && memcmp(out->text.data, wanted, n) == 0 &&
           (m == 0 || memcmp(out->text.data + n, behind, m) == 0);
}

static void check_case(const struct chat_template *c, const json_t *messages, const json_t *wanted,
                       const char *name)
{
    struct chat_list list = {0};
    struct chat_text out = {0};
    const int before = check_failures;
    read_list(&list, messages);
    if (json_is_true(json_object_get(wanted, "error"))) {
        CHECK_FAILS(chat_render(&out, c, &list, list.n, false), FT_ERR_INPUT, "chat template");
    } else {
        CHECK_STATUS(chat_render(&out, c, &list, list.n, false), FT_OK);
        CHECK(is_text(&out, text_of(wanted, "text"), NULL));
        CHECK_STATUS(chat_render(&out, c, &list, list.n, true), FT_OK);
        const char *prompt = text_of(wanted, "prompt");
        CHECK(!prompt || is_text(&out, text_of(wanted, "text"), prompt));
    }
    if (check_failures != before)
        (void)fprintf(stderr, "template %s, conversation \"%s\": %.*s\n", chat_template_name(c),
                      name, (int)out.text.used, out.text.data);
    chat_text_clear(&out);
    chat_list_clear(&list);
}

static void check_row(const char *folder, const json_t *row, const json_t *conversations)
{
    const bool has_own = json_is_true(json_object_get(row, "has_own_system"));
    const char *name = text_of(row, "name"), *conversation;
    struct tokenizer *t = open_tokenizer(folder, row);
    struct chat_template *own = NULL, *named = NULL;
    json_t *wanted;
    CHECK_STATUS(chat_template_open(&own, t, "auto"), FT_OK);
    CHECK_STATUS(chat_template_open(&named, t, name), FT_OK);
    if (!own || !named) {
        (void)fprintf(stderr, "template %s\n", name);
    } else {
        const struct hash_value a = chat_template_hash(own), b = chat_template_hash(named);
        /* qwen2.5 is chatml with a system message, and recognised as such */
        const bool is_same = !has_own && strcmp(name, "qwen2.5") != 0;
        CHECK((a.high == b.high && a.low == b.low) == is_same);
        json_object_foreach(json_object_get(row, "cases"), conversation, wanted)
        {
            const json_t *messages = json_object_get(conversations, conversation);
            check_case(own, messages, wanted, conversation);
            if (!has_own)
                check_case(named, messages, wanted, conversation);
        }
    }
    chat_template_close(&named);
    chat_template_close(&own);
    tokenizer_close(&t);
}

static void test_unknown(const json_t *unknown)
{
    const json_t *text;
    size_t i;
    json_array_foreach(unknown, i, text)
    {
        const struct chat_format *format = NULL;
        char *system = NULL;
        CHECK_STATUS(chat_recognise(&format, &system, json_string_value(text)), FT_OK);
        CHECK(!format && !system);
        mem_free(system);
    }
    CHECK(i >= 4);
}

static void check_normal(const char *text, const char *wanted)
{
    struct buffer out = {0};
    CHECK_STATUS(chat_normalise(&out, text), FT_OK);
    CHECK(strcmp(out.data, wanted) == 0);
    if (strcmp(out.data, wanted) != 0)
        (void)fprintf(stderr, "%s\n", out.data);
    buffer_clear(&out);
}

static void test_normal(void)
{
    check_normal("", "");
    check_normal("{%- if  a['role'] == \"x\" -%}\n {{+ 'b' + \"\\n\" }}",
                 "{%ifa.role=='x'%}{{'b\n'}}");
    check_normal("{# no #}text {{ a[0][\"c\"]+'d'+e }}", "text{{a[0].c+'d'+e}}");
    check_normal("{{ x[ 'a' ] }}{{ 'it''s' }}", "{{x.a}}{{'it''s'}}");
    check_normal("{{ 'open", "{{'open'}}");
    check_normal("{{", "{{}}");
    check_normal("{#", "");
    check_normal("{% a['", "{%a[''%}");
    check_normal("{{ 'a\\", "{{'a\\'}}");
    check_normal("{{ ['a'] }}", "{{['a']}}");
}

static void test_refused(const char *folder, const json_t *row)
{
    json_t *other = json_deep_copy(row);
    struct chat_template *c = NULL;
    CHECK(json_object_set_new(other, "template", json_string("{{ messages }}")) == 0);
    struct tokenizer *t = open_tokenizer(folder, other);
    CHECK_FAILS(chat_template_open(&c, t, "auto"), FT_ERR_INPUT,
                "none of those known; data.chat_template can name one: chatml, qwen2.5,");
    CHECK_FAILS(chat_template_open(&c, t, "gpt"), FT_ERR_USAGE, "no chat template is called gpt");
    CHECK(!c);
    tokenizer_close(&t);
    CHECK(json_object_set_new(other, "template", json_null()) == 0);
    CHECK(json_object_set_new(other, "bos_token", json_null()) == 0);
    t = open_tokenizer(folder, other);
    CHECK_FAILS(chat_template_open(&c, t, "auto"), FT_ERR_INPUT, "hold no chat template");
    CHECK_FAILS(chat_template_open(&c, t, "gemma"), FT_ERR_INPUT,
                "puts the bos_token into the text");
    CHECK_STATUS(chat_template_open(&c, t, "zephyr"), FT_OK);
    struct chat_list empty = {0};
    struct chat_text out = {0};
    CHECK_FAILS(chat_render(&out, c, &empty, 0, false), FT_ERR_INPUT, "without messages");
    chat_text_clear(&out);
    chat_template_close(&c);
    tokenizer_close(&t);
    json_decref(other);
}

int main(void)
{
    char folder[] = "/tmp/ft-chat-XXXXXX";
    json_t *root = NULL;
    const json_t *row;
    size_t i;
    CHECK(mkdtemp(folder) != NULL);
    CHECK_STATUS(json_read_file(&root, GOLDEN "chat/renderings.json", 1 << 24), FT_OK);
    const json_t *rows = json_object_get(root, "templates");
    json_array_foreach(rows, i, row) check_row(folder, row, json_object_get(root, "conversations"));
    CHECK(i == 16);
    test_refused(folder, json_array_get(rows, 0));
    test_unknown(json_object_get(root, "unknown"));
    test_normal();
    json_decref(root);
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
    return check_end();
}
