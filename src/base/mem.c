/*
 * Each block is preceded by a 64-byte header that holds its size, so that releasing needs no size
 * and the live count is exact:
 *
 *     | size_t bytes, pad to 64 | user bytes ... |
 *       ^ from aligned_alloc      ^ returned, 64-byte aligned
 */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/size.h"

enum { HEADER = 64, HUGE_PAGE = 2 << 20 };

static _Atomic int64_t live_bytes;
static _Atomic int64_t n_allocs;
static _Atomic int64_t fail_countdown;
static _Atomic int fail_for_ever;

static int is_told_to_fail(void)
{
    if (atomic_load(&fail_countdown) == 0)
        return 0;
    if (atomic_load(&fail_countdown) == 1 && atomic_load(&fail_for_ever))
        return 1;
    return atomic_fetch_sub(&fail_countdown, 1) == 1;
}

void mem_fail_nth(int64_t nth, int persistent)
{
    atomic_store(&fail_for_ever, persistent);
    atomic_store(&fail_countdown, nth);
}

void *mem_alloc_raw(size_t count, size_t size)
{
    uint64_t bytes, total;
    if (!checked_mul(&bytes, count, size) || !checked_add(&total, bytes, HEADER) ||
        !checked_align_up(&total, total, HEADER) || total > (uint64_t)PTRDIFF_MAX) {
        (void)ft_fail(FT_ERR_INTERNAL, "out of memory: %zu elements of %zu bytes", count, size);
        return NULL;
    }
    /* Large blocks start on a huge page: a page fault every 2 MiB instead of every 4 KiB. */
    const size_t align = total >= 2 * (size_t)HUGE_PAGE ? HUGE_PAGE : HEADER;
    char *block = NULL;
    if (is_told_to_fail() || posix_memalign((void **)&block, align, total) != 0) {
        (void)ft_fail(FT_ERR_INTERNAL, "out of memory: %llu bytes", (unsigned long long)bytes);
        return NULL;
    }
    if (align == HUGE_PAGE)
        (void)madvise(block, total, MADV_HUGEPAGE);
    *(size_t *)(void *)block = (size_t)bytes;
    atomic_fetch_add(&live_bytes, (int64_t)bytes);
    atomic_fetch_add(&n_allocs, 1);
    return block + HEADER;
}

/* The first touch of a page costs far more than the zeros: each thread touches its own share, which
 * takes less time, and spreads the pages where a machine has several memories. */
static void fill_zeros(char *block, size_t bytes)
{
    enum { FEW = 8 * HUGE_PAGE };
#pragma omp parallel for schedule(static) if (bytes >= FEW)
    for (size_t at = 0; at < bytes; at += HUGE_PAGE)
        memset(block + at, 0, bytes - at < HUGE_PAGE ? bytes - at : HUGE_PAGE);
}

void *mem_alloc(size_t count, size_t size)
{
    void *block = mem_alloc_raw(count, size);
    if (block)
        fill_zeros(block, count * size);
    return block;
}

static size_t size_of(const void *block)
{
    return *(const size_t *)(const void *)((const char *)block - HEADER);
}

void *mem_resize(void *block, size_t count, size_t size)
{
    char *fresh = mem_alloc_raw(count, size);
    if (!fresh)
        return NULL;
    const size_t bytes = count * size;
    size_t kept = block ? size_of(block) : 0;
    kept = kept < bytes ? kept : bytes;
    if (block)
        memcpy(fresh, block, kept);
    memset(fresh + kept, 0, bytes - kept);
    mem_free(block);
    return fresh;
}

void mem_free(void *block)
{
    if (!block)
        return;
    atomic_fetch_sub(&live_bytes, (int64_t)size_of(block));
    free((char *)block - HEADER);
}

char *mem_copy_text(const char *text)
{
    const size_t bytes = strlen(text) + 1;
    char *copy = mem_alloc_raw(bytes, 1);
    return copy ? memcpy(copy, text, bytes) : NULL;
}

int64_t mem_live_bytes(void)
{
    return atomic_load(&live_bytes);
}

int64_t mem_alloc_count(void)
{
    return atomic_load(&n_allocs);
}

void *arena_push(struct arena *arena, size_t count, size_t size)
{
    char *piece = arena->base ? arena->base + arena->used : NULL;
    arena->used += (count * size + 63) / 64 * 64;
    return piece;
}

ft_status arena_commit(struct arena *arena)
{
    arena->bytes = arena->used;
    arena->used = 0;
    arena->base = mem_alloc_raw(arena->bytes, 1);
    return arena->base ? FT_OK : FT_ERR_INTERNAL;
}

void arena_destroy(struct arena *arena)
{
    mem_free(arena->base);
    *arena = (struct arena){0};
}

/* First number of the line that starts with key; -1 when there is none. */
static int64_t read_number(const char *path, const char *key)
{
    char line[256];
    int64_t value = -1;
    FILE *file = fopen(path, "re");
    if (!file)
        return -1;
    while (value < 0 && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0 && strcmp(line, "max\n") != 0)
            value = strtoll(line + strlen(key), NULL, 10);
    (void)fclose(file);
    return value;
}

int64_t mem_available(void)
{
    int64_t free_bytes = read_number("/proc/meminfo", "MemAvailable:") * 1024;
    const int64_t limit = read_number("/sys/fs/cgroup/memory.max", "");
    const int64_t used = read_number("/sys/fs/cgroup/memory.current", "");
    if (limit > 0 && used >= 0 && limit - used < free_bytes)
        free_bytes = limit - used;
    return free_bytes;
}
