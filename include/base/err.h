/**
 * Status codes and the one error message of a failed call.
 *
 * Every function that can fail returns ft_status. The value is the exit code of the program, so
 * that a code is decided once, where the failure is seen. The message that goes with it is kept per
 * thread until the next ft_fail; nothing below cli/ prints it.
 */
#ifndef FT_BASE_ERR_H
#define FT_BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    FT_OK = 0,
    FT_ERR_USAGE = 64,    /**< bad command line or configuration; plan does not fit the machine */
    FT_ERR_INPUT = 65,    /**< a file that the user gave is malformed or does not fit the job */
    FT_ERR_INTERNAL = 70, /**< non-finite numbers, memory exhausted, a bug */
    FT_ERR_OUTPUT = 73,   /**< output directory busy, not creatable, not visible on every rank */
    FT_ERR_IO = 74,       /**< input/output error; the last checkpoint is intact */
    FT_STOPPED = 75,      /**< not a failure: checkpoint written on request, please requeue */
    FT_ERR_HANG = 76      /**< a rank hangs: the watchdog ends the job, no function returns it */
} ft_status;

#define FT_ERR_TEXT_MAX 1024

/** Records the message (printf-style, truncated to FT_ERR_TEXT_MAX) for this thread; returns code.
 */
ft_status ft_fail(ft_status code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Puts "text: " before the message of a failure that is being passed up; returns code unchanged.
 */
ft_status ft_fail_within(ft_status code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Message of this thread's latest failure; "" when there was none. Valid until the next ft_fail.
 */
const char *ft_error_text(void);

/**
 * The first failure of work that threads share, by its place in the work and not by the clock.
 * Start with FT_NO_FAILURE.
 */
struct ft_failure {
    int64_t place; /**< INT64_MAX while there is none */
    ft_status status;
    char text[FT_ERR_TEXT_MAX];
};

#define FT_NO_FAILURE                                                                              \
    (struct ft_failure)                                                                            \
    {                                                                                              \
        .place = INT64_MAX                                                                         \
    }

/** Keeps status and this thread's message, unless status is FT_OK or a lower place failed.
 * Thread-safe. */
void ft_failure_note(struct ft_failure *failure, int64_t place, ft_status status);

/** Whether a lower place failed, so that this one need not be done. Thread-safe. */
bool ft_failure_before(const struct ft_failure *failure, int64_t place);

/** FT_OK, or the failure as one of this thread. */
ft_status ft_failure_give(const struct ft_failure *failure);

/** Passes a failure of a local call up. Never around a local call in a collective function. */
#define FT_TRY(call)                                                                               \
    do {                                                                                           \
        ft_status ft_try_status_ = (call);                                                         \
        if (ft_try_status_ != FT_OK)                                                               \
            return ft_try_status_;                                                                 \
    } while (0)

/** As FT_TRY where something must be released: sets `status` and jumps to `out`. */
#define FT_TRY_OUT(call)                                                                           \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != FT_OK)                                                                       \
            goto out;                                                                              \
    } while (0)

#endif
