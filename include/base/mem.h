/**
 * Heap memory: 64-byte aligned, zeroed, counted. The live byte count is zero at exit.
 *
 * Thread-safe. Blocks must be released with mem_free.
 */
#ifndef FT_BASE_MEM_H
#define FT_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/** Gives count * size zeroed bytes (at least one), or NULL with the error text set. The pages of a
 * large block are touched by all OpenMP threads. */
void *mem_alloc(size_t count, size_t size);

/** As mem_alloc, but the pages of a large block stay untouched and its content is undefined. */
void *mem_alloc_raw(size_t count, size_t size);

/**
 * Takes block (may be NULL) and gives one of count * size bytes with the old content; NULL on
 * failure, when the old block stays valid. Bytes beyond the old size are zero.
 */
void *mem_resize(void *block, size_t count, size_t size);

/** Releases a block; NULL is allowed. */
void mem_free(void *block);

/** Gives a copy of text, or NULL with the error text set. */
char *mem_copy_text(const char *text);

/** Bytes allocated and not yet released in this process. */
int64_t mem_live_bytes(void);

/** Number of successful allocations so far: a test asserts that a training step makes none. */
int64_t mem_alloc_count(void);

/** The smaller of the machine's free memory and what a control group leaves this job; -1 when not
 * known. */
int64_t mem_available(void);

/** Test hook: the nth allocation from now (1 = next) fails; persistent: all later ones too. 0 =
 * off. */
void mem_fail_nth(int64_t nth, int persistent);

/** p = zeroed array of n elements of *p; FT_OK or FT_ERR_INTERNAL. */
#define FT_ALLOC(p, n) (((p) = mem_alloc((size_t)(n), sizeof *(p))) ? FT_OK : FT_ERR_INTERNAL)

/** Releases and clears a pointer. */
#define FT_FREE(p) (mem_free(p), (p) = NULL)

/**
 * One block that is carved into pieces and released whole. A first pass with base NULL measures.
 *
 * arena_push returns NULL while measuring; `used` then says how much the block must hold.
 */
struct arena {
    char *base;   /**< NULL while measuring */
    size_t bytes; /**< capacity */
    size_t used;  /**< bytes handed out, each piece rounded up to 64 */
};

/** Gives the next count * size bytes of the arena, 64-byte aligned. Never fails once measured. */
void *arena_push(struct arena *arena, size_t count, size_t size);

/** Turns a measured arena into a real one: allocates `used` bytes and starts again at 0. */
ft_status arena_commit(struct arena *arena);

/** Releases the block. */
void arena_destroy(struct arena *arena);

#endif
