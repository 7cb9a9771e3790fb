/**
 * What the main thread of this process is doing, for the watchdog that looks on (comm/watchdog.h).
 *
 * The code says it where it costs nothing: a block of the model, a tensor, a chunk of a file, a
 * document. A thread that reads it learns whether the work moves, not what it is. Any thread may
 * call any of these; each is one or two relaxed atomic operations.
 */
#ifndef FT_BASE_PULSE_H
#define FT_BASE_PULSE_H

#include <stdbool.h>
#include <stdint.h>

struct pulse {
    const char *phase; /**< static text */
    uint64_t marks;    /**< grows while the work moves */
    bool waits;        /**< in a call that ends when other ranks enter it too */
};

/** A phase begins; phase must be static text of at most 31 bytes. It is a mark too. */
void pulse_phase(const char *phase);

/** The work moved on. */
void pulse_mark(void);

/** Around calls that wait for other ranks; not nested. Both are marks. */
void pulse_wait_begin(void);
void pulse_wait_end(void);

struct pulse pulse_read(void);

#endif
