/** Cross-validation folds: a pure function, the same at every rank count. */
#ifndef FT_OPTIM_FOLDS_H
#define FT_OPTIM_FOLDS_H

#include <stdint.h>

/**
 * Fold of a document, 0 ... n_folds-1: its place in a random order of all documents, modulo
 * n_folds, so that the sizes of two folds differ by one at most. Labels play no part.
 *
 * @param[in] seed   the run's seed
 * @param[in] n      documents
 * @param[in] number of the document, 0 ... n-1
 */
int folds_assign(int64_t seed, int64_t n, int64_t number, int n_folds);

#endif
