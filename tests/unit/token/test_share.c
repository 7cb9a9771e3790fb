/* token/: tokenizers that share tables give the same ids in several threads at the same time. */
#include <omp.h>

#include "support/token_cases.h"

enum { N_THREADS = 4, ROUNDS = 20 };

static struct tokenizer *open_golden(const char *name)
{
    char path[FILE_PATH_MAX], *text = NULL;
    size_t bytes = 0;
    struct tokenizer *t = NULL;
    (void)snprintf(path, sizeof path, "%s%s.json", TOKEN_GOLDEN, name);
    CHECK_STATUS(file_read_all(&text, &bytes, path, 1 << 24), FT_OK);
    CHECK_STATUS(tokenizer_open_json(&t, text, bytes, path), FT_OK);
    mem_free(text);
    return t;
}

/* The texts of the golden file as one text a line, to be encoded line by line. */
static void encode_lines(struct tokenizer *t, struct token_list *out, const char *text,
                         size_t bytes, ft_status *status)
{
    *status = FT_OK;
    out->n = 0;
    for (size_t at = 0, end; at < bytes && *status == FT_OK; at = end) {
        const char *newline = memchr(text + at, '\n', bytes - at);
        end = newline ? (size_t)(newline - text) + 1 : bytes;
        *status = tokenizer_encode(t, out, text + at, end - at);
    }
}

static void check_family(const char *name)
{
    struct tokenizer *tokenizers[N_THREADS] = {open_golden(name)};
    struct token_list wanted = {0}, lists[N_THREADS] = {{0}};
    ft_status status[N_THREADS] = {FT_OK};
    char *text = NULL;
    size_t bytes = 0;
    CHECK_STATUS(file_read_all(&text, &bytes, TOKEN_GOLDEN "torture.jsonl", 1 << 24), FT_OK);
    encode_lines(tokenizers[0], &wanted, text, bytes, &status[0]);
    CHECK(status[0] == FT_OK && wanted.n > 1000);
    for (int i = 1; i < N_THREADS; i++)
        CHECK_STATUS(tokenizer_share(&tokenizers[i], tokenizers[i > 1]),
                     FT_OK); /* of a shared one too */
    for (int round = 0; round < ROUNDS; round++) {
#pragma omp parallel for num_threads(N_THREADS) schedule(static, 1)
        for (int i = 0; i < N_THREADS; i++)
            encode_lines(tokenizers[i], &lists[i], text, bytes, &status[i]);
        for (int i = 0; i < N_THREADS; i++)
            CHECK(status[i] == FT_OK && lists[i].n == wanted.n &&
                  memcmp(lists[i].ids, wanted.ids, (size_t)wanted.n * sizeof *wanted.ids) == 0);
    }
    for (int i = N_THREADS - 1; i >= 0; i--) {
        token_list_clear(&lists[i]);
        tokenizer_close(&tokenizers[i]);
    }
    token_list_clear(&wanted);
    mem_free(text);
    CHECK(mem_live_bytes() == 0);
}

/* Every allocation of sharing and of the first text fails once. */
static void check_memory(const char *name)
{
    static const char TEXT[] = "The licence's 2nd caf\xc3\xa9 e\xcc\x81 word";
    struct tokenizer *t = open_golden(name);
    const int64_t live = mem_live_bytes();
    int64_t nth = 1;
    for (ft_status status = FT_ERR_INTERNAL; status != FT_OK && nth < 100; nth++) {
        struct tokenizer *shared = NULL;
        struct token_list list = {0};
        mem_fail_nth(nth, 0);
        status = tokenizer_share(&shared, t);
        CHECK((status == FT_OK) == (shared != NULL));
        if (status == FT_OK)
            status = tokenizer_encode(shared, &list, TEXT, sizeof TEXT - 1);
        mem_fail_nth(0, 0);
        CHECK(status == FT_OK || status == FT_ERR_INTERNAL);
        token_list_clear(&list);
        tokenizer_close(&shared);
        CHECK(mem_live_bytes() == live);
    }
    CHECK(nth > 4 && nth < 100);
    tokenizer_close(&t);
}

int main(void)
{
    static const char *const NAMES[] = {"gpt2", "llama3", "qwen2", "smollm2", "wordpiece"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        check_family(NAMES[i]);
        check_memory(NAMES[i]);
    }
    return check_end();
}
