/**
 * Which rank hangs, from what is known of each: the rules of the watchdog, without clock or
 * network. Local.
 */
#ifndef FT_COMM_VERDICT_H
#define FT_COMM_VERDICT_H

#include <stdbool.h>

enum { VERDICT_PHASE_BYTES = 32 };

/** What is known of a rank. Times are seconds of the clock of whoever judges. */
struct rank_report {
    double heard; /**< when it was heard last; below 0: never */
    double idle;  /**< how long its work had not moved then */
    bool waits;   /**< it was in a call that ends when other ranks enter it too */
    char phase[VERDICT_PHASE_BYTES];
};

enum verdict_kind {
    VERDICT_FINE,
    VERDICT_STUCK,   /**< a rank's own work does not move, and it waits for nobody */
    VERDICT_SILENT,  /**< a rank is not heard and nobody's work moves: stopped, or cut off */
    VERDICT_DEADLOCK /**< every rank is heard and waits for others */
};

struct verdict {
    enum verdict_kind kind;
    int rank;       /**< the culprit; the first of them where there are more */
    int other;      /**< DEADLOCK: a rank that waits in another phase, or -1 */
    int n_more;     /**< culprits besides */
    double seconds; /**< how long it has hung */
};

/**
 * @param[in] reports (n) of each rank; of a rank that was never heard nothing follows
 * @param[in] limit   seconds. Where anybody's work moves, no rank is condemned for its silence, and
 *                    waiting is never hanging as long as one rank works: a slow rank is none that
 *                    hangs
 */
struct verdict verdict_of(const struct rank_report *reports, int n, double now, double limit);

#endif
