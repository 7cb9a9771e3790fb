/**
 * Named points where a test can make a local call fail on one rank.
 *
 * The shipped program installs no hook, so a point costs one comparison. The test program
 * finetune-faults links tests/support/fault_env.c, which installs one that obeys FT_FAULT.
 */
#ifndef FT_BASE_FAULT_H
#define FT_BASE_FAULT_H

#include <stddef.h>

#include "base/err.h"

/** What a test installs: FT_OK, or the failure that the phase shall report. */
typedef ft_status (*fault_hook)(const char *phase);

/** What a test installs beside it: may change the data of the phase, as a bad processor would. */
typedef void (*fault_data_hook)(const char *phase, void *data, size_t bytes);

void fault_set_hook(fault_hook hook);
void fault_set_data_hook(fault_data_hook hook);

/** FT_OK unless a hook says otherwise. A local call: in collective code it goes through agreement.
 */
ft_status fault_point(const char *phase);

/** Leaves data (bytes) alone unless a hook says otherwise: where a test simulates corruption. */
void fault_data(const char *phase, void *data, size_t bytes);

#endif
