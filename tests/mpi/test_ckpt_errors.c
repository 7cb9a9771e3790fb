/* Every system call on a checkpoint's files fails once, in every way, on the first rank, the second
 * and the last: the ranks agree on a documented code and one message that names the file and the
 * rank, and the checkpoint before it or the new one is found whole, bit by bit.
 *
 *     test_mpi_ckpt_errors [STRIDE [CALL]]
 *                                      every STRIDE-th point only (1: all), and the table of them
 *     test_mpi_ckpt_errors points      one line for each call that a save makes: what kill takes
 *     test_mpi_ckpt_errors kill FOLDER SCENARIO VICTIM CALL K
 *                                      looks at what the last kill left in FOLDER, then has that
 *                                      rank killed in place of its k-th such call; K 0: only looks
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "support/ckpt_world.h"
#include "support/interpose.h"

/* HDF5 loses a few blocks of its own when it cannot write; ours are counted by mem. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

static struct comm *comm;
static int rank, size;
static char root[64] = "/dev/shm/ft-errors-XXXXXX";

static const struct {
    const char *name;
    int error;
    bool is_done;
} kinds[] = {
    {"ENOSPC", ENOSPC, false}, {"EIO", EIO, false},       {"EROFS", EROFS, false},
    {"EDQUOT", EDQUOT, false}, {"ESTALE", ESTALE, false}, {"EINTR", EINTR, false},
    {"EACCES", EACCES, false}, {"half", 0, false},        {"EIO, yet done", EIO, true},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds, N_VICTIMS = 3 };
static int64_t tried[N_INTERPOSED][N_KINDS][N_VICTIMS], lost[N_INTERPOSED][N_KINDS][N_VICTIMS];

static ft_status save(int64_t step)
{
    struct world world;
    world_init(&world, rank, size, step, 1);
    return ckpt_save(comm, root, &world.state, 2);
}

static ft_status save_new(void)
{
    return save(3);
}

static ft_status save_again(void)
{
    return save(2);
}

static ft_status set_best(void)
{
    return ckpt_set_best(comm, root, 2);
}

/* Steps 2 (and 3, which is damaged) are looked at; what is loaded is compared by the caller. */
static ft_status find_and_load(void)
{
    int64_t step = 0;
    struct world world;
    struct ckpt_meta meta = {0};
    FT_TRY(ckpt_find(comm, root, &step));
    FT_TRY(step == 2 ? FT_OK : ft_fail(FT_ERR_INTERNAL, "step %d is found", (int)step));
    world_init(&world, rank, size, step, 0);
    ft_status status = ckpt_load_meta(comm, root, step, &meta);
    ckpt_meta_clear(&meta);
    if (status == FT_OK)
        status = ckpt_load(comm, root, step, &world.state);
    if (status == FT_OK && !world_equals(&world, rank, size, step))
        status = ft_fail(FT_ERR_INTERNAL, "what was loaded is not what was saved");
    return status;
}

/* What is done to a run that has the checkpoints 1 and 2, and the newest step there is afterwards.
 * */
static const struct scenario {
    ft_status (*run)(void);
    int64_t newest;
} scenarios[] = {{save_new, 3}, {save_again, 2}, {set_best, 2}, {find_and_load, 2}};

static void prepare(void)
{
    char path[FILE_PATH_MAX];
    for (int64_t step = 1; rank == 0 && step <= 3; step++) {
        CHECK_STATUS(retention_step_folder(path, root, step), FT_OK);
        if (step == 3)
            CHECK_STATUS(file_remove_folder(path), FT_OK);
        else if (!file_exists(path))
            CHECK_STATUS(world_write(root, step, size), FT_OK);
    }
    comm_barrier(comm);
}

/* Why a point is lost. */
enum {
    NO_AGREEMENT,
    OTHER_CODE,
    NO_FILE,
    NO_RANK,
    NO_REASON,
    NOT_FOUND,
    OTHER_STEP,
    NOT_LOADED,
    OTHER_BITS,
    LEFTOVERS,
    N_REASONS
};
static const char *const reasons[N_REASONS] = {"the ranks do not agree",
                                               "not code 74",
                                               "no file named",
                                               "no rank named",
                                               "no reason named",
                                               "none found",
                                               "another step",
                                               "not loaded",
                                               "other bits",
                                               "leftovers"};

/* The message: one line, with the file, the rank and the reason. HDF5 keeps the reason of a failed
 * fstat and the like to itself. */
static void check_message(int64_t *bad, const char *text, int victim,
                          const struct interpose_fault *fault)
{
    char name[32];
    (void)snprintf(name, sizeof name, "rank %d: ", victim);
    bad[NO_FILE] += !strstr(text, root) || strchr(text, '\n');
    bad[NO_RANK] += victim != 0 && strncmp(text, name, strlen(name)) != 0;
    bad[NO_REASON] += fault->error && !strstr(text, strerror(fault->error)) &&
                      !strstr(text, "can't retrieve stat info");
}

static const char *root_of_checkpoints(void)
{
    static char path[FILE_PATH_MAX];
    CHECK_STATUS(retention_folder(path, root), FT_OK);
    return path;
}

static int has_leftovers(void)
{
    int n = 0;
    DIR *folder = opendir(root_of_checkpoints());
    for (const struct dirent *entry; folder && (entry = readdir(folder)) != NULL;)
        n += entry->d_name[0] != '.' && retention_step_of(entry->d_name) < 0;
    if (folder)
        (void)closedir(folder);
    return n > 0;
}

/* The checkpoint that is found now: the new one where the call said that it worked. */
static void check_survivor(int64_t *bad, const struct scenario *scenario, ft_status status)
{
    int64_t found = 0;
    struct world world;
    bad[NOT_FOUND] += ckpt_find(comm, root, &found) != FT_OK;
    bad[OTHER_STEP] += found != scenario->newest && (status == FT_OK || found != 2);
    if (found < 1)
        return;
    world_init(&world, rank, size, found, 0);
    bad[NOT_LOADED] += ckpt_load(comm, root, found, &world.state) != FT_OK;
    bad[OTHER_BITS] += !world_equals(&world, rank, size, found);
    bad[LEFTOVERS] += rank == 0 && has_leftovers();
}

/* One point; false when there is no k-th call any more. */
static bool try_point(const struct scenario *scenario, int victim,
                      const struct interpose_fault *fault, bool *is_lost)
{
    char text[FT_ERR_TEXT_MAX];
    int64_t bad[N_REASONS] = {0}, sums[2];
    prepare();
    (void)alarm(100); /* a hang ends the job */
    log_set_speaking(false);
    if (rank == victim)
        interpose_arm(fault);
    const ft_status status = scenario->run();
    sums[0] = rank == victim ? interpose_disarm() : 0;
    sums[1] = (int64_t)status;
    comm_sum_i64(comm, sums, 2);
    if (sums[0] == 0)
        return false;
    (void)snprintf(text, sizeof text, "%s", status == FT_OK ? "" : ft_error_text());
    bad[NO_AGREEMENT] = sums[1] != (int64_t)status * size;
    bad[OTHER_CODE] = status != FT_OK && status != FT_ERR_IO;
    if (status != FT_OK)
        check_message(bad, text, victim, fault);
    check_survivor(bad, scenario, status);
    comm_sum_i64(comm, bad, N_REASONS);
    *is_lost = false;
    for (int i = 0; i < N_REASONS; i++) {
        *is_lost = *is_lost || bad[i] > 0;
        if (bad[i] > 0 && rank == 0)
            (void)printf("    %s: %s\n", reasons[i], text);
    }
    log_set_speaking(rank == 0);
    (void)alarm(0);
    return true;
}

static bool makes_sense(enum interposed call, int kind)
{
    const bool is_transfer =
        call == CALL_READ || call == CALL_PREAD || call == CALL_WRITE || call == CALL_PWRITE;
    const bool is_change = call == CALL_MKDIR || call == CALL_RENAME || call == CALL_RENAMEAT2 ||
                           call == CALL_UNLINK || call == CALL_RMDIR || call == CALL_SYMLINK;
    if (kinds[kind].is_done)
        return is_change;
    return kinds[kind].error != 0 || is_transfer;
}

/* How many calls of each kind an undisturbed run makes on a rank. */
static void count_calls(int64_t n[N_INTERPOSED], const struct scenario *scenario, int victim)
{
    static const struct interpose_fault none = {.k = 0};
    prepare();
    if (rank == victim)
        interpose_arm(&none);
    CHECK_STATUS(scenario->run(), FT_OK);
    (void)interpose_disarm();
    memcpy(n, interposed_counts, sizeof interposed_counts);
    comm_bcast(comm, n, sizeof interposed_counts, victim);
}

/* Every call of that kind, failing once and from then on. */
static void try_calls(const struct scenario *scenario, int victim_number, int victim, int kind,
                      enum interposed call, int64_t n_calls, int64_t stride)
{
    static int64_t n_points;
    for (int64_t point = 0; point < 2 * n_calls; point++) {
        const bool is_lasting = point >= n_calls;
        const struct interpose_fault fault = {.call = call,
                                              .k = point % n_calls + 1,
                                              .error = kinds[kind].error,
                                              .is_lasting = is_lasting,
                                              .is_done = kinds[kind].is_done};
        bool is_lost = true;
        if (is_lasting && kinds[kind].error == EINTR) /* would be made again for ever */
            return;
        if (n_points++ % stride != 0)
            continue;
        CHECK(try_point(scenario, victim, &fault, &is_lost));
        tried[call][kind][victim_number]++;
        lost[call][kind][victim_number] += is_lost;
        if (is_lost && rank == 0)
            (void)printf("lost: %s %d of scenario %d, %s%s on rank %d\n", interposed_names[call],
                         (int)fault.k, (int)(scenario - scenarios), kinds[kind].name,
                         is_lasting ? " from then on" : "", victim);
    }
}

static int victim_of(int number)
{
    return number == 0 ? 0 : number == 1 ? 1 % size : size - 1;
}

static void try_all(int64_t stride, const char *only)
{
    for (size_t s = 0; s < sizeof scenarios / sizeof *scenarios; s++) {
        for (int v = 0; v < N_VICTIMS; v++) {
            const int victim = victim_of(v);
            int64_t n_calls[N_INTERPOSED];
            count_calls(n_calls, &scenarios[s], victim);
            for (int call = 0; call < N_INTERPOSED; call++)
                for (int kind = 0; kind < N_KINDS; kind++)
                    if (makes_sense((enum interposed)call, kind) &&
                        (!only || strcmp(only, interposed_names[call]) == 0))
                        try_calls(&scenarios[s], v, victim, kind, (enum interposed)call,
                                  n_calls[call], stride);
        }
    }
}

/* Rows: call and victim; columns: kind; "points tried/lost". */
static void print_table(void)
{
    int64_t n_tried = 0, n_lost = 0;
    (void)printf("%-16s %-6s", "call", "rank");
    for (int kind = 0; kind < N_KINDS; kind++)
        (void)printf(" %13s", kinds[kind].name);
    for (int row = 0; row < N_INTERPOSED * N_VICTIMS; row++) {
        static const char *const victims[N_VICTIMS] = {"0", "1", "last"};
        const int call = row / N_VICTIMS, victim = row % N_VICTIMS;
        int64_t n_row = 0;
        for (int kind = 0; kind < N_KINDS; kind++)
            n_row += tried[call][kind][victim];
        if (n_row == 0)
            continue;
        (void)printf("\n%-16s %-6s", interposed_names[call], victims[victim]);
        for (int kind = 0; kind < N_KINDS; kind++) {
            char cell[48];
            (void)snprintf(cell, sizeof cell, "%lld/%lld", (long long)tried[call][kind][victim],
                           (long long)lost[call][kind][victim]);
            (void)printf(" %13s", tried[call][kind][victim] > 0 ? cell : "-");
            n_tried += tried[call][kind][victim];
            n_lost += lost[call][kind][victim];
        }
    }
    (void)printf("\n%d ranks: %lld tried, %lld lost\n", size, (long long)n_tried,
                 (long long)n_lost);
    CHECK(n_tried > 0 && n_lost == 0);
}

/* Of the two scenarios that save. */
static void print_points(void)
{
    for (int s = 0; s < 2; s++)
        for (int v = 0; v < N_VICTIMS; v++) {
            int64_t n_calls[N_INTERPOSED];
            count_calls(n_calls, &scenarios[s], victim_of(v));
            for (int call = 0; call < N_INTERPOSED; call++)
                for (int64_t k = 1; rank == 0 && k <= n_calls[call]; k++)
                    (void)printf("%d %d %d %lld %s\n", s, v, call, (long long)k,
                                 interposed_names[call]);
        }
}

/* argv: scenario, number of the victim, call, k. */
static void kill_rank(char **argv)
{
    int64_t bad[N_REASONS] = {0}, values[4];
    for (int i = 0; i < 4; i++)
        values[i] = strtoll(argv[i], NULL, 10);
    CHECK(values[0] >= 0 && values[0] < 2 && values[2] >= 0 && values[2] < N_INTERPOSED);
    const struct scenario *scenario = &scenarios[values[0] == 1];
    int64_t n_there = rank == 0 && file_exists(root_of_checkpoints());
    comm_sum_i64(comm, &n_there, 1);
    if (n_there > 0)
        check_survivor(bad, &scenarios[0], FT_ERR_IO); /* step 2 or 3, whatever was done */
    for (int i = 0; i < N_REASONS; i++)
        if (bad[i] > 0)
            (void)printf("lost: %s on rank %d\n", reasons[i], rank);
    (void)fflush(stdout);
    prepare();
    const struct interpose_fault fault = {
        .call = (enum interposed)values[2], .k = values[3], .is_deadly = true};
    if (rank == victim_of((int)values[1]) && fault.k > 0)
        interpose_arm(&fault);
    (void)alarm(100);
    CHECK_STATUS(scenario->run(), FT_OK);
    CHECK(fault.k == 0); /* else one of the ranks is dead */
}

int main(int argc, char **argv)
{
    if (comm_open(&comm, &argc, &argv) != FT_OK)
        return 1;
    rank = comm_rank(comm);
    size = comm_size(comm);
    const bool is_kill = argc == 7;
    const int64_t stride = argc == 2 || argc == 3 ? strtoll(argv[1], NULL, 10) : 1;
    if (is_kill)
        (void)snprintf(root, sizeof root, "%s", argv[2]);
    else if (rank == 0 && !mkdtemp(root))
        root[0] = '\0';
    comm_bcast(comm, root, sizeof root, 0);
    CHECK(root[0]);
    interpose_below(root);
    if (is_kill)
        kill_rank(argv + 3);
    else if (root[0] && stride > 0)
        try_all(stride, argc == 3 ? argv[2] : NULL);
    else if (root[0])
        print_points();
    if (rank == 0 && stride > 0 && !is_kill)
        print_table();
    if (rank == 0 && !is_kill)
        CHECK_STATUS(file_remove_folder(root), FT_OK);
    comm_close(&comm);
    return check_end();
}
