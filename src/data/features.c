/*
 * KEY hashes what decides the numbers: backbone, tokenizer, truncation, texts, precision. Labels do
 * not, so a corrected label costs no forward pass. Layers and poolings do not either: a run that
 * wants more of them than a part holds makes that part anew with both.
 *
 * Documents are cut into parts in their order. A part is what is lost when a run is killed and what
 * is held in memory while it is made, so its number of documents follows from the model's size
 * alone: at most 4,096, and fewer where all that "auto" wants of them is more than 96 MiB. Within a
 * part the longest documents come first, so that those of a batch are of similar length. Batches
 * depend on the documents alone, never on what a cache holds already, because a matrix product may
 * round its rows otherwise when it has more of them.
 *
 * One file a part, not one for each layer: such files would save the second pass where a later run
 * wants more, but every part would be that many files, and the common run wants all.
 */
#include "data/features.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/size.h"
#include "base/timer.h"
#include "feature_pass.h"
#include "feature_store.h"

enum { PART_DOCUMENTS = 4096, PART_BYTES = 96 << 20, LAST = 4 };

struct features {
    struct feature_store store; /* folder "" without a cache */
    bool *wanted;               /* (n_kinds) */
    int64_t n_wanted;
    bool *makes;   /* (parts, n_kinds) what a part is made with; nothing: it is ready */
    bool *has;     /* (n_kinds) scratch: of one part */
    float *memory; /* without a cache: (n_wanted, documents, C) of each part */
    struct features_stats stats;
};

void features_model_shape(struct model_shape *shape, int seq_len)
{
    *shape = (struct model_shape){
        .max_tokens = seq_len > FEATURE_BATCH_TOKENS ? seq_len : FEATURE_BATCH_TOKENS,
        .max_length = seq_len,
        .max_segments = FEATURE_BATCH_SEGMENTS};
}

ft_status features_layers(int *first, int *last, int layer, int L)
{
    *first = 1;
    *last = L;
    if (layer == LAYER_AUTO)
        return FT_OK;
    if (layer == LAYER_LAST4) {
        *first = L - LAST + 1;
        return *first >= 1 ? FT_OK
                           : ft_fail(FT_ERR_USAGE,
                                     "transfer.layer = last4, but the model has only %d layers", L);
    }
    *first = *last = layer < 0 ? L + 1 + layer : layer;
    if (*first < 1 || *first > L)
        return ft_fail(FT_ERR_USAGE,
                       "transfer.layer = %d, but the model has the layers 1 to %d (or -1 to -%d "
                       "from the end)",
                       layer, L, L);
    return FT_OK;
}

static bool wants_pooling(const struct features_request *r, enum pooling pooling)
{
    if (r->pooling != POOLING_AUTO)
        return r->pooling == pooling;
    return pooling == POOLING_MEAN ||
           pooling == (r->model->config.is_encoder ? POOLING_CLS : POOLING_LAST);
}

static int kind_of(int layer, enum pooling pooling)
{
    return (layer - 1) * FEATURE_POOLINGS + (int)pooling - POOLING_CLS;
}

static ft_status choose(struct features *f, const struct features_request *r)
{
    int first = 0, last = 0;
    FT_TRY(features_layers(&first, &last, r->layer, r->model->config.L));
    FT_TRY(FT_ALLOC(f->wanted, f->store.n_kinds));
    for (int layer = first; layer <= last; layer++) {
        for (int pooling = POOLING_CLS; pooling <= POOLING_LAST; pooling++) {
            const bool wants = wants_pooling(r, (enum pooling)pooling);
            f->wanted[kind_of(layer, (enum pooling)pooling)] = wants;
            f->n_wanted += wants;
        }
    }
    return FT_OK;
}

/* Bytes of n documents' features of n_kinds kinds. */
static ft_status size_of(int64_t *bytes, const struct features *f, int64_t n, int64_t n_kinds)
{
    uint64_t size = 0;
    if (!checked_mul(&size, (uint64_t)n, (uint64_t)f->store.C * sizeof(float)) ||
        !checked_mul(&size, size, (uint64_t)n_kinds) || size > INT64_MAX)
        return ft_fail(FT_ERR_USAGE,
                       "features of %lld documents are more bytes than can be counted",
                       (long long)n);
    *bytes = (int64_t)size;
    return FT_OK;
}

static int64_t documents_per_part(const struct model_config *config)
{
    const int64_t bytes = (int64_t)2 * config->L * config->C * (int64_t)sizeof(float);
    int64_t n = PART_DOCUMENTS;
    while (n > 1 && n * bytes > PART_BYTES)
        n /= 2;
    return n;
}

static ft_status make_key(char key[HASH_TEXT], const struct features_request *r)
{
    struct buffer text = {0};
    const ft_status status = buffer_print(
        &text, "features 1\nbackbone %s\ntokenizer %s\nseq_len %d\ntexts %s\nprecision %s\n",
        r->backbone_hash, r->tokenizer_hash, r->seq_len, r->documents->texts_hash, r->precision);
    if (status == FT_OK)
        hash_format(key, hash_bytes(text.data, text.used));
    buffer_clear(&text);
    return status;
}

static ft_status init(struct features *f, const struct features_request *r)
{
    const struct model_config *config = &r->model->config;
    struct feature_store *store = &f->store;
    store->C = config->C;
    store->n_kinds = config->L * FEATURE_POOLINGS;
    store->n_documents = r->documents->n_documents;
    store->per_part = documents_per_part(config);
    FT_TRY(choose(f, r));
    FT_TRY(FT_ALLOC(f->has, store->n_kinds));
    FT_TRY(FT_ALLOC(f->makes, feature_store_parts(store) * store->n_kinds));
    FT_TRY(size_of(&f->stats.bytes, f, store->n_documents, f->n_wanted));
    FT_TRY(make_key(store->key, r));
    if (!r->cache_dir)
        return FT_OK;
    char name[HASH_TEXT + 16];
    (void)snprintf(name, sizeof name, "features-%s", store->key);
    FT_TRY(file_join(store->folder, r->cache_dir, name));
    return feature_store_prepare(store);
}

/* What a part is to be made with: all that it holds and all that is wanted; nothing where it has
 * that already. */
static ft_status plan_part(struct features *f, int64_t part, int64_t *n_makes)
{
    bool *makes = f->makes + part * f->store.n_kinds;
    bool is_ready = f->store.folder[0];
    *n_makes = 0;
    if (is_ready)
        FT_TRY(feature_store_look(&f->store, part, f->has));
    for (int kind = 0; kind < f->store.n_kinds; kind++) {
        is_ready = is_ready && (f->has[kind] || !f->wanted[kind]);
        makes[kind] = f->wanted[kind] || f->has[kind];
        *n_makes += makes[kind];
    }
    if (is_ready) {
        memset(makes, 0, (size_t)f->store.n_kinds * sizeof *makes);
        *n_makes = 0;
    }
    return FT_OK;
}

/* Plans all parts: bytes to be made, and those of the largest part. */
static ft_status plan(struct features *f, int64_t *bytes, int64_t *largest)
{
    *bytes = *largest = 0;
    for (int64_t part = 0; part < feature_store_parts(&f->store); part++) {
        const int64_t n = feature_store_count(&f->store, part);
        int64_t n_makes = 0, size = 0;
        FT_TRY(plan_part(f, part, &n_makes));
        FT_TRY(size_of(&size, f, n, n_makes));
        *bytes += size;
        *largest = size > *largest ? size : *largest;
        if (n_makes > 0)
            f->stats.n_computed += n;
        else
            f->stats.n_reused += n;
    }
    return FT_OK;
}

static double mib(int64_t bytes)
{
    return (double)bytes / (double)(1 << 20);
}

static ft_status check_disk(const struct features *f, int64_t bytes, const char *what)
{
    int64_t available = 0;
    FT_TRY(file_free_bytes(&available, f->store.folder));
    log_info("features of %s: %lld kinds of %d numbers for %lld texts are %.1f MiB; %lld texts are "
             "computed, %.1f MiB written to %s (%.1f MiB free)",
             what, (long long)f->n_wanted, f->store.C, (long long)f->store.n_documents,
             mib(f->stats.bytes), (long long)f->stats.n_computed, mib(bytes), f->store.folder,
             mib(available));
    if (bytes <= available)
        return FT_OK;
    return ft_fail(FT_ERR_IO,
                   "features of %s need %.1f MiB in %s, where %.1f MiB are free: name another "
                   "folder in data.cache, or choose transfer.layer and transfer.pooling, or set "
                   "transfer.cache = false",
                   what, mib(bytes), f->store.folder, mib(available));
}

static ft_status check_memory(const struct features *f, const char *what)
{
    const int64_t available = mem_available();
    log_info("features of %s: %lld kinds of %d numbers for %lld texts are %.1f MiB, kept in memory "
             "(%.1f MiB available)",
             what, (long long)f->n_wanted, f->store.C, (long long)f->store.n_documents,
             mib(f->stats.bytes), mib(available));
    if (available < 0 || f->stats.bytes <= available)
        return FT_OK;
    return ft_fail(FT_ERR_USAGE,
                   "features of %s need %.1f MiB of memory, %.1f MiB are available: set "
                   "transfer.cache = true, or choose transfer.layer and transfer.pooling",
                   what, mib(f->stats.bytes), mib(available));
}

/* order (n): the documents of each part together, longest first. */
static ft_status order_by_part(int64_t **order, const struct features *f,
                               const struct document_set *documents)
{
    const int64_t n = f->store.n_documents, per_part = f->store.per_part;
    int64_t *by_length = NULL, *next = NULL;
    ft_status status = document_order_by_length(&by_length, documents);
    if (status == FT_OK)
        status = FT_ALLOC(next, feature_store_parts(&f->store));
    if (status == FT_OK)
        status = FT_ALLOC(*order, n);
    for (int64_t i = 0; i < n && status == FT_OK; i++) {
        const int64_t part = by_length[i] / per_part;
        (*order)[part * per_part + next[part]++] = by_length[i];
    }
    mem_free(by_length);
    mem_free(next);
    return status;
}

/* One part: through the backbone into data, and to the cache where there is one. */
static ft_status make_part(struct features *f, struct feature_pass *pass, int64_t part,
                           const int64_t *order, float *data)
{
    const bool *makes = f->makes + part * f->store.n_kinds;
    const int64_t first = part * f->store.per_part, n = feature_store_count(&f->store, part);
    if (f->memory)
        return feature_pass_run(pass, f->memory + first * f->n_wanted * f->store.C, makes,
                                order + first, first, n);
    FT_TRY(feature_pass_run(pass, data, makes, order + first, first, n));
    return feature_store_write(&f->store, part, makes, data);
}

static bool is_missing(const struct features *f, int64_t part)
{
    return memchr(f->makes + part * f->store.n_kinds, true, (size_t)f->store.n_kinds) != NULL;
}

/* Makes what is missing; largest: bytes of the largest part. */
static ft_status make(struct features *f, const struct features_request *r, int64_t largest)
{
    struct feature_pass pass = {0};
    int64_t *order = NULL;
    float *data = NULL;
    ft_status status = order_by_part(&order, f, r->documents);
    if (status == FT_OK && r->cache_dir)
        status = (data = mem_alloc_raw((size_t)largest, 1)) ? FT_OK : FT_ERR_INTERNAL;
    else if (status == FT_OK)
        status = (f->memory = mem_alloc_raw((size_t)f->stats.bytes, 1)) ? FT_OK : FT_ERR_INTERNAL;
    if (status == FT_OK)
        status = feature_pass_open(&pass, r->model, r->documents, r->what, f->stats.n_computed);
    for (int64_t part = 0; part < feature_store_parts(&f->store) && status == FT_OK; part++)
        if (is_missing(f, part))
            status = make_part(f, &pass, part, order, data);
    feature_pass_close(&pass);
    mem_free(data);
    mem_free(order);
    return status;
}

static void report(const struct features *f, const char *what, double start)
{
    const struct features_stats *s = &f->stats;
    const double seconds = timer_now() - start;
    if (s->n_computed == 0)
        log_info("features of %s: all %lld texts reused from %s", what, (long long)s->n_reused,
                 f->store.folder);
    else
        log_info("features of %s: %lld texts computed in %.1f s (%.0f texts/s), %lld reused", what,
                 (long long)s->n_computed, seconds, (double)s->n_computed / seconds,
                 (long long)s->n_reused);
}

static ft_status open_all(struct features *f, const struct features_request *r)
{
    int64_t bytes = 0, largest = 0;
    FT_TRY(fault_point("features"));
    FT_TRY(init(f, r));
    FT_TRY(plan(f, &bytes, &largest));
    const double start = timer_now();
    if (f->stats.n_computed > 0) {
        FT_TRY(r->cache_dir ? check_disk(f, bytes, r->what) : check_memory(f, r->what));
        FT_TRY(make(f, r, largest));
    }
    report(f, r->what, start);
    return FT_OK;
}

ft_status features_open(struct features **out, const struct features_request *request)
{
    const double start = timer_now();
    FT_TRY(FT_ALLOC(*out, 1));
    const ft_status status = open_all(*out, request);
    if (status != FT_OK)
        features_close(out);
    else
        (*out)->stats.seconds = timer_now() - start;
    return status;
}

void features_close(struct features **f)
{
    if (!*f)
        return;
    mem_free((*f)->wanted);
    mem_free((*f)->makes);
    mem_free((*f)->has);
    mem_free((*f)->memory);
    FT_FREE(*f);
}

int64_t features_count(const struct features *f)
{
    return f->store.n_documents;
}

int features_width(const struct features *f)
{
    return f->store.C;
}

const struct features_stats *features_stats(const struct features *f)
{
    return &f->stats;
}

const char *features_folder(const struct features *f)
{
    return f->store.folder;
}

ft_status features_read(struct features *f, int layer, enum pooling pooling, float *out)
{
    const int kind = kind_of(layer, pooling);
    int64_t slot = 0;
    if (pooling == POOLING_AUTO || kind < 0 || kind >= f->store.n_kinds || !f->wanted[kind])
        return ft_fail(FT_ERR_INTERNAL, "features of layer %d, pooling %d were not wanted", layer,
                       (int)pooling);
    for (int i = 0; i < kind; i++)
        slot += f->wanted[i];
    for (int64_t part = 0; part < feature_store_parts(&f->store); part++) {
        const int64_t first = part * f->store.per_part * f->store.C;
        const int64_t n = feature_store_count(&f->store, part) * f->store.C;
        if (f->memory)
            memcpy(out + first, f->memory + first * f->n_wanted + slot * n,
                   (size_t)n * sizeof *out);
        else
            FT_TRY(feature_store_read(&f->store, part, kind, out + first));
    }
    return FT_OK;
}
