/* Every kind of damage to every byte of a checkpoint is noticed, and the older checkpoint takes its
 * place. One process.
 *
 *     test_mpi_ckpt_flips [STRIDE [RUN]]    every STRIDE-th case (1: all) of the checkpoint of a
 *                                           small state, or of the newest one of the folder RUN,
 *                                           which is left as it was; a table of what was tried
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "support/ckpt_world.h"

enum { PAGE = 512, DENSE_LENGTHS = 4096, LENGTH_STRIDE = 97, SAMPLE = 499 };

static struct comm *comm;
static const char *run;
static int64_t newest, stride, n_cases;
static char folder[FILE_PATH_MAX];

/* The file that is being damaged, and what it should hold. */
static struct {
    const char *name;
    char path[FILE_PATH_MAX];
    char *data;
    size_t bytes;
    int fd;
} victim;

enum damage { FLIP_01, FLIP_80, FLIP_FF, WORDS, PAGES, LENGTHS, JUNK, N_DAMAGES };
static const char *const names[N_DAMAGES] = {"byte ^ 01",         "byte ^ 80",   "byte ^ ff",
                                             "word 0000 -> ffff", "page zeroed", "truncated",
                                             "junk appended"};
static int64_t tried[N_DAMAGES], missed[N_DAMAGES], n_sampled, n_sampled_lost;

/* As a load does before HDF5 sees anything. */
static bool is_whole(void)
{
    struct manifest manifest;
    ft_status status = manifest_read(&manifest, folder);
    if (status == FT_OK)
        status = manifest_check_sizes(&manifest, folder);
    for (int i = 0; status == FT_OK && i < manifest.n_files; i++)
        status = manifest_check_file(&manifest.files[i], folder);
    manifest_clear(&manifest);
    CHECK(status == FT_OK || status == FT_ERR_INPUT);
    return status == FT_OK;
}

/* The whole way: the damaged checkpoint is set aside with a reason, the one before it is found and
 * its description read. The folder gets its name back. */
static bool falls_back(void)
{
    char aside[FILE_PATH_MAX + 16];
    int64_t found = -1;
    struct ckpt_meta meta = {0};
    log_set_speaking(false);
    ft_status status = ckpt_find(comm, run, &found);
    if (status == FT_OK)
        status = ckpt_load_meta(comm, run, found, &meta);
    ckpt_meta_clear(&meta);
    log_set_speaking(true);
    (void)snprintf(aside, sizeof aside, "%s.corrupt", folder);
    return rename(aside, folder) == 0 && status == FT_OK && found >= 0 && found < newest;
}

static void put(const void *data, size_t bytes, size_t at)
{
    CHECK(pwrite(victim.fd, data, bytes, (off_t)at) == (ssize_t)bytes);
}

static void judge(enum damage kind, size_t at)
{
    tried[kind]++;
    if (is_whole()) {
        missed[kind]++;
        (void)printf("missed: %s, %s at %zu\n", victim.name, names[kind], at);
    }
    if (n_cases / stride % SAMPLE == 0) {
        n_sampled++;
        n_sampled_lost += !falls_back();
    }
}

/* Whether this case is one of those that are tried. */
static bool is_due(void)
{
    return n_cases++ % stride == 0;
}

static void flip_bytes(void)
{
    static const unsigned char masks[] = {0x01, 0x80, 0xff};
    for (size_t at = 0; at < victim.bytes; at++)
        for (int m = 0; m < 3; m++) {
            const char flipped = (char)((unsigned char)victim.data[at] ^ masks[m]);
            if (!is_due())
                continue;
            put(&flipped, 1, at);
            judge((enum damage)m, at);
            put(victim.data + at, 1, at);
        }
}

/* What fletcher32, HDF5's own checksum, cannot see. */
static void fill_words(void)
{
    for (size_t at = 0; at + 2 <= victim.bytes; at += 2) {
        if (victim.data[at] || victim.data[at + 1] || !is_due())
            continue;
        put("\xff\xff", 2, at);
        judge(WORDS, at);
        put(victim.data + at, 2, at);
    }
}

static void zero_pages(void)
{
    static const char zeros[PAGE];
    for (size_t at = 0; at < victim.bytes; at += PAGE) {
        const size_t n = victim.bytes - at < PAGE ? victim.bytes - at : PAGE;
        if (memcmp(victim.data + at, zeros, n) == 0 || !is_due())
            continue;
        put(zeros, n, at);
        judge(PAGES, at);
        put(victim.data + at, n, at);
    }
}

static void change_lengths(void)
{
    static const size_t extra[] = {1, 2, 16, PAGE, 4096};
    char junk[4096];
    for (size_t n = 0; n < victim.bytes; n += n < DENSE_LENGTHS ? 1 : LENGTH_STRIDE) {
        if (!is_due())
            continue;
        CHECK(ftruncate(victim.fd, (off_t)n) == 0);
        judge(LENGTHS, n);
        put(victim.data + n, victim.bytes - n, n);
    }
    for (int fill = 0; fill < 3; fill++)
        for (size_t i = 0; i < sizeof extra / sizeof *extra; i++) {
            if (!is_due())
                continue;
            memset(junk, fill == 0 ? 0 : fill == 1 ? 0xff : '\n', sizeof junk);
            put(junk, extra[i], victim.bytes);
            judge(JUNK, extra[i]);
            CHECK(ftruncate(victim.fd, (off_t)victim.bytes) == 0);
        }
}

static void damage_file(const char *name)
{
    victim.name = name;
    CHECK_STATUS(file_join(victim.path, folder, name), FT_OK);
    CHECK_STATUS(file_read_all(&victim.data, &victim.bytes, victim.path, 1 << 30), FT_OK);
    victim.fd = open(victim.path, O_RDWR | O_CLOEXEC);
    CHECK(victim.fd >= 0);
    flip_bytes();
    fill_words();
    zero_pages();
    change_lengths();
    CHECK(close(victim.fd) == 0);
    mem_free(victim.data);
    (void)printf("%s: %zu bytes\n", name, victim.bytes);
    (void)fflush(stdout);
}

static void damage_all(void)
{
    struct manifest manifest;
    CHECK_STATUS(manifest_read(&manifest, folder), FT_OK);
    for (int i = 0; i < manifest.n_files; i++)
        damage_file(manifest.files[i].name);
    damage_file(MANIFEST_NAME);
    manifest_clear(&manifest);
    CHECK(is_whole()); /* everything was put back */
}

static void print_table(void)
{
    int64_t n_tried = 0, n_missed = 0;
    for (int kind = 0; kind < N_DAMAGES; kind++) {
        (void)printf("%-20s %8lld tried, %lld missed\n", names[kind], (long long)tried[kind],
                     (long long)missed[kind]);
        n_tried += tried[kind];
        n_missed += missed[kind];
    }
    (void)printf("%lld tried, %lld missed; the older checkpoint was found %lld times of %lld\n",
                 (long long)n_tried, (long long)n_missed, (long long)(n_sampled - n_sampled_lost),
                 (long long)n_sampled);
    CHECK(n_tried > 0 && n_missed == 0 && n_sampled > 0 && n_sampled_lost == 0);
}

int main(int argc, char **argv)
{
    char root[64] = "/dev/shm/ft-flips-XXXXXX";
    if (comm_open(&comm, &argc, &argv) != FT_OK)
        return 1;
    stride = argc > 1 ? strtoll(argv[1], NULL, 10) : 1;
    run = argc > 2 ? argv[2] : mkdtemp(root);
    CHECK(run && stride > 0);
    if (run && argc <= 2)
        for (int64_t step = 1; step <= 2; step++)
            CHECK_STATUS(world_write(run, step, 2), FT_OK);
    if (run && stride > 0 && ckpt_newest(run, &newest) == FT_OK && newest > 0) {
        CHECK_STATUS(retention_step_folder(folder, run, newest), FT_OK);
        damage_all();
        print_table();
    } else {
        CHECK(!"there are two checkpoints");
    }
    if (run && argc <= 2)
        CHECK_STATUS(file_remove_folder(run), FT_OK);
    comm_close(&comm);
    return check_end();
}
