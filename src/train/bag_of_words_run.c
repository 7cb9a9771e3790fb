#include "train/bag_of_words_run.h"
ft_status bag_of_words_run(struct comm *world, const struct settings *settings,
                           evaluation_user *use, void *context)
{
    (void)world;
    (void)settings;
    (void)use;
    (void)context;
    return FT_OK;
}
