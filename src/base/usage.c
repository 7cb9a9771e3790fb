#include "base/usage.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t foreign_bytes;

double usage_cpu_seconds(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) != 0)
        return 0;
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void usage_reset_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "we");
    foreign_bytes = 0;
    if (!file)
        return;
    (void)fputs("5\n", file); /* 5: the peak becomes what is resident now */
    (void)fclose(file);
}

void usage_count_foreign(int64_t bytes)
{
    foreign_bytes += bytes;
}

int64_t usage_peak_bytes(void)
{
    char line[256];
    long long kib = 0;
    FILE *file = fopen("/proc/self/status", "re");
    if (!file)
        return 0;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %lld", &kib) == 1)
            break;
    (void)fclose(file);
    return kib > 0 ? (int64_t)kib * 1024 - foreign_bytes : 0;
}
