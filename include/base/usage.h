/** What this process has used: processor time and memory. Linux. */
#ifndef FT_BASE_USAGE_H
#define FT_BASE_USAGE_H

#include <stdint.h>

/** Processor time of all threads so far, user and system [s]. */
double usage_cpu_seconds(void);

/** Forgets the peak of resident memory so far, where the system allows it. */
void usage_reset_peak(void);

/** Largest resident memory since usage_reset_peak, or since the start [bytes]; 0 where unknown. */
int64_t usage_peak_bytes(void);

#endif
