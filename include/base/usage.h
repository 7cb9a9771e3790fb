/** What this process has used: processor time and memory. Linux. */
#ifndef FT_BASE_USAGE_H
#define FT_BASE_USAGE_H

#include <stdint.h>

/** Processor time of all threads so far, user and system [s]. */
double usage_cpu_seconds(void);

/** Forgets the peak of resident memory so far, where the system allows it. */
void usage_reset_peak(void);

/**
 * This process reads so many more bytes of other processes' memory where they are: resident here
 * too, but not its own. usage_peak_bytes leaves them out until usage_reset_peak.
 */
void usage_count_foreign(int64_t bytes);

/** Largest resident memory of its own since usage_reset_peak, or since the start [bytes]; 0 where
 * unknown. */
int64_t usage_peak_bytes(void);

#endif
