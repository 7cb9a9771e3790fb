/* The small operators, embeddings and reductions on values that one can follow by hand. */
#include "math/embedding.h"
#include "math/kernel.h"
#include "math/ops.h"
#include "math/reduce.h"
#include "support/check.h"

static void test_rope(void)
{
    enum { HALF = 3 };
    float row[2 * HALF] = {1, 2, 3, 4, 5, 6}, cosine[2 * HALF], sine[2 * HALF];
    const int32_t position = 1;
    const struct heads heads = {.at = 0, .step = 2 * HALF, .n = 1};
    const struct rotation rotation = {cosine, sine, 2 * HALF};
    for (int i = 0; i < 2 * HALF; i++) {
        cosine[i] = (float)cos(0.3 * i);
        sine[i] = (float)sin(0.3 * i);
    }
    rope_rotate(row, 2 * HALF, &heads, &rotation, &position, 1, 1.0f, ELEM_F32);
    CHECK_CLOSE(row[0], 1.0 * cos(0.9) - 4.0 * sin(0.9), 1e-6);
    CHECK_CLOSE(row[3], 4.0 * cos(0.9) + 1.0 * sin(0.9), 1e-6);
    rope_rotate(row, 2 * HALF, &heads, &rotation, &position, 1, -1.0f, ELEM_F32);
    for (int i = 0; i < 2 * HALF; i++)
        CHECK_CLOSE(row[i], i + 1.0, 1e-6);
}

/* Two heads behind an element, of which the first two of three elements turn. */
static void test_partial_rope(void)
{
    float row[7] = {9, 1, 2, 3, 4, 5, 6};
    const float cosine[1] = {(float)cos(0.7)}, sine[1] = {(float)sin(0.7)};
    const int32_t position = 0;
    const struct heads heads = {.at = 1, .step = 3, .n = 2};
    const struct rotation rotation = {cosine, sine, 2};
    rope_rotate(row, 7, &heads, &rotation, &position, 1, 1.0f, ELEM_F32);
    CHECK(row[0] == 9 && row[3] == 3 && row[6] == 6);
    CHECK_CLOSE(row[1], 1.0 * cos(0.7) - 2.0 * sin(0.7), 1e-6);
    CHECK_CLOSE(row[5], 5.0 * cos(0.7) + 4.0 * sin(0.7), 1e-6);
}

static void test_embedding_and_bias(void)
{
    const int32_t tokens[4] = {2, 0, 2, 1};
    float table[3 * 2] = {1, 2, 3, 4, 5, 6}, rows[8], dtable[6] = {0}, db[2] = {0};
    embedding_forward(rows, table, tokens, 4, 2);
    CHECK(rows[0] == 5 && rows[3] == 2 && rows[7] == 4);
    const int32_t positions[4] = {0, 1, 0, 2};
    float sums[8];
    memcpy(sums, rows, sizeof rows);
    embedding_add_forward(sums, table, positions, 4, 2);
    CHECK(sums[0] == 6 && sums[1] == 8 && sums[3] == 6 && sums[7] == 10);
    embedding_backward(dtable, rows, tokens, 4, 2);
    CHECK(dtable[0] == 1 && dtable[2] == 3 && dtable[4] == 10 && dtable[5] == 12);
    bias_backward(db, rows, 2, 4, 2, ELEM_F32);
    CHECK(db[0] == 14 && db[1] == 18);
    bias_forward(rows, db, 4, 2, ELEM_F32);
    CHECK(rows[0] == 19 && rows[7] == 22);
}

static void test_reduce(void)
{
    const int64_t n = 3 * 1048576 * 2 + 12345;
    float *values = mem_alloc((size_t)n, sizeof *values);
    for (int64_t i = 0; i < n; i++)
        values[i] = (float)(i % 7);
    double expected = (double)(n / 7) * 91.0;
    for (int64_t i = n / 7 * 7; i < n; i++)
        expected += (double)((i % 7) * (i % 7));
    CHECK_CLOSE(sum_of_squares(values, n), expected, 1e-12);
    values[n - 1] = NAN;
    CHECK(isnan(sum_of_squares(values, n)));
    mem_free(values);
}

FT_KERNEL static float multiply_add(float a, float b, float c)
{
    return a * b + c;
}

/* A kernel runs in the version that this processor can run best: then a product is not rounded
 * before the sum. */
static void test_kernel_choice(void)
{
#if defined(__x86_64__) && __GNUC__ >= 12 && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
    const float a = 1.0f + 0x1p-12f, rounded = 1.0f + 0x1p-11f;
    if (__builtin_cpu_supports("x86-64-v3"))
        CHECK(multiply_add(a, a, -rounded) == 0x1p-24f);
    else
        CHECK(multiply_add(a, a, -rounded) == 0.0f);
#else
    CHECK(multiply_add(2.0f, 3.0f, 4.0f) == 10.0f);
#endif
}

int main(void)
{
    test_kernel_choice();
    test_rope();
    test_partial_rope();
    test_embedding_and_bias();
    test_reduce();
    return check_end();
}
