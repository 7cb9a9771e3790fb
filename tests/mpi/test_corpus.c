/*
 * data/corpus at any number of ranks: the stream of tokens equals the one that this file makes
 * serially, from every kind of source; shards are reused, made anew, split and refused as they
 * should be.
 */
#include <dirent.h>
#include <signal.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/signals.h"
#include "data/split.h"
#include "support/corpus_fixture.h"

enum { N_TEXTS = 60 };

/* Texts with everything that a format must quote, and their tokens. */
struct sample {
    struct buffer texts[N_TEXTS];
    int32_t *tokens;
    int64_t starts[N_TEXTS];
    int64_t n_tokens, n_documents, n_skipped;
};

static unsigned next_random(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 16;
}

static void make_texts(struct sample *s)
{
    static const char *const pieces[] = {
        "law ",         "\"quoted\" ",        "a,b;",  "\n", "\r\n", "\\",
        "\t",           "\xc3\xa9t\xc3\xa9 ", "{}[]:", "\"", ",",    "   ",
        "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    unsigned state = 7;
    for (int i = 0; i < N_TEXTS; i++) {
        const unsigned n = i % 9 == 4 ? 0 : 1 + next_random(&state) % 40;
        for (unsigned k = 0; k < n; k++)
            CHECK_STATUS(
                buffer_print(&s->texts[i], "%s",
                             pieces[next_random(&state) % (sizeof pieces / sizeof *pieces)]),
                FT_OK);
    }
}

/* The expected stream of the first n texts that `keeps` (a split) lets through. */
static void expect_tokens(struct sample *s, int n, double fraction, int want_validation)
{
    s->n_tokens = s->n_documents = s->n_skipped = 0;
    for (int i = 0; i < n; i++) {
        const struct buffer *text = &s->texts[i];
        if (fraction > 0 && split_is_validation(42, i, fraction) != want_validation)
            continue;
        if (text->used == 0) {
            s->n_skipped++;
            continue;
        }
        s->starts[s->n_documents++] = s->n_tokens;
        for (size_t k = 0; k < text->used; k++)
            s->tokens[s->n_tokens++] = (unsigned char)text->data[k];
        s->tokens[s->n_tokens++] = FIXTURE_EOS;
    }
}

static void print_json(struct buffer *out, const struct buffer *text)
{
    for (size_t k = 0; k < text->used; k++) {
        const unsigned char c = (unsigned char)text->data[k];
        if (c < 32)
            CHECK_STATUS(buffer_print(out, "\\u%04x", c), FT_OK);
        else if (c == '"' || c == '\\')
            CHECK_STATUS(buffer_append(out, c == '"' ? "\\\"" : "\\\\", 2), FT_OK);
        else
            CHECK_STATUS(buffer_append(out, &c, 1), FT_OK);
    }
}

static void print_csv(struct buffer *out, const struct buffer *text)
{
    for (size_t k = 0; k < text->used; k++) {
        const char c = text->data[k];
        CHECK_STATUS(buffer_append(out, c == '"' ? "\"\"" : &c, c == '"' ? 2 : 1), FT_OK);
    }
}

static void write_jsonl(const struct fixture *f, const char *name, const struct sample *s,
                        int first, int last, const char *line_end)
{
    struct buffer out = {0};
    for (int i = first; i < last; i++) {
        CHECK_STATUS(buffer_print(&out,
                                  "{\"id\": %d, \"big\": 123456789012345678901234567890, "
                                  "\"text\": \"",
                                  i),
                     FT_OK);
        print_json(&out, &s->texts[i]);
        CHECK_STATUS(buffer_print(&out, "\"}%s", i + 1 < last ? line_end : ""), FT_OK);
        if (i % 7 == 3 && i + 1 < last)
            CHECK_STATUS(buffer_print(&out, " \t%s%s", line_end, line_end), FT_OK);
    }
    fixture_write(f, name, out.data ? out.data : "", out.used);
    buffer_clear(&out);
}

static void write_csv(const struct fixture *f, const char *name, const struct sample *s, int first,
                      int last, const char *line_end)
{
    struct buffer out = {0};
    CHECK_STATUS(buffer_print(&out, "\xef\xbb\xbfid,\"text\",label%s", line_end), FT_OK);
    for (int i = first; i < last; i++) {
        CHECK_STATUS(buffer_print(&out, "%d,\"", i), FT_OK);
        print_csv(&out, &s->texts[i]);
        CHECK_STATUS(buffer_print(&out, "\",\"l%s\"\"%d\"%s", line_end, i % 3, line_end), FT_OK);
        if (i % 5 == 2)
            CHECK_STATUS(buffer_print(&out, "%s", line_end), FT_OK);
    }
    fixture_write(f, name, out.data, out.used);
    buffer_clear(&out);
}

static void write_folder(const struct fixture *f, const char *folder, const struct sample *s,
                         int first, int last)
{
    char name[64];
    for (int i = first; i < last; i++) {
        (void)snprintf(name, sizeof name, "%s/%03d.txt", folder, i);
        fixture_write(f, name, s->texts[i].used ? s->texts[i].data : "", s->texts[i].used);
    }
    (void)snprintf(name, sizeof name, "%s/notes.md", folder);
    fixture_write(f, name, "no text of the corpus", 21);
}

/* The whole stream of an opened corpus, read in one piece and in pieces, and its document starts.
 */
static void check_stream(struct corpus *c, const struct sample *s)
{
    const struct corpus_stats *stats = corpus_stats(c);
    CHECK(stats->n_tokens == s->n_tokens && stats->n_documents == s->n_documents);
    CHECK(stats->n_skipped == s->n_skipped && stats->n_bytes == s->n_tokens - s->n_documents);
    if (stats->n_tokens != s->n_tokens)
        return;
    int32_t *got = mem_alloc((size_t)s->n_tokens, sizeof *got);
    int64_t starts[N_TEXTS], n_starts = 0;
    const int64_t n_before = mem_alloc_count();
    CHECK_STATUS(corpus_read(c, got, 0, s->n_tokens), FT_OK);
    CHECK(memcmp(got, s->tokens, (size_t)s->n_tokens * sizeof *got) == 0);
    const int64_t stride = s->n_tokens < 100000 ? 37 : 9973;
    for (int64_t at = 0; at < s->n_tokens; at += stride) {
        const int64_t n = s->n_tokens - at < 41 ? s->n_tokens - at : 41;
        CHECK_STATUS(corpus_read(c, got, at, n), FT_OK);
        CHECK(memcmp(got, s->tokens + at, (size_t)n * sizeof *got) == 0);
        CHECK_STATUS(corpus_document_starts(c, at, n, starts, N_TEXTS, &n_starts), FT_OK);
        int64_t k = 0;
        for (int64_t i = 0; i < s->n_documents; i++)
            if (s->starts[i] >= at && s->starts[i] < at + n)
                CHECK(k < n_starts && starts[k++] == s->starts[i]);
        CHECK(k == n_starts);
    }
    CHECK_STATUS(corpus_document_starts(c, 0, s->n_tokens, starts, N_TEXTS, &n_starts), FT_OK);
    CHECK(n_starts == s->n_documents);
    CHECK(mem_alloc_count() == n_before);
    CHECK_FAILS(corpus_read(c, got, s->n_tokens - 1, 2), FT_ERR_INTERNAL, "were asked for");
    mem_free(got);
}

/* Opens, compares, opens again: reused with the same answer. Gives the data hash. */
static void check_names(const struct fixture *f, const struct sample *s, const char *const *names,
                        int n_names, double fraction, int want_validation, char hash[33])
{
    struct fixture_request r;
    struct corpus *c = NULL;
    fixture_request(&r, f, names, n_names);
    r.request.validation_fraction = fraction;
    r.request.want_validation = want_validation;
    for (int round = 0; round < 2; round++) {
        const int before = check_failures;
        CHECK_STATUS(corpus_open(&c, f->comm, &r.request, f->tokenizer), FT_OK);
        if (!c)
            return;
        CHECK(corpus_stats(c)->was_reused == (round == 1));
        check_stream(c, s);
        memcpy(hash, corpus_stats(c)->data_hash, 33);
        corpus_close(&c);
        if (check_failures != before)
            (void)fprintf(stderr, "rank %d: %s, round %d\n", f->rank, names[0], round);
    }
}

static void test_formats(const struct fixture *f, struct sample *s)
{
    static const char *const lists[][4] = {{"lf.jsonl"}, {"crlf.jsonl"},
                                           {"lf.csv"},   {"crlf.csv"},
                                           {"folder"},   {"a.jsonl", "b.csv", "c", "d.jsonl"}};
    char hash[33], hashes[6][33];
    write_jsonl(f, "lf.jsonl", s, 0, N_TEXTS, "\n");
    write_jsonl(f, "crlf.jsonl", s, 0, N_TEXTS, "\r\n");
    write_csv(f, "lf.csv", s, 0, N_TEXTS, "\n");
    write_csv(f, "crlf.csv", s, 0, N_TEXTS, "\r\n");
    write_folder(f, "folder", s, 0, N_TEXTS);
    write_jsonl(f, "a.jsonl", s, 0, 11, "\n");
    write_csv(f, "b.csv", s, 11, 30, "\n");
    write_folder(f, "c", s, 30, 33);
    write_jsonl(f, "d.jsonl", s, 33, N_TEXTS, "\n");
    expect_tokens(s, N_TEXTS, 0, 0);
    for (int i = 0; i < 6; i++) {
        check_names(f, s, lists[i], i < 5 ? 1 : 4, 0, 0, hashes[i]);
        for (int k = 0; k < i; k++)
            CHECK(strcmp(hashes[i], hashes[k]) != 0);
    }
    CHECK(strcmp(hashes[0], "ff1788784b0680ac4b68b40d18ad9d5c") ==
          0); /* the same at every rank count */
    static const double fractions[] = {0.1, 0.5, 0.9};
    for (int i = 0; i < 6; i++)
        for (int part = 0; part < 2; part++) {
            expect_tokens(s, N_TEXTS, fractions[i / 2], part);
            check_names(f, s, lists[i], i < 5 ? 1 : 4, fractions[i / 2], part, hash);
            CHECK(strcmp(hash, hashes[i]) == 0);
        }
}

/* Cuts between ranks at many places of lines and rows, and more ranks than documents. */
static void test_cuts(const struct fixture *f, struct sample *s)
{
    char name[32], hash[33];
    const char *const names[] = {name};
    for (int n = 1; n < 24; n++) {
        expect_tokens(s, n, 0, 0);
        (void)snprintf(name, sizeof name, "cut%d.jsonl", n);
        write_jsonl(f, name, s, 0, n, n % 2 ? "\n" : "\r\n");
        check_names(f, s, names, 1, 0, 0, hash);
        (void)snprintf(name, sizeof name, "cut%d.csv", n);
        write_csv(f, name, s, 0, n, n % 2 ? "\n" : "\r\n");
        check_names(f, s, names, 1, 0, 0, hash);
    }
}

/* Records longer than the chunks that are read, between short ones; quotes open across all of them.
 */
static void test_long_records(const struct fixture *f)
{
    static struct sample s;
    static const char *const jsonl[] = {"long.jsonl"}, *const csv[] = {"long.csv"};
    char hash[33];
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < (i % 2 ? 350000 : 3); k++)
            CHECK_STATUS(buffer_print(&s.texts[i], "%d \"law\", ", k), FT_OK);
    s.tokens = mem_alloc(s.texts[1].used + s.texts[3].used + 1000, sizeof *s.tokens);
    expect_tokens(&s, 5, 0, 0);
    write_jsonl(f, "long.jsonl", &s, 0, 5, "\n");
    check_names(f, &s, jsonl, 1, 0, 0, hash);
    write_csv(f, "long.csv", &s, 0, 5, "\n");
    check_names(f, &s, csv, 1, 0, 0, hash);
    for (int i = 0; i < 5; i++)
        buffer_clear(&s.texts[i]);
    mem_free(s.tokens);
}

static int count_entries(const char *path)
{
    int n = 0;
    DIR *folder = opendir(path);
    while (folder && readdir(folder))
        n++;
    if (folder)
        (void)closedir(folder);
    return n - 2;
}

static void open_lf(struct corpus **c, char folder[FILE_PATH_MAX], const struct fixture *f,
                    ft_status expected)
{
    static const char *const names[] = {"lf.jsonl"};
    struct fixture_request r;
    fixture_request(&r, f, names, 1);
    CHECK_STATUS(corpus_open(c, f->comm, &r.request, f->tokenizer), expected);
    if (*c && folder)
        (void)snprintf(folder, FILE_PATH_MAX, "%s", corpus_folder(*c));
    comm_barrier(f->comm);
}

static void damage(const char *folder, const char *name, int how)
{
    char path[FILE_PATH_MAX], *data = NULL;
    size_t bytes = 0;
    CHECK_STATUS(file_join(path, folder, name), FT_OK);
    if (how == 2) {
        CHECK(unlink(path) == 0);
        return;
    }
    CHECK_STATUS(file_read_all(&data, &bytes, path, 1 << 30), FT_OK);
    data[bytes / 2] = (char)(data[bytes / 2] ^ 1);
    CHECK_STATUS(file_replace(path, data, how == 1 ? bytes - 1 : bytes), FT_OK);
    mem_free(data);
}

/* A damaged cache is made anew, and a changed source gets other shards. */
static void test_reuse(const struct fixture *f, struct sample *s)
{
    struct corpus *c = NULL;
    char folder[FILE_PATH_MAX], shard[64];
    expect_tokens(s, N_TEXTS, 0, 0);
    for (int how = 0; how < 6; how++) {
        open_lf(&c, folder, f, FT_OK);
        corpus_close(&c);
        (void)snprintf(shard, sizeof shard, "tokens-%05d-of-%05d.h5", f->size - 1, f->size);
        comm_barrier(f->comm);
        const int n_before = count_entries(f->cache);
        comm_barrier(f->comm);
        if (f->rank == 0 && how < 5)
            damage(folder, how < 3 ? shard : "manifest.json", how % 3);
        if (f->rank == 0 && how == 5)
            CHECK(file_remove_folder(folder) == FT_OK && file_replace(folder, "x", 1) == FT_OK);
        comm_barrier(f->comm);
        open_lf(&c, NULL, f, FT_OK);
        if (c) {
            CHECK(!corpus_stats(c)->was_reused);
            check_stream(c, s);
        }
        CHECK(count_entries(f->cache) == n_before);
        corpus_close(&c);
    }
    char *data = NULL, path[FILE_PATH_MAX], other[FILE_PATH_MAX];
    size_t bytes = 0;
    fixture_path(path, f, "lf.jsonl");
    CHECK_STATUS(file_read_all(&data, &bytes, path, 1 << 30), FT_OK);
    char *id = strstr(data, "\"id\": 4");
    CHECK(id != NULL);
    id[6] = '5';
    fixture_write(f, "lf.jsonl", data, bytes);
    mem_free(data);
    open_lf(&c, other, f, FT_OK);
    CHECK(c && !corpus_stats(c)->was_reused && strcmp(other, folder) != 0);
    corpus_close(&c);
    write_jsonl(f, "lf.jsonl", s, 0, N_TEXTS, "\n");
}

/* Another job that makes the same key at the same time: its folder appears while this one writes.
 */
static char parked[FILE_PATH_MAX], wanted[FILE_PATH_MAX];

static ft_status let_other_finish(const char *phase)
{
    if (strcmp(phase, "prepare-write") == 0 && file_exists(parked))
        CHECK(rename(parked, wanted) == 0);
    return FT_OK;
}

static void test_two_jobs(const struct fixture *f, struct sample *s)
{
    struct corpus *c = NULL;
    char marker[FILE_PATH_MAX];
    open_lf(&c, wanted, f, FT_OK);
    corpus_close(&c);
    fixture_path(parked, f, "parked");
    CHECK_STATUS(file_join(marker, wanted, "marker"), FT_OK);
    for (int is_damaged = 0; is_damaged < 2; is_damaged++) {
        comm_barrier(f->comm);
        const int n_before = count_entries(f->cache);
        comm_barrier(f->comm);
        if (f->rank == 0) {
            CHECK_STATUS(file_replace(marker, "x", 1), FT_OK);
            if (is_damaged)
                damage(wanted, "manifest.json", 0);
            CHECK(rename(wanted, parked) == 0);
            fault_set_hook(let_other_finish);
        }
        comm_barrier(f->comm);
        open_lf(&c, NULL, f, FT_OK);
        fault_set_hook(NULL);
        if (c)
            check_stream(c, s);
        CHECK(file_exists(marker) == !is_damaged && !file_exists(parked));
        CHECK(count_entries(f->cache) == n_before);
        corpus_close(&c);
        comm_barrier(f->comm);
    }
}

/* The folder and the files of prepared shards, alone and among text; other tokenizers; damage. */
static void test_prepared(const struct fixture *f, struct sample *s)
{
    static const char *const names[] = {"prepared", "b.csv", "c", "d.jsonl"};
    static const char *const text[] = {"a.jsonl"},
                             *const file[] = {"prepared/tokens-00000-of-00001.h5"},
                             *const stray[] = {"prepared/tokens-00000-of-00009.h5"};
    struct fixture_request r;
    struct corpus *c = NULL;
    char folder[FILE_PATH_MAX] = "", hash[33];
    fixture_request(&r, f, text, 1);
    CHECK_STATUS(corpus_open(&c, f->comm, &r.request, f->tokenizer), FT_OK);
    if (c)
        (void)snprintf(folder, sizeof folder, "%s", corpus_folder(c));
    memcpy(hash, c ? corpus_stats(c)->data_hash : "", c ? 33 : 1);
    corpus_close(&c);
    fixture_path(r.paths[0], f, "prepared");
    comm_barrier(f->comm);
    if (f->rank == 0)
        CHECK(rename(folder, r.paths[0]) == 0);
    comm_barrier(f->comm);
    CHECK_STATUS(corpus_open(&c, f->comm, &r.request, f->tokenizer), FT_OK);
    expect_tokens(s, 11, 0, 0);
    if (c) {
        CHECK(corpus_stats(c)->was_reused && strcmp(corpus_stats(c)->data_hash, hash) == 0);
        check_stream(c, s);
    }
    corpus_close(&c);
    if (f->size == 1) {
        fixture_request(&r, f, file, 1);
        CHECK_STATUS(corpus_open(&c, f->comm, &r.request, f->tokenizer), FT_OK);
        if (c)
            check_stream(c, s);
        corpus_close(&c);
    }
    fixture_request(&r, f, names, 4);
    CHECK_STATUS(corpus_open(&c, f->comm, &r.request, f->tokenizer), FT_OK);
    expect_tokens(s, N_TEXTS, 0, 0);
    if (c)
        check_stream(c, s);
    corpus_close(&c);
    r.request.validation_fraction = 0.5;
    CHECK_FAILS(corpus_open(&c, f->comm, &r.request, f->tokenizer), FT_ERR_USAGE, "cannot split");
    fixture_request(&r, f, names, 1);
    struct tokenizer *other = NULL;
    fixture_write_tokenizer(f, "other", "<x>");
    fixture_open_tokenizer(&other, f, "other");
    CHECK_FAILS(corpus_open(&c, f->comm, &r.request, other), FT_ERR_INPUT, "another tokenizer");
    tokenizer_close(&other);
    fixture_write(f, stray[0], "x", 1);
    fixture_request(&r, f, stray, 1);
    CHECK_FAILS(corpus_open(&c, f->comm, &r.request, f->tokenizer), FT_ERR_INPUT, "does not know");
    fixture_request(&r, f, names, 1);
    (void)snprintf(hash, sizeof hash, "tokens-00000-of-%05d.h5", f->size);
    if (f->rank == 0)
        damage(r.paths[0], hash, 0);
    comm_barrier(f->comm);
    CHECK_FAILS(corpus_open(&c, f->comm, &r.request, f->tokenizer), FT_ERR_INPUT, "was damaged");
    CHECK(!c);
}

static void test_no_eos(const struct fixture *f)
{
    static const char *const names[] = {"a.jsonl"};
    struct fixture_request r;
    struct corpus *c = NULL;
    struct tokenizer *none = NULL;
    fixture_write_tokenizer(f, "none", "");
    fixture_open_tokenizer(&none, f, "none");
    fixture_request(&r, f, names, 1);
    CHECK_FAILS(corpus_open(&c, f->comm, &r.request, none), FT_ERR_INPUT, "no EOS");
    tokenizer_close(&none);
}

/* A failure on one rank, whichever it is, is every rank's failure, and leaves nothing behind. */
static const char *failing_phase;

static ft_status fail_there(const char *phase)
{
    return strcmp(phase, failing_phase) == 0 ? ft_fail(FT_ERR_IO, "injected at %s", phase) : FT_OK;
}

static void test_faults(const struct fixture *f)
{
    static const char *const phases[] = {"prepare-read", "prepare-write"};
    static const char *const names[] = {"crlf.jsonl"};
    struct fixture_request r;
    struct corpus *c = NULL;
    fixture_request(&r, f, names, 1);
    char cache[FILE_PATH_MAX];
    fixture_path(cache, f, "cache-of-faults");
    r.request.cache_dir = cache;
    for (int rank = 0; rank < f->size; rank++)
        for (int i = 0; i < 2; i++) {
            failing_phase = phases[i];
            fault_set_hook(f->rank == rank ? fail_there : NULL);
            CHECK_FAILS(corpus_open(&c, f->comm, &r.request, f->tokenizer), FT_ERR_IO, phases[i]);
            fault_set_hook(NULL);
            comm_barrier(f->comm);
            CHECK(!c && count_entries(r.request.cache_dir) == 0);
            comm_barrier(f->comm);
        }
    for (int64_t nth = 1; nth < 60; nth++) { /* memory that runs out on the last rank */
        if (f->rank == f->size - 1)
            mem_fail_nth(nth, 0);
        const ft_status status = corpus_open(&c, f->comm, &r.request, f->tokenizer);
        mem_fail_nth(0, 0);
        CHECK(status == (c ? FT_OK : FT_ERR_INTERNAL));
        corpus_close(&c);
        comm_barrier(f->comm);
        if (f->rank == 0)
            CHECK_STATUS(file_remove_folder(r.request.cache_dir), FT_OK);
        comm_barrier(f->comm);
    }
}

static ft_status raise_at_reading(const char *phase)
{
    if (strcmp(phase, "prepare-read") == 0)
        CHECK(raise(SIGUSR1) == 0);
    return FT_OK;
}

/* A signal to one rank ends the preparation on all. The flag stays up: this test is the last. */
static void test_stop(const struct fixture *f)
{
    static const char *const names[] = {"lf.csv"};
    struct fixture_request r;
    struct corpus *c = NULL;
    char cache[FILE_PATH_MAX];
    fixture_request(&r, f, names, 1);
    fixture_path(cache, f, "cache-of-stop");
    r.request.cache_dir = cache;
    signals_watch();
    if (f->rank == f->size - 1) /* once the folder is there */
        fault_set_hook(raise_at_reading);
    CHECK_FAILS(corpus_open(&c, f->comm, &r.request, f->tokenizer), FT_STOPPED,
                "stopped by a signal");
    comm_barrier(f->comm);
    CHECK(!c && count_entries(cache) == 0);
}

int main(int argc, char **argv)
{
    static struct sample s;
    struct fixture f;
    size_t bytes = 0;
    log_set_speaking(false);
    fixture_open(&f, &argc, &argv);
    make_texts(&s);
    for (int i = 0; i < N_TEXTS; i++)
        bytes += s.texts[i].used + 1;
    s.tokens = mem_alloc(bytes, sizeof *s.tokens);
    test_formats(&f, &s);
    test_cuts(&f, &s);
    test_long_records(&f);
    test_reuse(&f, &s);
    test_two_jobs(&f, &s);
    test_prepared(&f, &s);
    test_no_eos(&f);
    test_faults(&f);
    test_stop(&f);
    for (int i = 0; i < N_TEXTS; i++)
        buffer_clear(&s.texts[i]);
    mem_free(s.tokens);
    return fixture_close(&f);
}
