#include "data/conversation.h"

#include <string.h>

#include "base/mem.h"
#include "data/record_text.h"

/* The members that make a form, the optional one last; and what a CSV file cannot hold. */
static const struct form {
    enum conversation_form form;
    bool in_csv;
    int n_required;
    const char *fields[CONVERSATION_FIELDS]; /* NULL: no more */
} forms[] = {
    {FORM_MESSAGES, false, 1, {"messages"}},
    {FORM_PROMPT, true, 2, {"prompt", "completion"}},
    {FORM_ALPACA, true, 2, {"instruction", "output", "input"}},
};

static const char advice[] =
    "instruction data are messages, or prompt and completion, or instruction, input and output";

/* Frame of the classic Alpaca prompt, with an input and without. */
static const char alpaca_input[] =
    "Below is an instruction that describes a task, paired with an input that provides further "
    "context. Write a response that appropriately completes the request.\n\n### Instruction:\n";
static const char alpaca_alone[] =
    "Below is an instruction that describes a task. Write a response that appropriately completes "
    "the request.\n\n### Instruction:\n";

static const struct form *form_of(enum conversation_form wanted)
{
    const struct form *form = forms;
    while (form->form != wanted)
        form++;
    return form;
}

void conversation_reader_clear(struct conversation_reader *reader)
{
    for (int i = 0; i < CONVERSATION_FIELDS; i++)
        buffer_clear(&reader->fields[i].value);
    *reader = (struct conversation_reader){0};
}

/* Where a record of a file is wrong. */
static ft_status fail(const struct record *record, const char *message)
{
    return source_fail(record->file, record->offset, "%s", message);
}

/* The first form whose required members an object has. */
static enum conversation_form form_of_object(const json_t *line)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        int n = 0;
        while (n < forms[i].n_required && json_object_get(line, forms[i].fields[n]))
            n++;
        if (n == forms[i].n_required)
            return forms[i].form;
    }
    return FORM_NONE;
}

static ft_status find_json_form(enum conversation_form *form, const struct record *record)
{
    json_t *line = NULL;
    FT_TRY(record_check_utf8(record->file, record->offset, record->data, record->bytes));
    FT_TRY(record_parse_json(&line, record));
    *form = form_of_object(line); /* of what is no object: none */
    json_decref(line);
    return *form == FORM_NONE
               ? source_fail(record->file, record->offset, "no instruction data: %s", advice)
               : FT_OK;
}

static void set_fields(struct conversation_reader *reader, const struct form *form)
{
    for (int i = 0; i < CONVERSATION_FIELDS; i++) {
        reader->fields[i].name = form->fields[i];
        reader->fields[i].is_optional = i >= form->n_required;
    }
}

ft_status conversation_reader_columns(struct conversation_reader *reader,
                                      const struct record_cursor *cursor, const struct source *file)
{
    struct csv_field *fields[CONVERSATION_FIELDS];
    set_fields(reader, form_of((enum conversation_form)file->form));
    for (int i = 0; i < CONVERSATION_FIELDS; i++)
        fields[i] = &reader->fields[i];
    FT_TRY(csv_find_columns(&reader->n_columns, fields, CONVERSATION_FIELDS, cursor, file));
    reader->file = file;
    return FT_OK;
}

/* The first form whose required columns the header has. */
static ft_status find_csv_form(enum conversation_form *form, const struct record_cursor *cursor,
                               const struct source *file)
{
    *form = FORM_NONE;
    for (size_t i = 0; i < sizeof forms / sizeof *forms && *form == FORM_NONE; i++) {
        struct conversation_reader reader = {0};
        struct source as = *file;
        as.form = (int)forms[i].form;
        const bool fits =
            forms[i].in_csv && conversation_reader_columns(&reader, cursor, &as) == FT_OK;
        *form = fits ? forms[i].form : FORM_NONE;
        conversation_reader_clear(&reader);
    }
    return *form != FORM_NONE
               ? FT_OK
               : source_fail(file, cursor->header_offset,
                             "the header names no columns of instruction data: prompt and "
                             "completion, or instruction, input and output (messages need JSONL)");
}

static ft_status find_form(struct source *file)
{
    struct record_cursor cursor;
    struct record record;
    enum conversation_form form = FORM_NONE; /* an empty file has any form */
    bool has = false;
    if (file->kind == SOURCE_TXT)
        return ft_fail(FT_ERR_INPUT,
                       "%s: a .txt file holds no instruction data: task = \"instruct\" reads "
                       ".jsonl and .csv",
                       file->path);
    struct source alone = *file;
    alone.first = 0;
    ft_status status = record_open_all(&cursor, &alone, 1);
    if (status == FT_OK)
        status = record_next(&cursor, &record, &has, cursor.end);
    if (status == FT_OK && has)
        status = file->kind == SOURCE_CSV ? find_csv_form(&form, &cursor, &alone)
                                          : find_json_form(&form, &record);
    file->form = (int)form;
    record_close(&cursor);
    return status;
}

static ft_status find_forms(struct source_list *list, const struct comm *comm)
{
    for (int64_t i = 0; i < list->n_files && comm_rank(comm) == 0; i++)
        if (list->files[i].kind != SOURCE_SHARDS)
            FT_TRY(find_form(&list->files[i]));
    return FT_OK;
}

ft_status conversation_forms_find(struct source_list *list, struct comm *comm)
{
    int *found = NULL;
    FT_AGREE(comm, find_forms(list, comm));
    FT_AGREE(comm, FT_ALLOC(found, list->n_files));
    for (int64_t i = 0; i < list->n_files; i++)
        found[i] = list->files[i].form;
    comm_bcast(comm, found, list->n_files * (int64_t)sizeof *found, 0);
    for (int64_t i = 0; i < list->n_files; i++)
        list->files[i].form = found[i];
    mem_free(found);
    return FT_OK;
}

/* Appends the texts of a list of parts. */
static ft_status append_parts(struct buffer *text, const json_t *parts, const struct record *record)
{
    const json_t *part;
    size_t i;
    json_array_foreach(parts, i, part)
    {
        const char *type = json_string_value(json_object_get(part, "type"));
        const json_t *value = json_object_get(part, "text");
        if (!type || strcmp(type, "text") != 0 || !json_is_string(value))
            return fail(record, "a part of a message's content is not {\"type\": \"text\", "
                                "\"text\": \"...\"}: only text is read");
        FT_TRY(buffer_append(text, json_string_value(value), json_string_length(value)));
    }
    return FT_OK;
}

static ft_status append_content(struct buffer *text, const json_t *content,
                                const struct record *record)
{
    if (json_is_array(content))
        return append_parts(text, content, record);
    if (!json_is_string(content))
        return source_fail(record->file, record->offset,
                           "\"content\" of a message is %s, not a string or a list of parts",
                           content ? json_type_name(content) : "missing");
    return buffer_append(text, json_string_value(content), json_string_length(content));
}

static ft_status add_message(struct chat_list *list, const json_t *message, size_t number,
                             const struct record *record)
{
    static const char *const unread[] = {"tool_calls", "function_call", "reasoning_content"};
    const char *name = json_string_value(json_object_get(message, "role"));
    enum chat_role role;
    const size_t at = list->text.used;
    if (!name)
        return source_fail(record->file, record->offset, "message %zu has no \"role\"", number);
    if (!chat_role_find(&role, name))
        return source_fail(record->file, record->offset,
                           "message %zu: role \"%.40s\" is unknown; system, user and assistant are "
                           "read",
                           number, name);
    for (size_t i = 0; i < sizeof unread / sizeof *unread; i++) {
        const json_t *value = json_object_get(message, unread[i]);
        if (value && !json_is_null(value))
            return source_fail(record->file, record->offset,
                               "message %zu: \"%s\" is not read; write it into the content", number,
                               unread[i]);
    }
    FT_TRY(append_content(&list->text, json_object_get(message, "content"), record));
    return chat_list_add(list, role, at);
}

static ft_status add_messages(struct chat_list *list, const json_t *messages, const char *field,
                              const struct record *record)
{
    const json_t *message;
    size_t i;
    if (!json_is_array(messages) || json_array_size(messages) == 0)
        return source_fail(record->file, record->offset,
                           "\"%s\" is %s, not a list of messages with role and content", field,
                           json_is_array(messages) ? "empty" : json_type_name(messages));
    json_array_foreach(messages, i, message) FT_TRY(add_message(list, message, i + 1, record));
    return FT_OK;
}

/* Ends the prompt, or the completion, that was appended from `at` on. */
static ft_status end_text(struct conversation *out, size_t at)
{
    out->is_text = true;
    out->n_prompt = 1;
    return chat_list_add(&out->list, out->list.n == 0 ? CHAT_USER : CHAT_ASSISTANT, at);
}

static ft_status put_text(struct buffer *out, const char *text)
{
    return buffer_append(out, text, strlen(text));
}

/* Texts of instruction, output and input (empty: none) as prompt and completion. */
static ft_status add_alpaca(struct conversation *out, const char *const texts[],
                            const size_t bytes[])
{
    struct buffer *text = &out->list.text;
    const size_t at = text->used;
    FT_TRY(put_text(text, bytes[2] > 0 ? alpaca_input : alpaca_alone));
    FT_TRY(buffer_append(text, texts[0], bytes[0]));
    if (bytes[2] > 0) {
        FT_TRY(put_text(text, "\n\n### Input:\n"));
        FT_TRY(buffer_append(text, texts[2], bytes[2]));
    }
    FT_TRY(put_text(text, "\n\n### Response:\n"));
    FT_TRY(end_text(out, at));
    const size_t response = text->used;
    FT_TRY(buffer_append(text, texts[1], bytes[1]));
    return end_text(out, response);
}

/* Texts of the fields of a form without roles. */
static ft_status add_texts(struct conversation *out, enum conversation_form form,
                           const char *const texts[], const size_t bytes[])
{
    struct buffer *text = &out->list.text;
    if (form == FORM_ALPACA)
        return add_alpaca(out, texts, bytes);
    for (int i = 0; i < 2; i++) {
        const size_t at = text->used;
        FT_TRY(buffer_append(text, texts[i], bytes[i]));
        FT_TRY(end_text(out, at));
    }
    return FT_OK;
}

/* Members that hold texts; the optional one may be missing or null. */
static ft_status read_text_members(struct conversation *out, const struct form *form,
                                   const json_t *line, const struct record *record)
{
    const char *texts[CONVERSATION_FIELDS] = {"", "", ""};
    size_t bytes[CONVERSATION_FIELDS] = {0};
    for (int i = 0; i < CONVERSATION_FIELDS && form->fields[i]; i++) {
        const json_t *value = json_object_get(line, form->fields[i]);
        if (i >= form->n_required && (!value || json_is_null(value)))
            continue;
        if (!json_is_string(value))
            return source_fail(record->file, record->offset, "field \"%s\" is %s, not a string",
                               form->fields[i], json_type_name(value));
        texts[i] = json_string_value(value);
        bytes[i] = json_string_length(value);
    }
    return add_texts(out, form->form, texts, bytes);
}

static ft_status read_members(struct conversation *out, const struct form *form, const json_t *line,
                              const struct record *record)
{
    const json_t *tools = json_object_get(line, "tools");
    for (int i = 0; i < form->n_required; i++)
        if (!json_object_get(line, form->fields[i]))
            return source_fail(record->file, record->offset,
                               "no field \"%s\", which the first line of this file has: all lines "
                               "of a file must have the same form",
                               form->fields[i]);
    if (tools && !json_is_null(tools))
        return fail(record, "\"tools\" are not read: leave the field out");
    const json_t *first = json_object_get(line, form->fields[0]);
    if (form->form == FORM_MESSAGES)
        return add_messages(&out->list, first, "messages", record);
    if (form->form != FORM_PROMPT || !json_is_array(first))
        return read_text_members(out, form, line, record);
    FT_TRY(add_messages(&out->list, first, "prompt", record));
    out->n_prompt = out->list.n;
    return add_messages(&out->list, json_object_get(line, "completion"), "completion", record);
}

static ft_status read_row(struct conversation *out, struct conversation_reader *reader,
                          const struct record *record)
{
    struct csv_field *fields[CONVERSATION_FIELDS];
    const char *texts[CONVERSATION_FIELDS];
    size_t bytes[CONVERSATION_FIELDS];
    for (int i = 0; i < CONVERSATION_FIELDS; i++) {
        fields[i] = &reader->fields[i];
        fields[i]->value.used = 0;
        FT_TRY(buffer_reserve(&fields[i]->value, 1));
    }
    FT_TRY(csv_read_row(fields, CONVERSATION_FIELDS, reader->n_columns, record));
    for (int i = 0; i < CONVERSATION_FIELDS; i++) {
        texts[i] = fields[i]->value.data;
        bytes[i] = fields[i]->value.used;
    }
    return add_texts(out, (enum conversation_form)record->file->form, texts, bytes);
}

ft_status conversation_read(struct conversation *out, struct conversation_reader *reader,
                            const struct record *record)
{
    json_t *line = NULL;
    out->list.n = 0;
    out->list.text.used = 0;
    out->n_prompt = -1;
    out->is_text = false;
    FT_TRY(buffer_reserve(&out->list.text, 1));
    FT_TRY(record_check_utf8(record->file, record->offset, record->data, record->bytes));
    if (record->file->kind == SOURCE_CSV)
        return read_row(out, reader, record);
    FT_TRY(record_parse_json(&line, record));
    const ft_status status =
        json_is_object(line)
            ? read_members(out, form_of((enum conversation_form)record->file->form), line, record)
            : source_fail(record->file, record->offset, "the line is %s, not an object",
                          json_type_name(line));
    json_decref(line);
    return status;
}
