/*
 * Instruction data: ids and masks are those of transformers for each template, conversations are
 * the same at every rank count, share windows without seeing each other, and what is none is
 * refused with code 65 and a message that says what and where.
 */
#include <dirent.h>

#include "base/hash.h"
#include "base/log.h"
#include "data/conversations.h"
#include "data/loader.h"
#include "data/token_writer.h"
#include "format/json.h"
#include "support/corpus_fixture.h"

#define BYTES(text) (text), sizeof(text) - 1
#define USER "{\"role\": \"user\", \"content\": \"a\"}"
#define GOOD "{\"messages\": [" USER ", {\"role\": \"assistant\", \"content\": \"b\"}]}\n"
#define PAIR "{\"prompt\": \"a\", \"completion\": \"b\"}\n"

struct hostile {
    const char *name; /**< of the file; its ending says how it is read */
    const char *data;
    size_t bytes;
    const char *message; /**< part that must be in the error */
};

static const struct hostile files[] = {
    {"text.txt", BYTES("text"), "a .txt file holds no instruction data"},
    {"other.jsonl", BYTES("\n{\"text\": \"a\"}\n"), "line 2, byte 1: no instruction data"},
    {"array.jsonl", BYTES("[1]\n"), "line 1, byte 1: no instruction data"},
    {"number.jsonl", BYTES(GOOD "7\n"), "line 2, byte 1: the line is a number, not an object"},
    {"json.jsonl", BYTES(GOOD "{\"messages\": [}\n"), "line 2, byte 15: invalid JSON"},
    {"latin1.jsonl", BYTES(GOOD "{\"messages\": \"\xe9\"}\n"), "line 2, byte 15: invalid UTF-8"},
    {"mixed.jsonl", BYTES(GOOD PAIR),
     "line 2, byte 1: no field \"messages\", which the first line of this file has"},
    {"mixed-back.jsonl", BYTES(PAIR GOOD), "line 2, byte 1: no field \"prompt\", which the first"},
    {"half.jsonl", BYTES(PAIR "{\"prompt\": \"a\"}\n"), "line 2, byte 1: no field \"completion\""},
    {"string.jsonl", BYTES("{\"messages\": \"a\"}\n"), "\"messages\" is a string, not a list"},
    {"empty.jsonl", BYTES(GOOD "{\"messages\": []}\n"), "line 2, byte 1: \"messages\" is empty"},
    {"role.jsonl",
     BYTES(GOOD "{\"messages\": [" USER ", {\"role\": \"tool\", \"content\": \"\"}]}\n"),
     "line 2, byte 1: message 2: role \"tool\" is unknown; system, user and assistant are read"},
    {"no-role.jsonl", BYTES("{\"messages\": [{\"content\": \"a\"}]}\n"),
     "message 1 has no \"role\""},
    {"role-type.jsonl", BYTES("{\"messages\": [{\"role\": 1}]}\n"), "message 1 has no \"role\""},
    {"message.jsonl", BYTES("{\"messages\": [3]}\n"), "message 1 has no \"role\""},
    {"null.jsonl", BYTES("{\"messages\": [{\"role\": \"user\", \"content\": null}]}\n"),
     "\"content\" of a message is null, not a string or a list of parts"},
    {"missing.jsonl", BYTES("{\"messages\": [{\"role\": \"user\"}]}\n"),
     "\"content\" of a message is missing"},
    {"image.jsonl",
     BYTES("{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"image\"}]}]}\n"),
     "only text is read"},
    {"part.jsonl", BYTES("{\"messages\": [{\"role\": \"user\", \"content\": [\"a\"]}]}\n"),
     "only text is read"},
    {"calls.jsonl",
     BYTES("{\"messages\": [" USER
           ", {\"role\": \"assistant\", \"content\": \"\", \"tool_calls\": []}]}\n"),
     "message 2: \"tool_calls\" is not read"},
    {"tools.jsonl", BYTES("{\"messages\": [" USER "], \"tools\": []}\n"), "\"tools\" are not read"},
    {"prompt-type.jsonl", BYTES("{\"prompt\": \"a\", \"completion\": [" USER "]}\n"),
     "field \"completion\" is an array, not a string"},
    {"completion-type.jsonl", BYTES("{\"prompt\": [" USER "], \"completion\": \"a\"}\n"),
     "\"completion\" is a string, not a list of messages"},
    {"completion-user.jsonl", BYTES("{\"prompt\": [" USER "], \"completion\": [" USER "]}\n"),
     "line 1, byte 1: chat template zephyr does not begin the conversation with its prompt"},
    {"alpaca.jsonl", BYTES("{\"instruction\": \"a\", \"output\": 1}\n"),
     "field \"output\" is a number, not a string"},
    {"alpaca-input.jsonl", BYTES("{\"instruction\": \"a\", \"output\": \"b\", \"input\": []}\n"),
     "field \"input\" is an array, not a string"},
    {"unanswered.jsonl", BYTES("{\"messages\": [" USER "]}\n"),
     "no conversation with a supervised token (1 skipped)"},
    {"deep.jsonl", NULL, 4000, "line 2, byte"},

    {"column.csv", BYTES("prompt,answer\na,b\n"), "line 1, byte 1: the header names no columns"},
    {"messages.csv", BYTES("messages\n[]\n"), "(messages need JSONL)"},
    {"twice.csv", BYTES("prompt,completion,prompt\na,b,c\n"), "the header names no columns"},
    {"ragged.csv", BYTES("prompt,completion\na,b,c\n"),
     "line 2, byte 1: the row has 3 fields, the header has 2"},
    {"latin1.csv", BYTES("prompt,completion\na,\xe9\n"), "line 2, byte 3: invalid UTF-8"},
};

struct world {
    struct fixture f;
    struct chat_template *chat;
};

static ft_status open_file(struct corpus **c, const struct fixture *f, struct tokenizer *t,
                           const struct instruct_request *instruct, const char *name)
{
    struct fixture_request r;
    fixture_request(&r, f, &name, 1);
    r.request.instruct = instruct;
    r.request.seq_len = (int)instruct->max_tokens;
    return corpus_open(c, f->comm, &r.request, t);
}

static int count_entries(const char *path)
{
    int n = 0;
    DIR *folder = opendir(path);
    while (folder && readdir(folder))
        n++;
    if (folder)
        (void)closedir(folder);
    return folder ? n - 2 : 0;
}

/* A line that nests n lists. */
static void write_deep(const struct fixture *f, const char *name, size_t n)
{
    struct buffer out = {0};
    CHECK_STATUS(buffer_print(&out, GOOD "{\"messages\": "), FT_OK);
    for (size_t i = 0; i < n; i++)
        CHECK_STATUS(buffer_append(&out, "[", 1), FT_OK);
    fixture_write(f, name, out.data, out.used);
    buffer_clear(&out);
}

static void test_refused(const struct world *w)
{
    const struct instruct_request request = {.chat = w->chat, .max_tokens = 64};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const struct hostile *file = &files[i];
        struct corpus *c = NULL;
        const int before = check_failures;
        if (w->f.rank == 0)
            check_hostile("conversations", file->name);
        if (file->data)
            fixture_write(&w->f, file->name, file->data, file->bytes);
        else
            write_deep(&w->f, file->name, file->bytes);
        CHECK_FAILS(open_file(&c, &w->f, w->f.tokenizer, &request, file->name), FT_ERR_INPUT,
                    file->message);
        CHECK(!c && strstr(ft_error_text(), file->name));
        corpus_close(&c);
        comm_barrier(w->f.comm);
        CHECK(count_entries(w->f.cache) == 0);
        comm_barrier(w->f.comm);
        if (check_failures != before)
            (void)fprintf(stderr, "rank %d: %s\n", w->f.rank, file->name);
    }
    const struct instruct_request none = {.failure = "no template here", .max_tokens = 64};
    struct corpus *c = NULL;
    fixture_write(&w->f, "good.jsonl", BYTES(GOOD));
    CHECK_FAILS(open_file(&c, &w->f, w->f.tokenizer, &none, "good.jsonl"), FT_ERR_INPUT,
                "good.jsonl line 1, byte 1: no template here");
    fixture_write(&w->f, "pair.jsonl", BYTES(PAIR));
    CHECK_STATUS(open_file(&c, &w->f, w->f.tokenizer, &none, "pair.jsonl"), FT_OK);
    corpus_close(&c);
}

/* What a template refuses is told of with its line. */
static void test_order(const struct world *w)
{
    static const char marks[] = "{\"eos_token\": \"</s>\", \"bos_token\": \"<x>\"}";
    struct tokenizer *t = NULL;
    struct chat_template *chat = NULL;
    struct corpus *c = NULL;
    fixture_write_tokenizer(&w->f, "marked", "</s>");
    fixture_write(&w->f, "marked/tokenizer_config.json", BYTES(marks));
    fixture_open_tokenizer(&t, &w->f, "marked");
    fixture_write(&w->f, "order.jsonl", BYTES(GOOD "{\"messages\": [" USER "," USER "]}\n"));
    fixture_write(&w->f, "system.jsonl",
                  BYTES("\n{\"messages\": [{\"role\": \"system\", \"content\": \"a\"}]}\n"));
    CHECK_STATUS(chat_template_open(&chat, t, "gemma"), FT_OK);
    const struct instruct_request request = {.chat = chat, .max_tokens = 64};
    CHECK_FAILS(open_file(&c, &w->f, t, &request, "order.jsonl"), FT_ERR_INPUT,
                "order.jsonl line 2, byte 1: message 2: chat template gemma wants user and");
    CHECK_FAILS(open_file(&c, &w->f, t, &request, "system.jsonl"), FT_ERR_INPUT,
                "system.jsonl line 2, byte 1: chat template gemma has no place for a system");
    chat_template_close(&chat);
    tokenizer_close(&t);
}

/* What two forms say alike gives the same ids: CSV and JSONL, a string and its parts. */
static void test_forms(const struct world *w)
{
    static const char *const pairs[][2] = {
        {"a.csv", "a.jsonl"}, {"b.csv", "b.jsonl"}, {"c.jsonl", "d.jsonl"}};
    const struct instruct_request request = {.chat = w->chat, .max_tokens = 400};
    fixture_write(&w->f, "a.csv", BYTES("id,completion,prompt\n1,\"b, \"\"c\"\"\",a\n"));
    fixture_write(&w->f, "a.jsonl",
                  BYTES("{\"prompt\": \"a\", \"completion\": \"b, \\\"c\\\"\"}\n"));
    fixture_write(&w->f, "b.csv", BYTES("output,instruction\no,i\n"));
    fixture_write(&w->f, "b.jsonl",
                  BYTES("{\"instruction\": \"i\", \"input\": null, \"output\": \"o\"}\n"));
    fixture_write(&w->f, "c.jsonl", BYTES(GOOD));
    fixture_write(&w->f, "d.jsonl",
                  BYTES("{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"text\", "
                        "\"text\": \"a\"}]}, {\"role\": \"assistant\", \"content\": [{\"type\": "
                        "\"text\", \"text\": \"\"}, {\"type\": \"text\", \"text\": \"b\"}]}]}\n"));
    for (int i = 0; i < 3; i++) {
        struct corpus *c[2] = {NULL};
        int32_t ids[2][400];
        for (int k = 0; k < 2; k++) {
            CHECK_STATUS(open_file(&c[k], &w->f, w->f.tokenizer, &request, pairs[i][k]), FT_OK);
            if (c[k])
                CHECK_STATUS(corpus_read(c[k], ids[k], 0, corpus_stats(c[k])->n_tokens), FT_OK);
        }
        const int64_t n = c[0] ? corpus_stats(c[0])->n_tokens : 0;
        CHECK(n > 3 && c[1] && corpus_stats(c[1])->n_tokens == n &&
              memcmp(ids[0], ids[1], (size_t)n * sizeof **ids) == 0);
        corpus_close(&c[0]);
        corpus_close(&c[1]);
    }
}

static void print_messages(struct buffer *out, const json_t *messages)
{
    json_t *line = json_pack("{s:O}", "messages", messages);
    char *text = NULL;
    CHECK_STATUS(json_print(&text, line, JSON_COMPACT, "messages"), FT_OK);
    CHECK_STATUS(buffer_print(out, "%s\n", text), FT_OK);
    free(text);
    json_decref(line);
}

/* Ids and masks of one conversation after the other, as transformers gives them. */
static void check_ids(struct corpus *c, const json_t *cases, const char *const *names, int64_t n)
{
    static int32_t ids[4096];
    int64_t starts[64], n_starts = 0;
    const int64_t n_tokens = corpus_stats(c)->n_tokens;
    CHECK(n == corpus_stats(c)->n_documents && n <= 64 && n_tokens <= 4096);
    CHECK_STATUS(corpus_read(c, ids, 0, n_tokens), FT_OK);
    CHECK_STATUS(corpus_document_starts(c, 0, n_tokens, starts, 64, &n_starts), FT_OK);
    for (int64_t i = 0; i < n && n_starts == n; i++) {
        char digits[HASH_TEXT];
        const json_t *wanted = json_object_get(cases, names[i]);
        const int64_t length = (i + 1 < n ? starts[i + 1] : n_tokens) - starts[i];
        hash_format(digits, hash_bytes(ids + starts[i], (size_t)length * sizeof *ids));
        const bool is_same =
            length == json_integer_value(json_object_get(wanted, "n")) &&
            strcmp(digits, json_string_value(json_object_get(wanted, "xxh3_128"))) == 0;
        CHECK(is_same);
        if (!is_same)
            (void)fprintf(stderr, "conversation \"%s\"\n", names[i]);
    }
}

static void check_row(const struct world *w, const json_t *root, const json_t *row, int number)
{
    char folder[FILE_PATH_MAX], name[64];
    const char *names[64], *key;
    struct buffer text = {0};
    struct chat_template *chat = NULL;
    struct tokenizer *t = NULL;
    struct corpus *c = NULL;
    json_t *wanted;
    int64_t n = 0;
    json_object_foreach(json_object_get(row, "cases"), key, wanted)
    {
        if (json_integer_value(json_object_get(wanted, "supervised")) > 0) {
            names[n++] = key;
            print_messages(&text, json_object_get(json_object_get(root, "conversations"), key));
        }
    }
    (void)snprintf(name, sizeof name, "row%d.jsonl", number);
    fixture_write(&w->f, name, text.data, text.used);
    buffer_clear(&text);
    char *tokenizer = NULL;
    size_t bytes = 0;
    (void)snprintf(folder, sizeof folder, TESTS_DIR "/golden/tokenizer/%s.json",
                   json_string_value(json_object_get(row, "tokenizer")));
    CHECK_STATUS(file_read_all(&tokenizer, &bytes, folder, 1 << 24), FT_OK);
    fixture_write(&w->f, "chat/tokenizer.json", tokenizer, bytes);
    mem_free(tokenizer);
    json_t *config = json_pack("{s:O, s:O, s:O}", "bos_token", json_object_get(row, "bos_token"),
                               "eos_token", json_object_get(row, "eos_token"), "chat_template",
                               json_object_get(row, "template"));
    char *dump = NULL;
    CHECK_STATUS(json_print(&dump, config, 0, "config"), FT_OK);
    json_decref(config);
    fixture_write(&w->f, "chat/tokenizer_config.json", dump, strlen(dump));
    free(dump);
    fixture_open_tokenizer(&t, &w->f, "chat");
    CHECK_STATUS(chat_template_open(&chat, t, "auto"), FT_OK);
    const struct instruct_request request = {.chat = chat, .max_tokens = 1024};
    CHECK_STATUS(open_file(&c, &w->f, t, &request, name), FT_OK);
    const int before = check_failures;
    if (c)
        check_ids(c, json_object_get(row, "cases"), names, n);
    if (check_failures != before)
        (void)fprintf(stderr, "template %s\n", chat_template_name(chat));
    corpus_close(&c);
    chat_template_close(&chat);
    tokenizer_close(&t);
}

static void test_golden(const struct world *w)
{
    json_t *root = NULL;
    const json_t *row;
    size_t i;
    CHECK_STATUS(json_read_file(&root, TESTS_DIR "/golden/chat/renderings.json", 1 << 24), FT_OK);
    json_array_foreach(json_object_get(root, "templates"), i, row) check_row(w, root, row, (int)i);
    CHECK(i == 16);
    json_decref(root);
}

/* Thirty conversations of different lengths, the marks of one as it is alone. */
static void write_many(const struct fixture *f, const char *name)
{
    struct buffer out = {0};
    for (int i = 0; i < 30; i++)
        CHECK_STATUS(buffer_print(&out,
                                  "{\"messages\": [{\"role\": \"user\", \"content\": \"%.*s\"}, "
                                  "{\"role\": \"assistant\", \"content\": \"%d\"}]}\n",
                                  i * 7 % 23, "abcdefghijklmnopqrstuvwxyz", i),
                     FT_OK);
    fixture_write(f, name, out.data, out.used);
    buffer_clear(&out);
}

/* A batch of all samples, three at a time: each conversation once, from position 0, its targets the
 * tokens that follow. Gives the number of supervised ones. */
static int64_t check_batches(const struct conversation_set *s, int64_t *n_found)
{
    struct batch b;
    int64_t n_supervised = 0;
    *n_found = 0;
    CHECK_STATUS(batch_create(&b, 3, s->seq_len), FT_OK);
    for (int64_t at = 0; at < s->n; at += 3) {
        const int n = (int)(s->n - at < 3 ? s->n - at : 3);
        for (int i = 0; i < n; i++)
            b.windows[i] = at + i;
        CHECK_STATUS(conversation_batch_fill(&b, s, b.windows, n), FT_OK);
        for (int k = 0; k < b.n_segments; k++) {
            const int from = b.segment_start[k], to = b.segment_start[k + 1];
            int32_t ids[256];
            const int64_t number = b.segment_ids[k];
            CHECK(s->first[number + 1] - s->first[number] == to - from + 1);
            CHECK_STATUS(corpus_read(s->corpus, ids, s->first[number], to - from + 1), FT_OK);
            for (int i = 0; i < to - from; i++) {
                const int32_t next = ids[i + 1];
                CHECK(b.tokens[from + i] == (ids[i] & ~INSTRUCT_SUPERVISED));
                CHECK(b.positions[from + i] == i);
                CHECK(b.targets[from + i] ==
                      (next & INSTRUCT_SUPERVISED ? next & ~INSTRUCT_SUPERVISED : -1));
            }
        }
        *n_found += b.n_segments;
        n_supervised += b.n_supervised;
    }
    batch_destroy(&b);
    return n_supervised;
}

static void test_sets(const struct world *w)
{
    const struct instruct_request request = {.chat = w->chat, .max_tokens = 200};
    struct corpus *c = NULL;
    struct conversation_set plain, packed, few;
    write_many(&w->f, "many.jsonl");
    CHECK_STATUS(open_file(&c, &w->f, w->f.tokenizer, &request, "many.jsonl"), FT_OK);
    if (!c)
        return;
    const struct corpus_stats *stats = corpus_stats(c);
    CHECK_STATUS(conversation_set_open(&plain, w->f.comm, c, 200, false, 0), FT_OK);
    CHECK_STATUS(conversation_set_open(&packed, w->f.comm, c, 200, true, 0), FT_OK);
    CHECK_STATUS(conversation_set_open(&few, w->f.comm, c, 200, true, 2), FT_OK);
    CHECK(plain.n == 30 && packed.n < 30 && packed.n * 200 >= stats->n_tokens - 30 && few.n == 2);
    int64_t n_plain, n_packed;
    CHECK(check_batches(&plain, &n_plain) == stats->n_supervised && n_plain == 30);
    CHECK(check_batches(&packed, &n_packed) == stats->n_supervised && n_packed == 30);
    CHECK(memcmp(few.bounds, packed.bounds, 3 * sizeof *few.bounds) == 0);
    conversation_set_close(&few);
    conversation_set_close(&packed);
    conversation_set_close(&plain);
    corpus_close(&c);
}

/* Cut, skipped and counted; another template or another choice of tokens is another folder. */
static void test_counts(const struct world *w)
{
    struct instruct_request request = {.chat = w->chat, .max_tokens = 30};
    struct corpus *c = NULL;
    char folder[FILE_PATH_MAX];
    write_many(&w->f, "many.jsonl");
    CHECK_STATUS(open_file(&c, &w->f, w->f.tokenizer, &request, "many.jsonl"), FT_OK);
    if (!c)
        return;
    CHECK(corpus_stats(c)->n_skipped > 0 && corpus_stats(c)->n_truncated > 0);
    CHECK(corpus_stats(c)->n_documents + corpus_stats(c)->n_skipped == 30);
    const int64_t n_supervised = corpus_stats(c)->n_supervised;
    (void)snprintf(folder, sizeof folder, "%s", corpus_folder(c));
    corpus_close(&c);
    CHECK_STATUS(open_file(&c, &w->f, w->f.tokenizer, &request, "many.jsonl"), FT_OK);
    CHECK(c && corpus_stats(c)->was_reused && corpus_stats(c)->n_supervised == n_supervised);
    corpus_close(&c);
    request.trains_all = true;
    CHECK_STATUS(open_file(&c, &w->f, w->f.tokenizer, &request, "many.jsonl"), FT_OK);
    CHECK(c && strcmp(corpus_folder(c), folder) != 0 && corpus_stats(c)->n_skipped == 0);
    CHECK(c && corpus_stats(c)->n_supervised == corpus_stats(c)->n_tokens - 30);
    corpus_close(&c);
    /* shards that were prepared otherwise */
    struct fixture_request r;
    const char *name = "many.jsonl";
    fixture_request(&r, &w->f, &name, 1);
    r.request.paths = &(char *){folder};
    r.request.instruct = &request;
    r.request.seq_len = 30;
    CHECK_FAILS(corpus_open(&c, w->f.comm, &r.request, w->f.tokenizer), FT_ERR_INPUT,
                "another data.chat_template or data.train_on");
    r.request.instruct = NULL;
    CHECK_FAILS(corpus_open(&c, w->f.comm, &r.request, w->f.tokenizer), FT_ERR_INPUT,
                "conversations, not documents: prepare the data again with task = \"causal-lm\"");
    request.trains_all = false;
    r.request.instruct = &request;
    CHECK_STATUS(corpus_open(&c, w->f.comm, &r.request, w->f.tokenizer), FT_OK);
    CHECK(c && corpus_stats(c)->n_supervised == n_supervised);
    corpus_close(&c);
}

/* Shards that were written with these lengths of conversations, all of this id. */
static ft_status open_shards(struct corpus **c, const struct world *w, const char *name,
                             const int *lengths, int32_t id)
{
    char folder[FILE_PATH_MAX];
    const struct instruct_request request = {.chat = w->chat, .max_tokens = 8};
    struct token_set_info info = {.key = "0123456789abcdef0123456789abcdef",
                                  .data_hash = "0123456789abcdef0123456789abcdef",
                                  .max_tokens = 8};
    struct token_writer writer;
    fixture_path(folder, &w->f, name);
    hash_format(info.tokenizer_hash, tokenizer_hash(w->f.tokenizer));
    instruct_hash(info.instruct, &request);
    if (w->f.rank == 0)
        CHECK_STATUS(file_make_folders(folder), FT_OK);
    comm_barrier(w->f.comm);
    token_writer_init(&writer, folder, &info, w->f.rank);
    for (int i = 0; lengths[i] > 0 && w->f.rank == 0; i++) {
        const int64_t start = writer.tokens.n;
        for (int k = 0; k < lengths[i]; k++)
            CHECK_STATUS(token_list_append(&writer.tokens, &id, 1), FT_OK);
        writer.n_supervised++;
        CHECK_STATUS(token_writer_document(&writer, start, 1, NULL), FT_OK);
    }
    CHECK_STATUS(token_writer_finish(&writer), FT_OK);
    CHECK_STATUS(token_writer_publish(&writer, w->f.comm, &info), FT_OK);
    token_writer_clear(&writer);
    return open_file(c, &w->f, w->f.tokenizer, &request, name);
}

/* What the text would never give. */
static void test_shards(const struct world *w)
{
    static const struct {
        const char *name, *message;
        int lengths[4];
        int32_t id;
    } cases[] = {
        {"short", "conversation 1 of the prepared corpus has 1 tokens, 2 to 8 are", {2, 1, 3}, 65},
        {"long", "conversation 2 of the prepared corpus has 9 tokens, 2 to 8 are", {2, 8, 9}, 65},
        {"beyond", "is id 1073746824, the tokenizer has 258", {2, 3}, 5000 | INSTRUCT_SUPERVISED},
        {"flags", "is id 2147483713", {2, 3}, (int32_t)(INT32_MIN + 65)},
        {"good", NULL, {2, 8, 3}, 65 | INSTRUCT_SUPERVISED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct corpus *c = NULL;
        struct conversation_set s = {0};
        struct batch b;
        const int64_t numbers[2] = {0, 1};
        CHECK_STATUS(open_shards(&c, w, cases[i].name, cases[i].lengths, cases[i].id), FT_OK);
        CHECK_STATUS(batch_create(&b, 2, 8), FT_OK);
        if (w->f.rank == 0 && cases[i].message)
            check_hostile("token shards", cases[i].name);
        ft_status status =
            c ? conversation_set_open(&s, w->f.comm, c, 8, false, 0) : FT_ERR_INTERNAL;
        if (status == FT_OK)
            status = conversation_batch_fill(&b, &s, numbers, 2);
        CHECK(status == (cases[i].message ? FT_ERR_INPUT : FT_OK));
        CHECK(!cases[i].message || strstr(ft_error_text(), cases[i].message));
        if (cases[i].message && !strstr(ft_error_text(), cases[i].message))
            (void)fprintf(stderr, "%s: %s\n", cases[i].name, ft_error_text());
        batch_destroy(&b);
        conversation_set_close(&s);
        corpus_close(&c);
    }
}

int main(int argc, char **argv)
{
    struct world w = {0};
    log_set_speaking(false);
    fixture_open(&w.f, &argc, &argv);
    CHECK_STATUS(chat_template_open(&w.chat, w.f.tokenizer, "zephyr"), FT_OK);
    test_refused(&w);
    test_order(&w);
    test_forms(&w);
    test_golden(&w);
    test_sets(&w);
    test_counts(&w);
    test_shards(&w);
    chat_template_close(&w.chat);
    return fixture_close(&w.f);
}
