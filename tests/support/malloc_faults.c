/*
 * These definitions stand before those of the C library for every shared object of the process. Who
 * called is told by the object that the return address lies in.
 */
#include "support/malloc_faults.h"

#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
#define REAL(name) __interceptor_##name
void *REAL(memalign)(size_t align, size_t bytes);
#define REAL_MEMALIGN REAL(memalign)
#else
#define REAL(name) __libc_##name
void *__libc_memalign(size_t align, size_t bytes);
#define REAL_MEMALIGN __libc_memalign
#endif
void *REAL(malloc)(size_t bytes);
void *REAL(calloc)(size_t count, size_t size);
void *REAL(realloc)(void *block, size_t bytes);

enum { OBJECTS_MAX = 256, FRAMES_MAX = 48 };

/* Of whose allocations; the program itself has no name in the loader's list. */
static const struct library {
    const char *name;
    bool is_fragile;
} libraries[] = {{"libjansson", false}, {"libpcre2", false}, {"libutf8proc", false},
                 {"libconfig", true},   {"libhdf5", true},   {"libc.so", false}},
  own = {"finetune", false}, nobody = {"", false};
static const struct library *const c_library = &libraries[5];

static struct object {
    uintptr_t from, to;
    const struct library *who;
} objects[OBJECTS_MAX];
static int n_objects;

static _Thread_local bool armed;
static int64_t n_counted, nth_fails;
static bool fails_always, counts_fragile;
static const struct library *victim = &nobody;

static const struct library *library_of(const char *path)
{
    if (!path[0])
        return &own;
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++)
        if (strstr(path, libraries[i].name))
            return &libraries[i];
    return &nobody;
}

static int note_object(struct dl_phdr_info *info, size_t bytes, void *context)
{
    (void)bytes;
    (void)context;
    for (int i = 0; i < info->dlpi_phnum && n_objects < OBJECTS_MAX; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        const uintptr_t from = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_LOAD && segment->p_flags & PF_X)
            objects[n_objects++] =
                (struct object){from, from + segment->p_memsz, library_of(info->dlpi_name)};
    }
    return 0;
}

static const struct library *who_is_at(const void *address)
{
    for (int i = 0; i < n_objects; i++)
        if ((uintptr_t)address >= objects[i].from && (uintptr_t)address < objects[i].to)
            return objects[i].who;
    return &nobody;
}

/* The first object on the stack that is not the C library; frames up to caller are this file's. */
static const struct library *caller_of_c_library(const void *caller)
{
    void *frames[FRAMES_MAX];
    const int n = backtrace(frames, FRAMES_MAX);
    bool seen = false;
    for (int i = 0; i < n; i++) {
        seen = seen || frames[i] == caller;
        const struct library *who = who_is_at(frames[i]);
        if (seen && who != c_library)
            return who;
    }
    return &nobody;
}

static bool fails(const void *caller)
{
    if (!armed)
        return false;
    armed = false; /* what the search itself allocates */
    const struct library *who = who_is_at(caller);
    if (who == c_library)
        who = caller_of_c_library(caller);
    armed = true;
    if (who == &nobody || who->is_fragile != counts_fragile)
        return false;
    n_counted++;
    if (nth_fails == 0 || n_counted < nth_fails || (n_counted > nth_fails && !fails_always))
        return false;
    victim = victim == &nobody ? who : victim;
    errno = ENOMEM;
    return true;
}

void malloc_faults_arm(int64_t nth, bool always, bool in_fragile)
{
    void *frame[1];
    (void)backtrace(frame, 1); /* the unwinder allocates when it is first used */
    n_objects = 0;             /* plug-ins may have come and gone */
    (void)dl_iterate_phdr(note_object, NULL);
    n_counted = 0;
    nth_fails = nth;
    fails_always = always;
    counts_fragile = in_fragile;
    victim = &nobody;
    armed = true;
}

int64_t malloc_faults_disarm(void)
{
    armed = false;
    return n_counted;
}

const char *malloc_faults_victim(void)
{
    return victim->name;
}

void *malloc(size_t bytes)
{
    return fails(__builtin_return_address(0)) ? NULL : REAL(malloc)(bytes);
}

void *calloc(size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : REAL(calloc)(count, size);
}

void *realloc(void *block, size_t bytes)
{
    return fails(__builtin_return_address(0)) ? NULL : REAL(realloc)(block, bytes);
}

void *memalign(size_t align, size_t bytes)
{
    return fails(__builtin_return_address(0)) ? NULL : REAL_MEMALIGN(align, bytes);
}

void *aligned_alloc(size_t align, size_t bytes)
{
    return fails(__builtin_return_address(0)) ? NULL : REAL_MEMALIGN(align, bytes);
}

int posix_memalign(void **out, size_t align, size_t bytes)
{
    void *block = fails(__builtin_return_address(0)) ? NULL : REAL_MEMALIGN(align, bytes);
    if (!block)
        return ENOMEM;
    *out = block;
    return 0;
}
