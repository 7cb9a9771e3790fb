/*
 * The labelled example texts with the example encoder's tokenizer: counts, lengths and the hash of
 * all ids equal those of the reference `tokenizers` package. Prints how fast.
 */
#include <jansson.h>

#include "base/timer.h"
#include "data/documents.h"
#include "data/texts.h"
#include "support/corpus_fixture.h"
#include "support/example_files.h"

static int64_t number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void check_set(const struct document_set *s, const json_t *expected)
{
    const json_t *counts = json_object_get(expected, "n_per_label");
    CHECK(s->n_documents == number(expected, "documents") && s->n_empty == 0);
    CHECK(s->n_tokens == number(expected, "tokens"));
    CHECK(s->max_length == number(expected, "max_length"));
    CHECK(s->n_truncated == number(expected, "truncated"));
    CHECK(strcmp(s->texts_hash, json_string_value(json_object_get(expected, "texts_hash"))) == 0);
    CHECK(s->n_labels == (int)json_array_size(counts));
    for (size_t i = 0; i < json_array_size(counts) && i < (size_t)s->n_labels; i++)
        CHECK(s->n_per_label[i] == json_integer_value(json_array_get(counts, i)));
}

struct labels {
    const struct document_set *set;
    const struct label_names *names;
    int64_t n;
};

static ft_status check_label(void *context, int64_t i, const struct document *document)
{
    struct labels *labels = context;
    char name[LABEL_BYTES_MAX + 1];
    (void)snprintf(name, sizeof name, "%.*s", (int)document->label_bytes, document->label);
    labels->n += label_names_find(labels->names, name) == labels->set->labels[i];
    return FT_OK;
}

static void check_data(const struct fixture *f, struct tokenizer *tokenizer, const char *name,
                       const json_t *expected)
{
    char path[FILE_PATH_MAX], *list[1] = {path};
    struct corpus *c = NULL;
    struct label_names names;
    struct document_set s;
    (void)snprintf(path, sizeof path, SOURCE_DIR "/data/%s.jsonl", name);
    if (!check_example_file(path))
        return;
    const struct corpus_request request = {.paths = list,
                                           .n_paths = 1,
                                           .text_field = "text",
                                           .label_field = "label",
                                           .seq_len = (int)number(expected, "max_tokens"),
                                           .cache_dir = f->cache};
    for (int round = 0; round < 2; round++) {
        CHECK_STATUS(corpus_open(&c, f->comm, &request, tokenizer), FT_OK);
        if (!c)
            return;
        const double begin = timer_now();
        CHECK_STATUS(label_names_open(&names, f->comm, &c, 1), FT_OK);
        CHECK_STATUS(document_set_open(&s, f->comm, c, &names, 0), FT_OK);
        check_set(&s, expected);
        const double middle = timer_now();
        struct labels labels = {&s, &names, 0};
        CHECK_STATUS(documents_for_each(c, s.n_documents, check_label, &labels), FT_OK);
        CHECK(labels.n == s.n_documents);
        if (f->rank == 0)
            (void)printf("%s: corpus %.3f s, document set %.3f s, texts %.3f s\n", name,
                         corpus_stats(c)->seconds, middle - begin, timer_now() - middle);
        document_set_close(&s);
        label_names_clear(&names);
        corpus_close(&c);
    }
}

int main(int argc, char **argv)
{
    struct fixture f;
    struct tokenizer *tokenizer = NULL;
    const char *name;
    json_t *root = json_load_file(TESTS_DIR "/golden/documents.json", 0, NULL), *expected;
    fixture_open(&f, &argc, &argv);
    CHECK(root != NULL);
    if (check_example_file(SOURCE_DIR "/models/minilm/tokenizer.json")) {
        CHECK_STATUS(tokenizer_open(&tokenizer, SOURCE_DIR "/models/minilm"), FT_OK);
        json_object_foreach(root, name, expected)
        {
            if (json_is_object(expected))
                check_data(&f, tokenizer, name, expected);
        }
        tokenizer_close(&tokenizer);
    }
    json_decref(root);
    return fixture_close(&f);
}
