/*
 * data/encoder: a corpus of many batches gives the same shards, byte for byte, and the same message
 * about what is wrong in it, at every number of threads.
 */
#include <omp.h>

#include "base/hash.h"
#include "base/log.h"
#include "data/encoder.h"
#include "support/corpus_fixture.h"

enum { N_DOCUMENTS = 3000, LARGE = 3 << 20 };

static const int n_threads[] = {1, 2, 5};

/* Documents of 0 ... 1,500 bytes, one of them larger than a batch of two threads. */
static void write_corpus(const struct fixture *f, const char *name, int n, int bad, int worse)
{
    const bool is_csv = strstr(name, ".csv") != NULL;
    struct buffer out = {0};
    if (is_csv)
        CHECK_STATUS(buffer_print(&out, "n,label,text\n"), FT_OK);
    for (int i = 0; i < n; i++) {
        const int bytes = i == 1000 ? LARGE : i % 11 == 3 ? 0 : i * 7919 % 1500;
        CHECK_STATUS(buffer_print(&out,
                                  is_csv ? "%d,class %d," : "{\"label\": \"%d %d\", \"text\": \"",
                                  i, i * i % 5),
                     FT_OK);
        if (i == bad || i == worse)
            CHECK_STATUS(buffer_append(&out, "\xff", 1), FT_OK);
        CHECK_STATUS(buffer_reserve(&out, (size_t)bytes), FT_OK);
        for (int k = 0; k < bytes; k++)
            out.data[out.used++] = k % 9 == 8 ? ' ' : (char)('a' + (i + k * k) % 26);
        CHECK_STATUS(buffer_print(&out, is_csv ? "\n" : "\"}\n"), FT_OK);
    }
    fixture_write(f, name, out.data, out.used);
    buffer_clear(&out);
}

/* Opens a corpus in a cache of its own; the hash of its shards' files in order, or the failure. */
static ft_status prepare(struct hash_value *hash, struct corpus_stats *stats,
                         const struct fixture *f, const char *const *names, int n_names,
                         const char *label_field, double fraction)
{
    struct fixture_request r;
    struct corpus *c = NULL;
    char cache[FILE_PATH_MAX];
    static int n_caches;
    (void)snprintf(cache, sizeof cache, "%.4000s-%d", f->cache, n_caches++);
    fixture_request(&r, f, names, n_names);
    r.request.cache_dir = cache;
    r.request.label_field = label_field;
    r.request.seq_len = 300;
    r.request.validation_fraction = fraction;
    FT_TRY(corpus_open(&c, f->comm, &r.request, f->tokenizer));
    const struct token_set *set = corpus_tokens(c);
    struct hash_state *state = hash_open();
    for (int64_t i = 0; i < set->n_shards && state; i++) {
        struct hash_value value = {0};
        CHECK_STATUS(hash_file(&value, NULL, set->shards[i].path), FT_OK);
        hash_update(state, &value, sizeof value);
    }
    *hash = hash_close(state);
    *stats = *corpus_stats(c);
    corpus_close(&c);
    return FT_OK;
}

static void check_same(const struct fixture *f, const char *const *names, int n_names,
                       const char *label_field, double fraction)
{
    struct hash_value first = {0}, other = {0};
    struct corpus_stats stats = {0}, wanted = {0};
    for (size_t i = 0; i < sizeof n_threads / sizeof *n_threads; i++) {
        omp_set_num_threads(n_threads[i]);
        CHECK_STATUS(prepare(&other, &stats, f, names, n_names, label_field, fraction), FT_OK);
        if (i == 0) {
            first = other;
            wanted = stats;
        }
        CHECK(other.high == first.high && other.low == first.low);
        CHECK(stats.n_documents == wanted.n_documents && stats.n_skipped == wanted.n_skipped &&
              stats.n_tokens == wanted.n_tokens && stats.n_bytes == wanted.n_bytes);
    }
    CHECK(wanted.n_documents > 1000 && wanted.n_skipped > 50);
    CHECK(label_field || wanted.n_tokens > 1000000);
}

static void test_same(const struct fixture *f)
{
    static const char *const ALL[] = {"a.jsonl", "b.csv", "texts", "c.csv", "d.jsonl"};
    static const char *const LABELLED[] = {"c.csv", "a.jsonl", "b.csv"};
    char name[64];
    write_corpus(f, "a.jsonl", N_DOCUMENTS, -1, -1);
    write_corpus(f, "b.csv", N_DOCUMENTS / 2, -1, -1);
    fixture_write(f, "c.csv", "text,label\nfirst,x\n,y\nsecond,z\n", 31);
    write_corpus(f, "d.jsonl", 900, -1, -1);
    for (int i = 0; i < 30; i++) {
        (void)snprintf(name, sizeof name, "texts/%02d.txt", i);
        fixture_write(f, name, "some text of a file", (size_t)(i % 20));
    }
    check_same(f, ALL, 5, NULL, 0.0);
    check_same(f, ALL, 5, NULL, 0.25);
    check_same(f, LABELLED, 3, "label", 0.0);
}

/* Of several bad documents the first one is told of, also before what ends the file. */
static void test_first_bad(const struct fixture *f)
{
    static const char *const NAME[] = {"bad.jsonl", "bad.csv"};
    struct hash_value hash;
    struct corpus_stats stats;
    write_corpus(f, NAME[0], N_DOCUMENTS, 2000, 2003);
    write_corpus(f, NAME[1], 1500, 2, 3);
    for (size_t i = 0; i < 2 * sizeof n_threads / sizeof *n_threads; i++) {
        omp_set_num_threads(n_threads[i / 2]);
        CHECK_FAILS(prepare(&hash, &stats, f, &NAME[i % 2], 1, NULL, 0.0), FT_ERR_INPUT,
                    i % 2 ? "bad.csv line 4, byte 11: invalid UTF-8"
                          : "bad.jsonl line 2001, byte 30: invalid UTF-8");
    }
    fixture_write(f, "open.csv", "text\n\"a\"b\n\"never closed", 24);
    static const char *const OPEN[] = {"open.csv"};
    CHECK_FAILS(prepare(&hash, &stats, f, OPEN, 1, NULL, 0.0), FT_ERR_INPUT, "line 2, byte 4");
}

/* Documents up to a failure are used, and the failure is passed up. */
static ft_status refuse_third(void *context, const struct encoded *document)
{
    int64_t *n = context;
    CHECK(document->number == *n && document->n_ids == 5);
    return ++*n == 3 ? ft_fail(FT_ERR_IO, "the third one") : FT_OK;
}

static void test_use(const struct fixture *f)
{
    static const char LINE[] = "{\"text\": \"abcde\"}", BAD[] = "{\"text\": 5}";
    struct source file = {.path = "lines.jsonl", .kind = SOURCE_JSONL, .bytes = sizeof LINE};
    const struct record good = {.file = &file, .data = LINE, .bytes = sizeof LINE - 1};
    const struct record bad = {.file = &file, .data = BAD, .bytes = sizeof BAD - 1};
    for (int order = 0; order < 2; order++) {
        struct encoder *e = NULL;
        int64_t n = 0;
        const struct encoder_request request = {
            .tokenizer = f->tokenizer, .text_field = "text", .use = refuse_third, .context = &n};
        CHECK_STATUS(encoder_open(&e, &request), FT_OK);
        for (int64_t i = 0; i < 6; i++)
            CHECK_STATUS(encoder_add(e, NULL, i == (order ? 1 : 4) ? &bad : &good, i), FT_OK);
        CHECK_STATUS(encoder_flush(e), order ? FT_ERR_INPUT : FT_ERR_IO);
        CHECK(n == (order ? 1 : 3));
        encoder_close(&e);
    }
}

/* Every allocation of a rank fails once. */
static void test_memory(const struct fixture *f)
{
    static const char LINE[] = "{\"text\": \"abcde\"}";
    struct source file = {.path = "lines.jsonl", .kind = SOURCE_JSONL, .bytes = sizeof LINE};
    const struct record record = {.file = &file, .data = LINE, .bytes = sizeof LINE - 1};
    int64_t nth = 1;
    omp_set_num_threads(3);
    for (ft_status status = FT_ERR_INTERNAL; status != FT_OK && nth < 200; nth++) {
        struct encoder *e = NULL;
        int64_t n = -1000;
        const struct encoder_request request = {
            .tokenizer = f->tokenizer, .text_field = "text", .use = refuse_third, .context = &n};
        const int64_t live = mem_live_bytes();
        mem_fail_nth(nth, 0);
        status = encoder_open(&e, &request);
        for (int64_t i = 0; i < 12 && status == FT_OK; i++)
            status = encoder_add(e, NULL, &record, n + i);
        if (status == FT_OK)
            status = encoder_flush(e);
        mem_fail_nth(0, 0);
        CHECK(status == FT_OK || status == FT_ERR_INTERNAL);
        encoder_close(&e);
        CHECK(mem_live_bytes() <= live + 65536); /* the first tokenizer keeps its scratch memory */
    }
    CHECK(nth > 10 && nth < 200);
}

int main(int argc, char **argv)
{
    struct fixture f;
    log_set_speaking(false);
    fixture_open(&f, &argc, &argv);
    test_same(&f);
    test_first_bad(&f);
    test_use(&f);
    test_memory(&f);
    return fixture_close(&f);
}
