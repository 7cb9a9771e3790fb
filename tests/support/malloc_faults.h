/**
 * The n-th allocation of this thread fails: of the program's own and of the libraries that it
 * calls. libconfig's and HDF5's are counted apart: those do not survive each failure.
 *
 * Not counted, and never failing, is what Open MPI and its plug-ins, OpenBLAS, oneDNN, libgomp and
 * the loader allocate: they end a process that has no memory, and no caller can change that. What
 * the C library allocates counts for whoever called it.
 */
#ifndef FT_SUPPORT_MALLOC_FAULTS_H
#define FT_SUPPORT_MALLOC_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

/** From now on count on this thread, those of the fragile libraries or all others, and let the nth
 * (from 1; 0: none) fail; all after it too where always is set. */
void malloc_faults_arm(int64_t nth, bool always, bool in_fragile);

/** Counts no longer; returns how many were counted since malloc_faults_arm. */
int64_t malloc_faults_disarm(void);

/** Whose allocation failed first: "finetune", "libhdf5", "libc.so" ...; "" when none did. */
const char *malloc_faults_victim(void);

#endif
