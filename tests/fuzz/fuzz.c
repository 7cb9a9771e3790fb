#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"

/* Of the sanitizers' runtime; missing in other builds. */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *))
    __attribute__((weak));
size_t __sanitizer_get_allocated_size(const volatile void *block) __attribute__((weak));

/* Fast: freed memory is watched less long. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=16:malloc_context_size=6:allocator_may_return_null=1";
}

static int64_t heap_now, heap_most; /* since fuzz_begin */
static int64_t own_most;            /* of mem_live_bytes */
static int64_t live_before;
static bool shows; /* what was refused, and why */
static double seconds_before;

/* Processor time of this thread. */
static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void sample_own(void)
{
    const int64_t own = mem_live_bytes();
    own_most = own > own_most ? own : own_most;
}

static void on_malloc(const volatile void *block, size_t bytes)
{
    (void)block;
    heap_now += (int64_t)bytes;
    heap_most = heap_now > heap_most ? heap_now : heap_most;
    sample_own();
}

static void on_free(const volatile void *block)
{
    sample_own();
    if (block)
        heap_now -= (int64_t)__sanitizer_get_allocated_size(block);
}

void fuzz_broken(const char *file, int line, const char *rule)
{
    (void)fprintf(stderr, "%s:%d: broken: %s\nerror text: %s\n", file, line, rule, ft_error_text());
    abort();
}

static void start(void)
{
    static bool is_started;
    if (is_started)
        return;
    is_started = true;
    shows = getenv("FUZZ_SHOW") != NULL;
    log_set_speaking(false);
    if (__sanitizer_install_malloc_and_free_hooks && __sanitizer_get_allocated_size)
        (void)__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
}

void fuzz_begin(void)
{
    start();
    (void)ft_fail(FT_OK, "%s", "");
    live_before = own_most = mem_live_bytes();
    heap_now = heap_most = 0;
    seconds_before = seconds();
}

static void end(int64_t peak, size_t most)
{
    FUZZ_CHECK(mem_live_bytes() == live_before);
    if (peak > (int64_t)most)
        (void)fprintf(stderr, "%lld bytes in use, %zu allowed\n", (long long)peak, most);
    FUZZ_CHECK(peak <= (int64_t)most);
    FUZZ_CHECK(seconds() - seconds_before < 2);
}

void fuzz_end(size_t most)
{
    end(heap_most, most);
}

void fuzz_end_own(size_t most)
{
    end(own_most - live_before, most);
}

bool fuzz_accepted(ft_status status, ft_status refusal)
{
    const char *text = ft_error_text();
    if (shows)
        (void)fprintf(stderr, "%d: %s\n", (int)status, status == FT_OK ? "accepted" : text);
    if (status == FT_OK)
        return true;
    FUZZ_CHECK(status == refusal || status == FT_ERR_INPUT);
    FUZZ_CHECK(strlen(text) >= 8);
    return false;
}

const char *fuzz_next(struct fuzz_parts *parts, size_t *bytes)
{
    const uint8_t *from = parts->rest;
    *bytes = 0;
    if (!from)
        return NULL;
    const uint8_t *end = parts->size > 0 ? memchr(from, 0x1e, parts->size) : NULL;
    *bytes = end ? (size_t)(end - from) : parts->size;
    parts->rest = end ? end + 1 : NULL;
    parts->size -= end ? *bytes + 1 : *bytes;
    return (const char *)from;
}

static char folder[FILE_PATH_MAX];

static void remove_folder(void)
{
    (void)file_remove_folder(folder);
}

const char *fuzz_folder(void)
{
    if (folder[0])
        return folder;
    const char *parent = getenv("FUZZ_FOLDER"); /* of a campaign, which removes it */
    if (!parent)
        parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(folder, sizeof folder, "%s/ft-fuzz-XXXXXX", parent);
    FUZZ_CHECK(mkdtemp(folder) != NULL);
    (void)atexit(remove_folder);
    return folder;
}

/* Makes the folder that a name like "1_Pooling/config.json" stands in. */
static int create(const char *path)
{
    char parent[FILE_PATH_MAX];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 && errno == ENOENT) {
        file_folder(parent, path);
        (void)mkdir(parent, 0700);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    }
    return fd;
}

const char *fuzz_file(const char *name, const void *data, size_t bytes)
{
    static char paths[16][FILE_PATH_MAX];
    static unsigned n;
    char *path = paths[n++ % 16];
    FUZZ_CHECK(file_join(path, fuzz_folder(), name) == FT_OK);
    if (!data) {
        (void)unlink(path);
        return path;
    }
    const int fd = create(path);
    FUZZ_CHECK(fd >= 0);
    FUZZ_CHECK(file_write_all(fd, data, bytes, path) == FT_OK);
    (void)close(fd);
    return path;
}
