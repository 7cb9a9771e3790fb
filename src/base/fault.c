#include "base/fault.h"

static fault_hook installed;
static fault_data_hook data_installed;

void fault_set_hook(fault_hook hook)
{
    installed = hook;
}

ft_status fault_point(const char *phase)
{
    return installed ? installed(phase) : FT_OK;
}

void fault_set_data_hook(fault_data_hook hook)
{
    data_installed = hook;
}

void fault_data(const char *phase, void *data, size_t bytes)
{
    if (data_installed)
        data_installed(phase, data, bytes);
}
