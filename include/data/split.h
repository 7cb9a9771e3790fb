/** Which documents are set aside for validation: a pure function, so the same at every rank count.
 */
#ifndef FT_DATA_SPLIT_H
#define FT_DATA_SPLIT_H

#include <stdbool.h>
#include <stdint.h>

/**
 * Whether a document belongs to validation.
 *
 * @param[in] seed      the run's seed
 * @param[in] number    the document's number over all sources, from 0
 * @param[in] fraction  share of the documents that is set aside, 0 (none) ... 1 (all)
 */
bool split_is_validation(int64_t seed, int64_t number, double fraction);

#endif
