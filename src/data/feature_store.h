/** The cache of features on disk: a folder of parts, each one HDF5 file with its hash beside it. */
#ifndef FT_DATA_FEATURE_STORE_H
#define FT_DATA_FEATURE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"

enum { FEATURE_POOLINGS = 3 /**< cls, mean, last */ };

/**
 * Kinds of features are numbered (layer - 1) * FEATURE_POOLINGS + pooling - POOLING_CLS; a set of
 * kinds is (n_kinds) bool.
 */
struct feature_store {
    char folder[FILE_PATH_MAX];
    char key[HASH_TEXT];
    int C;
    int n_kinds;         /**< L * FEATURE_POOLINGS */
    int64_t n_documents; /**< of all parts */
    int64_t per_part;    /**< documents of each part but the last */
};

/** Parts, and the documents of one. */
int64_t feature_store_parts(const struct feature_store *s);
int64_t feature_store_count(const struct feature_store *s, int64_t part);

/** Makes the folder and removes what dead writers left in it. */
ft_status feature_store_prepare(const struct feature_store *s);

/**
 * What a part holds; nothing where it is absent, unfinished, or damaged (with a warning then).
 *
 * @param[out] has (n_kinds)
 */
ft_status feature_store_look(const struct feature_store *s, int64_t part, bool *has);

/**
 * Replaces a part: whole or not at all, also when the machine stops. What the part holds by then,
 * of this job or another, it holds afterwards too.
 *
 * @param[in] kinds (n_kinds) what data holds
 * @param[in] data  (kinds in order of their numbers, documents of the part, C)
 */
ft_status feature_store_write(const struct feature_store *s, int64_t part, const bool *kinds,
                              const float *data);

/** Reads one kind of a part: (documents of the part, C). */
ft_status feature_store_read(const struct feature_store *s, int64_t part, int kind, float *out);

#endif
