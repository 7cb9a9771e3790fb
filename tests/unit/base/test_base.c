/* base/: errors, memory, checked sizes, random numbers, half precision, files. */
#include <omp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dtype.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/rng.h"
#include "base/size.h"
#include "support/check.h"

static void test_errors(void)
{
    CHECK(ft_fail(FT_ERR_INPUT, "first %d", 1) == FT_ERR_INPUT);
    CHECK(ft_fail_within(FT_ERR_INPUT, "reading %s", "x") == FT_ERR_INPUT);
    CHECK(strcmp(ft_error_text(), "reading x: first 1") == 0);
}

static void test_memory(void)
{
    char *p = mem_alloc(3, 5);
    CHECK(mem_live_bytes() == 15 && p[14] == 0 && (uintptr_t)p % 64 == 0);
    p[14] = 7;
    p = mem_resize(p, 4000, 10);
    CHECK(mem_live_bytes() == 40000 && p[14] == 7 && p[15] == 0 && p[39999] == 0);
    FT_FREE(p);
    CHECK(!mem_alloc(SIZE_MAX / 2, 3));
    mem_fail_nth(2, 0);
    p = mem_alloc(1, 1);
    CHECK(p && !mem_alloc(1, 1));
    mem_free(p);
    struct arena arena = {0};
    CHECK(!arena_push(&arena, 10, 4) && !arena_push(&arena, 1, 1) && arena.used == 128);
    CHECK_STATUS(arena_commit(&arena), FT_OK);
    char *a = arena_push(&arena, 10, 4), *b = arena_push(&arena, 1, 1);
    CHECK(a && b == a + 64 && arena.used == arena.bytes);
    arena_destroy(&arena);
}

/* Large blocks are zeroed by all threads, also where the memory was used before. */
static void test_large(void)
{
    const size_t sizes[] = {20 << 20, (16 << 20) + 5, 12 << 20};
    omp_set_num_threads(3);
    for (int round = 0; round < 4; round++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            char *p = mem_alloc_raw(sizes[i], 1);
            CHECK(p && memset(p, 0xff, sizes[i]) == p);
            mem_free(p);
            p = mem_alloc(sizes[i], 1);
            CHECK(p && p[0] == 0 && memcmp(p, p + 1, sizes[i] - 1) == 0);
            mem_free(p);
        }
    }
}

/* Of the failures of many threads the one of the lowest place is told of. */
static void test_shared_failure(void)
{
    struct ft_failure failure = FT_NO_FAILURE;
    CHECK_STATUS(ft_failure_give(&failure), FT_OK);
    CHECK(!ft_failure_before(&failure, INT64_MAX));
#pragma omp parallel for num_threads(4) schedule(static, 1)
    for (int i = 999; i >= 0; i--)
        ft_failure_note(&failure, i,
                        i % 10 == 7 ? ft_fail(i == 17 ? FT_ERR_IO : FT_ERR_INPUT, "place %d", i)
                                    : FT_OK);
    CHECK(failure.place == 7 && !ft_failure_before(&failure, 7) && ft_failure_before(&failure, 8));
    ft_failure_note(&failure, 8, ft_fail(FT_ERR_INTERNAL, "another one"));
    CHECK_FAILS(ft_failure_give(&failure), FT_ERR_INPUT, "place 7");
    ft_failure_note(&failure, 3, FT_OK);
    CHECK(failure.place == 7);
}

static void test_sizes(void)
{
    uint64_t out = 5;
    CHECK(!checked_mul(&out, UINT64_MAX, 2) && out == 5);
    CHECK(!checked_add(&out, UINT64_MAX, 1) && !checked_align_up(&out, UINT64_MAX - 3, 32));
    CHECK(checked_align_up(&out, 33, 32) && out == 64);
}

static void test_random(void)
{
    /* Known answers of the Random123 distribution for philox4x32-10. */
    uint32_t words[4];
    rng_philox(words, 0, 0, 0);
    CHECK(words[0] == 0x6627e8d5 && words[1] == 0xe169c58d && words[2] == 0xbc57ac4c &&
          words[3] == 0x9b00dbd8);
    for (int64_t n = 1; n < 200; n += 13) {
        char seen[256] = {0};
        for (int64_t i = 0; i < n; i++) {
            const int64_t to = rng_permute(42, 3, n, i);
            CHECK(to >= 0 && to < n && !seen[to]);
            seen[to] = 1;
        }
    }
    CHECK(rng_permute(42, 0, 1000000007, 5) != rng_permute(42, 1, 1000000007, 5));
}

static void test_half(void)
{
    CHECK(dtype_f32_from_f16(0x3c00) == 1.0f && dtype_f32_from_f16(0xc000) == -2.0f);
    CHECK(dtype_f32_from_f16(0x0001) == 0x1p-24f && dtype_f32_from_f16(0x7bff) == 65504.0f);
    CHECK(isinf(dtype_f32_from_f16(0x7c00)) && isnan(dtype_f32_from_f16(0x7e00)));
    CHECK(dtype_f32_from_bf16(0x3f80) == 1.0f);
}

static void test_files(void)
{
    char folder[] = "/tmp/ft-base-XXXXXX", path[FILE_PATH_MAX], digits[HASH_TEXT];
    CHECK(mkdtemp(folder) != NULL);
    CHECK_STATUS(file_join(path, folder, "a/b"), FT_OK);
    CHECK_STATUS(file_make_folders(path), FT_OK);
    CHECK_STATUS(file_join(path, folder, "a/b/text"), FT_OK);
    CHECK_STATUS(file_replace(path, "hello", 5), FT_OK);
    char *data = NULL;
    size_t bytes = 0;
    CHECK_STATUS(file_read_all(&data, &bytes, path, 100), FT_OK);
    CHECK(bytes == 5 && strcmp(data, "hello") == 0);
    mem_free(data);
    CHECK_FAILS(file_read_all(&data, &bytes, path, 4), FT_ERR_INPUT, "at most 4");
    struct hash_value hash;
    uint64_t size;
    CHECK_STATUS(hash_file(&hash, &size, path), FT_OK);
    hash_format(digits, hash);
    CHECK(size == 5 && strcmp(digits, "b5e9c1ad071b3e7fc779cfaa5e523818") == 0);
    CHECK_STATUS(file_join(path, folder, "pipe"), FT_OK);
    CHECK(mkfifo(path, 0600) == 0);
    CHECK_FAILS(file_read_all(&data, &bytes, path, 4), FT_ERR_INPUT, "not a regular file");
    CHECK_FAILS(file_read_all(&data, &bytes, folder, 4), FT_ERR_INPUT, "not a regular file");
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
    CHECK(!file_exists(folder));
}

int main(void)
{
    test_errors();
    test_memory();
    test_large();
    test_shared_failure();
    test_sizes();
    test_random();
    test_half();
    test_files();
    return check_end();
}
