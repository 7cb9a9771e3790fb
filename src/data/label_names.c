#include "data/label_names.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "data/label_columns.h"
#include "data/token_set.h"

static const char *table_name(const struct label_table *table, int32_t index)
{
    return table->text.data + table->first[index];
}

/* Where a name is, or would be: a slot of its own or a free one. */
static int64_t find_slot(const struct label_table *table, const char *name, size_t bytes)
{
    const uint64_t mask = (uint64_t)table->n_slots - 1;
    for (uint64_t at = hash_bytes(name, bytes).low;; at++) {
        const int32_t index = table->slots[at & mask] - 1;
        if (index < 0)
            return (int64_t)(at & mask);
        const char *known = table_name(table, index);
        if (strlen(known) == bytes && memcmp(known, name, bytes) == 0)
            return (int64_t)(at & mask);
    }
}

/* Room for one name more, at most half of the slots taken. */
static ft_status grow(struct label_table *table)
{
    if (table->n == table->capacity) {
        const int64_t capacity = 2 * table->capacity + 16;
        int64_t *first = mem_resize(table->first, (size_t)capacity, sizeof *first);
        if (!first)
            return FT_ERR_INTERNAL;
        table->first = first;
        table->capacity = capacity;
    }
    if (2 * (int64_t)table->n < table->n_slots)
        return FT_OK;
    const int64_t n_slots = table->n_slots ? 2 * table->n_slots : 64;
    int32_t *slots = NULL;
    FT_TRY(FT_ALLOC(slots, n_slots));
    mem_free(table->slots);
    table->slots = slots;
    table->n_slots = n_slots;
    for (int32_t i = 0; i < table->n; i++) {
        const char *name = table_name(table, i);
        table->slots[find_slot(table, name, strlen(name))] = i + 1;
    }
    return FT_OK;
}

ft_status label_table_add(int32_t *index, struct label_table *table, const char *name, size_t bytes)
{
    FT_TRY(grow(table));
    const int64_t slot = find_slot(table, name, bytes);
    *index = table->slots[slot] - 1;
    if (*index >= 0)
        return FT_OK;
    if (table->n == LABELS_MAX)
        return ft_fail(FT_ERR_INPUT,
                       "more than %d different labels: data.label_field must name the class of a "
                       "text, not a text of its own",
                       LABELS_MAX);
    const int64_t first = (int64_t)table->text.used;
    FT_TRY(buffer_reserve(&table->text, bytes + 1));
    FT_TRY(buffer_append(&table->text, name, bytes));
    FT_TRY(buffer_append(&table->text, "", 1));
    table->first[table->n] = first;
    *index = table->n++;
    table->slots[slot] = table->n;
    return FT_OK;
}

void label_table_reset(struct label_table *table)
{
    table->n = 0;
    table->text.used = 0;
    if (table->n_slots > 0)
        memset(table->slots, 0, (size_t)table->n_slots * sizeof *table->slots);
}

void label_table_clear(struct label_table *table)
{
    buffer_clear(&table->text);
    mem_free(table->first);
    mem_free(table->slots);
    *table = (struct label_table){0};
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in their order become names->text, so that nothing of the table is kept. */
static ft_status take_text(struct label_names *names)
{
    struct buffer sorted = {0};
    ft_status status = FT_OK;
    for (int32_t i = 0; i < names->n && status == FT_OK; i++)
        status = buffer_append(&sorted, names->names[i], strlen(names->names[i]) + 1);
    names->text = sorted;
    const char *at = sorted.data;
    for (int32_t i = 0; i < names->n && status == FT_OK; i++, at += strlen(at) + 1)
        names->names[i] = at;
    return status;
}

ft_status label_names_create(struct label_names *names, const struct label_table *table)
{
    *names = (struct label_names){.n = table->n};
    FT_TRY(FT_ALLOC(names->names, table->n));
    for (int32_t i = 0; i < table->n; i++)
        names->names[i] = table_name(table, i);
    if (table->n > 1)
        qsort(names->names, (size_t)table->n, sizeof *names->names, compare_names);
    const ft_status status = take_text(names);
    if (status != FT_OK)
        label_names_clear(names);
    return status;
}

/* Adds names that stand one behind the other, each ended by a zero byte. */
static ft_status add_all(struct label_table *table, const char *text, size_t bytes)
{
    int32_t index;
    for (size_t at = 0, length; at < bytes; at += length + 1) {
        length = strlen(text + at);
        FT_TRY(label_table_add(&index, table, text + at, length));
    }
    return FT_OK;
}

static ft_status add_shard(struct label_table *table, const struct token_shard *shard)
{
    struct h5_file *file = NULL;
    struct label_names names = {0};
    FT_TRY(h5_open_own(&file, shard->path));
    ft_status status = label_names_read(&names, file, COLUMN_NAMES);
    if (status == FT_OK)
        status = add_all(table, names.text.data, names.text.used);
    label_names_clear(&names);
    (void)h5_close(&file);
    return status;
}

/* The names in this rank's share of the shards. */
static ft_status add_mine(struct label_table *table, const struct comm *comm,
                          struct corpus *const *corpora, int n)
{
    for (int i = 0; i < n; i++) {
        const struct token_set *set = corpus_tokens(corpora[i]);
        for (int64_t k = comm_rank(comm); k < set->n_shards; k += comm_size(comm))
            FT_TRY(add_shard(table, &set->shards[k]));
    }
    return FT_OK;
}

ft_status label_names_open(struct label_names *names, struct comm *comm,
                           struct corpus *const *corpora, int n)
{
    struct label_table mine = {0}, all = {0};
    int64_t *counts = NULL, total = 0;
    char *text = NULL;
    ft_status status;
    *names = (struct label_names){0};
    FT_AGREE_OUT(comm, add_mine(&mine, comm, corpora, n));
    FT_AGREE_OUT(comm, FT_ALLOC(counts, comm_size(comm)));
    total = (int64_t)mine.text.used;
    comm_sum_i64(comm, &total, 1);
    FT_AGREE_OUT(comm, FT_ALLOC(text, total));
    comm_allgather_varying(comm, text, counts, mine.text.data, (int64_t)mine.text.used);
    FT_AGREE_OUT(comm, add_all(&all, text, (size_t)total));
    FT_AGREE_OUT(comm, label_names_create(names, &all));
out:
    mem_free(counts);
    mem_free(text);
    label_table_clear(&mine);
    label_table_clear(&all);
    if (status != FT_OK)
        label_names_clear(names);
    return status;
}

void label_names_clear(struct label_names *names)
{
    mem_free(names->names);
    buffer_clear(&names->text);
    *names = (struct label_names){0};
}

int32_t label_names_find(const struct label_names *names, const char *name)
{
    int32_t low = 0, high = names->n;
    while (low < high) {
        const int32_t middle = low + (high - low) / 2;
        const int order = strcmp(names->names[middle], name);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

ft_status label_print(struct buffer *out, const char *name)
{
    FT_TRY(buffer_print(out, "\""));
    for (const unsigned char *at = (const unsigned char *)name; *at; at++)
        FT_TRY(buffer_print(out, *at < 32 || *at == 127 ? "\\x%02x" : "%c", *at));
    return buffer_print(out, "\"");
}

ft_status label_names_write(struct h5_file *file, const char *dataset,
                            const struct label_names *names)
{
    return h5_write_texts(file, dataset, names->n, names->names);
}

static ft_status check_names(const struct label_names *names)
{
    for (int32_t i = 0; i < names->n; i++) {
        const char *name = names->names[i];
        if (!name[0] || !utf8_check(name, strlen(name), NULL))
            return ft_fail(FT_ERR_INPUT, "name %d is empty or no UTF-8", i);
        if (i > 0 && strcmp(names->names[i - 1], name) >= 0)
            return ft_fail(FT_ERR_INPUT, "name %d is not behind the one before it", i);
    }
    return FT_OK;
}

ft_status label_names_read(struct label_names *names, const struct h5_file *file,
                           const char *dataset)
{
    int64_t n = 0;
    *names = (struct label_names){0};
    ft_status status = h5_read_texts(file, dataset, LABELS_MAX, LABEL_BYTES_MAX, &names->text, &n);
    if (status == FT_OK)
        status = FT_ALLOC(names->names, n);
    if (status == FT_OK) {
        const char *at = names->text.data;
        for (; names->n < n; at += strlen(at) + 1)
            names->names[names->n++] = at;
        status = check_names(names);
        if (status == FT_ERR_INPUT)
            status = ft_fail_within(status, "%s: label names", dataset);
    }
    if (status != FT_OK)
        label_names_clear(names);
    return status;
}
