#include "train/cost.h"

#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/timer.h"
#include "base/usage.h"
#include "format/json.h"

#define COST_FILE_MAX 4096

static ft_status take(struct cost *cost, const json_t *json)
{
    FT_TRY(json_get_real(json, "wall_s", 0, 1e12, &cost->wall_s, NULL));
    FT_TRY(json_get_real(json, "core_s", 0, 1e15, &cost->core_s, NULL));
    return json_get_int(json, "peak_bytes", 0, INT64_MAX, &cost->peak_bytes, NULL);
}

static ft_status read_earlier(struct cost *cost, const struct comm *comm, const char *folder)
{
    char path[FILE_PATH_MAX];
    json_t *json;
    if (comm_rank(comm) != 0)
        return FT_OK;
    FT_TRY(file_join(path, folder, "cost.json"));
    if (!file_exists(path))
        return FT_OK;
    FT_TRY(json_read_file(&json, path, COST_FILE_MAX));
    const ft_status status = take(cost, json);
    json_decref(json);
    return status == FT_OK ? FT_OK : ft_fail_within(status, "%s", path);
}

ft_status cost_begin(struct cost *cost, struct comm *comm, const char *folder, bool afresh)
{
    *cost = (struct cost){0};
    if (!afresh)
        FT_AGREE(comm, read_earlier(cost, comm, folder));
    usage_reset_peak();
    cost->started = timer_now();
    cost->cpu_started = usage_cpu_seconds();
    return FT_OK;
}

static ft_status write(const struct cost *cost, const struct comm *comm, const char *folder)
{
    char path[FILE_PATH_MAX];
    struct buffer text = {0};
    if (comm_rank(comm) != 0)
        return FT_OK;
    FT_TRY(file_join(path, folder, "cost.json"));
    FT_TRY(file_make_folders(folder));
    ft_status status =
        buffer_print(&text, "{\"wall_s\": %.17g, \"core_s\": %.17g, \"peak_bytes\": %lld}\n",
                     cost->wall_s, cost->core_s, (long long)cost->peak_bytes);
    if (status == FT_OK)
        status = file_replace(path, text.data, text.used);
    buffer_clear(&text);
    return status;
}

ft_status cost_end(struct cost *cost, struct comm *comm, const char *folder)
{
    double core = usage_cpu_seconds() - cost->cpu_started;
    int64_t peak = usage_peak_bytes();
    comm_sum_f64(comm, &core, 1);
    comm_sum_i64(comm, &peak, 1);
    cost->core_s += core; /* the earlier part is rank 0's alone */
    cost->wall_s += timer_now() - cost->started;
    cost->peak_bytes = peak > cost->peak_bytes ? peak : cost->peak_bytes;
    comm_bcast(comm, cost, sizeof *cost, 0);
    return comm_agree(comm, write(cost, comm, folder));
}
