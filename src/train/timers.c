#include "train/timers.h"

#include "base/buffer.h"
#include "base/file.h"
#include "base/log.h"
#include "base/timer.h"
#include "base/usage.h"

static const char *const names[N_PHASES] = {"model",     "data",     "compute",    "communication",
                                            "optimizer", "evaluate", "checkpoint", "export"};

void timers_start(struct timers *timers)
{
    timers->started = timer_now();
}

void timers_stop(struct timers *timers, enum phase phase)
{
    timers->seconds[phase] += timer_now() - timers->started;
}

void timers_move(struct timers *timers, enum phase from, enum phase to, double seconds)
{
    timers->seconds[from] -= seconds;
    timers->seconds[to] += seconds;
}

static void show_table(const double *min, const double *sum, const double *max, int size)
{
    double total = 0;
    for (int i = 0; i < N_PHASES; i++)
        total += sum[i];
    log_info("%-14s %11s %11s %11s %7s", "seconds", "min", "avg", "max", "share");
    for (int i = 0; i < N_PHASES; i++)
        if (max[i] > 0)
            log_info("  %-12s %11.3f %11.3f %11.3f %5.1f %%", names[i], min[i], sum[i] / size,
                     max[i], 100.0 * sum[i] / total);
}

/* Of the rank that needed most. */
struct memory_use {
    int64_t planned, peak;
};

static ft_status write_table(const double *min, const double *sum, const double *max, int size,
                             const struct memory_use *memory, const char *path)
{
    struct buffer text = {0};
    ft_status status = buffer_print(&text, "{\n  \"unit\": \"seconds\",\n  \"ranks\": %d", size);
    for (int i = 0; i < N_PHASES && status == FT_OK; i++)
        status = buffer_print(&text, ",\n  \"%s\": {\"min\": %.6f, \"avg\": %.6f, \"max\": %.6f}",
                              names[i], min[i], sum[i] / size, max[i]);
    if (status == FT_OK)
        status =
            buffer_print(&text, ",\n  \"memory_bytes\": {\"planned\": %lld, \"peak\": %lld}\n}\n",
                         (long long)memory->planned, (long long)memory->peak);
    if (status == FT_OK)
        status = file_replace(path, text.data, text.used);
    buffer_clear(&text);
    return status;
}

ft_status timers_write(const struct timers *timers, int64_t planned_bytes, struct comm *comm,
                       const char *path)
{
    struct memory_use memory = {planned_bytes, usage_peak_bytes()};
    double min[N_PHASES], sum[N_PHASES], max[N_PHASES];
    for (int i = 0; i < N_PHASES; i++)
        min[i] = sum[i] = max[i] = timers->seconds[i];
    comm_min_f64(comm, min, N_PHASES);
    comm_sum_f64(comm, sum, N_PHASES);
    comm_max_f64(comm, max, N_PHASES);
    comm_max_i64(comm, &memory.planned, 1);
    comm_max_i64(comm, &memory.peak, 1);
    show_table(min, sum, max, comm_size(comm));
    log_info("memory of a rank: %.2f GiB at most, %.2f GiB were planned",
             (double)memory.peak / 0x1p30, (double)memory.planned / 0x1p30);
    return comm_agree(comm, comm_rank(comm) == 0
                                ? write_table(min, sum, max, comm_size(comm), &memory, path)
                                : FT_OK);
}
