/* Checkpoints whose files were mixed up are refused, and what index.h5 shows. One process: the
 * local half of ckpt/. Damage to every byte: test_ckpt_flips.c. */
#include <hdf5.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "support/ckpt_world.h"

static char root[64] = "/dev/shm/ft-damage-XXXXXX";

static const char *at(int64_t step, const char *name)
{
    static char paths[4][FILE_PATH_MAX];
    static int turn;
    char *path = paths[turn++ % 4], folder[FILE_PATH_MAX];
    CHECK_STATUS(retention_step_folder(folder, root, step), FT_OK);
    CHECK_STATUS(file_join(path, folder, name), FT_OK);
    return path;
}

static void start_again(int world_size)
{
    char path[FILE_PATH_MAX];
    CHECK_STATUS(retention_folder(path, root), FT_OK);
    CHECK_STATUS(file_remove_folder(path), FT_OK);
    CHECK_STATUS(world_write(root, 1, world_size), FT_OK);
    CHECK_STATUS(world_write(root, 2, world_size), FT_OK);
}

/* Both ways to use a checkpoint refuse it, and the search falls back to step 1. */
static int is_detected(void)
{
    float params[WORLD_N];
    int64_t step = -1;
    log_set_speaking(false);
    const int detected = ckpt_read_params(at(2, ""), &world_layout, params) == FT_ERR_INPUT &&
                         ckpt_newest(root, &step) == FT_OK && step == 1;
    log_set_speaking(true);
    return detected;
}

static const char *const files[] = {"shard-00000-of-00002.h5", "shard-00001-of-00002.h5",
                                    "index.h5", "manifest.json"};
static void swap(const char *a, const char *b)
{
    char c[FILE_PATH_MAX];
    (void)snprintf(c, sizeof c, "%s/swap", root);
    CHECK(rename(a, c) == 0 && rename(b, a) == 0 && rename(c, b) == 0);
}

/* Copies a file of one checkpoint over one of another, as somebody who tidies up may. */
static void copy(const char *from, const char *to)
{
    char *data = NULL;
    size_t bytes = 0;
    CHECK_STATUS(file_read_all(&data, &bytes, from, 1 << 26), FT_OK);
    CHECK_STATUS(file_replace(to, data, bytes), FT_OK);
    mem_free(data);
}

static void swap_ranks(const char *shard)
{
    swap(at(2, files[0]), shard);
}

static void swap_steps(const char *shard)
{
    swap(at(1, files[1]), shard);
}

static void swap_manifests(const char *shard)
{
    (void)shard;
    swap(at(1, MANIFEST_NAME), at(2, MANIFEST_NAME));
}

static void copy_twice(const char *shard)
{
    copy(at(2, files[0]), shard);
}

/* Of the same step and rank, of a run that learnt something else. */
static void other_run(const char *shard)
{
    struct world world;
    struct manifest_file file;
    const struct shard_place place = {1, 2, WORLD_N / 2, WORLD_N};
    world_init(&world, 1, 2, 2, 1);
    world.params[WORLD_N - 1] += 1;
    CHECK(unlink(shard) == 0);
    CHECK_STATUS(shard_write(shard, &place, &world.state, "host", file.hash, &file.bytes), FT_OK);
}

/* The last shard of three where the last of two is expected. */
static void other_count(const char *shard)
{
    CHECK_STATUS(world_write(root, 3, 3), FT_OK);
    copy(at(3, "shard-00002-of-00003.h5"), shard);
    CHECK_STATUS(file_remove_folder(at(3, "")), FT_OK);
}

static void missing(const char *shard)
{
    CHECK(unlink(shard) == 0);
}

static void fifo(const char *shard)
{
    CHECK(unlink(shard) == 0 && mkfifo(shard, 0600) == 0);
}

static void a_folder(const char *shard)
{
    CHECK(unlink(shard) == 0 && mkdir(shard, 0700) == 0);
}

static void a_link(const char *shard)
{
    CHECK(unlink(shard) == 0 && symlink(at(1, files[1]), shard) == 0);
}

static void link_to_itself(const char *shard)
{
    CHECK(unlink(shard) == 0 && symlink(file_base_name(shard), shard) == 0);
}

/* The right file, but elsewhere. */
static void link_to_own(const char *shard)
{
    char moved[FILE_PATH_MAX];
    (void)snprintf(moved, sizeof moved, "%s/moved", root);
    CHECK(rename(shard, moved) == 0 && symlink(moved, shard) == 0);
}

static void link_to_zeros(const char *shard)
{
    CHECK(unlink(shard) == 0 && symlink("/dev/zero", shard) == 0);
}

static void empty(const char *shard)
{
    CHECK_STATUS(file_replace(shard, "", 0), FT_OK);
}

static void extra(const char *shard)
{
    (void)shard;
    CHECK_STATUS(file_replace(at(2, "shard-00002-of-00003.h5"), "x", 1), FT_OK);
}

static void no_manifest(const char *shard)
{
    (void)shard;
    CHECK(unlink(at(2, MANIFEST_NAME)) == 0);
}

static void manifest_fifo(const char *shard)
{
    no_manifest(shard);
    CHECK(mkfifo(at(2, MANIFEST_NAME), 0600) == 0);
}

static void manifest_link(const char *shard)
{
    (void)shard;
    const char *manifest = at(2, MANIFEST_NAME), *moved = at(2, "moved.json");
    CHECK(rename(manifest, moved) == 0 && symlink("moved.json", manifest) == 0);
}

static void other_manifest(const char *shard)
{
    (void)shard;
    CHECK_STATUS(file_replace(at(2, MANIFEST_NAME), "{}\n", 3), FT_OK);
}

static void no_index(const char *shard)
{
    (void)shard;
    CHECK(unlink(at(2, "index.h5")) == 0);
}

/* What is done to shard 1 of the second checkpoint; the message names the file and the reason. */
static const struct {
    const char *name, *reason;
    void (*spoil)(const char *shard);
    int hits_both; /* the first checkpoint is not valid then either */
} mix_ups[] = {
    {"shards exchanged", "shard-0000", swap_ranks, 0},
    {"shard of another step", "shard-00001-of-00002.h5", swap_steps, 1},
    {"manifests exchanged", "", swap_manifests, 1},
    {"one shard twice", "shard-00001-of-00002.h5", copy_twice, 0},
    {"shard of another run", "damaged since it was written", other_run, 0},
    {"shard of another rank count", "shard-00001-of-00002.h5 has", other_count, 0},
    {"shard missing", "shard-00001-of-00002.h5: No such file", missing, 0},
    {"shard a FIFO", "shard-00001-of-00002.h5 is not a regular file", fifo, 0},
    {"shard a folder", "shard-00001-of-00002.h5 is not a regular file", a_folder, 0},
    {"shard a link", "shard-00001-of-00002.h5 is a symbolic link", a_link, 0},
    {"shard a link to itself", "shard-00001-of-00002.h5 is a symbolic link", link_to_itself, 0},
    {"shard a link to its own copy", "shard-00001-of-00002.h5 is a symbolic link", link_to_own, 0},
    {"shard a link to zeros", "shard-00001-of-00002.h5 is a symbolic link", link_to_zeros, 0},
    {"shard empty", "shard-00001-of-00002.h5 has 0 bytes", empty, 0},
    {"shard too many", "does not belong to this checkpoint", extra, 0},
    {"manifest missing", "manifest.json: No such file", no_manifest, 0},
    {"manifest a FIFO", "manifest.json is not a regular file", manifest_fifo, 0},
    {"manifest a link", "manifest.json is a symbolic link", manifest_link, 0},
    {"manifest of nothing", "own hash", other_manifest, 0},
    {"index missing", "index.h5: No such file", no_index, 0},
};

static void test_mix_ups(void)
{
    float params[WORLD_N];
    int64_t step = 0;
    for (size_t i = 0; i < sizeof mix_ups / sizeof *mix_ups; i++) {
        start_again(2);
        mix_ups[i].spoil(at(2, files[1]));
        check_hostile("checkpoint folder", mix_ups[i].name);
        CHECK_FAILS(ckpt_read_params(at(2, ""), &world_layout, params), FT_ERR_INPUT,
                    mix_ups[i].reason);
        if (mix_ups[i].hits_both) {
            log_set_speaking(false);
            CHECK_FAILS(ckpt_newest(root, &step), FT_ERR_INPUT, "none of them is valid");
            log_set_speaking(true);
        } else {
            CHECK(is_detected());
        }
    }
}

/* A manifest whose own hash is right and whose content is not. */
static void test_lying_manifest(void)
{
    float params[WORLD_N];
    struct manifest manifest;
    start_again(2);
    CHECK_STATUS(manifest_read(&manifest, at(2, "")), FT_OK);
    manifest.first[1] += 3;
    CHECK_STATUS(manifest_write(&manifest, at(2, "")), FT_OK);
    CHECK_FAILS(ckpt_read_params(at(2, ""), &world_layout, params), FT_ERR_INPUT, "expected 71");
    manifest.first[1] = 1000;
    CHECK_STATUS(manifest_write(&manifest, at(2, "")), FT_OK);
    CHECK_FAILS(ckpt_read_params(at(2, ""), &world_layout, params), FT_ERR_INPUT, "slices[2]");
    manifest.first[1] = 68;
    (void)snprintf(manifest.files[0].name, SHARD_NAME_BYTES, "../../x.h5");
    CHECK_STATUS(manifest_write(&manifest, at(2, "")), FT_OK);
    CHECK_FAILS(ckpt_read_params(at(2, ""), &world_layout, params), FT_ERR_INPUT, "../../x.h5");
    manifest_clear(&manifest);
}

static void read_index(float *out, const char *kind, const char *tensor)
{
    char name[256];
    (void)snprintf(name, sizeof name, "/%s/%s", kind, tensor);
    const hid_t file = H5Fopen(at(2, "index.h5"), H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t set = H5Dopen2(file, name, H5P_DEFAULT), space = H5Dget_space(set);
    CHECK(H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0);
    CHECK(H5Sget_simple_extent_npoints(space) <= WORLD_N);
    (void)H5Sclose(space);
    (void)H5Dclose(set);
    (void)H5Fclose(file);
}

static void test_index(void)
{
    static const char *const kinds[] = {"params", "adam_m", "adam_v"};
    float out[WORLD_N];
    for (int world_size = 1; world_size <= 7; world_size++) {
        start_again(world_size);
        for (int kind = 0; kind < 3; kind++)
            for (int t = 0; t < world_layout.n_tensors; t++) {
                const struct tensor_spec *tensor = &world_tensors[t];
                read_index(out, kinds[kind], tensor->name);
                for (int64_t i = 0; i < tensor->n; i++)
                    CHECK(out[i] == world_value(kind, 2, tensor->offset + i));
            }
    }
}

/* A missing shard shows as NaN, only where it belongs. */
static void test_index_gap(void)
{
    float out[WORLD_N];
    start_again(2); /* the border is element 68, within wide.weight at 55 */
    CHECK(unlink(at(2, files[1])) == 0);
    read_index(out, "params", "wide.weight");
    for (int64_t i = 0; i < 80; i++)
        CHECK(i < 13 ? out[i] == world_value(0, 2, 55 + i) : isnan(out[i]));
    read_index(out, "adam_v", "one.bias"); /* wholly in the missing shard */
    CHECK(isnan(out[0]));
    read_index(out, "adam_v", "q_proj.weight"); /* wholly in the other */
    for (int64_t i = 0; i < 15; i++)
        CHECK(out[i] == world_value(2, 2, 40 + i));
}

static int shell_finds(const char *command, const char *text)
{
    char line[4096];
    int found = 0;
    FILE *pipe = popen(command, "r");
    while (pipe && fgets(line, sizeof line, pipe))
        found = found || strstr(line, text);
    return pipe && pclose(pipe) == 0 && found;
}

/* h5dump, from another folder: the whole tensor in its shape. */
static void test_h5dump(void)
{
    char command[FILE_PATH_MAX + 200], value[40];
    if (system("command -v h5dump >/dev/null") != 0)
        return;
    start_again(2);
    for (int kind = 0; kind < 3; kind++) {
        (void)snprintf(command, sizeof command, "cd / && h5dump -d %s/wide.weight %s",
                       shard_groups[kind], at(2, "index.h5"));
        (void)snprintf(value, sizeof value, " %g", (double)world_value(kind, 2, 134));
        CHECK(shell_finds(command, "( 2, 40 ) / ( 2, 40 )"));
        CHECK(shell_finds(command, value));
        CHECK(!shell_finds(command, "nan"));
    }
}

/* The tensor table of an 80-layer model (70 billion parameters and more) on 64 ranks: below 1 MB.
 * The size grows with the number of tensors (about 350 bytes for each of the three kinds), not with
 * theirs. */
static void test_index_size(void)
{
    enum { LAYERS = 80, PER_LAYER = 9, N_TENSORS = LAYERS * PER_LAYER + 3 };
    static const char *const names[PER_LAYER] = {
        "input_layernorm.weight",  "self_attn.q_proj.weight", "self_attn.k_proj.weight",
        "self_attn.v_proj.weight", "self_attn.o_proj.weight", "post_attention_layernorm.weight",
        "mlp.gate_proj.weight",    "mlp.up_proj.weight",      "mlp.down_proj.weight"};
    struct tensor_spec *tensors = mem_alloc(N_TENSORS, sizeof *tensors);
    struct layout layout = {N_TENSORS, tensors, 0};
    int64_t first[65];
    for (int i = 0; i < N_TENSORS; i++) {
        struct tensor_spec *tensor = &tensors[i];
        (void)snprintf(tensor->name, sizeof tensor->name, "model.layers.%d.%s", i / PER_LAYER,
                       names[i % PER_LAYER]);
        const int is_norm = strstr(tensor->name, "norm") != NULL;
        tensor->n_dims = is_norm ? 1 : 2;
        tensor->dims[0] = 16384;
        tensor->dims[1] = is_norm ? 1 : 24576;
        tensor->offset = layout.N;
        tensor->n = tensor->dims[0] * tensor->dims[1];
        layout.N += tensor->n;
    }
    for (int r = 0; r <= 64; r++)
        first[r] = r == 64 ? layout.N : layout.N / 64 * r + r % 16;
    struct stat info = {0};
    CHECK_STATUS(index_write(at(2, "big.h5"), &layout, 2, first, 64), FT_OK);
    CHECK(stat(at(2, "big.h5"), &info) == 0);
    (void)printf("index of %d tensors, %.0f billion parameters, 64 ranks: %lld bytes\n", N_TENSORS,
                 (double)layout.N / 1e9, (long long)info.st_size);
    CHECK(info.st_size < 1000000);
    mem_free(tensors);
}

static void test_describe(void)
{
    char *text = NULL;
    size_t bytes = 0;
    start_again(2);
    world_flip(at(1, files[0]), 500, 1);
    FILE *to = open_memstream(&text, &bytes);
    CHECK_STATUS(ckpt_describe(root, to), FT_OK);
    CHECK_STATUS(ckpt_describe(at(2, ""), to), FT_OK);
    CHECK_STATUS(ckpt_describe(at(2, files[1]), to), FT_OK);
    CHECK_FAILS(ckpt_describe(at(1, ""), to), FT_ERR_INPUT, "damaged since it was written");
    CHECK_FAILS(ckpt_describe("/tmp", to), FT_ERR_INPUT, "neither");
    CHECK_FAILS(ckpt_describe(at(2, MANIFEST_NAME), to), FT_ERR_INPUT, "no HDF5 file");
    CHECK_FAILS(ckpt_describe(at(2, "index.h5"), to), FT_ERR_INPUT, "format is missing");
    CHECK(fclose(to) == 0);
    CHECK(strstr(text, "step-00000001: NOT VALID") && strstr(text, "valid: sizes and hashes"));
    CHECK(strstr(text, "step 2, 2 ranks, 136 parameters"));
    CHECK(strstr(text, "[2, 40] elements 13 + 67") && strstr(text, "[1] elements 0 + 1"));
    CHECK(ckpt_recognises(root) && ckpt_recognises(at(2, "")) && ckpt_recognises(at(2, files[0])));
    CHECK(!ckpt_recognises("/tmp/ft-no-such-folder") && !ckpt_recognises(at(2, MANIFEST_NAME)));
    free(text);
}

static void test_names(void)
{
    CHECK(retention_step_of("step-00000100") == 100);
    CHECK(retention_step_of("step-123456789") == 123456789);
    CHECK(retention_step_of("step-0000100") == -1);
    CHECK(retention_step_of("step-000000100") == -1);
    CHECK(retention_step_of("step-00000100.tmp.1.2") == -1);
    CHECK(retention_step_of("step-99999999999999999999") == -1);
    CHECK(retention_step_of("steps") == -1 && retention_step_of("") == -1);
}

int main(void)
{
    if (!mkdtemp(root))
        return 1;
    test_mix_ups();
    test_lying_manifest();
    test_index();
    test_index_gap();
    test_h5dump();
    test_index_size();
    test_describe();
    test_names();
    CHECK_STATUS(file_remove_folder(root), FT_OK);
    return check_end();
}
