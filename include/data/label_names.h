/**
 * Names of labels: a table that collects them in any order, and the sorted set whose indices are
 * the classes of a model.
 */
#ifndef FT_DATA_LABEL_NAMES_H
#define FT_DATA_LABEL_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/hash.h"
#include "comm/comm.h"
#include "data/corpus.h"
#include "format/h5.h"

enum {
    LABEL_BYTES_MAX = 256, /**< of one name */
    LABELS_MAX = 100000    /**< different names */
};

/** Different names in the order in which they came. Zero-initialise to start. */
struct label_table {
    struct buffer text; /**< the names, each ended by a zero byte */
    int64_t *first;     /**< (n) where each begins in text */
    int32_t *slots;     /**< (n_slots) by hash: index + 1, 0 = free */
    int32_t n;
    int64_t capacity, n_slots;
};

/**
 * Index of a name in the table, which is added where it is new.
 *
 * @param[in] name  UTF-8 without zero bytes
 * @return FT_OK; FT_ERR_INPUT for more than LABELS_MAX names; FT_ERR_INTERNAL (memory)
 */
ft_status label_table_add(int32_t *index, struct label_table *table, const char *name,
                          size_t bytes);

/** Empties the table and keeps its memory. */
void label_table_reset(struct label_table *table);

/** Releases the memory. */
void label_table_clear(struct label_table *table);

/** Different names in the order of their bytes. Zero-initialise to start. */
struct label_names {
    int32_t n;
    const char **names; /**< (n) within text */
    struct buffer text; /**< the names in order, each ended by a zero byte */
};

/** Makes the sorted names of a table, which may hold none. Local. */
ft_status label_names_create(struct label_names *names, const struct label_table *table);

/**
 * The names of all documents of n corpora, which were opened with labels: with a validation
 * fraction the two parts of data.train, so that both know the same classes. Collective; arguments
 * must agree, and the names are the same on all ranks.
 *
 * @return FT_OK; FT_ERR_INPUT (damaged shards, more than LABELS_MAX names)
 */
ft_status label_names_open(struct label_names *names, struct comm *comm,
                           struct corpus *const *corpora, int n);

/** Releases the memory; zeroed names are allowed. */
void label_names_clear(struct label_names *names);

/** Index of a name; -1 where there is none. */
int32_t label_names_find(const struct label_names *names, const char *name);

/** Appends "name" in quotes for a message, control characters as \xNN. */
ft_status label_print(struct buffer *out, const char *name);

/** Writes the names (at least one) as a dataset of texts in order. */
ft_status label_names_write(struct h5_file *file, const char *dataset,
                            const struct label_names *names);

/** Reads what label_names_write wrote. FT_ERR_INPUT for names out of order, twice or empty. */
ft_status label_names_read(struct label_names *names, const struct h5_file *file,
                           const char *dataset);

#endif
