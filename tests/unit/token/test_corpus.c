/* token/: the tokenizers of real models on real text: all of legal_* and sentiment_*. */
#include <stdlib.h>
#include <unistd.h>

#include "support/example_files.h"
#include "support/pipelines.h"
#include "support/token_cases.h"

#define MODEL SOURCE_DIR "/models/smollm2.gguf"
#define ENCODER SOURCE_DIR "/models/minilm"

/** Ids of all documents in file order against corpus_hashes.json; gives bytes and seconds. */
static void check_corpus(struct tokenizer *t, const char *name, const json_t *wanted, double *bytes,
                         double *seconds)
{
    char path[FILE_PATH_MAX], hash[HASH_TEXT];
    struct token_list list = {0};
    size_t n = 0, width = 0;
    char *line = NULL;
    const json_t *counts = json_object_get(wanted, "document_ids");
    (void)snprintf(path, sizeof path, "%s/data/%s.jsonl", SOURCE_DIR, name);
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    for (ssize_t got; file && (got = getline(&line, &width, file)) > 0; n++) {
        json_t *object = json_loadb(line, (size_t)got, JSON_ALLOW_NUL, NULL);
        const json_t *text = json_object_get(object, "text");
        const int64_t before = list.n;
        const double start = cpu_seconds();
        CHECK_STATUS(tokenizer_encode(t, &list, json_string_value(text), json_string_length(text)),
                     FT_OK);
        *seconds += cpu_seconds() - start;
        *bytes += (double)json_string_length(text);
        if (n < json_array_size(counts))
            CHECK(list.n - before == json_integer_value(json_array_get(counts, n)));
        json_decref(object);
    }
    free(line);
    if (file)
        (void)fclose(file);
    if (json_object_get(wanted, "documents"))
        CHECK((json_int_t)n == json_integer_value(json_object_get(wanted, "documents")));
    CHECK(list.n == json_integer_value(json_object_get(wanted, "ids")));
    hash_format(hash, hash_bytes(list.ids, (size_t)list.n * sizeof *list.ids));
    CHECK(strcmp(hash, json_string_value(json_object_get(wanted, "xxh3_128"))) == 0);
    token_list_clear(&list);
}

/** Sets of the list, which ends with NULL; the last one is timed. */
static void test_corpus(struct tokenizer *t, const char *golden, const char *const *names)
{
    json_t *root = golden_json(golden);
    double bytes = 0, seconds = 0;
    for (size_t i = 0; names[i]; i++) {
        bytes = seconds = 0;
        check_corpus(t, names[i], json_object_get(root, names[i]), &bytes, &seconds);
    }
    printf("%s, last set: %.1f MB in %.2f s, %.1f MB/s\n", golden, bytes * 1e-6, seconds,
           bytes * 1e-6 / seconds);
#if !defined(__SANITIZE_ADDRESS__)
    CHECK(bytes * 1e-6 / seconds >= 3.0); /* what `tokenizers` does on one thread */
#endif
    json_decref(root);
}

/* The folder written for final/ gives the same ids again. */
static void test_written(struct tokenizer *t)
{
    char folder[64];
    struct tokenizer *again = NULL;
    (void)snprintf(folder, sizeof folder, "token-corpus-%ld", (long)getpid());
    CHECK_STATUS(file_make_folders(folder), FT_OK);
    CHECK_STATUS(tokenizer_write(t, folder), FT_OK);
    CHECK_STATUS(tokenizer_open(&again, folder), FT_OK);
    if (again) {
        const struct hash_value a = tokenizer_hash(t), b = tokenizer_hash(again);
        CHECK(a.high == b.high && a.low == b.low);
        CHECK(tokenizer_eos(again) == 2 && tokenizer_vocab_size(again) == 49152);
        check_cases(again, "smollm2.gguf", false);
    }
    tokenizer_close(&again);
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
}

static void put_copy(const char *folder, const char *name)
{
    char from[FILE_PATH_MAX], to[FILE_PATH_MAX], *text = NULL;
    size_t bytes = 0;
    CHECK_STATUS(file_join(from, ENCODER, name), FT_OK);
    CHECK_STATUS(file_join(to, folder, name), FT_OK);
    CHECK_STATUS(file_read_all(&text, &bytes, from, 1 << 26), FT_OK);
    CHECK_STATUS(file_replace(to, text, bytes), FT_OK);
    mem_free(text);
}

/* vocab.txt is the same tokenizer as tokenizer.json. */
static void test_vocab(const struct tokenizer *t)
{
    char folder[64];
    struct tokenizer *again = NULL;
    (void)snprintf(folder, sizeof folder, "token-vocab-%ld", (long)getpid());
    CHECK_STATUS(file_make_folders(folder), FT_OK);
    put_copy(folder, "vocab.txt");
    put_copy(folder, "tokenizer_config.json");
    put_copy(folder, "special_tokens_map.json");
    CHECK_STATUS(tokenizer_open(&again, folder), FT_OK);
    if (again) {
        const struct hash_value a = tokenizer_hash(t), b = tokenizer_hash(again);
        CHECK(a.high == b.high && a.low == b.low);
    }
    tokenizer_close(&again);
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
}

static void test_encoder(void)
{
    static const char *const names[] = {"sentiment_test", "sentiment_train", "legal_test",
                                        "legal_train", NULL};
    struct tokenizer *t = NULL;
    CHECK_STATUS(tokenizer_open(&t, ENCODER), FT_OK);
    if (!t)
        return;
    CHECK(tokenizer_eos(t) == -1 && tokenizer_vocab_size(t) == 30522);
    CHECK(tokenizer_template_size(t) == 2);
    CHECK(strcmp(tokenizer_kind(t), "WordPiece, lower-case") == 0);
    check_cases(t, "minilm", true);
    check_decoding(t, "minilm");
    test_corpus(t, "corpus_hashes_minilm.json", names);
    test_vocab(t);
    tokenizer_close(&t);
}

/* Tokenizers of SentencePiece's kinds on all of the texts: corpus_hashes_pipelines.json. */
static void test_pipelines(void)
{
    json_t *root = golden_json("corpus_hashes_pipelines.json"),
           *golden = golden_json("pipelines.json");
    const char *name, *set;
    json_t *sets, *wanted;
    CHECK(json_object_size(root) == 6);
    json_object_foreach(root, name, sets)
    {
        struct tokenizer *t = NULL;
        double bytes = 0, seconds = 0;
        open_pipeline(&t, golden, name);
        json_object_foreach(sets, set, wanted)
        {
            if (t)
                check_corpus(t, set, wanted, &bytes, &seconds);
        }
        printf("%s: %.1f MB in %.2f s, %.1f MB/s\n", name, bytes * 1e-6, seconds,
               bytes * 1e-6 / seconds);
        tokenizer_close(&t);
    }
    json_decref(root);
    json_decref(golden);
}

int main(void)
{
    static const char *const names[] = {"legal_test", "legal_train", NULL};
    struct tokenizer *t = NULL;
    if (!check_example_file(MODEL) || !check_example_file(SOURCE_DIR "/data/legal_train.jsonl") ||
        !check_example_file(SOURCE_DIR "/data/legal_test.jsonl") ||
        !check_example_file(SOURCE_DIR "/data/sentiment_train.jsonl") ||
        !check_example_file(SOURCE_DIR "/data/sentiment_test.jsonl") ||
        !check_example_file(ENCODER "/tokenizer.json"))
        return check_end();
    CHECK_STATUS(tokenizer_open(&t, MODEL), FT_OK);
    if (t) {
        CHECK(tokenizer_eos(t) == 2 && tokenizer_vocab_size(t) == 49152);
        CHECK(tokenizer_template_size(t) == 0);
        CHECK(strcmp(tokenizer_kind(t), "byte-level BPE, smollm split") == 0);
        check_cases(t, "smollm2.gguf", true);
        check_decoding(t, "smollm2.gguf");
        test_corpus(t, "corpus_hashes.json", names);
        test_written(t);
    }
    tokenizer_close(&t);
    test_encoder();
    test_pipelines();
    return check_end();
}
