/* token/: the tokenizer of a real model on real text: all of legal_train and legal_test. */
#include <stdlib.h>
#include <unistd.h>

#include "support/example_files.h"
#include "support/token_cases.h"

#define MODEL SOURCE_DIR "/models/smollm2.gguf"

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
    CHECK((json_int_t)n == json_integer_value(json_object_get(wanted, "documents")));
    CHECK(list.n == json_integer_value(json_object_get(wanted, "ids")));
    hash_format(hash, hash_bytes(list.ids, (size_t)list.n * sizeof *list.ids));
    CHECK(strcmp(hash, json_string_value(json_object_get(wanted, "xxh3_128"))) == 0);
    token_list_clear(&list);
}

static void test_corpus(struct tokenizer *t)
{
    json_t *root = golden_json("corpus_hashes.json");
    double bytes = 0, seconds = 0;
    check_corpus(t, "legal_test", json_object_get(root, "legal_test"), &bytes, &seconds);
    bytes = seconds = 0;
    check_corpus(t, "legal_train", json_object_get(root, "legal_train"), &bytes, &seconds);
    printf("legal_train: %.1f MB in %.2f s, %.1f MB/s\n", bytes * 1e-6, seconds,
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

int main(void)
{
    struct tokenizer *t = NULL;
    if (!check_example_file(MODEL) || !check_example_file(SOURCE_DIR "/data/legal_train.jsonl") ||
        !check_example_file(SOURCE_DIR "/data/legal_test.jsonl"))
        return check_end();
    CHECK_STATUS(tokenizer_open(&t, MODEL), FT_OK);
    if (t) {
        CHECK(tokenizer_eos(t) == 2 && tokenizer_vocab_size(t) == 49152);
        CHECK(strcmp(tokenizer_kind(t), "byte-level BPE, smollm split") == 0);
        check_cases(t, "smollm2.gguf", true);
        check_decoding(t, "smollm2.gguf");
        test_corpus(t);
        test_written(t);
    }
    tokenizer_close(&t);
    return check_end();
}
