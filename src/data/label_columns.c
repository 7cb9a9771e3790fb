#include "data/label_columns.h"

#include "base/hash.h"
#include "base/mem.h"

static ft_status reserve(struct label_columns *columns, int64_t capacity)
{
    const size_t n = (size_t)capacity;
    uint32_t *labels = mem_resize(columns->labels, n, sizeof *labels);
    columns->labels = labels ? labels : columns->labels;
    uint32_t *n_cut = mem_resize(columns->n_cut, n, sizeof *n_cut);
    columns->n_cut = n_cut ? n_cut : columns->n_cut;
    int64_t *numbers = mem_resize(columns->numbers, n, sizeof *numbers);
    columns->numbers = numbers ? numbers : columns->numbers;
    int64_t *hashes = mem_resize(columns->hashes, n, 2 * sizeof *hashes);
    columns->hashes = hashes ? hashes : columns->hashes;
    if (!labels || !n_cut || !numbers || !hashes)
        return FT_ERR_INTERNAL;
    columns->capacity = capacity;
    return FT_OK;
}

ft_status label_columns_add(struct label_columns *columns, const struct document_label *label,
                            const int32_t *ids, int64_t n_ids)
{
    int32_t index;
    const int64_t n = columns->n;
    if (n == columns->capacity)
        FT_TRY(reserve(columns, 2 * n + 1024));
    FT_TRY(label_table_add(&index, &columns->table, label->name, label->bytes));
    const struct hash_value hash = hash_bytes(ids, (size_t)n_ids * sizeof *ids);
    columns->labels[n] = (uint32_t)index;
    columns->n_cut[n] = label->n_cut < UINT32_MAX ? (uint32_t)label->n_cut : UINT32_MAX;
    columns->numbers[n] = label->number;
    columns->hashes[2 * n] = (int64_t)hash.high;
    columns->hashes[2 * n + 1] = (int64_t)hash.low;
    columns->n++;
    return FT_OK;
}

/* Labels count in the order of the sorted names from here on. */
static ft_status sort_names(struct label_columns *columns)
{
    const struct label_table *table = &columns->table;
    uint32_t *places = NULL;
    label_names_clear(&columns->names);
    FT_TRY(label_names_create(&columns->names, table));
    FT_TRY(FT_ALLOC(places, table->n));
    for (int32_t i = 0; i < table->n; i++)
        places[i] = (uint32_t)label_names_find(&columns->names, table->text.data + table->first[i]);
    for (int64_t i = 0; i < columns->n; i++)
        columns->labels[i] = places[columns->labels[i]];
    mem_free(places);
    return FT_OK;
}

ft_status label_columns_write(struct label_columns *columns, struct h5_file *file)
{
    const int64_t n = columns->n, shape[2] = {n, 2};
    FT_TRY(sort_names(columns));
    FT_TRY(label_names_write(file, COLUMN_NAMES, &columns->names));
    FT_TRY(h5_write(file, COLUMN_LABELS, H5_U32, 1, &n, columns->labels));
    FT_TRY(h5_write(file, COLUMN_CUT, H5_U32, 1, &n, columns->n_cut));
    FT_TRY(h5_write(file, COLUMN_NUMBERS, H5_I64, 1, &n, columns->numbers));
    FT_TRY(h5_write(file, COLUMN_HASHES, H5_I64, 2, shape, columns->hashes));
    label_table_reset(&columns->table);
    columns->n = 0;
    return FT_OK;
}

static ft_status check_labels(const struct label_columns *columns)
{
    for (int64_t i = 0; i < columns->n; i++)
        if (columns->labels[i] >= (uint32_t)columns->names.n)
            return ft_fail(FT_ERR_INPUT, "%s: document %lld has label %u of %d", COLUMN_LABELS,
                           (long long)i, columns->labels[i], columns->names.n);
    return FT_OK;
}

ft_status label_columns_read(struct label_columns *columns, const struct h5_file *file, int64_t n)
{
    label_names_clear(&columns->names);
    if (n > columns->capacity)
        FT_TRY(reserve(columns, n));
    columns->n = n;
    FT_TRY(label_names_read(&columns->names, file, COLUMN_NAMES));
    FT_TRY(h5_read(file, COLUMN_LABELS, H5_U32, n, columns->labels));
    FT_TRY(h5_read(file, COLUMN_CUT, H5_U32, n, columns->n_cut));
    FT_TRY(h5_read(file, COLUMN_NUMBERS, H5_I64, n, columns->numbers));
    FT_TRY(h5_read(file, COLUMN_HASHES, H5_I64, 2 * n, columns->hashes));
    return check_labels(columns);
}

void label_columns_clear(struct label_columns *columns)
{
    label_table_clear(&columns->table);
    label_names_clear(&columns->names);
    mem_free(columns->labels);
    mem_free(columns->n_cut);
    mem_free(columns->numbers);
    mem_free(columns->hashes);
    *columns = (struct label_columns){0};
}
