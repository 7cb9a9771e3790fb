/*
 * Labelled documents at any number of ranks: names, numbering, tokens and hashes equal those that
 * this file makes serially; batches, orders, splits, warnings; what is refused.
 */
#include <fcntl.h>

#include "base/log.h"
#include "data/describe.h"
#include "data/documents.h"
#include "data/samples.h"
#include "data/split.h"
#include "data/texts.h"
#include "data/token_writer.h"
#include "support/corpus_fixture.h"

enum { N_MAX = 64, SEQ_LEN = 20, FIRST = 256, LAST = 257 };

/* One line of the source and what it stands for. */
struct row {
    const char *raw;   /**< label as the JSON line has it */
    const char *label; /**< its name */
    const char *text;
};

static const struct row rows[] = {
    {"\"b\"", "b", "short"},
    {"1.0", "1.0", "a number is named as it is written"},
    {"1", "1", "x"},
    {"\"a \\\"q\\\"\\n\"", "a \"q\"\n", "quotes and a newline in a label"},
    {"true", "true", "y"},
    {"\"b\"", "b", ""},
    {"\"\\u00e9t\\u00e9\"", "\xc3\xa9t\xc3\xa9", "exactly eighteen!!"},
    {"\"b\"", "b", " \t \xc2\xa0\xe3\x80\x80"},
    {"-0.50E+1", "-0.50E+1", "nineteen characters"},
    {"false", "false", "z"},
    {"\"1.0\"", "1.0", "the same name as a string"},
    {"12345678901234567890123", "12345678901234567890123", "more than 64 bits"},
    {"\"B\"", "B", "capitals come first"},
};
enum { N_ROWS = sizeof rows / sizeof *rows, N_NAMES = 10 };
static const char *const sorted[N_NAMES] = {
    "-0.50E+1", "1",     "1.0",  "12345678901234567890123", "B", "a \"q\"\n",
    "b",        "false", "true", "\xc3\xa9t\xc3\xa9"};

/* What the documents must be. */
struct expected {
    const struct row *rows[N_MAX];
    int64_t first[N_MAX + 1];
    int64_t n_per_label[N_NAMES];
    int32_t tokens[N_MAX * SEQ_LEN];
    int labels[N_MAX];
    int n, max_length;
    int64_t n_truncated, n_empty;
    char texts_hash[HASH_TEXT];
};

static int name_index(const char *name)
{
    for (int i = 0; i < N_NAMES; i++)
        if (strcmp(sorted[i], name) == 0)
            return i;
    return -1;
}

static void expect_document(struct expected *e, const struct row *row, struct hash_state *hash)
{
    const int bytes = (int)strlen(row->text), room = SEQ_LEN - 2;
    const int kept = bytes < room ? bytes : room;
    int32_t *ids = e->tokens + e->first[e->n];
    ids[0] = FIRST;
    for (int k = 0; k < kept; k++)
        ids[1 + k] = (unsigned char)row->text[k];
    ids[1 + kept] = LAST;
    const struct hash_value value = hash_bytes(ids, (size_t)(kept + 2) * sizeof *ids);
    const uint64_t halves[2] = {value.high, value.low};
    hash_update(hash, halves, sizeof halves);
    e->rows[e->n] = row;
    e->labels[e->n] = name_index(row->label);
    e->n_per_label[e->labels[e->n]]++;
    e->n_truncated += bytes > room;
    e->max_length = kept + 2 > e->max_length ? kept + 2 : e->max_length;
    e->first[e->n + 1] = e->first[e->n] + kept + 2;
    e->n++;
}

/* The documents of `repeats` times all rows that a split keeps, at most n_max of them. */
static void expect(struct expected *e, int repeats, double fraction, int want_validation, int n_max)
{
    struct hash_state *hash = hash_open();
    *e = (struct expected){0};
    for (int i = 0; i < repeats * N_ROWS; i++) {
        const struct row *row = &rows[i % N_ROWS];
        if (fraction > 0 && split_is_validation(42, i, fraction) != (want_validation != 0))
            continue;
        if (strlen(row->text) == 0 || row->text[0] == ' ')
            e->n_empty++;
        else if (e->n < n_max)
            expect_document(e, row, hash);
    }
    hash_format(e->texts_hash, hash_close(hash));
}

static void write_jsonl(const struct fixture *f, const char *name, int repeats)
{
    struct buffer out = {0};
    for (int i = 0; i < repeats * N_ROWS; i++) {
        const struct row *row = &rows[i % N_ROWS];
        CHECK_STATUS(
            buffer_print(
                &out,
                i % 3 == 0 ? "{\"n\": {\"label\": [\"]}\\\\\"]}, \"label\" :%s ,\"text\":\"%s\"}\n"
                : i % 3 == 1
                    ? "{\"x\":-1e3,\"l\\u0061bel\":%s,\"text\": \"%s\"}\n\n"
                    : " { \"label\":%s,\"labels\":null,\"text\":\"%s\", \"y\":[[1],{}] }\n",
                row->raw, row->text[0] == ' ' ? " \\t \\u00a0\xe3\x80\x80" : row->text),
            FT_OK);
    }
    fixture_write(f, name, out.data, out.used);
    buffer_clear(&out);
}

static void write_csv(const struct fixture *f, const char *name, int repeats)
{
    struct buffer out = {0};
    CHECK_STATUS(buffer_print(&out, "label,\"id\",text\r\n"), FT_OK);
    for (int i = 0; i < repeats * N_ROWS; i++) {
        const struct row *row = &rows[i % N_ROWS];
        if (strchr(row->label, '"'))
            CHECK_STATUS(buffer_print(&out, "\"a \"\"q\"\"\n\",%d,", i), FT_OK);
        else
            CHECK_STATUS(buffer_print(&out, i % 2 ? "\"%s\",%d," : "%s,%d,", row->label, i), FT_OK);
        CHECK_STATUS(buffer_print(&out, i % 3 ? "%s\r\n" : "\"%s\"\n", row->text), FT_OK);
    }
    fixture_write(f, name, out.data, out.used);
    buffer_clear(&out);
}

/* The fixture's tokenizer with </s> before and <x> behind every text. */
static void open_template(struct tokenizer **out, const struct fixture *f)
{
    static const char part[] =
        "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":["
        "{\"SpecialToken\":{\"id\":\"</s>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\","
        "\"type_id\":0}},{\"SpecialToken\":{\"id\":\"<x>\",\"type_id\":0}}],\"pair\":[],"
        "\"special_tokens\":{\"</s>\":{\"id\":\"</s>\",\"ids\":[256],\"tokens\":[\"</s>\"]},"
        "\"<x>\":{\"id\":\"<x>\",\"ids\":[257],\"tokens\":[\"<x>\"]}}},";
    char path[FILE_PATH_MAX], *text = NULL;
    size_t bytes = 0;
    struct buffer made = {0};
    fixture_write_tokenizer(f, "template", "");
    fixture_path(path, f, "template/tokenizer.json");
    CHECK_STATUS(file_read_all(&text, &bytes, path, 1 << 20), FT_OK);
    const char *at = strstr(text, "\"decoder\"");
    CHECK(at != NULL);
    CHECK_STATUS(buffer_print(&made, "%.*s%s%s", (int)(at - text), text, part, at), FT_OK);
    fixture_write(f, "template/tokenizer.json", made.data, made.used);
    mem_free(text);
    buffer_clear(&made);
    fixture_open_tokenizer(out, f, "template");
    if (!*out)
        abort();
}

static ft_status open_corpus(struct corpus **c, const struct fixture *f, const char *name,
                             double fraction, int want_validation)
{
    struct fixture_request r;
    fixture_request(&r, f, &name, 1);
    r.request.label_field = "label";
    r.request.seq_len = SEQ_LEN;
    r.request.validation_fraction = fraction;
    r.request.want_validation = want_validation;
    return corpus_open(c, f->comm, &r.request, f->tokenizer);
}

static void check_names(const struct label_names *names)
{
    CHECK(names->n == N_NAMES);
    for (int i = 0; i < N_NAMES && names->n == N_NAMES; i++) {
        CHECK(strcmp(names->names[i], sorted[i]) == 0);
        CHECK(label_names_find(names, sorted[i]) == i);
    }
    CHECK(label_names_find(names, "") == -1 && label_names_find(names, "c") == -1);
}

static void check_set(const struct document_set *s, const struct expected *e)
{
    CHECK(s->n_documents == e->n && s->n_labels == N_NAMES);
    CHECK(s->n_tokens == e->first[e->n] && s->max_length == e->max_length);
    CHECK(s->n_truncated == e->n_truncated && s->n_empty == e->n_empty);
    CHECK(strcmp(s->texts_hash, e->texts_hash) == 0);
    CHECK(memcmp(s->n_per_label, e->n_per_label, sizeof e->n_per_label) == 0);
    if (s->n_documents != e->n)
        return;
    CHECK(memcmp(s->first, e->first, (size_t)(e->n + 1) * sizeof *s->first) == 0);
    for (int i = 0; i < e->n; i++)
        CHECK(s->labels[i] == e->labels[i]);
}

static void check_batches(const struct document_set *s, const struct expected *e)
{
    enum { MICRO = 5 };
    const int64_t numbers[MICRO] = {7, 0, e->n - 1, 3, 3};
    const struct sample_set samples = sample_set_of_documents(s);
    struct batch b;
    CHECK_STATUS(document_batch_create(&b, MICRO, SEQ_LEN + 3), FT_OK);
    const int64_t n_before = mem_alloc_count();
    CHECK(samples.n == e->n);
    for (int n = MICRO; n >= 0; n--) {
        int at = 0;
        CHECK_STATUS(sample_set_fill(&b, &samples, numbers, n), FT_OK);
        CHECK(b.n_segments == n && b.n_supervised == n && b.segment_start[n] == b.n_tokens);
        for (int i = 0; i < n; i++) {
            const int64_t d = numbers[i], length = e->first[d + 1] - e->first[d];
            CHECK(b.segment_start[i] == at && b.segment_ids[i] == d && b.labels[i] == e->labels[d]);
            for (int k = 0; k < length; k++, at++)
                CHECK(b.tokens[at] == e->tokens[e->first[d] + k] && b.positions[at] == k &&
                      b.targets[at] == -1);
        }
        CHECK(at == b.n_tokens);
    }
    CHECK(mem_alloc_count() == n_before);
    const int64_t beyond = e->n;
    CHECK_FAILS(document_batch_fill(&b, s, &beyond, 1), FT_ERR_INTERNAL, "was asked for");
    CHECK_FAILS(document_batch_fill(&b, s, numbers, MICRO + 1), FT_ERR_INTERNAL, "cannot hold 6");
    batch_destroy(&b);
    CHECK_STATUS(document_batch_create(&b, MICRO, e->max_length - 1), FT_OK);
    CHECK_FAILS(document_batch_fill(&b, s, numbers, 1), FT_ERR_INTERNAL, "of up to 20");
    batch_destroy(&b);
    for (int64_t nth = 1; nth <= 8; nth++) {
        mem_fail_nth(nth, 0);
        CHECK_STATUS(document_batch_create(&b, 2, 4), FT_ERR_INTERNAL);
    }
    mem_fail_nth(0, 0);
}

static void check_order(const struct document_set *s)
{
    int64_t *order = NULL;
    CHECK_STATUS(document_order_by_length(&order, s), FT_OK);
    char seen[N_MAX] = {0};
    for (int64_t i = 0; order && i < s->n_documents; i++) {
        const int64_t a = order[i], length = s->first[a + 1] - s->first[a];
        CHECK(a >= 0 && a < s->n_documents && !seen[a]++);
        if (i > 0) {
            const int64_t b = order[i - 1], before = s->first[b + 1] - s->first[b];
            CHECK(before > length || (before == length && b < a));
        }
    }
    mem_free(order);
}

struct texts {
    const struct expected *expected;
    int64_t n;
};

static ft_status check_text(void *context, int64_t number, const struct document *document)
{
    struct texts *t = context;
    const struct row *row = t->expected->rows[number];
    CHECK(number == t->n++ && document->bytes == strlen(row->text));
    CHECK(memcmp(document->text, row->text, document->bytes) == 0);
    CHECK(document->label_bytes == strlen(row->label));
    CHECK(memcmp(document->label, row->label, document->label_bytes) == 0);
    return number == 5 ? ft_fail(FT_ERR_INPUT, "enough") : FT_OK;
}

static void check_texts(struct corpus *c, const struct expected *e)
{
    struct texts t = {.expected = e};
    CHECK_STATUS(documents_for_each(c, 5, check_text, &t), FT_OK);
    CHECK(t.n == 5);
    t.n = 0;
    CHECK_FAILS(documents_for_each(c, 50, check_text, &t), FT_ERR_INPUT, "enough");
    CHECK(t.n == 6);
}

static void test_formats(const struct fixture *f)
{
    static const char *const files[] = {"a.jsonl", "a.csv"};
    static struct expected e;
    struct label_names names;
    write_jsonl(f, files[0], 4);
    write_csv(f, files[1], 4);
    for (int i = 0; i < 4; i++) {
        struct corpus *c = NULL;
        struct document_set s;
        const int n_most = i == 3 ? 7 : 0;
        CHECK_STATUS(open_corpus(&c, f, files[i % 2], 0, 0), FT_OK);
        if (!c)
            continue;
        CHECK(corpus_stats(c)->was_reused == (i >= 2));
        CHECK_STATUS(label_names_open(&names, f->comm, &c, 1), FT_OK);
        check_names(&names);
        expect(&e, 4, 0, 0, n_most ? n_most : N_MAX);
        CHECK_STATUS(document_set_open(&s, f->comm, c, &names, n_most), FT_OK);
        check_set(&s, &e);
        if (!n_most) {
            check_batches(&s, &e);
            check_texts(c, &e);
        }
        check_order(&s);
        document_set_close(&s);
        label_names_clear(&names);
        corpus_close(&c);
    }
}

/* What is written to stderr while it is watched: "" on ranks that do not speak. */
static int watch_stderr(const struct fixture *f)
{
    char path[FILE_PATH_MAX];
    const int saved = dup(STDERR_FILENO);
    fixture_path(path, f, "stderr");
    const int file = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
    CHECK(saved >= 0 && file >= 0);
    if (f->rank == 0)
        (void)dup2(file, STDERR_FILENO);
    (void)close(file);
    log_set_speaking(f->rank == 0);
    return saved;
}

static void unwatch_stderr(const struct fixture *f, int saved, char *said, size_t bytes)
{
    char path[FILE_PATH_MAX];
    (void)fflush(stderr);
    (void)dup2(saved, STDERR_FILENO);
    (void)close(saved);
    log_set_speaking(false);
    fixture_path(path, f, "stderr");
    said[0] = '\0';
    FILE *file = f->rank == 0 ? fopen(path, "rb") : NULL;
    if (file) {
        said[fread(said, 1, bytes - 1, file)] = '\0';
        (void)fclose(file);
    }
}

/* Both parts of a split know the names of all documents; numbers are within the part. */
static void test_split(const struct fixture *f)
{
    static struct expected e;
    struct corpus *c[2] = {NULL, NULL};
    struct label_names names;
    CHECK_STATUS(open_corpus(&c[0], f, "a.jsonl", 0.4, 0), FT_OK);
    CHECK_STATUS(open_corpus(&c[1], f, "a.jsonl", 0.4, 1), FT_OK);
    if (!c[0] || !c[1])
        return;
    CHECK_STATUS(label_names_open(&names, f->comm, c, 2), FT_OK);
    check_names(&names);
    for (int i = 0; i < 2; i++) {
        struct document_set s;
        expect(&e, 4, 0.4, i, N_MAX);
        CHECK_STATUS(document_set_open(&s, f->comm, c[i], &names, 0), FT_OK);
        check_set(&s, &e);
        check_texts(c[i], &e);
        document_set_close(&s);
        corpus_close(&c[i]);
    }
    label_names_clear(&names);
}

static void write_labels(const struct fixture *f, const char *name, const char *labels)
{
    struct buffer out = {0};
    CHECK_STATUS(buffer_print(&out, "text,label\n"), FT_OK);
    for (const char *at = labels; *at; at++)
        CHECK_STATUS(*at == '0' ? buffer_print(&out, "\" \",a\n")
                                : buffer_print(&out, "text,%c%s\n", *at, *at == 'z' ? "\x7f" : ""),
                     FT_OK);
    fixture_write(f, name, out.data, out.used);
    buffer_clear(&out);
}

/* Names of two files' labels, the first file's set, and what its check says. */
static ft_status check_labels(char *said, const struct fixture *f, const char *training,
                              const char *validation)
{
    struct corpus *c[2] = {NULL, NULL};
    struct label_names names;
    struct document_set s;
    write_labels(f, "t.csv", training);
    write_labels(f, "v.csv", validation);
    CHECK_STATUS(open_corpus(&c[0], f, "t.csv", 0, 0), FT_OK);
    CHECK_STATUS(open_corpus(&c[1], f, "v.csv", 0, 0), FT_OK);
    CHECK_STATUS(label_names_open(&names, f->comm, c, 2), FT_OK);
    const int saved = watch_stderr(f);
    ft_status status = document_set_open(&s, f->comm, c[0], &names, 0);
    if (status == FT_OK)
        status = document_set_check_training(&s, &names);
    unwatch_stderr(f, saved, said, 1000);
    document_set_close(&s);
    label_names_clear(&names);
    corpus_close(&c[0]);
    corpus_close(&c[1]);
    return status;
}

static void test_warnings(const struct fixture *f)
{
    static const struct {
        const char *training, *validation, *said;
    } cases[] = {
        {"aabb", "ab", ""},
        {"aabb0", "ab", "t.csv: 1 documents without text skipped"},
        {"a0b0", "ab", "2 of 2 labels have one training document only: \"a\", \"b\"\n"},
        {"aabbz", "az", "1 of 3 labels have one training document only: \"z\\x7f\"\n"},
        {"hgfedcaabb", "a",
         "6 of 8 labels have one training document only: \"c\", \"d\", \"e\", \"f\", \"g\", ...\n"},
        {"aabb", "ac", "1 of 3 labels have no training document, so they cannot be learnt: \"c\""},
    };
    char said[1000];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_STATUS(check_labels(said, f, cases[i].training, cases[i].validation), FT_OK);
        CHECK(f->rank != 0 || (cases[i].said[0] ? strstr(said, cases[i].said) != NULL : !said[0]));
    }
    CHECK_FAILS(check_labels(said, f, "aaa", "aa"), FT_ERR_INPUT,
                "t.csv: the training documents have only one label, \"a\": nothing to tell apart");
    CHECK_FAILS(check_labels(said, f, "bb", "ab"), FT_ERR_INPUT, "only one label, \"b\"");
}

/* A label that training lacks: with file and line where there is text. */
static void test_unknown(const struct fixture *f)
{
    struct corpus *train = NULL, *test = NULL;
    struct label_names names;
    struct document_set s;
    char prepared[FILE_PATH_MAX];
    write_labels(f, "t.csv", "abcdefga");
    write_labels(f, "u.csv", "a0bb0ca");
    fixture_write(f, "u.jsonl",
                  "{\"text\":\"t\",\"label\":\"a\"}\n\n{\"label\":1,\"text\":\"t\"}\n",
                  sizeof "{\"text\":\"t\",\"label\":\"a\"}\n\n{\"label\":1,\"text\":\"t\"}\n" - 1);
    CHECK_STATUS(open_corpus(&train, f, "t.csv", 0, 0), FT_OK);
    CHECK_STATUS(label_names_open(&names, f->comm, &train, 1), FT_OK);
    CHECK_STATUS(open_corpus(&test, f, "u.jsonl", 0, 0), FT_OK);
    CHECK_FAILS(document_set_open(&s, f->comm, test, &names, 0), FT_ERR_INPUT,
                "u.jsonl line 3, byte 10: label \"1\" is none of the 7 of the training data: "
                "\"a\", \"b\", \"c\", \"d\", \"e\", ...");
    CHECK(!s.first && !s.labels);
    CHECK_STATUS(document_set_open(&s, f->comm, test, &names, 1), FT_OK);
    document_set_close(&s);
    corpus_close(&test);
    label_names_clear(&names);
    corpus_close(&train);
    write_labels(f, "t.csv", "ab");
    CHECK_STATUS(open_corpus(&train, f, "t.csv", 0, 0), FT_OK);
    CHECK_STATUS(label_names_open(&names, f->comm, &train, 1), FT_OK);
    CHECK_STATUS(open_corpus(&test, f, "u.csv", 0, 0), FT_OK);
    CHECK_FAILS(document_set_open(&s, f->comm, test, &names, 0), FT_ERR_INPUT,
                "u.csv line 7, byte 6: label \"c\" is none of the 2 of the training data: \"a\", "
                "\"b\"");
    (void)snprintf(prepared, sizeof prepared, "%s", test ? corpus_folder(test) : "");
    corpus_close(&test);
    CHECK_STATUS(open_corpus(&test, f, prepared, 0, 0), FT_OK);
    CHECK_FAILS(document_set_open(&s, f->comm, test, &names, 0), FT_ERR_INPUT, ".h5, document ");
    CHECK(strstr(ft_error_text(), "label \"c\" is none") != NULL);
    CHECK_FAILS(documents_for_each(test, 1, NULL, NULL), FT_ERR_INPUT, "the text itself is needed");
    corpus_close(&test);
    label_names_clear(&names);
    corpus_close(&train);
}

/* What the key covers, and what the hash of the texts does not. */
static void test_keys(const struct fixture *f)
{
    static const char *const names[] = {"k.csv"};
    static const struct {
        const char *file, *field;
        int seq_len;
        bool same_texts;
    } cases[] = {{"text,label,other\nabc,x,y\nabd,y,x\n", "label", 9, true},
                 {"text,label,other\nabc,x,y\nabd,y,x\n", "other", 9, true},
                 {"text,label,other\nabc,y,y\nabd,y,x\n", "label", 9, true},
                 {"text,label,other\nabc,x,y\nabd,y,x\n", "label", 8, true},
                 {"text,label,other\nabc,x,y\nabd,y,x\n", "label", 4, false},
                 {"text,label,other\nabc,x,y\nabe,y,x\n", "label", 9, false}};
    struct fixture_request r;
    char folders[6][FILE_PATH_MAX], first_hash[HASH_TEXT] = "";
    fixture_request(&r, f, names, 1);
    for (int i = 0; i < 6; i++) {
        struct corpus *c = NULL;
        struct label_names labels;
        struct document_set s;
        fixture_write(f, names[0], cases[i].file, strlen(cases[i].file));
        r.request.label_field = cases[i].field;
        r.request.seq_len = cases[i].seq_len;
        CHECK_STATUS(corpus_open(&c, f->comm, &r.request, f->tokenizer), FT_OK);
        CHECK(c && !corpus_stats(c)->was_reused);
        (void)snprintf(folders[i], FILE_PATH_MAX, "%s", corpus_folder(c));
        for (int k = 0; k < i; k++)
            CHECK(strcmp(folders[i], folders[k]) != 0);
        CHECK_STATUS(label_names_open(&labels, f->comm, &c, 1), FT_OK);
        CHECK_STATUS(document_set_open(&s, f->comm, c, &labels, 0), FT_OK);
        CHECK(s.n_truncated == (cases[i].seq_len == 4 ? 2 : 0));
        if (i == 0)
            memcpy(first_hash, s.texts_hash, HASH_TEXT);
        CHECK((strcmp(first_hash, s.texts_hash) == 0) == cases[i].same_texts);
        document_set_close(&s);
        label_names_clear(&labels);
        corpus_close(&c);
    }
}

/* What inspect says of shards, over all of them. */
static void check_description(const char *folder)
{
    char said[4000] = "";
    FILE *to = tmpfile();
    CHECK(to && tokens_recognise(folder));
    CHECK_STATUS(tokens_describe(folder, to), FT_OK);
    rewind(to);
    said[fread(said, 1, sizeof said - 1, to)] = '\0';
    (void)fclose(to);
    CHECK(strstr(said, "    labelled documents of at most 20 tokens each\n") != NULL);
    CHECK(strstr(said, "10 labels, 20 documents cut\n           4 documents \"-0.50E+1\"\n") !=
          NULL);
    CHECK(strstr(said, "           4 documents \"B\"\n"
                       "           4 documents \"a \"q\"\\x0a\"\n"
                       "           4 documents \"b\"\n") != NULL);
    CHECK(strstr(said, "           8 documents \"1.0\"\n") != NULL);
}

/* Shards named as data: labels wanted and given or not, other lengths, other templates. */
static void test_prepared(const struct fixture *f)
{
    static struct expected e;
    static const char *const text[] = {"a.jsonl"};
    struct corpus *c = NULL;
    struct label_names names;
    struct document_set s;
    struct fixture_request r;
    struct tokenizer *other = NULL;
    char labelled[FILE_PATH_MAX] = "", stream[FILE_PATH_MAX] = "";
    const char *folders[1] = {stream};
    CHECK_STATUS(open_corpus(&c, f, "a.jsonl", 0, 0), FT_OK);
    (void)snprintf(labelled, sizeof labelled, "%s", c ? corpus_folder(c) : "");
    corpus_close(&c);
    CHECK_STATUS(open_corpus(&c, f, labelled, 0, 0), FT_OK);
    CHECK_STATUS(label_names_open(&names, f->comm, &c, 1), FT_OK);
    check_names(&names);
    expect(&e, 4, 0, 0, N_MAX);
    CHECK_STATUS(document_set_open(&s, f->comm, c, &names, 0), FT_OK);
    check_set(&s, &e);
    document_set_close(&s);
    label_names_clear(&names);
    corpus_close(&c);
    check_description(labelled);
    fixture_write_tokenizer(f, "plain", "</s>");
    fixture_open_tokenizer(&other, f, "plain");
    fixture_request(&r, f, text, 1);
    CHECK_STATUS(corpus_open(&c, f->comm, &r.request, other), FT_OK);
    (void)snprintf(stream, sizeof stream, "%s", c ? corpus_folder(c) : "");
    corpus_close(&c);
    CHECK_FAILS(open_corpus(&c, f, stream, 0, 0), FT_ERR_INPUT, "holds no labels");
    folders[0] = labelled;
    fixture_request(&r, f, folders, 1);
    CHECK_FAILS(corpus_open(&c, f->comm, &r.request, other), FT_ERR_INPUT,
                "holds labelled documents");
    r.request.label_field = "label";
    r.request.seq_len = SEQ_LEN;
    CHECK_FAILS(corpus_open(&c, f->comm, &r.request, other), FT_ERR_INPUT, "another tokenizer");
    r.request.seq_len = SEQ_LEN + 1;
    CHECK_FAILS(corpus_open(&c, f->comm, &r.request, f->tokenizer), FT_ERR_INPUT,
                "was prepared with data.seq_len = 20, this run has 21");
    tokenizer_close(&other);
}

static void check_opened(const struct fixture *f, struct corpus *c, const struct expected *e,
                         int64_t max_documents)
{
    struct label_names names;
    struct document_set s;
    CHECK_STATUS(label_names_open(&names, f->comm, &c, 1), FT_OK);
    check_names(&names);
    CHECK_STATUS(document_set_open(&s, f->comm, c, &names, max_documents), FT_OK);
    check_set(&s, e);
    document_set_close(&s);
    label_names_clear(&names);
}

/* Files of both kinds one behind the other, columns in another order, shards among them. */
static void test_several(const struct fixture *f)
{
    static struct expected e;
    const char *names[] = {"two.jsonl", "two.csv", "other.csv"};
    static const char other[] = "text,x,label\nshort,1,b\n,,\"1.0\"\nx,\",\",1\n";
    struct fixture_request r;
    struct corpus *c = NULL;
    char prepared[FILE_PATH_MAX] = "";
    write_jsonl(f, names[0], 2);
    write_csv(f, names[1], 2);
    fixture_write(f, names[2], other, sizeof other - 1);
    CHECK_STATUS(open_corpus(&c, f, names[1], 0, 0), FT_OK);
    (void)snprintf(prepared, sizeof prepared, "%s", c ? corpus_folder(c) : "");
    corpus_close(&c);
    expect(&e, 4, 0, 0, N_MAX);
    struct hash_state *hash = hash_open(); /* only to append; the whole hash is not compared */
    expect_document(&e, &rows[0], hash);
    expect_document(&e, &rows[2], hash);
    (void)hash_close(hash);
    e.n_empty++;
    for (int i = 0; i < 2; i++) {
        names[1] = i == 0 ? "two.csv" : prepared;
        fixture_request(&r, f, names, 3);
        r.request.label_field = "label";
        r.request.seq_len = SEQ_LEN;
        CHECK_STATUS(corpus_open(&c, f->comm, &r.request, f->tokenizer), FT_OK);
        struct label_names labels;
        struct document_set s;
        CHECK_STATUS(label_names_open(&labels, f->comm, &c, 1), FT_OK);
        CHECK_STATUS(document_set_open(&s, f->comm, c, &labels, 0), FT_OK);
        if (i == 0)
            memcpy(e.texts_hash, s.texts_hash, HASH_TEXT);
        check_set(&s, &e);
        if (i == 0)
            check_texts(c, &e);
        document_set_close(&s);
        label_names_clear(&labels);
        corpus_close(&c);
    }
}

/* Many small shards, each with names of its own; the set ends within one of them. */
static void test_shards(const struct fixture *f)
{
    static struct expected e;
    struct token_set_info info = {.key = "0123456789abcdef0123456789abcdef",
                                  .data_hash = "00000000000000000000000000000000",
                                  .max_tokens = SEQ_LEN};
    struct token_writer writer;
    struct corpus *c = NULL;
    char folder[FILE_PATH_MAX];
    hash_format(info.tokenizer_hash, tokenizer_hash(f->tokenizer));
    expect(&e, 4, 0, 0, N_MAX);
    fixture_write(f, "shards/x", "", 0);
    fixture_path(folder, f, "shards");
    token_writer_init(&writer, folder, &info, f->rank);
    writer.limit = 2 * SEQ_LEN;
    for (int i = e.n * f->rank / f->size; i < e.n * (f->rank + 1) / f->size; i++) {
        const char *name = e.rows[i]->label;
        const int64_t n_text = (int64_t)strlen(e.rows[i]->text), n = e.first[i + 1] - e.first[i];
        const struct document_label label = {name, strlen(name), i, n_text + 2 - n};
        const int64_t start = writer.tokens.n;
        CHECK_STATUS(token_list_append(&writer.tokens, e.tokens + e.first[i], n), FT_OK);
        CHECK_STATUS(token_writer_document(&writer, start, n_text, &label), FT_OK);
    }
    CHECK_STATUS(token_writer_finish(&writer), FT_OK);
    CHECK_STATUS(token_writer_publish(&writer, f->comm, &info), FT_OK);
    token_writer_clear(&writer);
    CHECK_STATUS(open_corpus(&c, f, "shards", 0, 0), FT_OK);
    CHECK(info.n_shards > 10);
    const int n_all = e.n;
    for (int n = n_all; n > n_all - 12 && c; n--) {
        expect(&e, 4, 0, 0, n);
        e.n_empty = 0;
        check_opened(f, c, &e, n);
    }
    corpus_close(&c);
}

static void test_requests(const struct fixture *f)
{
    static const char *const names[] = {"a.csv"};
    struct fixture_request r;
    struct corpus *c = NULL;
    fixture_request(&r, f, names, 1);
    r.request.label_field = "text";
    r.request.seq_len = 9;
    CHECK_FAILS(corpus_open(&c, f->comm, &r.request, f->tokenizer), FT_ERR_USAGE,
                "are both \"text\"");
    r.request.label_field = "label";
    r.request.seq_len = 2;
    CHECK_FAILS(corpus_open(&c, f->comm, &r.request, f->tokenizer), FT_ERR_USAGE,
                "data.seq_len = 2 leaves no room for text: the tokenizer puts 2 tokens");
    r.request.seq_len = 3;
    CHECK_STATUS(corpus_open(&c, f->comm, &r.request, f->tokenizer), FT_OK);
    corpus_close(&c);
}

/* As test_memory while the shards are made. */
static void test_memory_of_corpus(const struct fixture *f)
{
    static const char *const names[] = {"a.jsonl"};
    struct fixture_request r;
    char cache[FILE_PATH_MAX];
    fixture_request(&r, f, names, 1);
    fixture_path(cache, f, "cache-of-memory");
    r.request.cache_dir = cache;
    r.request.label_field = "label";
    r.request.seq_len = SEQ_LEN;
    int64_t n_good = 0;
    for (int64_t nth = 1; nth < 300 && n_good < 2; nth++) {
        struct corpus *c = NULL;
        if (f->rank == f->size - 1)
            mem_fail_nth(nth, 0);
        const ft_status status = corpus_open(&c, f->comm, &r.request, f->tokenizer);
        mem_fail_nth(0, 0);
        CHECK(status == (c ? FT_OK : FT_ERR_INTERNAL));
        n_good = status == FT_OK ? n_good + 1 : 0;
        corpus_close(&c);
        comm_barrier(f->comm);
        if (f->rank == 0)
            CHECK_STATUS(file_remove_folder(cache), FT_OK);
        comm_barrier(f->comm);
    }
    CHECK(n_good == 2);
}

/* Memory that runs out on the last rank, at every allocation. */
static void test_memory(const struct fixture *f)
{
    struct corpus *c = NULL;
    CHECK_STATUS(open_corpus(&c, f, "a.csv", 0, 0), FT_OK);
    for (int64_t nth = 1, n_good = 0; nth < 200 && n_good < 3; nth++) {
        struct label_names names;
        struct document_set s = {0};
        if (f->rank == f->size - 1)
            mem_fail_nth(nth, 0);
        ft_status status = label_names_open(&names, f->comm, &c, 1);
        CHECK((status == FT_OK) == (names.names != NULL));
        if (status == FT_OK)
            status = document_set_open(&s, f->comm, c, &names, 0);
        mem_fail_nth(0, 0);
        CHECK(status == FT_OK || status == FT_ERR_INTERNAL);
        CHECK((status == FT_OK) == (s.first != NULL));
        n_good = status == FT_OK ? n_good + 1 : 0;
        document_set_close(&s);
        label_names_clear(&names);
    }
    corpus_close(&c);
}

int main(int argc, char **argv)
{
    struct fixture f;
    log_set_speaking(false);
    fixture_open(&f, &argc, &argv);
    tokenizer_close(&f.tokenizer);
    open_template(&f.tokenizer, &f);
    test_formats(&f);
    test_split(&f);
    test_warnings(&f);
    test_unknown(&f);
    test_keys(&f);
    test_prepared(&f);
    test_several(&f);
    test_shards(&f);
    test_requests(&f);
    test_memory(&f);
    test_memory_of_corpus(&f);
    return fixture_close(&f);
}
