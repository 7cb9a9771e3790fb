/**
 * What the fuzz targets share: the frame around one input, what every parser must keep, and files.
 *
 * A target is LLVMFuzzerTestOneInput of libFuzzer. libFuzzer calls it in the build of the preset
 * `fuzz`, replay.c in the ordinary build. A broken rule ends the process, as a finding of the
 * sanitizers does.
 */
#ifndef FT_TESTS_FUZZ_H
#define FT_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Turns the leak checker off where a library leaks; the program's memory is counted anyway. */
#define FUZZ_LIBRARY_LEAKS                                                                         \
    int __lsan_is_turned_off(void);                                                                \
    int __lsan_is_turned_off(void)                                                                 \
    {                                                                                              \
        return 1;                                                                                  \
    }

/** Optional, of targets with framing of their own; and what it may call. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/** Ends the process where a rule is broken. */
#define FUZZ_CHECK(rule)                                                                           \
    do {                                                                                           \
        if (!(rule))                                                                               \
            fuzz_broken(__FILE__, __LINE__, #rule);                                                \
    } while (0)

void fuzz_broken(const char *file, int line, const char *rule) __attribute__((noreturn));

/** Before an input: notes the memory in use, forgets the error text. */
void fuzz_begin(void);

/**
 * After an input: mem_live_bytes is what it was, no more than `most` bytes were in use at a time,
 * those of libraries included (where the sanitizers count them), and it took no 2 s of this
 * thread's processor time.
 */
void fuzz_end(size_t most);

/** As fuzz_end, but only what the program itself allocated is limited. */
void fuzz_end_own(size_t most);

/** Whether a parser accepted: else its status is `refusal` or FT_ERR_INPUT and there is a text. */
bool fuzz_accepted(ft_status status, ft_status refusal);

/** FT_OK or FT_ERR_INPUT. */
static inline bool fuzz_ok(ft_status status)
{
    return fuzz_accepted(status, FT_ERR_INPUT);
}

/** An input of several texts: byte 0x1e, which stands in no JSON, separates them. */
struct fuzz_parts {
    const uint8_t *rest; /**< NULL: no more */
    size_t size;
};

/** The next text; NULL where there is none. Borrowed, not terminated. */
const char *fuzz_next(struct fuzz_parts *parts, size_t *bytes);

/** A folder in memory that ends with the process. */
const char *fuzz_folder(void);

/** Writes a file of the folder, or removes it (data NULL). Gives its path; borrowed until the 16th
 * call from now. */
const char *fuzz_file(const char *name, const void *data, size_t bytes);

/** A world of one rank, without MPI. */
struct comm *fuzz_comm(void);

/** One rank of several, which come one after the other: each gathers what the others said last. */
struct comm *fuzz_comm_of(int rank, int size);

#endif
