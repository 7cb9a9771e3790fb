#include "base/pulse.h"

#include <stdatomic.h>

static _Atomic(const char *) current_phase = "start";
static atomic_uint_fast64_t n_marks;
static atomic_bool is_waiting;

void pulse_mark(void)
{
    (void)atomic_fetch_add_explicit(&n_marks, 1, memory_order_relaxed);
}

void pulse_phase(const char *phase)
{
    atomic_store_explicit(&current_phase, phase, memory_order_relaxed);
    pulse_mark();
}

void pulse_wait_begin(void)
{
    pulse_mark();
    atomic_store_explicit(&is_waiting, true, memory_order_relaxed);
}

void pulse_wait_end(void)
{
    atomic_store_explicit(&is_waiting, false, memory_order_relaxed);
    pulse_mark();
}

struct pulse pulse_read(void)
{
    return (struct pulse){
        .phase = atomic_load_explicit(&current_phase, memory_order_relaxed),
        .marks = (uint64_t)atomic_load_explicit(&n_marks, memory_order_relaxed),
        .waits = atomic_load_explicit(&is_waiting, memory_order_relaxed),
    };
}
