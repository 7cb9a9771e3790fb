/*
 * Labelled documents at any number of ranks: names, numbering, tokens and hashes equal those that
 * this file makes serially; batches, orders, splits, warnings; what is refused.
 */
#include <fcntl.h>

#include "base/log.h"
#include "data/documents.h"
#include "data/samples.h"
#include "data/split.h"
#include "data/texts.h"
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
    const struct sample_set samples = sample_set_of(NULL, s);
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
    char first_hash[HASH_TEXT] = "", hash[HASH_TEXT];
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
        label_names_hash(hash, &names);
        CHECK(i == 0 || strcmp(hash, first_hash) == 0);
        memcpy(first_hash, hash, sizeof hash);
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

int main(int argc, char **argv)
{
    struct fixture f;
    log_set_speaking(false);
    fixture_open(&f, &argc, &argv);
    tokenizer_close(&f.tokenizer);
    open_template(&f.tokenizer, &f);
    test_formats(&f);
    return fixture_close(&f);
}
