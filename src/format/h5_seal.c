/*
 * A sealed file:
 *
 *     0                 "finetune sealed file, xxh3-128 of bytes 512 to the end: ", 32 digits, "\n"
 *                       and zeros, up to
 *     H5_SEAL_BYTES     an HDF5 file
 */
#include "h5_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"

static const char words[] = "finetune sealed file, xxh3-128 of bytes 512 to the end: ";

/* The first bytes of a file whose other bytes have this hash. */
static void write_block(char block[H5_SEAL_BYTES], struct hash_value value)
{
    char digits[HASH_TEXT];
    hash_format(digits, value);
    memset(block, 0, H5_SEAL_BYTES);
    (void)snprintf(block, H5_SEAL_BYTES, "%s%s\n", words, digits);
}

/* The block that belongs to the bytes of an open file, and the size of the whole. */
static ft_status block_of(char block[H5_SEAL_BYTES], uint64_t *bytes, int fd, const char *path)
{
    struct hash_value value = {0};
    if (lseek(fd, H5_SEAL_BYTES, SEEK_SET) < 0)
        return ft_fail(FT_ERR_IO, "cannot read %s: %s", path, strerror(errno));
    FT_TRY(hash_rest(&value, bytes, fd, path));
    *bytes += H5_SEAL_BYTES;
    write_block(block, value);
    return FT_OK;
}

static ft_status seal(int fd, const char *path)
{
    char block[H5_SEAL_BYTES];
    uint64_t bytes = 0;
    FT_TRY(block_of(block, &bytes, fd, path));
    errno = EIO; /* where not all is written */
    if (pwrite(fd, block, sizeof block, 0) != sizeof block)
        return ft_fail(FT_ERR_IO, "cannot seal %s: %s", path, strerror(errno));
    return FT_OK;
}

ft_status h5_seal(const char *path)
{
    const int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return ft_fail(FT_ERR_IO, "cannot open %s: %s", path, strerror(errno));
    ft_status status = seal(fd, path);
    if (close(fd) != 0 && status == FT_OK)
        status = ft_fail(FT_ERR_IO, "cannot close %s: %s", path, strerror(errno));
    return status == FT_OK ? file_sync(path) : status;
}

static ft_status check(uint64_t *bytes, int fd, const char *path)
{
    char found[H5_SEAL_BYTES], right[H5_SEAL_BYTES];
    FT_TRY(file_read_at(fd, found, sizeof found, 0, path));
    if (memcmp(found, words, sizeof words - 1) != 0)
        return ft_fail(FT_ERR_INPUT,
                       "%s: its first bytes are not \"%s\": made by an "
                       "earlier version, or damaged",
                       path, words);
    FT_TRY(block_of(right, bytes, fd, path));
    if (memcmp(found, right, sizeof right) == 0)
        return FT_OK;
    return ft_fail(FT_ERR_INPUT,
                   "%s is damaged: its bytes have the hash %.32s, which is not the recorded one",
                   path, right + sizeof words - 1);
}

ft_status h5_check_seal(uint64_t *bytes, const char *path)
{
    int fd = -1;
    FT_TRY(file_open_read(&fd, bytes, path));
    const ft_status status = *bytes < H5_SEAL_BYTES
                                 ? ft_fail(FT_ERR_INPUT, "%s: %llu bytes are no sealed file", path,
                                           (unsigned long long)*bytes)
                                 : check(bytes, fd, path);
    (void)close(fd);
    return status;
}
