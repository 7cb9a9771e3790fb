#include "records.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "data/conversation.h"
#include "data/document.h"
#include "data/label_names.h"
#include "data/record.h"
#include "fuzz.h"

/* Records lie within the file, one behind the other. */
static void check_record(const struct record *record, int64_t *end)
{
    FUZZ_CHECK(record->offset >= *end && record->bytes > 0);
    *end = record->offset + (int64_t)record->bytes;
    FUZZ_CHECK(*end <= record->file->bytes);
}

static void check_document(const struct document *d, bool wants_label)
{
    FUZZ_CHECK(utf8_check(d->text, d->bytes, NULL));
    FUZZ_CHECK((d->label != NULL) == wants_label);
    if (wants_label)
        FUZZ_CHECK(d->label_bytes > 0 && d->label_bytes <= LABEL_BYTES_MAX &&
                   utf8_check(d->label, d->label_bytes, NULL) &&
                   !memchr(d->label, '\0', d->label_bytes));
}

/* The documents of a rank's part; -1 for a failure. */
static int64_t read_documents(const struct source *file, const char *label, struct comm *comm)
{
    struct record_cursor cursor = {.fd = -1};
    struct document_reader reader;
    struct record record;
    struct document document;
    int64_t n = 0, end = 0;
    bool has = true, is_fine = true;
    document_reader_init(&reader, "text", label);
    FUZZ_CHECK(record_open(&cursor, comm, file, 1, false) == FT_OK);
    while (is_fine && has) {
        is_fine = fuzz_ok(record_next(&cursor, &record, &has, cursor.end));
        if (!is_fine || !has)
            break;
        check_record(&record, &end);
        is_fine = fuzz_ok(document_read(&document, &reader, &cursor, &record));
        if (is_fine)
            check_document(&document, label != NULL);
        n++;
    }
    record_close(&cursor);
    document_reader_clear(&reader);
    return is_fine ? n : -1;
}

/* Ranks read what one rank reads. The first round is there to say how many quotes each has. */
static void check_parts(const struct source *file, int size, int64_t expected)
{
    for (int round = 0; round < 2; round++) {
        int64_t total = 0;
        for (int rank = 0; rank < size; rank++) {
            const int64_t n = read_documents(file, NULL, fuzz_comm_of(rank, size));
            FUZZ_CHECK(round == 0 || n >= 0);
            total += n;
        }
        FUZZ_CHECK(round == 0 || total == expected);
    }
}

/* A file that grows is noticed. */
static void check_size(struct source file)
{
    struct record_cursor cursor;
    struct record record;
    bool has;
    file.bytes++;
    FUZZ_CHECK(record_open_all(&cursor, &file, 1) == FT_OK);
    FUZZ_CHECK(record_next(&cursor, &record, &has, cursor.end) == FT_ERR_INPUT);
    record_close(&cursor);
}

static void check_conversation(const struct conversation *c)
{
    size_t end = 0;
    FUZZ_CHECK(c->list.n > 0 && c->n_prompt <= c->list.n);
    FUZZ_CHECK(!c->is_text || (c->list.n == 2 && c->n_prompt == 1));
    FUZZ_CHECK(utf8_check(c->list.text.data, c->list.text.used, NULL));
    for (int64_t i = 0; i < c->list.n; i++) {
        const struct chat_message *m = &c->list.items[i];
        FUZZ_CHECK(m->role < CHAT_ROLES && m->at == end);
        end = m->at + m->bytes;
    }
    FUZZ_CHECK(end == c->list.text.used);
}

static void read_conversations(struct source *file)
{
    struct source_list list = {.files = file, .n_files = 1, .total = file->bytes + 1};
    struct record_cursor cursor = {.fd = -1};
    struct conversation_reader reader = {0};
    struct conversation conversation = {0};
    struct record record;
    bool has = true;
    if (!fuzz_ok(conversation_forms_find(&list, fuzz_comm())) || file->form == FORM_NONE)
        return;
    FUZZ_CHECK(record_open_all(&cursor, file, 1) == FT_OK);
    while (fuzz_ok(record_next(&cursor, &record, &has, cursor.end)) && has) {
        if (file->kind == SOURCE_CSV && reader.file != file)
            if (!fuzz_ok(conversation_reader_columns(&reader, &cursor, file)))
                break;
        if (!fuzz_ok(conversation_read(&conversation, &reader, &record)))
            break;
        check_conversation(&conversation);
    }
    record_close(&cursor);
    chat_list_clear(&conversation.list);
    conversation_reader_clear(&reader);
}

int64_t records_read_all(const char *path, enum source_kind kind, size_t bytes)
{
    struct source file = {.path = mem_copy_text(path), .kind = kind, .bytes = (int64_t)bytes};
    const int64_t n = read_documents(&file, NULL, fuzz_comm());
    const int64_t n_labelled = read_documents(&file, "label", fuzz_comm());
    FUZZ_CHECK(n_labelled < 0 || n_labelled == n);
    for (int size = 2; size <= 3 && n >= 0; size++)
        check_parts(&file, size, n);
    check_size(file);
    read_conversations(&file);
    mem_free(file.path);
    return n;
}
