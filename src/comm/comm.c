/*
 * Counts of MPI are int: long buffers go in pieces. What is large and belongs to a step, gradients
 * and parameters, does not come through here but through shared memory and messages that travel
 * while the caller works (optim/reducer.c).
 */
#include "comm/comm.h"

#include <limits.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/pulse.h"

struct comm {
    MPI_Comm world, node;
    int rank, size, node_rank, node_size;
    char host[MPI_MAX_PROCESSOR_NAME];
};

enum { CHUNK_BYTES = 64 << 20 };

static void check(int code, const char *call, int line)
{
    if (code == MPI_SUCCESS)
        return;
    (void)fprintf(stderr, "finetune: error: %s failed with code %d at %s:%d\n", call, code,
                  __FILE__, line);
    (void)MPI_Abort(MPI_COMM_WORLD, FT_ERR_INTERNAL);
}
#define CHECK_MPI(call) check((call), #call, __LINE__)

/* A call that ends when other ranks enter it too. */
#define MEET_MPI(call)                                                                             \
    do {                                                                                           \
        pulse_wait_begin();                                                                        \
        CHECK_MPI(call);                                                                           \
        pulse_wait_end();                                                                          \
    } while (0)

static int env_int(const char *name)
{
    const char *text = getenv(name);
    return text ? (int)strtol(text, NULL, 10) : 0;
}

/* A launcher that does not speak this MPI's protocol starts N worlds of one rank each: they would
 * all write into one output directory. srun says so by SLURM_NTASKS inside a step; a batch script's
 * own shell (SLURM_STEP_ID unset) may run any verb alone. */
static ft_status check_launcher(const struct comm *comm)
{
    const int n_openmpi = env_int("OMPI_COMM_WORLD_SIZE");
    const int n_slurm = getenv("SLURM_STEP_ID") ? env_int("SLURM_NTASKS") : 0;
    if (comm->size == 1 && (n_openmpi > 1 || n_slurm > 1))
        return ft_fail(FT_ERR_USAGE,
                       "the launcher started %d processes but each sees a world of 1: it does not "
                       "speak this MPI's protocol; use mpirun, or srun --mpi=pmix",
                       n_openmpi > n_slurm ? n_openmpi : n_slurm);
    return FT_OK;
}

/* The ranks of this node; with FT_NODE_RANKS only groups of so many of them, as if they were nodes.
 */
static void split_nodes(struct comm *comm)
{
    const int most = env_int("FT_NODE_RANKS");
    MPI_Comm node;
    CHECK_MPI(
        MPI_Comm_split_type(comm->world, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &node));
    CHECK_MPI(MPI_Comm_rank(node, &comm->node_rank));
    CHECK_MPI(MPI_Comm_split(node, most > 0 ? comm->node_rank / most : 0, comm->rank, &comm->node));
    CHECK_MPI(MPI_Comm_free(&node));
    CHECK_MPI(MPI_Comm_rank(comm->node, &comm->node_rank));
    CHECK_MPI(MPI_Comm_size(comm->node, &comm->node_size));
}

ft_status comm_open(struct comm **out, int *argc, char ***argv)
{
    int provided, length;
    CHECK_MPI(MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided));
    struct comm *comm = mem_alloc(1, sizeof *comm);
    if (!comm) {
        (void)MPI_Abort(MPI_COMM_WORLD, FT_ERR_INTERNAL);
        return FT_ERR_INTERNAL;
    }
    CHECK_MPI(MPI_Comm_dup(MPI_COMM_WORLD, &comm->world));
    CHECK_MPI(MPI_Comm_rank(comm->world, &comm->rank));
    CHECK_MPI(MPI_Comm_size(comm->world, &comm->size));
    split_nodes(comm);
    CHECK_MPI(MPI_Get_processor_name(comm->host, &length));
    *out = comm;
    return check_launcher(comm);
}

void comm_close(struct comm **comm)
{
    if (!*comm)
        return;
    CHECK_MPI(MPI_Comm_free(&(*comm)->node));
    CHECK_MPI(MPI_Comm_free(&(*comm)->world));
    FT_FREE(*comm);
    CHECK_MPI(MPI_Finalize());
}

int comm_rank(const struct comm *comm)
{
    return comm->rank;
}

int comm_size(const struct comm *comm)
{
    return comm->size;
}

int comm_node_rank(const struct comm *comm)
{
    return comm->node_rank;
}

int comm_node_size(const struct comm *comm)
{
    return comm->node_size;
}

const char *comm_host(const struct comm *comm)
{
    return comm->host;
}

const char *comm_library(void)
{
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    CHECK_MPI(MPI_Get_library_version(text, &length));
    text[strcspn(text, ",\n")] = '\0';
    return text;
}

/* A stop on request must not hide another rank's failure, whatever the exit codes' order. */
enum { SEVERITY_STOPPED = 1 };

static int severity_of(ft_status status)
{
    return status == FT_STOPPED ? SEVERITY_STOPPED : (int)status;
}

static ft_status status_of(int severity)
{
    return severity == SEVERITY_STOPPED ? FT_STOPPED : (ft_status)severity;
}

ft_status comm_agree(struct comm *comm, ft_status local)
{
    struct {
        int severity, rank;
    } worst = {severity_of(local), comm->rank};
    char text[FT_ERR_TEXT_MAX];
    MEET_MPI(MPI_Allreduce(MPI_IN_PLACE, &worst, 1, MPI_2INT, MPI_MAXLOC, comm->world));
    if (worst.severity == FT_OK)
        return FT_OK;
    (void)snprintf(text, sizeof text, "%s", ft_error_text());
    MEET_MPI(MPI_Bcast(text, FT_ERR_TEXT_MAX, MPI_CHAR, worst.rank, comm->world));
    if (worst.rank == 0)
        return ft_fail(status_of(worst.severity), "%s", text);
    return ft_fail(status_of(worst.severity), "rank %d: %s", worst.rank, text);
}

/* Completes a request that may take hours. Sleeps, because every waiting call of MPI spins; a
 * signal ends one sleep early, no more. */
static void wait_asleep(MPI_Request *request)
{
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    int is_done = 0;
    pulse_wait_begin();
    CHECK_MPI(MPI_Test(request, &is_done, MPI_STATUS_IGNORE));
    while (!is_done) {
        (void)nanosleep(&pause, NULL);
        CHECK_MPI(MPI_Test(request, &is_done, MPI_STATUS_IGNORE));
    }
    pulse_wait_end();
}

ft_status comm_alone(struct comm *world, ft_status (*work)(struct comm *solo, void *context),
                     void *context)
{
    struct {
        int status;
        char text[FT_ERR_TEXT_MAX];
    } end = {FT_OK, ""};
    MPI_Request request;
    if (world->rank == 0) {
        struct comm solo = *world;
        solo.world = solo.node = MPI_COMM_SELF;
        solo.rank = solo.node_rank = 0;
        solo.size = solo.node_size = 1;
        end.status = (int)work(&solo, context);
        if (end.status != FT_OK)
            (void)snprintf(end.text, sizeof end.text, "%s", ft_error_text());
    }
    CHECK_MPI(MPI_Ibcast(&end, (int)sizeof end, MPI_BYTE, 0, world->world, &request));
    wait_asleep(&request);
    return end.status == FT_OK ? FT_OK : ft_fail((ft_status)end.status, "%s", end.text);
}

void comm_barrier(struct comm *comm)
{
    MEET_MPI(MPI_Barrier(comm->world));
}

static void bcast(MPI_Comm where, void *data, int64_t bytes, int root)
{
    char *at = data;
    for (int64_t left = bytes; left > 0; left -= CHUNK_BYTES, at += CHUNK_BYTES)
        MEET_MPI(
            MPI_Bcast(at, (int)(left < CHUNK_BYTES ? left : CHUNK_BYTES), MPI_BYTE, root, where));
}

void comm_bcast(struct comm *comm, void *data, int64_t bytes, int root)
{
    bcast(comm->world, data, bytes, root);
}

void comm_node_bcast(struct comm *comm, void *data, int64_t bytes)
{
    bcast(comm->node, data, bytes, 0);
}

void comm_node_or(struct comm *comm, void *bits, int64_t bytes)
{
    MEET_MPI(MPI_Allreduce(MPI_IN_PLACE, bits, (int)bytes, MPI_BYTE, MPI_BOR, comm->node));
}

static void all_reduce(const struct comm *comm, void *values, int64_t n, int64_t chunk, size_t size,
                       MPI_Datatype type, MPI_Op op)
{
    char *at = values;
    if (comm->size == 1)
        return;
    for (int64_t left = n; left > 0; left -= chunk, at += (size_t)chunk * size)
        MEET_MPI(MPI_Allreduce(MPI_IN_PLACE, at, (int)(left < chunk ? left : chunk), type, op,
                               comm->world));
}

void comm_sum_f64(struct comm *comm, double *values, int64_t n)
{
    all_reduce(comm, values, n, CHUNK_BYTES, sizeof *values, MPI_DOUBLE, MPI_SUM);
}

void comm_max_f64(struct comm *comm, double *values, int64_t n)
{
    all_reduce(comm, values, n, CHUNK_BYTES, sizeof *values, MPI_DOUBLE, MPI_MAX);
}

void comm_min_f64(struct comm *comm, double *values, int64_t n)
{
    all_reduce(comm, values, n, CHUNK_BYTES, sizeof *values, MPI_DOUBLE, MPI_MIN);
}

void comm_sum_i64(struct comm *comm, int64_t *values, int64_t n)
{
    all_reduce(comm, values, n, CHUNK_BYTES, sizeof *values, MPI_INT64_T, MPI_SUM);
}

void comm_max_i64(struct comm *comm, int64_t *values, int64_t n)
{
    all_reduce(comm, values, n, CHUNK_BYTES, sizeof *values, MPI_INT64_T, MPI_MAX);
}

int64_t comm_exscan_i64(struct comm *comm, int64_t value)
{
    int64_t sum = 0;
    MEET_MPI(MPI_Exscan(&value, &sum, 1, MPI_INT64_T, MPI_SUM, comm->world));
    return comm->rank == 0 ? 0 : sum;
}

void comm_allgather(struct comm *comm, void *all, const void *mine, int64_t bytes)
{
    MEET_MPI(MPI_Allgather(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, comm->world));
}

void comm_allgather_varying(struct comm *comm, void *all, int64_t *counts, const void *mine,
                            int64_t bytes)
{
    char *at = all;
    comm_allgather(comm, counts, &bytes, sizeof bytes);
    if (!all)
        return;
    for (int root = 0; root < comm->size; at += counts[root++]) {
        if (root == comm->rank && bytes > 0)
            memcpy(at, mine, (size_t)bytes);
        comm_bcast(comm, at, counts[root], root);
    }
}

void comm_gather_slices_f32(struct comm *comm, float *values, const int64_t *first, int64_t chunk)
{
    if (comm->size == 1)
        return;
    for (int owner = 0; owner < comm->size; owner++) {
        for (int64_t at = first[owner]; at < first[owner + 1]; at += chunk) {
            const int64_t left = first[owner + 1] - at;
            MEET_MPI(MPI_Bcast(values + at, (int)(left < chunk ? left : chunk), MPI_FLOAT, owner,
                               comm->world));
        }
    }
}

struct comm_messages {
    MPI_Comm world;
    int n;
    MPI_Request *requests; /* (n) */
};

ft_status comm_messages_create(struct comm_messages **out, struct comm *comm, int n)
{
    struct comm_messages *m;
    *out = NULL;
    FT_TRY(FT_ALLOC(m, 1));
    m->world = comm->world;
    m->n = n;
    const ft_status status = FT_ALLOC(m->requests, n);
    for (int i = 0; i < n && status == FT_OK; i++)
        m->requests[i] = MPI_REQUEST_NULL;
    if (status != FT_OK)
        comm_messages_destroy(&m);
    *out = m;
    return status;
}

void comm_messages_destroy(struct comm_messages **messages)
{
    if (!*messages)
        return;
    mem_free((*messages)->requests);
    FT_FREE(*messages);
}

void comm_send_start(struct comm_messages *m, int i, const void *data, int64_t bytes, int to)
{
    CHECK_MPI(MPI_Isend(data, (int)bytes, MPI_BYTE, to, 0, m->world, &m->requests[i]));
}

void comm_receive_start(struct comm_messages *m, int i, void *data, int64_t bytes, int from)
{
    CHECK_MPI(MPI_Irecv(data, (int)bytes, MPI_BYTE, from, 0, m->world, &m->requests[i]));
}

bool comm_message_done(struct comm_messages *m, int i)
{
    int is_done;
    CHECK_MPI(MPI_Test(&m->requests[i], &is_done, MPI_STATUS_IGNORE));
    return is_done;
}
