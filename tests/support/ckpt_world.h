/** A small model and its training state for the checkpoint tests, at any number of ranks. */
#ifndef FT_TESTS_CKPT_WORLD_H
#define FT_TESTS_CKPT_WORLD_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "ckpt/checkpoint.h"
#include "ckpt/index.h"
#include "ckpt/manifest.h"
#include "ckpt/retention.h"
#include "ckpt/shard.h"
#include "support/check.h"

enum { WORLD_N = 35 + 5 + 15 + 80 + 1, WORLD_RANKS_MAX = 8 };

static struct tensor_spec world_tensors[] = {
    {.name = "model.embed_tokens.weight", .n_dims = 2, .dims = {7, 5}, .offset = 0, .n = 35},
    {.name = "model.norm.weight", .n_dims = 1, .dims = {5, 1}, .offset = 35, .n = 5},
    {.name = "q_proj.weight", .n_dims = 2, .dims = {3, 5}, .offset = 40, .n = 15},
    {.name = "wide.weight", .n_dims = 2, .dims = {2, 40}, .offset = 55, .n = 80},
    {.name = "one.bias", .n_dims = 1, .dims = {1, 1}, .offset = 135, .n = 1},
};
static const struct layout world_layout = {5, world_tensors, WORLD_N};

/** One rank's state, with storage. */
struct world {
    struct ckpt_state state;
    int64_t first[WORLD_RANKS_MAX + 1];
    float params[WORLD_N], m[WORLD_N], v[WORLD_N]; /* m and v: the slice only */
    double loss[16];
};

/** Value of element i of a kind at a step; never equal for two of them. */
static inline float world_value(int kind, int64_t step, int64_t i)
{
    return (float)(rng_u64((uint64_t)step, (uint64_t)kind, (uint64_t)i) >> 40) / 256.0f + 1.0f;
}

/** Borders cut every tensor somewhere; with five ranks or more one slice is empty. */
static inline void world_borders(int64_t *first, int size)
{
    for (int r = 0; r <= size; r++)
        first[r] = r * (int64_t)WORLD_N / size;
    if (size >= 5)
        first[2] = first[1];
}

static inline void world_meta(struct world *world, int64_t step)
{
    struct ckpt_meta *meta = &world->state.meta;
    *meta = (struct ckpt_meta){.step = step,
                               .epoch = 0.1 * (double)step,
                               .position = 7 * step,
                               .seed = 42,
                               .best_metric = step < 3 ? (double)NAN : 0.5,
                               .best_step = step < 3 ? 0 : 3,
                               .evals_since_best = 1,
                               .settings_text = "mode = \"finetune\";\n",
                               .loss = world->loss,
                               .n_loss = step < 16 ? step : 16};
    (void)snprintf(meta->model_hash, HASH_TEXT, "%032d", 1);
    (void)snprintf(meta->tokenizer_hash, HASH_TEXT, "%032d", 2);
    (void)snprintf(meta->data_hash, HASH_TEXT, "%032d", 3);
    (void)snprintf(meta->program, sizeof meta->program, "finetune test");
    (void)snprintf(meta->parent_run, sizeof meta->parent_run, "none");
    for (int i = 0; i < 16; i++)
        world->loss[i] = 3.0 / (i + 1);
}

/** State of a rank; filled: as after that step, else zeros for loading into. */
static inline void world_init(struct world *world, int rank, int size, int64_t step, int filled)
{
    memset(world, 0, sizeof *world);
    world_borders(world->first, size);
    world->state = (struct ckpt_state){.layout = &world_layout,
                                       .first = world->first,
                                       .params = world->params,
                                       .m = world->m,
                                       .v = world->v};
    world_meta(world, step);
    for (int64_t i = 0; filled && i < WORLD_N; i++) {
        const int64_t at = i - world->first[rank];
        world->params[i] = world_value(0, step, i);
        if (i >= world->first[rank] && i < world->first[rank + 1]) {
            world->m[at] = world_value(1, step, i);
            world->v[at] = world_value(2, step, i);
        }
    }
}

/** Whether a loaded state is that of the step. */
static inline int world_equals(const struct world *world, int rank, int size, int64_t step)
{
    struct world expected;
    world_init(&expected, rank, size, step, 1);
    return memcmp(world->params, expected.params, sizeof expected.params) == 0 &&
           memcmp(world->m, expected.m, sizeof expected.m) == 0 &&
           memcmp(world->v, expected.v, sizeof expected.v) == 0;
}

/** Writes a complete checkpoint as `size` ranks would, by one process. */
static inline ft_status world_write(const char *output_dir, int64_t step, int size)
{
    char folder[FILE_PATH_MAX], path[FILE_PATH_MAX];
    struct manifest manifest;
    struct hash_value value;
    struct world world;
    FT_TRY(retention_step_folder(folder, output_dir, step));
    FT_TRY(file_make_folders(folder));
    FT_TRY(manifest_init(&manifest, step, size));
    for (int r = 0; r < size; r++) {
        world_init(&world, r, size, step, 1);
        const struct shard_place place = {r, size, world.first[r], world.first[r + 1]};
        FT_TRY(file_join(path, folder, manifest.files[r].name));
        FT_TRY(shard_write(path, &place, &world.state, "host", manifest.files[r].hash,
                           &manifest.files[r].bytes));
    }
    memcpy(manifest.first, world.first, ((size_t)size + 1) * sizeof *world.first);
    FT_TRY(file_join(path, folder, INDEX_NAME));
    FT_TRY(index_write(path, &world_layout, step, world.first, size));
    FT_TRY(hash_file(&value, &manifest.files[size].bytes, path));
    hash_format(manifest.files[size].hash, value);
    FT_TRY(manifest_write(&manifest, folder));
    manifest_clear(&manifest);
    return FT_OK;
}

/** XORs one byte of a file in place. */
static inline void world_flip(const char *path, long offset, int mask)
{
    FILE *file = fopen(path, "r+b");
    CHECK(file != NULL);
    if (!file)
        return;
    (void)fseek(file, offset, SEEK_SET);
    const int byte = fgetc(file);
    CHECK(byte != EOF);
    (void)fseek(file, offset, SEEK_SET);
    (void)fputc(byte ^ mask, file);
    CHECK(fclose(file) == 0);
}

#endif
