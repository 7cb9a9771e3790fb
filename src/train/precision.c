#include "train/precision.h"

#include "base/log.h"
#include "math/gemm16.h"

static ft_status check_built(const struct settings *settings)
{
    if (settings->model.precision != PRECISION_BF16 || gemm16_is_built())
        return FT_OK;
    return ft_fail(FT_ERR_USAGE,
                   "model.precision = \"bf16\" needs oneDNN, and this program was built without "
                   "it: install it (Debian: libdnnl-dev) and build again, or set "
                   "model.precision = \"fp32\"");
}

static void explain(const struct settings *settings, bool was_auto, bool is_native)
{
    if (settings->model.precision == PRECISION_BF16 && is_native)
        log_info("precision: bf16 (%s), sums and weights in fp32", gemm16_name());
    else if (settings->model.precision == PRECISION_BF16)
        log_warn("precision: bf16, but a processor of this run has no bf16 instructions (AMX or "
                 "AVX512-BF16): it is emulated, slower than model.precision = \"fp32\"");
    else if (was_auto && gemm16_is_built())
        log_info("precision: fp32 (auto: not every processor of this run has bf16 instructions, "
                 "AMX or AVX512-BF16)");
    else if (was_auto)
        log_info("precision: fp32 (auto: this program was built without oneDNN)");
}

ft_status precision_settle(struct settings *settings, struct comm *comm)
{
    const bool was_auto = settings->model.precision == PRECISION_AUTO;
    double is_native = gemm16_is_native();
    FT_AGREE(comm, check_built(settings));
    comm_min_f64(comm, &is_native, 1);
    if (was_auto)
        settings->model.precision = is_native > 0 ? PRECISION_BF16 : PRECISION_FP32;
    if (comm_rank(comm) == 0)
        explain(settings, was_auto, is_native > 0);
    return FT_OK;
}

enum elem precision_elem(const struct settings *settings)
{
    return settings->model.precision == PRECISION_BF16 ? ELEM_BF16 : ELEM_F32;
}

const char *precision_name(const struct settings *settings)
{
    return settings->model.precision == PRECISION_BF16 ? "bf16" : "fp32";
}
