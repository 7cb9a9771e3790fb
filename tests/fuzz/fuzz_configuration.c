/* A configuration file, and overrides of the command line behind it. */
#include "base/buffer.h"
#include "base/mem.h"
#include "config/settings.h"
#include "fuzz.h"

enum { OVERRIDES = 4 };

/* libconfig 1.5 leaks a string in which a syntax error was found. */
FUZZ_LIBRARY_LEAKS

/* What is printed can be read again, with the same result. */
static void check_again(const struct settings *s)
{
    struct buffer once = {0}, twice = {0};
    struct settings *again;
    FUZZ_CHECK(settings_format(s, &once) == FT_OK);
    FUZZ_CHECK(once.used > SETTINGS_TEXT_MAX ||
               settings_parse(&again, once.data, once.used, "resolved.cfg", "/other", 0, NULL) ==
                   FT_OK);
    if (once.used <= SETTINGS_TEXT_MAX) {
        FUZZ_CHECK(settings_format(again, &twice) == FT_OK);
        FUZZ_CHECK(once.used == twice.used && memcmp(once.data, twice.data, once.used) == 0);
        FUZZ_CHECK(settings_compare_resume(again, once.data) == FT_OK);
        settings_destroy(&again);
    }
    buffer_clear(&once);
    buffer_clear(&twice);
}

static void split_methods(const struct settings *s)
{
    static const char *const methods[] = {"transfer", "last-layers", "finetune"};
    for (int i = 0; i < 3; i++) {
        struct settings *of;
        if (fuzz_accepted(settings_for_method(&of, s, methods[i], "/out/method"), FT_ERR_USAGE))
            FUZZ_CHECK(strcmp(of->output.dir, "/out/method") == 0);
        settings_destroy(&of);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_parts parts = {data, size};
    size_t bytes, n_override;
    char *overrides[OVERRIDES], *file;
    int n = 0;
    struct settings *s;
    const char *text = fuzz_next(&parts, &bytes), *override;
    fuzz_begin();
    file = mem_alloc(bytes + 1, 1);
    if (text)
        memcpy(file, text, bytes);
    while (n < OVERRIDES && (override = fuzz_next(&parts, &n_override)) != NULL) {
        overrides[n] = mem_alloc(n_override + 1, 1);
        memcpy(overrides[n++], override, n_override);
    }
    if (bytes <= SETTINGS_FILE_MAX &&
        fuzz_accepted(settings_parse(&s, file, bytes, "run.cfg", "/here", n, overrides),
                      FT_ERR_USAGE)) {
        check_again(s);
        split_methods(s);
        settings_destroy(&s);
    }
    for (int i = 0; i < n; i++)
        mem_free(overrides[i]);
    mem_free(file);
    fuzz_end(256 * size + (1 << 20));
    return 0;
}
