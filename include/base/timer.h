/** Wall time by the monotonic clock, and the table of phases that ends every run. */
#ifndef FT_BASE_TIMER_H
#define FT_BASE_TIMER_H

/** Seconds since an arbitrary start; never jumps. */
double timer_now(void);

#endif
