/* A file of JSONL: documents, labelled documents, conversations, and the texts of text_input. */
#include "base/utf8.h"
#include "data/text_input.h"
#include "fuzz.h"
#include "records.h"

/* Gives the number of texts; -1 for a failure. */
static int64_t read_texts(const char *path)
{
    struct text_input *in;
    enum text_state state = TEXT_READY;
    const char *text;
    size_t bytes;
    int64_t n = -1;
    bool is_fine = fuzz_ok(text_input_open(&in, path, "text"));
    while (is_fine && state == TEXT_READY) {
        is_fine = fuzz_ok(text_input_next(in, &text, &bytes, &state, true));
        if (is_fine && state == TEXT_READY)
            FUZZ_CHECK(utf8_check(text, bytes, NULL));
        n++;
    }
    text_input_close(&in);
    return is_fine ? n : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_begin();
    const char *path = fuzz_file("texts.jsonl", data, size);
    FUZZ_CHECK(records_read_all(path, SOURCE_JSONL, size) == read_texts(path));
    (void)read_texts(fuzz_file("texts.log", data, size)); /* a text a line */
    fuzz_end(256 * size + (256 << 10));
    return 0;
}
