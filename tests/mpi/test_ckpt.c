/* Checkpoints saved and loaded by several ranks; damage, retention, injected failures. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "support/ckpt_world.h"

static struct comm *comm;
static int rank, size;
static char root[64] = "/tmp/ft-ckpt-XXXXXX";

/* A fresh output folder of that name, the same on all ranks. */
static const char *run_folder(const char *name)
{
    static char paths[4][FILE_PATH_MAX];
    static int turn;
    char *path = paths[turn++ % 4];
    (void)snprintf(path, FILE_PATH_MAX, "%s/%s", root, name);
    if (rank == 0)
        CHECK_STATUS(file_make_folders(path), FT_OK);
    comm_barrier(comm);
    return path;
}

static const char *in_step(const char *output_dir, int64_t step, const char *name)
{
    static char paths[4][FILE_PATH_MAX];
    static int turn;
    char *path = paths[turn++ % 4], folder[FILE_PATH_MAX];
    CHECK_STATUS(retention_step_folder(folder, output_dir, step), FT_OK);
    CHECK_STATUS(file_join(path, folder, name), FT_OK);
    return path;
}

static const char *in_checkpoints(const char *output_dir, const char *name)
{
    static char path[FILE_PATH_MAX];
    char folder[FILE_PATH_MAX];
    CHECK_STATUS(retention_folder(folder, output_dir), FT_OK);
    CHECK_STATUS(file_join(path, folder, name), FT_OK);
    return path;
}

static ft_status save(const char *output_dir, int64_t step, int keep)
{
    struct world world;
    world_init(&world, rank, size, step, 1);
    return ckpt_save(comm, output_dir, &world.state, keep);
}

static void check_load(const char *output_dir, int64_t step)
{
    struct world world;
    world_init(&world, rank, size, step, 0);
    CHECK_STATUS(ckpt_load(comm, output_dir, step, &world.state), FT_OK);
    CHECK(world_equals(&world, rank, size, step));
}

/* Runs ckpt_find with rank 0's warnings in *text (4096 bytes). */
static ft_status find_listening(const char *output_dir, int64_t *step, char *text)
{
    char path[FILE_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/stderr.%d", root, rank);
    (void)fflush(stderr);
    const int kept = dup(2), file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    (void)dup2(file, 2);
    const ft_status status = ckpt_find(comm, output_dir, step);
    (void)fflush(stderr);
    (void)dup2(kept, 2);
    (void)close(kept);
    const ssize_t n = pread(file, text, 4095, 0);
    text[n > 0 ? n : 0] = '\0';
    (void)close(file);
    return status;
}

static void test_none(void)
{
    int64_t step = 5;
    CHECK_STATUS(ckpt_find(comm, run_folder("none"), &step), FT_OK);
    CHECK(step == -1);
    step = 5;
    CHECK_STATUS(ckpt_find(comm, "/tmp/ft-no-such-folder", &step), FT_OK);
    CHECK(step == -1);
    CHECK_STATUS(ckpt_newest("/tmp/ft-no-such-folder", &step), FT_OK);
    CHECK(step == -1);
}

static void check_meta(const char *output_dir, int64_t step)
{
    struct ckpt_meta meta;
    struct world world;
    world_init(&world, rank, size, step, 1);
    const struct ckpt_meta *expected = &world.state.meta;
    CHECK_STATUS(ckpt_load_meta(comm, output_dir, step, &meta), FT_OK);
    CHECK(meta.step == step && meta.position == 7 * step && meta.seed == 42);
    CHECK(meta.epoch == expected->epoch && meta.evals_since_best == 1);
    CHECK(isnan(meta.best_metric) == isnan(expected->best_metric));
    CHECK(strcmp(meta.settings_text, expected->settings_text) == 0);
    CHECK(strcmp(meta.data_hash, expected->data_hash) == 0);
    CHECK(strcmp(meta.parent_run, "none") == 0 && strcmp(meta.program, "finetune test") == 0);
    CHECK(meta.n_loss == expected->n_loss &&
          memcmp(meta.loss, expected->loss, (size_t)meta.n_loss * sizeof *meta.loss) == 0);
    ckpt_meta_clear(&meta);
}

static void test_save_load(void)
{
    const char *output_dir = run_folder("plain");
    float params[WORLD_N] = {0};
    int64_t step = 0;
    CHECK_STATUS(save(output_dir, 1, 2), FT_OK);
    CHECK_STATUS(save(output_dir, 12, 2), FT_OK);
    CHECK_STATUS(ckpt_find(comm, output_dir, &step), FT_OK);
    CHECK(step == 12);
    check_load(output_dir, 12);
    check_load(output_dir, 1);
    check_meta(output_dir, 12);
    check_meta(output_dir, 1);
    CHECK_STATUS(ckpt_read_params(in_step(output_dir, 12, ""), &world_layout, params), FT_OK);
    for (int i = 0; i < WORLD_N; i++)
        CHECK(params[i] == world_value(0, 12, i));
    CHECK_STATUS(ckpt_load_meta(comm, output_dir, 3, &(struct ckpt_meta){0}), FT_ERR_INPUT);
}

/* Written by 1 to 7 ranks (7: one of them without elements), read by as many as run here. */
static void test_other_rank_counts(void)
{
    const char *output_dir = run_folder("resized");
    for (int n = 1; n <= 7; n++) {
        if (rank == 0)
            CHECK_STATUS(world_write(output_dir, n, n), FT_OK);
        comm_barrier(comm);
        check_load(output_dir, n);
        check_meta(output_dir, n);
    }
}

/* The configuration may be longer than the 64 KiB that an HDF5 object header holds. */
static void test_long_settings(void)
{
    static char text[100001];
    const char *output_dir = run_folder("long");
    struct world world;
    struct ckpt_meta meta;
    memset(text, 'x', sizeof text - 1);
    world_init(&world, rank, size, 1, 1);
    world.state.meta.settings_text = text;
    CHECK_STATUS(ckpt_save(comm, output_dir, &world.state, 2), FT_OK);
    CHECK_STATUS(ckpt_load_meta(comm, output_dir, 1, &meta), FT_OK);
    CHECK(meta.settings_text && strcmp(meta.settings_text, text) == 0);
    ckpt_meta_clear(&meta);
}

static void test_fall_back(void)
{
    const char *output_dir = run_folder("damaged");
    char text[4096], name[SHARD_NAME_BYTES];
    int64_t step = 0;
    for (int64_t s = 1; s <= 3; s++)
        CHECK_STATUS(save(output_dir, s, 3), FT_OK);
    shard_name(name, size - 1, size);
    if (rank == 0) {
        world_flip(in_step(output_dir, 3, name), 3000, 1);
        CHECK(unlink(in_step(output_dir, 2, "index.h5")) == 0);
    }
    comm_barrier(comm);
    CHECK_STATUS(find_listening(output_dir, &step, text), FT_OK);
    CHECK(step == 1);
    if (rank == 0) {
        CHECK(strstr(text, name) && strstr(text, "damaged since it was written"));
        CHECK(strstr(text, "step-00000002/index.h5: No such file"));
        CHECK(file_is_folder(in_checkpoints(output_dir, "step-00000003.corrupt")));
    }
    check_load(output_dir, 1);
}

static void test_none_valid(void)
{
    const char *output_dir = run_folder("hopeless");
    char text[4096];
    int64_t step = 0;
    for (int64_t s = 1; s <= 2; s++)
        CHECK_STATUS(save(output_dir, s, 2), FT_OK);
    if (rank == 0)
        for (int64_t s = 1; s <= 2; s++)
            world_flip(in_step(output_dir, s, "manifest.json"), 40, 1);
    comm_barrier(comm);
    CHECK_FAILS(find_listening(output_dir, &step, text), FT_ERR_INPUT, "none of them is valid");
    CHECK(step == -1);
    CHECK_FAILS(find_listening(output_dir, &step, text), FT_ERR_INPUT, "none of them is valid");
    CHECK_FAILS(ckpt_newest(output_dir, &step), FT_ERR_INPUT, "none of them is valid");
}

static void check_steps(const char *output_dir, int n_expected, const int64_t *expected)
{
    int64_t *steps = NULL, n = 0, n_corrupt = 0;
    comm_barrier(comm);
    CHECK_STATUS(retention_list(&steps, &n, &n_corrupt, output_dir), FT_OK);
    CHECK(n == n_expected && n_corrupt == 0);
    for (int i = 0; i < n_expected && i < n; i++)
        CHECK(steps[i] == expected[i]);
    mem_free(steps);
    comm_barrier(comm);
}

static void test_retention(void)
{
    const char *output_dir = run_folder("retention");
    for (int64_t step = 1; step <= 3; step++)
        CHECK_STATUS(save(output_dir, step, 1), FT_OK);
    check_steps(output_dir, 2, (int64_t[]){3, 2});
    CHECK_STATUS(ckpt_set_best(comm, output_dir, 2), FT_OK);
    for (int64_t step = 4; step <= 6; step++)
        CHECK_STATUS(save(output_dir, step, 2), FT_OK);
    check_steps(output_dir, 3, (int64_t[]){6, 5, 2});
    CHECK(retention_best(output_dir) == 2);
    comm_barrier(comm);
    CHECK_STATUS(ckpt_set_best(comm, output_dir, 6), FT_OK);
    CHECK_STATUS(save(output_dir, 7, 3), FT_OK);
    check_steps(output_dir, 3, (int64_t[]){7, 6, 5});
    CHECK(retention_best(output_dir) == 6);
    CHECK_FAILS(ckpt_set_best(comm, output_dir, 2), FT_ERR_INPUT, "no checkpoint of step 2");
    CHECK(retention_best(output_dir) == 6);
}

static void compare_files(const char *a_path, const char *b_path)
{
    char *a = NULL, *b = NULL;
    size_t a_bytes = 0, b_bytes = 0;
    CHECK_STATUS(file_read_all(&a, &a_bytes, a_path, 1 << 26), FT_OK);
    CHECK_STATUS(file_read_all(&b, &b_bytes, b_path, 1 << 26), FT_OK);
    CHECK(a_bytes == b_bytes && a && b && memcmp(a, b, a_bytes) == 0);
    mem_free(a);
    mem_free(b);
}

/* Equal states, saved in different seconds to different folders, give equal files; a second save of
 * a step replaces the first. */
static void test_equal_and_replaced(void)
{
    const char *a = run_folder("equal_a"), *b = run_folder("equal_b");
    char name[SHARD_NAME_BYTES];
    struct world world;
    CHECK_STATUS(save(a, 4, 2), FT_OK);
    (void)sleep(1);
    CHECK_STATUS(save(b, 4, 2), FT_OK);
    shard_name(name, rank, size);
    compare_files(in_step(a, 4, name), in_step(b, 4, name));
    compare_files(in_step(a, 4, "index.h5"), in_step(b, 4, "index.h5"));
    compare_files(in_step(a, 4, "manifest.json"), in_step(b, 4, "manifest.json"));
    comm_barrier(comm);
    world_init(&world, rank, size, 4, 1);
    world.params[7] = -1;
    CHECK_STATUS(ckpt_save(comm, b, &world.state, 2), FT_OK);
    check_steps(b, 1, (int64_t[]){4});
    world.params[7] = 0;
    CHECK_STATUS(ckpt_load(comm, b, 4, &world.state), FT_OK);
    CHECK(world.params[7] == -1);
}

static int n_entries(const char *output_dir, const char *part)
{
    char command[FILE_PATH_MAX + 64], answer[16] = "";
    (void)snprintf(command, sizeof command, "ls -a %s/checkpoints | grep -c '%s'", output_dir,
                   part);
    FILE *pipe = popen(command, "r");
    (void)!fgets(answer, sizeof answer, pipe);
    (void)pclose(pipe);
    return (int)strtol(answer, NULL, 10);
}

static void test_purge(void)
{
    const char *output_dir = run_folder("purge");
    int64_t step = 0;
    CHECK_STATUS(save(output_dir, 1, 2), FT_OK);
    if (rank == 0) {
        CHECK_STATUS(file_make_folders(in_checkpoints(output_dir, "step-00000002.tmp.77.abc")),
                     FT_OK);
        CHECK_STATUS(file_make_folders(in_checkpoints(output_dir, "step-00000000.del")), FT_OK);
        CHECK_STATUS(file_make_folders(in_checkpoints(output_dir, "notes")), FT_OK);
        CHECK_STATUS(file_replace(in_checkpoints(output_dir, "step-00000002.tmp.77.abc/x"), "x", 1),
                     FT_OK);
    }
    CHECK_STATUS(ckpt_find(comm, output_dir, &step), FT_OK);
    CHECK(step == 1 && n_entries(output_dir, "tmp\\|del") == 0 &&
          n_entries(output_dir, "notes") == 1);
}

static const char *fault_phase;
static int fault_rank;

static ft_status fail_there(const char *phase)
{
    if (fault_phase && rank == fault_rank && strcmp(phase, fault_phase) == 0)
        return ft_fail(FT_ERR_IO, "injected in %s", phase);
    return FT_OK;
}

/* One rank's failure in any phase: one code and message on all ranks, older checkpoints intact, no
 * temporary folder left. */
static void test_faults(void)
{
    const char *output_dir = run_folder("faults");
    const int ranks[] = {0, 1 % size, size - 1};
    char text[4096];
    int64_t step = 0;
    struct world world;
    CHECK_STATUS(save(output_dir, 1, 2), FT_OK);
    fault_set_hook(fail_there);
    for (int i = 0; i < 3; i++) {
        fault_phase = "checkpoint-write";
        fault_rank = ranks[i];
        CHECK_FAILS(save(output_dir, 2, 2), FT_ERR_IO, "injected in checkpoint-write");
        fault_phase = "checkpoint-load";
        world_init(&world, rank, size, 1, 0);
        CHECK_FAILS(ckpt_load(comm, output_dir, 1, &world.state), FT_ERR_IO, "injected");
    }
    fault_phase = "checkpoint-commit";
    fault_rank = 0;
    CHECK_FAILS(save(output_dir, 2, 2), FT_ERR_IO, "injected in checkpoint-commit");
    fault_phase = NULL;
    comm_barrier(comm);
    CHECK(n_entries(output_dir, "tmp") == 0);
    CHECK_STATUS(find_listening(output_dir, &step, text), FT_OK);
    CHECK(step == 1);
    check_load(output_dir, 1);
    fault_set_hook(NULL);
}

/* Memory that is not there, on the last rank, at every allocation of a save and of a load. */
static void test_out_of_memory(void)
{
    const char *output_dir = run_folder("memory");
    struct world world;
    int64_t n_failed = 0;
    CHECK_STATUS(save(output_dir, 1, 9), FT_OK);
    for (int64_t k = 1; k < 200; k++) {
        mem_fail_nth(rank == size - 1 ? k : 0, 0);
        const ft_status saved = save(output_dir, 2, 9);
        mem_fail_nth(0, 0);
        n_failed += saved != FT_OK;
        CHECK(saved == FT_OK || saved == FT_ERR_INTERNAL);
        mem_fail_nth(rank == size - 1 ? k : 0, 0);
        world_init(&world, rank, size, 1, 0);
        const ft_status loaded = ckpt_load(comm, output_dir, 1, &world.state);
        mem_fail_nth(0, 0);
        CHECK(loaded == FT_OK || loaded == FT_ERR_INTERNAL);
        if (saved == FT_OK && loaded == FT_OK && k > 40)
            break;
    }
    CHECK(n_failed > 0);
    comm_barrier(comm);
    CHECK(n_entries(output_dir, "tmp") == 0);
    check_load(output_dir, 1);
}

static void test_no_space(void)
{
    const char *output_dir = run_folder("space");
    struct world world;
    struct layout giant = world_layout;
    giant.N = (int64_t)1 << 50;
    world_init(&world, rank, size, 1, 1);
    world.state.layout = &giant;
    CHECK_FAILS(ckpt_save(comm, output_dir, &world.state, 2), FT_ERR_IO, "nothing was written");
    comm_barrier(comm);
    CHECK(n_entries(output_dir, "step") == 0);
}

static void test_wrong_model(void)
{
    const char *output_dir = run_folder("model");
    struct world world;
    struct layout other = world_layout;
    struct tensor_spec tensors[5];
    CHECK_STATUS(save(output_dir, 1, 2), FT_OK);
    memcpy(tensors, world_tensors, sizeof tensors);
    other.tensors = tensors;
    tensors[0].dims[0] = 5;
    tensors[0].dims[1] = 7;
    world_init(&world, rank, size, 1, 0);
    world.state.layout = &other;
    CHECK_FAILS(ckpt_load(comm, output_dir, 1, &world.state), FT_ERR_INPUT, "another base model");
    other.N--;
    CHECK_FAILS(ckpt_load(comm, output_dir, 1, &world.state), FT_ERR_INPUT, "of a model of 136");
}

/* For ckpt_resize.sh: what another rank count left at `step` is found and loaded, the next step
 * saved. */
static void continue_run(const char *output_dir, int64_t step)
{
    int64_t found = 0;
    CHECK_STATUS(ckpt_find(comm, output_dir, &found), FT_OK);
    CHECK(found == (step == 0 ? -1 : step));
    if (step > 0) {
        check_load(output_dir, step);
        check_meta(output_dir, step);
    }
    CHECK_STATUS(save(output_dir, step + 1, 2), FT_OK);
}

/* For ckpt_kill.sh: after a save of step 2 that went wrong, 1 or 2 is found whole and nothing is
 * left. */
static void check_survivor(const char *output_dir)
{
    int64_t found = 0;
    CHECK_STATUS(ckpt_find(comm, output_dir, &found), FT_OK);
    CHECK(found == 1 || found == 2);
    if (found == 1 || found == 2)
        check_load(output_dir, found);
    comm_barrier(comm);
    CHECK(n_entries(output_dir, "tmp\\|del\\|corrupt") == 0);
}

static void run_tests(void)
{
    static void (*const tests[])(void) = {
        test_none,        test_save_load,  test_other_rank_counts, test_long_settings,
        test_fall_back,   test_none_valid, test_retention,         test_equal_and_replaced,
        test_purge,       test_faults,     test_out_of_memory,     test_no_space,
        test_wrong_model,
    };
    if (rank == 0 && !mkdtemp(root))
        root[0] = '\0';
    comm_bcast(comm, root, sizeof root, 0);
    CHECK(root[0]);
    for (size_t i = 0; root[0] && i < sizeof tests / sizeof *tests; i++)
        tests[i]();
    comm_barrier(comm);
    if (rank == 0)
        CHECK_STATUS(file_remove_folder(root), FT_OK);
}

int main(int argc, char **argv)
{
    if (comm_open(&comm, &argc, &argv) != FT_OK)
        return 1;
    rank = comm_rank(comm);
    size = comm_size(comm);
    log_set_speaking(rank == 0);
    if (argc == 3 && strcmp(argv[2], "any") == 0)
        check_survivor(argv[1]);
    else if (argc == 3)
        continue_run(argv[1], strtoll(argv[2], NULL, 10));
    else
        run_tests();
    comm_close(&comm);
    return check_end();
}
