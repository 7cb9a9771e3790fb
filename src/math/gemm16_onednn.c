/*
 * A kernel (primitive) is made for one shape and kept in a table of its thread, because a kernel's
 * memory objects carry the addresses of one call at a time. The table forgets what was not used for
 * longest. Making one costs milliseconds: callers keep the number of shapes small, and oneDNN's own
 * cache shares the compiled code between the threads' tables.
 */
#include "gemm16_onednn.h"

#include <dnnl.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { KERNELS = 512 };

struct kernel {
    struct product shape;
    int64_t used; /* time of its last use; 0: the place is free */
    dnnl_primitive_t primitive;
    dnnl_memory_t a, b, c;
};

struct thread_kernels {
    dnnl_stream_t stream;
    int64_t clock;
    int n;
    struct kernel *kernels; /* (KERNELS), n of them in use or free again */
};

struct onednn {
    dnnl_engine_t engine;
    int n_threads;
    struct thread_kernels *threads;
};

bool onednn_is_built(void)
{
    return true;
}

bool onednn_is_native(enum elem in)
{
    const unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();
    const unsigned wanted =
        (unsigned)(in == ELEM_BF16 ? dnnl_cpu_isa_avx512_core_bf16 : dnnl_cpu_isa_avx2);
    return (isa & wanted) == wanted;
}

const char *onednn_name(void)
{
    static char name[64];
    const dnnl_version_t *v = dnnl_version();
    const unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();
    const unsigned amx = (unsigned)dnnl_cpu_isa_avx512_core_amx;
    (void)snprintf(name, sizeof name, "oneDNN %d.%d.%d, %s", v->major, v->minor, v->patch,
                   (isa & amx) == amx            ? "AMX"
                   : onednn_is_native(ELEM_BF16) ? "AVX512-BF16"
                                                 : "no bf16");
    return name;
}

static void kernel_clear(struct kernel *k)
{
    if (k->used == 0)
        return;
    (void)dnnl_memory_destroy(k->c);
    (void)dnnl_memory_destroy(k->b);
    (void)dnnl_memory_destroy(k->a);
    (void)dnnl_primitive_destroy(k->primitive);
    *k = (struct kernel){0};
}

ft_status onednn_create(struct onednn **out, int n_threads)
{
    struct onednn *o;
    *out = NULL;
    FT_TRY(FT_ALLOC(o, 1));
    o->n_threads = n_threads;
    ft_status status = FT_ALLOC(o->threads, n_threads);
    bool ok = status == FT_OK && dnnl_engine_create(&o->engine, dnnl_cpu, 0) == dnnl_success;
    for (int i = 0; i < n_threads && ok; i++) {
        struct thread_kernels *t = &o->threads[i];
        status = FT_ALLOC(t->kernels, KERNELS);
        ok = status == FT_OK &&
             dnnl_stream_create(&t->stream, o->engine, dnnl_stream_default_flags) == dnnl_success;
    }
    if (!ok && status == FT_OK)
        status = ft_fail(FT_ERR_INTERNAL, "oneDNN does not start; use model.precision = \"fp32\"");
    if (status != FT_OK)
        onednn_destroy(&o);
    *out = o;
    return status;
}

void onednn_destroy(struct onednn **onednn)
{
    struct onednn *o = *onednn;
    if (!o)
        return;
    for (int i = 0; o->threads && i < o->n_threads; i++) {
        struct thread_kernels *t = &o->threads[i];
        for (int k = 0; t->kernels && k < KERNELS; k++)
            kernel_clear(&t->kernels[k]);
        mem_free(t->kernels);
        (void)dnnl_stream_destroy(t->stream);
    }
    mem_free(o->threads);
    (void)dnnl_engine_destroy(o->engine);
    FT_FREE(*onednn);
}

/* A matrix (rows, columns) whose elements lie `row` and `column` apart. */
struct place {
    int rows, columns, row, column;
    enum elem type;
};

static dnnl_data_type_t data_type(enum elem type)
{
    return type == ELEM_BF16 ? dnnl_bf16 : dnnl_f32;
}

#if DNNL_VERSION_MAJOR >= 3

typedef dnnl_memory_desc_t description;

static bool describe(description *d, struct place p)
{
    const dnnl_dims_t dims = {p.rows, p.columns}, strides = {p.row, p.column};
    return dnnl_memory_desc_create_with_strides(d, 2, dims, data_type(p.type), strides) ==
           dnnl_success;
}

static void forget(description *d)
{
    (void)dnnl_memory_desc_destroy(*d);
}

static bool append_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef) == dnnl_success;
}

static bool choose(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const description d[3],
                   dnnl_primitive_attr_t attributes)
{
    return dnnl_matmul_primitive_desc_create(pd, engine, d[0], d[1], NULL, d[2], attributes) ==
           dnnl_success;
}

static bool create_memory(dnnl_memory_t *memory, const description *d, dnnl_engine_t engine)
{
    return dnnl_memory_create(memory, *d, engine, DNNL_MEMORY_NONE) == dnnl_success;
}

#else

typedef dnnl_memory_desc_t description;

static bool describe(description *d, struct place p)
{
    const dnnl_dims_t dims = {p.rows, p.columns}, strides = {p.row, p.column};
    return dnnl_memory_desc_init_by_strides(d, 2, dims, data_type(p.type), strides) == dnnl_success;
}

static void forget(description *d)
{
    (void)d; /* a plain struct before version 3 */
}

static bool append_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1.0f) == dnnl_success;
}

static bool choose(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const description d[3],
                   dnnl_primitive_attr_t attributes)
{
    dnnl_matmul_desc_t matmul;
    return dnnl_matmul_desc_init(&matmul, &d[0], &d[1], NULL, &d[2]) == dnnl_success &&
           dnnl_primitive_desc_create(pd, &matmul, attributes, engine, NULL) == dnnl_success;
}

static bool create_memory(dnnl_memory_t *memory, const description *d, dnnl_engine_t engine)
{
    return dnnl_memory_create(memory, d, engine, DNNL_MEMORY_NONE) == dnnl_success;
}

#endif

static bool set_sum(dnnl_primitive_attr_t attributes)
{
    dnnl_post_ops_t ops;
    if (dnnl_post_ops_create(&ops) != dnnl_success)
        return false;
    const bool ok =
        append_sum(ops) && dnnl_primitive_attr_set_post_ops(attributes, ops) == dnnl_success;
    (void)dnnl_post_ops_destroy(ops);
    return ok;
}

static bool compile(dnnl_primitive_t *primitive, const struct product *p, dnnl_engine_t engine,
                    const description d[3])
{
    dnnl_primitive_attr_t attributes;
    dnnl_primitive_desc_t pd;
    if (dnnl_primitive_attr_create(&attributes) != dnnl_success)
        return false;
    bool ok = (!p->adds || set_sum(attributes)) && choose(&pd, engine, d, attributes);
    if (ok) {
        ok = dnnl_primitive_create(primitive, pd) == dnnl_success;
        (void)dnnl_primitive_desc_destroy(pd);
    }
    (void)dnnl_primitive_attr_destroy(attributes);
    return ok;
}

static bool kernel_create(struct kernel *k, const struct product *p, dnnl_engine_t engine)
{
    const struct place places[3] = {{p->m, p->k, p->a_row, p->a_column, p->in},
                                    {p->k, p->n, p->b_row, p->b_column, p->in},
                                    {p->m, p->n, p->ldc, 1, p->out}};
    dnnl_memory_t *memory[3] = {&k->a, &k->b, &k->c};
    description d[3];
    int n = 0, n_memory = 0;
    while (n < 3 && describe(&d[n], places[n]))
        n++;
    while (n == 3 && n_memory < 3 && create_memory(memory[n_memory], &d[n_memory], engine))
        n_memory++;
    const bool ok = n_memory == 3 && compile(&k->primitive, p, engine, d);
    for (int i = 0; i < n_memory && !ok; i++)
        (void)dnnl_memory_destroy(*memory[i]);
    for (int i = 0; i < n; i++)
        forget(&d[i]);
    if (ok)
        k->shape = *p;
    return ok;
}

static bool is_equal(const struct product *a, const struct product *b)
{
    return a->m == b->m && a->n == b->n && a->k == b->k && a->a_row == b->a_row &&
           a->a_column == b->a_column && a->b_row == b->b_row && a->b_column == b->b_column &&
           a->ldc == b->ldc && a->in == b->in && a->out == b->out && a->adds == b->adds;
}

/* The kernel of this shape, or the place where it should be made. */
static struct kernel *find(struct thread_kernels *t, const struct product *p)
{
    struct kernel *oldest = &t->kernels[0];
    for (int i = 0; i < t->n; i++) {
        struct kernel *k = &t->kernels[i];
        if (k->used > 0 && is_equal(&k->shape, p))
            return k;
        if (k->used < oldest->used)
            oldest = k;
    }
    return t->n < KERNELS ? &t->kernels[t->n++] : oldest;
}

bool onednn_multiply(struct onednn *o, int thread, const struct product *p, void *c, const void *a,
                     const void *b)
{
    struct thread_kernels *t = &o->threads[thread];
    struct kernel *k = find(t, p);
    if (k->used == 0 || !is_equal(&k->shape, p)) {
        kernel_clear(k);
        if (!kernel_create(k, p, o->engine))
            return false;
    }
    k->used = ++t->clock;
    union {
        const void *input;
        void *handle;
    } first = {.input = a}, second = {.input = b};
    const dnnl_exec_arg_t arguments[3] = {
        {DNNL_ARG_SRC, k->a}, {DNNL_ARG_WEIGHTS, k->b}, {DNNL_ARG_DST, k->c}};
    return dnnl_memory_set_data_handle(k->a, first.handle) == dnnl_success &&
           dnnl_memory_set_data_handle(k->b, second.handle) == dnnl_success &&
           dnnl_memory_set_data_handle(k->c, c) == dnnl_success &&
           dnnl_primitive_execute(k->primitive, t->stream, 3, arguments) == dnnl_success &&
           dnnl_stream_wait(t->stream) == dnnl_success;
}
