/*
 * bench_tokenizer MODEL FILE [THREADS [REPETITIONS]]
 *
 * Encodes the texts of FILE (the field "text" of a .jsonl file, or the lines of another one) with
 * the tokenizer of MODEL, text by text, on THREADS threads (1), REPETITIONS times (5). Reading the
 * file and opening the tokenizer are not timed. Prints a table, and one JSON line at the end, with
 * the sum of a hash of each text's ids.
 */
#include <omp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/timer.h"
#include "data/text_input.h"
#include "token/tokenizer.h"

enum { REPETITIONS_MAX = 1000, THREADS_MAX = 1024 };

/* All texts, one after the other. */
struct texts {
    struct buffer data;
    size_t *ends;
    int64_t n, capacity;
};

/* A thread's own part. */
struct worker {
    _Alignas(64) struct tokenizer *tokenizer;
    struct token_list ids;
    int64_t n_ids;
    uint64_t hash; /* sum over the texts */
    ft_status status;
};

static ft_status add_text(struct texts *t, const char *text, size_t bytes)
{
    if (t->n == t->capacity) {
        t->capacity = 2 * t->capacity + 4096;
        size_t *ends = mem_resize(t->ends, (size_t)t->capacity, sizeof *ends);
        if (!ends)
            return FT_ERR_INTERNAL;
        t->ends = ends;
    }
    FT_TRY(buffer_append(&t->data, text, bytes));
    t->ends[t->n++] = t->data.used;
    return FT_OK;
}

static ft_status read_texts(struct texts *t, const char *path)
{
    struct text_input *input = NULL;
    enum text_state state = TEXT_READY;
    ft_status status = text_input_open(&input, path, "text");
    while (status == FT_OK && state != TEXT_END) {
        const char *text = NULL;
        size_t bytes = 0;
        status = text_input_next(input, &text, &bytes, &state, true);
        if (status == FT_OK && state == TEXT_READY)
            status = add_text(t, text, bytes);
    }
    text_input_close(&input);
    if (status == FT_OK && t->data.used == 0)
        status = ft_fail(FT_ERR_INPUT, "%s: no text", path);
    return status;
}

static ft_status open_workers(struct worker *workers, int n, const char *model)
{
    FT_TRY(tokenizer_open(&workers[0].tokenizer, model));
    for (int i = 1; i < n; i++)
        FT_TRY(tokenizer_share(&workers[i].tokenizer, workers[0].tokenizer));
    return FT_OK;
}

/* All texts once; the seconds it took. */
static ft_status encode_all(double *seconds, struct worker *workers, int n_threads,
                            const struct texts *t, bool hashes)
{
    const double start = timer_now();
#pragma omp parallel num_threads(n_threads)
    {
        struct worker *w = &workers[omp_get_thread_num()];
        w->n_ids = 0;
        w->hash = 0;
        w->status = FT_OK;
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < t->n; i++) {
            const size_t begin = i > 0 ? t->ends[i - 1] : 0;
            w->ids.n = 0;
            if (w->status == FT_OK)
                w->status = tokenizer_encode(w->tokenizer, &w->ids, t->data.data + begin,
                                             t->ends[i] - begin);
            w->n_ids += w->ids.n;
            if (hashes)
                w->hash += hash_bytes(w->ids.ids, (size_t)w->ids.n * sizeof *w->ids.ids).low;
        }
    }
    *seconds = timer_now() - start;
    for (int i = 0; i < n_threads; i++)
        if (workers[i].status != FT_OK)
            return ft_fail(workers[i].status, "a text was not encoded");
    return FT_OK;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static ft_status measure(struct worker *workers, int n_threads, const struct texts *t,
                         int repetitions)
{
    double seconds[REPETITIONS_MAX];
    int64_t n_ids = 0;
    uint64_t hash = 0;
    FT_TRY(encode_all(&seconds[0], workers, n_threads, t, true));
    for (int i = 0; i < n_threads; i++) {
        n_ids += workers[i].n_ids;
        hash += workers[i].hash;
    }
    for (int i = 0; i < repetitions; i++)
        FT_TRY(encode_all(&seconds[i], workers, n_threads, t, false));
    qsort(seconds, (size_t)repetitions, sizeof *seconds, compare_doubles);
    const double median = 0.5 * (seconds[(repetitions - 1) / 2] + seconds[repetitions / 2]);
    const double megabytes = (double)t->data.used * 1e-6;
    (void)printf("%lld texts, %.2f MB, %lld ids; %s; %d threads, %d repetitions\n"
                 "MB/s: median %.2f, slowest %.2f, fastest %.2f\n",
                 (long long)t->n, megabytes, (long long)n_ids, tokenizer_kind(workers[0].tokenizer),
                 n_threads, repetitions, megabytes / median, megabytes / seconds[repetitions - 1],
                 megabytes / seconds[0]);
    (void)printf("{\"texts\": %lld, \"bytes\": %zu, \"ids\": %lld, \"threads\": %d, "
                 "\"mb_per_s\": %.4g, \"seconds\": %.6g, \"hash\": \"%016llx\"}\n",
                 (long long)t->n, t->data.used, (long long)n_ids, n_threads, megabytes / median,
                 median, (unsigned long long)hash);
    return FT_OK;
}

/* A number of the command line from 1 to max; `otherwise` where there is none, 0 where bad. */
static int number(int argc, char **argv, int index, int otherwise, int max)
{
    if (index >= argc)
        return otherwise;
    char *end = NULL;
    const long value = strtol(argv[index], &end, 10);
    return *argv[index] && !*end && value >= 1 && value <= max ? (int)value : 0;
}

static ft_status run(int argc, char **argv)
{
    struct texts texts = {0};
    struct worker *workers = NULL;
    const int n_threads = number(argc, argv, 3, 1, THREADS_MAX);
    const int repetitions = number(argc, argv, 4, 5, REPETITIONS_MAX);
    if (argc < 3 || argc > 5 || n_threads == 0 || repetitions == 0)
        return ft_fail(FT_ERR_USAGE, "usage: bench_tokenizer MODEL FILE [THREADS [REPETITIONS]]");
    ft_status status = FT_ALLOC(workers, n_threads);
    if (status == FT_OK)
        status = read_texts(&texts, argv[2]);
    if (status == FT_OK)
        status = open_workers(workers, n_threads, argv[1]);
    if (status == FT_OK)
        status = measure(workers, n_threads, &texts, repetitions);
    for (int i = workers ? n_threads - 1 : -1; i >= 0; i--) {
        token_list_clear(&workers[i].ids);
        tokenizer_close(&workers[i].tokenizer);
    }
    mem_free(workers);
    mem_free(texts.ends);
    buffer_clear(&texts.data);
    return status;
}

int main(int argc, char **argv)
{
    const ft_status status = run(argc, argv);
    if (status != FT_OK)
        (void)fprintf(stderr, "bench_tokenizer: error: %s\n", ft_error_text());
    return status;
}
