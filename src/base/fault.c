#include "base/fault.h"

#include <stddef.h>

static fault_hook installed;

void fault_set_hook(fault_hook hook)
{
    installed = hook;
}

ft_status fault_point(const char *phase)
{
    return installed ? installed(phase) : FT_OK;
}
