#include "base/hash.h"

#include <stdio.h>
#include <unistd.h>
#include <errno.h>
#include <string.h>
#define XXH_STATIC_LINKING_ONLY /* the size of the state */
#include <xxhash.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/pulse.h"

struct hash_value hash_bytes(const void *data, size_t bytes)
{
    const XXH128_hash_t h = XXH3_128bits(data, bytes);
    return (struct hash_value){h.high64, h.low64};
}

void hash_format(char text[HASH_TEXT], struct hash_value value)
{
    (void)snprintf(text, HASH_TEXT, "%016llx%016llx", (unsigned long long)value.high,
                   (unsigned long long)value.low);
}

struct hash_state *hash_open(void)
{
    XXH3_state_t *state = mem_alloc(1, sizeof *state);
    if (state)
        (void)XXH3_128bits_reset(state);
    return (struct hash_state *)state;
}

void hash_update(struct hash_state *state, const void *data, size_t bytes)
{
    (void)XXH3_128bits_update((XXH3_state_t *)state, data, bytes);
}

struct hash_value hash_close(struct hash_state *state)
{
    const XXH128_hash_t h = XXH3_128bits_digest((const XXH3_state_t *)state);
    mem_free(state);
    return (struct hash_value){h.high64, h.low64};
}

ft_status hash_rest(struct hash_value *value, uint64_t *bytes, int fd, const char *path)
{
    enum { CHUNK = 1 << 17 };
    struct hash_state *state = hash_open();
    char *chunk = mem_alloc_raw(CHUNK, 1);
    ft_status status = state && chunk ? FT_OK : FT_ERR_INTERNAL;
    uint64_t total = 0;
    while (status == FT_OK) {
        const ssize_t got = read(fd, chunk, CHUNK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            status = ft_fail(FT_ERR_IO, "cannot read %s: %s", path, strerror(errno));
        if (got <= 0)
            break;
        hash_update(state, chunk, (size_t)got);
        pulse_mark();
        total += (uint64_t)got;
    }
    if (state)
        *value = hash_close(state);
    if (bytes)
        *bytes = total;
    mem_free(chunk);
    return status;
}

ft_status hash_file(struct hash_value *value, uint64_t *bytes, const char *path)
{
    int fd = -1;
    FT_TRY(file_open_own(&fd, NULL, path));
    const ft_status status = hash_rest(value, bytes, fd, path);
    (void)close(fd);
    return status;
}
