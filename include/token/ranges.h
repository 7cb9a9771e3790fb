/** Sets of characters as ranges of code points. */
#ifndef FT_TOKEN_RANGES_H
#define FT_TOKEN_RANGES_H

#include <stdbool.h>
#include <stdint.h>

/** A range of code points. */
struct code_range {
    uint32_t first, last;
};

/** Ranges in ascending order. */
struct code_ranges {
    const struct code_range *items;
    int n;
};

static inline bool code_in_ranges(const struct code_ranges *ranges, uint32_t code)
{
    int low = 0, high = ranges->n;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (code > ranges->items[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < ranges->n && code >= ranges->items[low].first;
}

#endif
