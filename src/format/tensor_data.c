#include "tensor_data.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "format/gguf.h"

enum { CHUNK = 1 << 18 }; /* elements: a multiple of every block */

ft_status tensor_sink_open(struct tensor_sink *sink)
{
    sink->values = mem_alloc_raw(CHUNK, sizeof *sink->values);
    sink->bytes = mem_alloc_raw(CHUNK, sizeof *sink->values);
    return sink->values && sink->bytes ? FT_OK : FT_ERR_INTERNAL;
}

void tensor_sink_close(struct tensor_sink *sink)
{
    FT_FREE(sink->values);
    FT_FREE(sink->bytes);
}

static ft_status check_values(const float *x, int64_t n, const char *name, int type)
{
    const float most = ggml_type_largest(type);
    int64_t at = 0;
    while (at < n && fabsf(x[at]) <= most) /* false for NaN */
        at++;
    if (at == n)
        return FT_OK;
    if (!isfinite(x[at]))
        return ft_fail(FT_ERR_INTERNAL, "tensor %s holds %g: it cannot be written", name,
                       (double)x[at]);
    return ft_fail(FT_ERR_USAGE,
                   "tensor %s holds %g, and %s ends at %g: choose another type, bf16 for example",
                   name, (double)x[at], ggml_type_name(type), (double)most);
}

ft_status tensor_sink_put(struct tensor_sink *sink, int index, const char *name, int64_t n,
                          int type)
{
    int64_t block_elements;
    uint64_t block_bytes;
    ggml_type_block(type, &block_elements, &block_bytes);
    for (int64_t first = 0; first < n; first += CHUNK) {
        const int64_t count = n - first < CHUNK ? n - first : CHUNK;
        const int64_t n_blocks = count / block_elements;
        FT_TRY(sink->source(sink->context, index, sink->values, first, count));
        FT_TRY(check_values(sink->values, count, name, type));
        if (!ggml_quantize(sink->bytes, sink->values, n_blocks, type))
            return ft_fail(FT_ERR_INTERNAL, "tensor %s: type %d is not written", name, type);
        FT_TRY(file_write_all(sink->fd, sink->bytes, (size_t)n_blocks * (size_t)block_bytes,
                              sink->path));
    }
    return FT_OK;
}
