/** The example files in models/ and data/: a test that needs one fails without it, nothing is
 * skipped. */
#ifndef FT_TESTS_EXAMPLE_FILES_H
#define FT_TESTS_EXAMPLE_FILES_H

#include <stdbool.h>

#include "base/file.h"
#include "support/check.h"

/** Whether the example file is there; where it is not, the check has failed with what to do. */
static inline bool check_example_file(const char *path)
{
    if (file_is_regular(path))
        return true;
    (void)fprintf(stderr, "%s is missing: run python3 tools/fetch_examples.py, which makes it\n",
                  path);
    check_failures++;
    return false;
}

#endif
