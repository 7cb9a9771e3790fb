/*
 * Names and columns of labels: tables of many names, their order, and shards that lie.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "data/label_columns.h"
#include "support/check.h"

static char folder[] = "/tmp/ft-labels-XXXXXX";
static char path[FILE_PATH_MAX];

static void make_table(struct label_table *table, int n)
{
    for (int i = 0; i < n; i++) {
        char name[32];
        int32_t index = -1;
        (void)snprintf(name, sizeof name, "%d", (int)((int64_t)i * 7919 % n));
        CHECK_STATUS(label_table_add(&index, table, name, strlen(name)), FT_OK);
        CHECK(index == i);
    }
}

static void test_table(void)
{
    enum { N = 1009 };
    struct label_table table = {0};
    struct label_names names;
    int32_t index;
    for (int round = 0; round < 2; round++) {
        make_table(&table, N);
        CHECK(table.n == N);
        for (int i = 0; i < 2; i++)
            CHECK_STATUS(label_table_add(&index, &table, "7919 and more", 3 + (size_t)i), FT_OK);
        CHECK(table.n == N + 1 && index == N); /* "791" was there, "7919" was not */
        CHECK_STATUS(label_names_create(&names, &table), FT_OK);
        CHECK(names.n == N + 1);
        for (int i = 0; i < names.n; i++) {
            CHECK(i == 0 || strcmp(names.names[i - 1], names.names[i]) < 0);
            CHECK(label_names_find(&names, names.names[i]) == i);
        }
        label_names_clear(&names);
        label_table_reset(&table);
    }
    label_table_clear(&table);
}

static void test_limit(void)
{
    struct label_table table = {0};
    int32_t index;
    for (int i = 0; i < LABELS_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "%d", i);
        if (label_table_add(&index, &table, name, strlen(name)) != FT_OK || index != i)
            abort();
    }
    CHECK_STATUS(label_table_add(&index, &table, "77777", 5), FT_OK);
    CHECK(index == 77777);
    CHECK_FAILS(label_table_add(&index, &table, "x", 1), FT_ERR_INPUT,
                "more than 100000 different labels");
    label_table_clear(&table);
}

static void test_memory(void)
{
    for (int64_t nth = 1; nth < 40; nth++) {
        struct label_table table = {0};
        struct label_names names;
        ft_status status = FT_OK;
        int32_t index;
        mem_fail_nth(nth, 0);
        for (int i = 0; i < 100 && status == FT_OK; i++) {
            const char name[2] = {(char)('!' + i % 90), '\0'};
            status = label_table_add(&index, &table, name, 1);
            CHECK(status != FT_OK || index == i % 90);
        }
        if (status == FT_OK)
            status = label_names_create(&names, &table);
        mem_fail_nth(0, 0);
        CHECK(status == FT_OK || status == FT_ERR_INTERNAL);
        if (status == FT_OK)
            label_names_clear(&names);
        label_table_clear(&table);
    }
}

/* A shard's columns of three documents: what was written comes back. */
static void test_columns(void)
{
    static const char *const labels[] = {"b", "a", "b"};
    const int32_t ids[] = {5, 6, 7};
    struct label_columns columns = {0};
    struct h5_file *file = NULL;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++) {
            const struct document_label label = {labels[i], 1, 10 * i, INT64_C(3000000000) * i};
            CHECK_STATUS(label_columns_add(&columns, &label, ids, i + 1), FT_OK);
        }
        (void)unlink(path);
        CHECK_STATUS(h5_create(&file, path), FT_OK);
        CHECK_STATUS(label_columns_write(&columns, file), FT_OK);
        CHECK_STATUS(h5_close(&file), FT_OK);
        CHECK(columns.n == 0 && columns.table.n == 0);
    }
    label_columns_clear(&columns);
    CHECK_STATUS(h5_open(&file, path), FT_OK);
    CHECK_STATUS(label_columns_read(&columns, file, 3), FT_OK);
    CHECK(columns.names.n == 2 && strcmp(columns.names.names[0], "a") == 0);
    CHECK(columns.labels[0] == 1 && columns.labels[1] == 0 && columns.labels[2] == 1);
    CHECK(columns.n_cut[1] == 3000000000u && columns.n_cut[2] == UINT32_MAX);
    CHECK(columns.numbers[0] == 0 && columns.numbers[2] == 20);
    for (int i = 0; i < 3; i++) {
        const struct hash_value hash = hash_bytes(ids, (size_t)(i + 1) * sizeof *ids);
        CHECK((uint64_t)columns.hashes[2 * i] == hash.high);
        CHECK((uint64_t)columns.hashes[2 * i + 1] == hash.low);
    }
    CHECK_FAILS(label_columns_read(&columns, file, 4), FT_ERR_INPUT, "/labels: 3 elements");
    CHECK_STATUS(h5_close(&file), FT_OK);
    label_columns_clear(&columns);
}

/* One document under a label of two names. */
static void check_lie(const char *first, const char *second, uint32_t label, const char *part)
{
    const char *const texts[] = {first, second};
    const int64_t shape[2] = {1, 2}, values[2] = {0, 0};
    const uint32_t zero = 0;
    struct label_columns columns = {0};
    struct h5_file *file = NULL;
    (void)unlink(path);
    CHECK_STATUS(h5_create(&file, path), FT_OK);
    CHECK_STATUS(h5_write_texts(file, COLUMN_NAMES, 2, texts), FT_OK);
    CHECK_STATUS(h5_write(file, COLUMN_LABELS, H5_U32, 1, shape, &label), FT_OK);
    CHECK_STATUS(h5_write(file, COLUMN_CUT, H5_U32, 1, shape, &zero), FT_OK);
    CHECK_STATUS(h5_write(file, COLUMN_NUMBERS, H5_I64, 1, shape, values), FT_OK);
    CHECK_STATUS(h5_write(file, COLUMN_HASHES, H5_I64, 2, shape, values), FT_OK);
    CHECK_STATUS(h5_close(&file), FT_OK);
    CHECK_STATUS(h5_open(&file, path), FT_OK);
    CHECK_FAILS(label_columns_read(&columns, file, 1), FT_ERR_INPUT, part);
    CHECK_STATUS(h5_close(&file), FT_OK);
    label_columns_clear(&columns);
}

static void test_lies(void)
{
    char *longest = mem_alloc(LABEL_BYTES_MAX + 2, 1);
    memset(longest, 'x', LABEL_BYTES_MAX + 1);
    check_lie("a", "b", 2, "/labels: document 0 has label 2 of 2");
    check_lie("b", "a", 0, "name 1 is not behind the one before it");
    check_lie("a", "a", 0, "name 1 is not behind");
    check_lie("", "a", 0, "name 0 is empty or no UTF-8");
    check_lie("a", "b\xff", 0, "name 1 is empty or no UTF-8");
    check_lie("a", longest, 0, "of at most 256 are possible");
    mem_free(longest);
}

int main(void)
{
    if (!mkdtemp(folder) || file_join(path, folder, "shard.h5") != FT_OK)
        return 1;
    test_table();
    test_limit();
    test_memory();
    test_columns();
    test_lies();
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
    return check_end();
}
