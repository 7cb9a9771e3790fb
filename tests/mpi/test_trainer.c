/*
 * A training step allocates nothing, leaves equal parameters on all ranks, and refuses or skips
 * numbers that are not finite with the same status everywhere.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/hash.h"
#include "support/check.h"
#include "train/trainer.h"

/* 40 lines of text; every rank sees the same folder. */
static void write_corpus(struct comm *comm, const char *folder)
{
    char path[FILE_PATH_MAX];
    struct buffer text = {0};
    if (comm_rank(comm) == 0) {
        for (int i = 0; i < 40; i++)
            CHECK_STATUS(buffer_print(&text, "{\"text\": \"line %d of %d\"}\n", i, i * i), FT_OK);
        CHECK_STATUS(file_join(path, folder, "t.jsonl"), FT_OK);
        CHECK_STATUS(file_replace(path, text.data, text.used), FT_OK);
        buffer_clear(&text);
    }
    comm_barrier(comm);
}

static struct settings *make_settings(const char *folder)
{
    static const char text[] =
        "model: { path = \"" TESTS_DIR "/golden/gguf/llama-tiny.gguf\"; precision = \"fp32\"; };\n"
        "data: { train = \"t.jsonl\"; seq_len = 16; };\n"
        "training: { max_steps = 50; global_batch = 7; micro_batch = 2; };\n"
        "output: { dir = \"out\"; };\n";
    struct settings *settings = NULL;
    CHECK_STATUS(settings_parse(&settings, text, sizeof text - 1, "test", folder, 0, NULL), FT_OK);
    return settings;
}

static void check_replicas(struct comm *comm, const struct model *model)
{
    const int64_t N = model->layout->N;
    double extremes[2];
    float *mine = mem_alloc((size_t)N, sizeof *mine);
    memcpy(mine, model->params, (size_t)N * sizeof *mine);
    comm_bcast(comm, mine, N * (int64_t)sizeof *mine, 0);
    extremes[0] = memcmp(mine, model->params, (size_t)N * sizeof *mine) == 0 ? 0.0 : 1.0;
    comm_max_f64(comm, extremes, 1);
    CHECK(extremes[0] == 0.0);
    mem_free(mine);
}

static const char *bad_phase;
static double bad_value;

static void corrupt(const char *phase, void *data, size_t bytes)
{
    if (bad_phase && strcmp(phase, bad_phase) == 0 && bytes == sizeof bad_value)
        memcpy(data, &bad_value, bytes);
}

/* What a rank has of loss or gradient is no number: all ranks refuse or skip, with parameters and
 * moments as they were. */
static void test_bad_number(struct trainer *t, struct settings *settings, const char *phase,
                            double value)
{
    struct step_outcome out;
    struct model *model = t->session->model;
    const int64_t n = t->optimizer->to - t->optimizer->from;
    const struct hash_value params = hash_bytes(model->params, (size_t)model->layout->N * 4);
    const struct hash_value m = hash_bytes(t->optimizer->m, (size_t)n * 4);
    bad_phase = comm_rank(t->session->comm) == comm_size(t->session->comm) - 1 ? phase : NULL;
    bad_value = value;
    settings->training.on_spike = ON_SPIKE_IGNORE;
    CHECK_FAILS(trainer_step(&out, t, 13), FT_ERR_INTERNAL, "of step 13 is not finite");
    CHECK(out.metrics.is_spike && !out.metrics.is_skipped);
    settings->training.on_spike = ON_SPIKE_SKIP;
    CHECK_STATUS(trainer_step(&out, t, 13), FT_OK);
    CHECK(out.metrics.is_spike && out.metrics.is_skipped && isnan(out.metrics.sigma));
    bad_phase = NULL;
    const struct hash_value after = hash_bytes(model->params, (size_t)model->layout->N * 4);
    const struct hash_value m_after = hash_bytes(t->optimizer->m, (size_t)n * 4);
    CHECK(params.low == after.low && params.high == after.high);
    CHECK(m.low == m_after.low && m.high == m_after.high);
    check_replicas(t->session->comm, model);
}

static void test_steps(struct trainer *t, struct settings *settings)
{
    struct step_outcome out;
    struct comm *comm = t->session->comm;
    CHECK_STATUS(trainer_step(&out, t, 1), FT_OK);
    const int64_t allocations = mem_alloc_count();
    for (int step = 2; step <= 12; step++) { /* beyond an epoch, with its short last step */
        CHECK_STATUS(trainer_step(&out, t, step), FT_OK);
        CHECK(isfinite(out.metrics.loss) && out.metrics.step == step);
    }
    CHECK(mem_alloc_count() == allocations);
    check_replicas(comm, t->session->model);
    test_bad_number(t, settings, "gradient", INFINITY);
    test_bad_number(t, settings, "loss", NAN);
    CHECK_STATUS(trainer_step(&out, t, 13), FT_OK); /* after skipped ones nothing hangs */
    settings->training.on_spike = ON_SPIKE_IGNORE;
    check_replicas(comm, t->session->model);
    /* one rank's parameters go bad: all ranks refuse the step, with parameters as they were */
    struct model *model = t->session->model;
    if (comm_rank(comm) == 0)
        model->params[model->final_norm.weight] = NAN;
    const float kept = model->params[model->embed];
    CHECK_FAILS(trainer_step(&out, t, 13), FT_ERR_INTERNAL, "the loss of step 13 is not finite");
    CHECK(model->params[model->embed] == kept);
}

static void run(struct comm *comm, const char *folder)
{
    struct session session = {0};
    struct trainer trainer = {0};
    struct settings *settings = make_settings(folder);
    CHECK_STATUS(session_open_model(&session, comm, settings), FT_OK);
    CHECK_STATUS(session_open_data(&session, SESSION_TRAIN), FT_OK);
    CHECK_STATUS(session_create_model(&session, true), FT_OK);
    CHECK_STATUS(session_load_params(&session), FT_OK);
    CHECK_STATUS(trainer_open(&trainer, &session), FT_OK);
    fault_set_data_hook(corrupt);
    test_steps(&trainer, settings);
    trainer_close(&trainer);
    session_close(&session);
    settings_destroy(&settings);
}

int main(int argc, char **argv)
{
    struct comm *comm;
    char folder[] = "/tmp/ft-trainer-XXXXXX";
    CHECK_STATUS(comm_open(&comm, &argc, &argv), FT_OK);
    if (comm_rank(comm) == 0)
        CHECK(mkdtemp(folder) != NULL);
    comm_bcast(comm, folder, sizeof folder, 0);
    write_corpus(comm, folder);
    run(comm, folder);
    comm_barrier(comm);
    if (comm_rank(comm) == 0)
        CHECK_STATUS(file_remove_folder(folder), FT_OK);
    comm_close(&comm);
    return check_end();
}
