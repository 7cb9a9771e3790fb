/*
 * Linked into finetune-faults: FT_FAULT=phase:rank[:kind[:nth]] makes the nth visit (from 1;
 * default 1) of the named fault_point on that rank of the launcher fail. Kinds: error (default)
 * reports a failure, malloc lets the next allocation fail, exit, segv and kill end the process,
 * sleep stops it for an hour, loop for ever at work, stop until it is told to go on (SIGCONT). At a
 * fault_data: flip turns one bit of the data over, flip0 ... flip31 that bit of an element of f32;
 * spike multiplies a double by 1000 and nan makes it one.
 */
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/mem.h"

enum { EXIT_OF_FAULT = 3, AN_HOUR = 3600 };

static struct {
    char phase[64], kind[16];
    int rank, nth, visits;
} fault;

static int own_rank(void)
{
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");
    if (!rank)
        rank = getenv("PMIX_RANK");
    return rank ? (int)strtol(rank, NULL, 10) : 0;
}

static bool is_here(const char *phase)
{
    return strcmp(phase, fault.phase) == 0 && own_rank() == fault.rank &&
           ++fault.visits == fault.nth;
}

static void corrupt_here(const char *phase, void *data, size_t bytes)
{
    int bit = 0;
    if (bytes == 0 || !is_here(phase))
        return;
    if (sscanf(fault.kind, "flip%d", &bit) == 1)
        ((uint32_t *)data)[bytes / sizeof(uint32_t) / 2] ^= UINT32_C(1) << bit;
    else if (strcmp(fault.kind, "flip") == 0)
        ((unsigned char *)data)[bytes / 2] ^= 1U << 4;
    else if (strcmp(fault.kind, "spike") == 0)
        *(double *)data *= 1e3;
    else if (strcmp(fault.kind, "nan") == 0)
        *(double *)data = NAN;
}

static ft_status fail_here(const char *phase)
{
    if (!is_here(phase))
        return FT_OK;
    if (strcmp(fault.kind, "exit") == 0)
        _exit(EXIT_OF_FAULT);
    if (strcmp(fault.kind, "segv") == 0) {
        (void)signal(SIGSEGV, SIG_DFL); /* no handler of Open MPI's or a sanitizer's */
        (void)raise(SIGSEGV);
    }
    if (strcmp(fault.kind, "kill") == 0)
        (void)raise(SIGKILL);
    if (strcmp(fault.kind, "malloc") == 0) {
        mem_fail_nth(1, 0);
        return FT_OK;
    }
    if (strcmp(fault.kind, "stop") == 0) {
        (void)raise(SIGSTOP);
        return FT_OK;
    }
    if (strcmp(fault.kind, "loop") == 0)
        for (volatile int turns = 0;; turns = !turns) {
        }
    if (strcmp(fault.kind, "sleep") == 0)
        (void)sleep(AN_HOUR);
    return ft_fail(FT_ERR_IO, "injected failure in %s", phase);
}

static void check_released(void)
{
    const long long bytes = (long long)mem_live_bytes();
    if (bytes == 0)
        return;
    (void)fprintf(stderr, "finetune: error: %lld bytes were not released\n", bytes);
    _exit(FT_ERR_INTERNAL);
}

__attribute__((constructor)) static void install(void)
{
    if (atexit(check_released) != 0)
        _exit(EXIT_OF_FAULT);
    const char *text = getenv("FT_FAULT");
    if (!text)
        return;
    fault.nth = 1;
    (void)snprintf(fault.kind, sizeof fault.kind, "error");
    const int n =
        sscanf(text, "%63[^:]:%d:%15[^:]:%d", fault.phase, &fault.rank, fault.kind, &fault.nth);
    if (n < 2) {
        (void)fprintf(stderr, "FT_FAULT must be phase:rank[:kind[:nth]]: %s\n", text);
        _exit(EXIT_OF_FAULT);
    }
    fault_set_hook(fail_here);
    fault_set_data_hook(corrupt_here);
}
