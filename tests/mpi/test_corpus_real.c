/*
 * The example corpus with the example model's tokenizer: ids equal those of the reference
 * `tokenizers` package, one EOS behind each document. Prints how fast.
 */
#include <jansson.h>

#include "base/hash.h"
#include "support/corpus_fixture.h"
#include "support/example_files.h"

static char *paths[] = {SOURCE_DIR "/data/legal_train.jsonl"};

/* Hash of the ids without the EOS that ends each document, and the number of ids. */
static void hash_ids(char text[HASH_TEXT], int64_t *n_ids, int64_t *n_eos, struct corpus *c,
                     int32_t eos)
{
    enum { PIECE = 1 << 16 };
    const int64_t n_tokens = corpus_stats(c)->n_tokens;
    int32_t *ids = mem_alloc(PIECE, sizeof *ids);
    int64_t *starts = mem_alloc(PIECE, sizeof *starts);
    struct hash_state *state = hash_open();
    *n_ids = *n_eos = 0;
    for (int64_t at = 0; at < n_tokens; at += PIECE) {
        const int64_t n = n_tokens - at < PIECE ? n_tokens - at : PIECE;
        int64_t n_starts = 0, from = 0;
        CHECK_STATUS(corpus_read(c, ids, at, n), FT_OK);
        /* a document ends before each start, and with the stream */
        const int64_t reach = at + n < n_tokens ? n : n - 1;
        CHECK_STATUS(corpus_document_starts(c, at + 1, reach, starts, PIECE, &n_starts), FT_OK);
        if (at + n == n_tokens)
            starts[n_starts++] = n_tokens;
        for (int64_t i = 0; i < n_starts; i++) {
            const int64_t last = starts[i] - 1 - at;
            *n_eos += ids[last] == eos;
            hash_update(state, ids + from, (size_t)(last - from) * sizeof *ids);
            *n_ids += last - from;
            from = last + 1;
        }
        hash_update(state, ids + from, (size_t)(n - from) * sizeof *ids);
        *n_ids += n - from;
    }
    hash_format(text, hash_close(state));
    mem_free(ids);
    mem_free(starts);
}

static void check_corpus(const struct fixture *f, struct tokenizer *tokenizer)
{
    const struct corpus_request request = {
        .paths = paths, .n_paths = 1, .text_field = "text", .cache_dir = f->cache};
    struct corpus *c = NULL;
    char text[HASH_TEXT];
    int64_t n_ids, n_eos;
    json_t *root = json_load_file(TESTS_DIR "/golden/tokenizer/corpus_hashes.json", 0, NULL);
    const json_t *expected = json_object_get(root, "legal_train");
    CHECK_STATUS(corpus_open(&c, f->comm, &request, tokenizer), FT_OK);
    if (c) {
        const struct corpus_stats *stats = corpus_stats(c);
        hash_ids(text, &n_ids, &n_eos, c, tokenizer_eos(tokenizer));
        CHECK(stats->n_documents == 8349 && n_eos == 8349 && stats->n_skipped == 0);
        CHECK(n_ids == json_integer_value(json_object_get(expected, "ids")));
        CHECK(stats->n_tokens == n_ids + n_eos);
        CHECK(strcmp(text, json_string_value(json_object_get(expected, "xxh3_128"))) == 0);
        if (f->rank == 0)
            (void)printf("%lld tokens, %lld bytes of text in %.2f s on %d ranks: %.2f MB/s\n",
                         (long long)stats->n_tokens, (long long)stats->n_bytes, stats->seconds,
                         f->size, (double)stats->n_bytes / 1e6 / stats->seconds);
    }
    corpus_close(&c);
    CHECK_STATUS(corpus_open(&c, f->comm, &request, tokenizer), FT_OK);
    if (c && f->rank == 0)
        (void)printf("reused in %.2f s\n", corpus_stats(c)->seconds);
    CHECK(c && corpus_stats(c)->was_reused);
    corpus_close(&c);
    json_decref(root);
}

int main(int argc, char **argv)
{
    struct fixture f;
    struct tokenizer *tokenizer = NULL;
    const char *model = SOURCE_DIR "/models/smollm2.gguf";
    fixture_open(&f, &argc, &argv);
    if (check_example_file(model) && check_example_file(paths[0])) {
        CHECK_STATUS(tokenizer_open(&tokenizer, model), FT_OK);
        check_corpus(&f, tokenizer);
        tokenizer_close(&tokenizer);
    }
    return fixture_close(&f);
}
