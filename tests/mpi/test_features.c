/*
 * Frozen features: equal to one document at a time through the backbone, whatever the cache holds;
 * what is stored, reused and made anew; stops, damage, full disks.
 *
 * "test_mpi_features FOLDER" computes all features of three parts with the cache in FOLDER and
 * prints their hash: for features_kill.sh, which kills it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/signals.h"
#include "data/features.h"
#include "data/label_names.h"
#include "data/loader.h"
#include "format/h5.h"
#include "model/convert.h"
#include "support/corpus_fixture.h"

enum { SEQ_LEN = 16, PART = 4096, N_DOCUMENTS = 2 * PART + 808, V = 258 };

static const char *const pooling_names[] = {"cls", "mean", "last"};

struct world {
    struct fixture *fixture;
    struct corpus *corpus;
    struct label_names names;
    struct document_set documents;
    struct model *encoder, *decoder;
    char hash[HASH_TEXT];
};

/* A small model of a family, with other parameters than its golden ones. */
static void open_model(struct model **out, const char *family)
{
    char path[FILE_PATH_MAX];
    struct model_config config;
    struct model_shape shape;
    (void)snprintf(path, sizeof path, TESTS_DIR "/golden/heads/%s", family);
    CHECK_STATUS(model_config_read(&config, path), FT_OK);
    config.V = V;
    features_model_shape(&shape, SEQ_LEN);
    CHECK_STATUS(model_create(out, &config, &shape), FT_OK);
    if (!*out)
        abort();
    for (int64_t i = 0; i < (*out)->layout->N; i++)
        (*out)->params[i] = (float)(rng_u64(7, 1, (uint64_t)i) % 2001) * 5e-4f - 0.5f;
}

/* Texts of 1 to 20 letters, of which 16 are kept. */
static void write_texts(const struct fixture *f)
{
    struct buffer out = {0};
    for (int i = 0; i < N_DOCUMENTS; i++) {
        char text[32];
        const int n = 1 + (int)(rng_u64(3, 0, (uint64_t)i) % 20);
        for (int k = 0; k < n; k++)
            text[k] = (char)('a' + rng_u64(4, (uint64_t)i, (uint64_t)k) % 26);
        CHECK_STATUS(
            buffer_print(&out, "{\"text\": \"%.*s\", \"label\": \"%c\"}\n", n, text, 'p' + i % 2),
            FT_OK);
    }
    fixture_write(f, "texts.jsonl", out.data, out.used);
    buffer_clear(&out);
}

static void open_world(struct world *w, struct fixture *f)
{
    struct fixture_request r;
    const char *const name = "texts.jsonl";
    *w = (struct world){.fixture = f};
    write_texts(f);
    fixture_request(&r, f, &name, 1);
    r.request.label_field = "label";
    r.request.seq_len = SEQ_LEN;
    CHECK_STATUS(corpus_open(&w->corpus, f->comm, &r.request, f->tokenizer), FT_OK);
    CHECK_STATUS(label_names_open(&w->names, f->comm, &w->corpus, 1), FT_OK);
    CHECK_STATUS(document_set_open(&w->documents, f->comm, w->corpus, &w->names, 0), FT_OK);
    CHECK(w->documents.n_documents == N_DOCUMENTS);
    open_model(&w->encoder, "bert");
    open_model(&w->decoder, "llama");
    CHECK_STATUS(model_hash(w->hash, w->encoder->layout, w->encoder->params), FT_OK);
}

static void close_world(struct world *w)
{
    model_destroy(&w->encoder);
    model_destroy(&w->decoder);
    document_set_close(&w->documents);
    label_names_clear(&w->names);
    corpus_close(&w->corpus);
}

/* Everything that "auto" wants of the encoder. */
static struct features_request request_of(const struct world *w)
{
    return (struct features_request){.model = w->encoder,
                                     .documents = &w->documents,
                                     .what = "texts",
                                     .cache_dir = w->fixture->cache,
                                     .backbone_hash = w->hash,
                                     .tokenizer_hash = "0",
                                     .seq_len = SEQ_LEN,
                                     .precision = "fp32",
                                     .layer = LAYER_AUTO,
                                     .pooling = POOLING_AUTO};
}

static struct features *open_checked(const struct features_request *r, int64_t n_computed)
{
    struct features *f = NULL;
    CHECK_STATUS(features_open(&f, r), FT_OK);
    if (!f)
        abort();
    if (features_stats(f)->n_computed != n_computed) {
        (void)fprintf(stderr, "%lld documents computed, expected %lld\n",
                      (long long)features_stats(f)->n_computed, (long long)n_computed);
        check_failures++;
    }
    CHECK(features_stats(f)->n_computed + features_stats(f)->n_reused == N_DOCUMENTS);
    CHECK(features_count(f) == N_DOCUMENTS && features_width(f) == r->model->config.C);
    return f;
}

/* Hash of the features of both layers and two poolings. */
static struct hash_value hash_of(struct features *f, enum pooling other)
{
    float *x = NULL;
    const int64_t n = features_count(f) * features_width(f);
    struct hash_value all = {0, 0};
    CHECK_STATUS(FT_ALLOC(x, n), FT_OK);
    for (int layer = 1; layer <= 2; layer++) {
        for (int i = 0; i < 2; i++) {
            CHECK_STATUS(features_read(f, layer, i ? POOLING_MEAN : other, x), FT_OK);
            const struct hash_value one = hash_bytes(x, (size_t)n * sizeof *x);
            all.high = all.high * 31 + one.high;
            all.low = all.low * 31 + one.low;
        }
    }
    mem_free(x);
    return all;
}

static bool is_same(struct hash_value a, struct hash_value b)
{
    return a.high == b.high && a.low == b.low;
}

/* The features of the request now: n_computed documents anew, the numbers those of expected. */
static void check_again(const struct features_request *r, int64_t n_computed,
                        struct hash_value expected)
{
    struct features *f = open_checked(r, n_computed);
    CHECK(is_same(hash_of(f, POOLING_CLS), expected));
    features_close(&f);
}

/* What one document alone gives. */
struct alone {
    const struct model *model;
    const struct batch *batch;
    int layer;
    enum pooling pooling;
    float *out;
};

static void pool_layer(void *context, int layer, const float *hidden)
{
    struct alone *alone = context;
    if (layer == alone->layer)
        model_pool(alone->model, alone->out, hidden, alone->batch, layer, alone->pooling);
}

static void check_values(const struct world *w, struct model *model, struct features *f,
                         enum pooling other)
{
    const int C = model->config.C;
    struct batch batch;
    float *x = NULL, *one = NULL;
    CHECK_STATUS(document_batch_create(&batch, 1, SEQ_LEN), FT_OK);
    CHECK_STATUS(FT_ALLOC(x, N_DOCUMENTS * C), FT_OK);
    CHECK_STATUS(FT_ALLOC(one, C), FT_OK);
    for (int layer = 1; layer <= model->config.L; layer++) {
        for (int i = 0; i < 2; i++) {
            const enum pooling pooling = i ? POOLING_MEAN : other;
            struct alone alone = {model, &batch, layer, pooling, one};
            CHECK_STATUS(features_read(f, layer, pooling, x), FT_OK);
            for (int64_t d = 0; d < N_DOCUMENTS; d += d % 7 ? 59 : 1) {
                CHECK_STATUS(document_batch_fill(&batch, &w->documents, &d, 1), FT_OK);
                model_hidden(model, &batch, pool_layer, &alone);
                if (!check_tensor("features", x + d * C, one, C, 1e-5))
                    break;
            }
        }
    }
    batch_destroy(&batch);
    mem_free(x);
    mem_free(one);
}

static struct hash_value test_values(const struct world *w)
{
    struct features_request r = request_of(w);
    struct features *f = open_checked(&r, N_DOCUMENTS);
    const struct hash_value hash = hash_of(f, POOLING_CLS);
    char name[FILE_PATH_MAX];
    CHECK(features_stats(f)->bytes == (int64_t)4 * N_DOCUMENTS * 24 * (int64_t)sizeof(float));
    CHECK_STATUS(file_join(name, features_folder(f), "part-00002.xxh3"), FT_OK);
    CHECK(file_exists(name));
    check_values(w, w->encoder, f, POOLING_CLS);
    CHECK_FAILS(features_read(f, 1, POOLING_LAST, NULL), FT_ERR_INTERNAL, "not wanted");
    CHECK_FAILS(features_read(f, 3, POOLING_MEAN, NULL), FT_ERR_INTERNAL, "not wanted");
    features_close(&f);
    check_again(&r, 0, hash); /* another head: no forward pass */

    r.cache_dir = NULL; /* in memory: the same bits */
    check_again(&r, N_DOCUMENTS, hash);

    r = request_of(w); /* a decoder: last and mean */
    r.model = w->decoder;
    r.backbone_hash = "another";
    f = open_checked(&r, N_DOCUMENTS);
    check_values(w, w->decoder, f, POOLING_LAST);
    CHECK_FAILS(features_read(f, 1, POOLING_CLS, NULL), FT_ERR_INTERNAL, "not wanted");
    features_close(&f);
    return hash;
}

/* What enters the key, and what does not. */
static void test_key(const struct world *w)
{
    struct features_request r = request_of(w);
    struct features *f = open_checked(&r, 0);
    char folder[FILE_PATH_MAX];
    (void)snprintf(folder, sizeof folder, "%s", features_folder(f));
    features_close(&f);
    for (int i = 0; i < 5; i++) {
        struct document_set documents = w->documents;
        r = request_of(w);
        r.documents = &documents;
        r.tokenizer_hash = i == 0 ? "1" : r.tokenizer_hash;
        r.seq_len = i == 1 ? SEQ_LEN + 1 : r.seq_len;
        r.precision = i == 2 ? "bf16" : r.precision;
        documents.texts_hash[0] ^= i == 3;
        documents.labels = i == 4 ? NULL : documents.labels;
        documents.n_labels += i == 4;
        documents.n_documents = i < 4 ? 3 : documents.n_documents;
        if (i == 4) {
            f = open_checked(&r, 0);
        } else {
            CHECK_STATUS(features_open(&f, &r), FT_OK);
            CHECK(f && features_stats(f)->n_computed == 3);
        }
        CHECK(f && (strcmp(folder, features_folder(f)) == 0) == (i == 4));
        features_close(&f);
    }
}

static int count_stored(const char *folder, const char *part)
{
    char path[FILE_PATH_MAX], name[H5_NAME_BYTES];
    struct h5_file *file = NULL;
    int n = 0;
    CHECK_STATUS(file_join(path, folder, part), FT_OK);
    CHECK_STATUS(h5_open(&file, path), FT_OK);
    for (int layer = 1; file && layer <= 2; layer++) {
        for (int i = 0; i < 3; i++) {
            (void)snprintf(name, sizeof name, "/L%02d/%s", layer, pooling_names[i]);
            n += h5_has(file, name);
        }
    }
    (void)h5_close(&file);
    return n;
}

/* Opens with one layer and pooling; n_stored kinds are then in each part. */
static void check_narrow(const struct world *w, int layer, enum pooling pooling, int64_t n_computed,
                         int n_stored)
{
    struct features_request r = request_of(w);
    r.backbone_hash = "narrow";
    r.layer = layer;
    r.pooling = pooling;
    struct features *f = open_checked(&r, n_computed);
    CHECK(count_stored(features_folder(f), "part-00000.h5") == n_stored);
    CHECK(count_stored(features_folder(f), "part-00002.h5") == n_stored);
    features_close(&f);
}

static void test_wanted(const struct world *w)
{
    struct features_request r = request_of(w);
    struct features *f = NULL;
    check_narrow(w, 2, POOLING_MEAN, N_DOCUMENTS, 1);
    check_narrow(w, -1, POOLING_MEAN, 0, 1); /* the same */
    check_narrow(w, -2, POOLING_MEAN, N_DOCUMENTS, 2);
    check_narrow(w, 1, POOLING_LAST, N_DOCUMENTS, 3);
    check_narrow(w, LAYER_AUTO, POOLING_AUTO, N_DOCUMENTS, 5);
    check_narrow(w, 1, POOLING_LAST, 0, 5);
    for (int layer = -3; layer <= 3; layer += 3) {
        r.layer = layer;
        CHECK_FAILS(features_open(&f, &r), FT_ERR_USAGE, "the model has the layers 1 to 2");
        CHECK(f == NULL);
    }
    r.layer = LAYER_LAST4;
    CHECK_FAILS(features_open(&f, &r), FT_ERR_USAGE, "last4, but the model has only 2 layers");
    CHECK(f == NULL);
}

static void part_path(char out[FILE_PATH_MAX], const struct features_request *r, const char *name)
{
    struct features *f = open_checked(r, 0);
    CHECK_STATUS(file_join(out, features_folder(f), name), FT_OK);
    features_close(&f);
}

/* Changes one byte, from the end where at is negative. */
static void flip(const char *path, long at)
{
    FILE *file = fopen(path, "r+b");
    CHECK(file && fseek(file, at, at < 0 ? SEEK_END : SEEK_SET) == 0);
    const int byte = file ? fgetc(file) : 0;
    CHECK(file && fseek(file, -1, SEEK_CUR) == 0 && fputc(byte ^ 1, file) != EOF);
    CHECK(file && fclose(file) == 0);
}

static void copy(const char *from, const char *to)
{
    char *data = NULL;
    size_t bytes = 0;
    CHECK_STATUS(file_read_all(&data, &bytes, from, 1 << 30), FT_OK);
    CHECK_STATUS(file_replace(to, data, bytes), FT_OK);
    mem_free(data);
}

/* One part is damaged in every way: it alone is made anew, to the same bits. */
static void test_damage(const struct world *w, struct hash_value hash)
{
    const struct features_request r = request_of(w);
    char part[FILE_PATH_MAX], beside[FILE_PATH_MAX], other[FILE_PATH_MAX], stale[FILE_PATH_MAX];
    char first[FILE_PATH_MAX], first_beside[FILE_PATH_MAX];
    part_path(part, &r, "part-00001.h5");
    part_path(beside, &r, "part-00001.xxh3");
    part_path(first, &r, "part-00000.h5");
    part_path(first_beside, &r, "part-00000.xxh3");
    flip(part, -1000);
    check_again(&r, PART, hash);
    flip(part, 20); /* HDF5's own structures */
    check_again(&r, PART, hash);
    CHECK(truncate(part, 100000) == 0);
    check_again(&r, PART, hash);
    flip(beside, 3);
    check_again(&r, PART, hash);
    CHECK(unlink(beside) == 0);
    check_again(&r, PART, hash);
    CHECK(unlink(part) == 0);
    check_again(&r, PART, hash);
    copy(first, part); /* a sound part in another's place, hash and all */
    copy(first_beside, beside);
    check_again(&r, PART, hash);
    /* leftovers: of a dead process here, of a process that may live elsewhere */
    char host[65] = "", name[160];
    CHECK(gethostname(host, sizeof host - 1) == 0);
    (void)snprintf(name, sizeof name, "part-00001.h5.tmp.%s.%d", host, 0x7ffffff0);
    part_path(stale, &r, name);
    copy(beside, stale);
    part_path(other, &r, "part-00001.h5.tmp.elsewhere.1");
    copy(beside, other);
    check_again(&r, 0, hash);
    CHECK(!file_exists(stale) && file_exists(other));
}

/* More than disk or memory have: known before the first document is looked at. */
static void test_space(const struct world *w)
{
    struct document_set documents = w->documents;
    struct features_request r = request_of(w);
    struct features *f = NULL;
    int64_t available = 0;
    const int64_t bytes = (int64_t)4 * 24 * (int64_t)sizeof(float); /* of one document */
    CHECK_STATUS(file_free_bytes(&available, w->fixture->folder), FT_OK);
    CHECK_FAILS(file_free_bytes(&available, "/no/such/folder"), FT_ERR_IO, "/no/such/folder");
    documents.n_documents = available / bytes + (INT64_C(1) << 24);
    documents.texts_hash[0] ^= 1;
    r.documents = &documents;
    CHECK_FAILS(features_open(&f, &r), FT_ERR_IO, " MiB are free: name another folder");
    r.cache_dir = NULL;
    documents.n_documents = mem_available() / bytes + (INT64_C(1) << 24);
    CHECK_FAILS(features_open(&f, &r), FT_ERR_USAGE, " MiB of memory, ");
    CHECK(f == NULL && mem_available() > 0);
}

static void test_failures(const struct world *w)
{
    struct document_set documents = w->documents;
    struct features_request r = request_of(w);
    struct features *f = NULL;
    char folder[FILE_PATH_MAX];
    documents.n_documents = 40;
    r.documents = &documents;
    r.backbone_hash = "failures";
    int64_t nth = 1;
    for (ft_status status = FT_ERR_INTERNAL; status != FT_OK && nth < 300; nth++) {
        mem_fail_nth(nth, 0); /* each allocation in its turn */
        status = features_open(&f, &r);
        CHECK(status == FT_ERR_INTERNAL || status == FT_OK);
        CHECK((f != NULL) == (status == FT_OK));
    }
    mem_fail_nth(0, 0);
    CHECK(nth > 8 && nth < 300);
    features_close(&f);

    float *param = &w->encoder->params[w->encoder->layout->N / 2];
    const float kept = *param;
    *param = NAN;
    r.backbone_hash = "not finite";
    CHECK_FAILS(features_open(&f, &r), FT_ERR_INTERNAL, "not finite");
    CHECK_FAILS(features_open(&f, &r), FT_ERR_INTERNAL, "not finite"); /* not stored either */
    r.cache_dir = NULL;
    CHECK_FAILS(features_open(&f, &r), FT_ERR_INTERNAL, "not finite");
    *param = kept;
    fixture_path(folder, w->fixture, "texts.jsonl");
    r.cache_dir = folder; /* a file */
    CHECK_FAILS(features_open(&f, &r), FT_ERR_OUTPUT, "cannot create folder");
}

static const struct features_request *others; /* what another job wants */
static struct features *others_features;

static ft_status let_other_job_work(const char *phase)
{
    if (strcmp(phase, "features-write") == 0) {
        fault_set_hook(NULL);
        CHECK_STATUS(features_open(&others_features, others), FT_OK);
    }
    return FT_OK;
}

/* While one job computes layer 1, another computes layer 2 into the same parts: both are there. */
static void test_two_jobs(const struct world *w)
{
    struct document_set documents = w->documents;
    struct features_request mine = request_of(w), theirs;
    struct features *f = NULL;
    float x[40 * 64];
    documents.n_documents = 40;
    mine.documents = &documents;
    mine.backbone_hash = "two jobs";
    mine.pooling = POOLING_MEAN;
    mine.layer = 1;
    theirs = mine;
    theirs.layer = 2;
    others = &theirs;
    fault_set_hook(let_other_job_work);
    CHECK_STATUS(features_open(&f, &mine), FT_OK);
    fault_set_hook(NULL);
    CHECK(f && others_features && features_width(f) <= 64);
    CHECK_STATUS(features_read(f, 1, POOLING_MEAN, x), FT_OK);
    CHECK_STATUS(features_read(others_features, 2, POOLING_MEAN, x), FT_OK);
    features_close(&f);
    features_close(&others_features);
    CHECK_STATUS(features_open(&f, &theirs), FT_OK);
    CHECK(f && features_stats(f)->n_computed == 0);
    features_close(&f);
}

static int n_writes;

static ft_status fail_second_write(const char *phase)
{
    if (strcmp(phase, "features-write") != 0 || ++n_writes != 2)
        return FT_OK;
    return ft_fail(FT_ERR_IO, "injected");
}

static ft_status stop_at_second_write(const char *phase)
{
    if (strcmp(phase, "features-write") == 0 && ++n_writes == 2)
        (void)raise(SIGUSR1);
    return FT_OK;
}

/* The stop flag stays: the last test. */
static void test_stop(const struct world *w, struct hash_value hash)
{
    struct features_request r = request_of(w);
    struct features *f = NULL;
    r.backbone_hash = "stop";
    fault_set_hook(fail_second_write);
    CHECK_FAILS(features_open(&f, &r), FT_ERR_IO, "injected");
    fault_set_hook(NULL);
    check_again(&r, N_DOCUMENTS - PART, hash); /* the first part was kept */
    r.backbone_hash = "stop again";
    signals_watch();
    n_writes = 0;
    fault_set_hook(stop_at_second_write);
    CHECK_FAILS(features_open(&f, &r), FT_STOPPED, "while features were being computed");
    CHECK(f == NULL && n_writes == 2);
    fault_set_hook(NULL);
    CHECK_FAILS(features_open(&f, &r), FT_STOPPED, "while features"); /* 808 are missing */
    r.backbone_hash = "stop";
    check_again(&r, 0, hash); /* what needs no pass needs no stop either */
}

/* All features with the cache in a folder that stays. */
static int run_once(struct world *w, const char *cache)
{
    struct features_request r = request_of(w);
    struct features *f = NULL;
    char text[HASH_TEXT];
    r.cache_dir = cache;
    CHECK_STATUS(features_open(&f, &r), FT_OK);
    if (f) {
        hash_format(text, hash_of(f, POOLING_CLS));
        (void)printf("%s %lld %.3f\n", text, (long long)features_stats(f)->n_computed,
                     features_stats(f)->seconds);
    }
    features_close(&f);
    return check_failures;
}

int main(int argc, char **argv)
{
    struct fixture f;
    struct world w;
    log_set_speaking(false);
    fixture_open(&f, &argc, &argv);
    open_world(&w, &f);
    if (argc > 1) {
        (void)fprintf(stderr, "%s\n", f.folder); /* what a killed run leaves behind */
        (void)run_once(&w, argv[1]);
    } else {
        const struct hash_value hash = test_values(&w);
        test_key(&w);
        test_wanted(&w);
        test_damage(&w, hash);
        test_space(&w);
        test_failures(&w);
        test_two_jobs(&w);
        test_stop(&w, hash);
    }
    close_world(&w);
    return fixture_close(&f);
}
