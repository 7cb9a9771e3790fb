/* Built without oneDNN: precision bf16 is refused before anything here is asked for work. */
#include "gemm16_onednn.h"

#include <stddef.h>

bool onednn_is_built(void)
{
    return false;
}

bool onednn_is_native(enum elem in)
{
    (void)in;
    return false;
}

const char *onednn_name(void)
{
    return "no oneDNN";
}

ft_status onednn_create(struct onednn **out, int n_threads)
{
    (void)n_threads;
    *out = NULL;
    return ft_fail(FT_ERR_INTERNAL, "this program was built without oneDNN");
}

void onednn_destroy(struct onednn **o)
{
    *o = NULL;
}

bool onednn_multiply(struct onednn *o, int thread, const struct product *p, void *c, const void *a,
                     const void *b)
{
    (void)o, (void)thread, (void)p, (void)c, (void)a, (void)b;
    return false;
}
