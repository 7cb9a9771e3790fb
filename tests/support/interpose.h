/**
 * System calls of the program under test, of HDF5 too, come through interpose.c where a test links
 * it: the k-th of a kind can be made to fail, and those that change something can be recorded. Only
 * calls on files below one folder, of the main thread, count.
 */
#ifndef FT_TESTS_INTERPOSE_H
#define FT_TESTS_INTERPOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum interposed {
    CALL_MKDIR,
    CALL_OPEN,
    CALL_OPENDIR,
    CALL_READDIR,
    CALL_STAT,
    CALL_LSTAT,
    CALL_FSTAT,
    CALL_ACCESS,
    CALL_STATVFS,
    CALL_READ,
    CALL_PREAD,
    CALL_WRITE,
    CALL_PWRITE,
    CALL_FTRUNCATE,
    CALL_LSEEK,
    CALL_SYNC_FILE_RANGE,
    CALL_FSYNC,
    CALL_CLOSE,
    CALL_RENAME,
    CALL_RENAMEAT2,
    CALL_UNLINK,
    CALL_RMDIR,
    CALL_SYMLINK,
    CALL_READLINK,
    N_INTERPOSED
};
extern const char *const interposed_names[N_INTERPOSED];

/** What is to go wrong. */
struct interpose_fault {
    enum interposed call;
    int64_t k;       /**< the k-th such call, from 1 on */
    int error;       /**< errno; 0: only half of the bytes are read or written */
    bool is_lasting; /**< all later ones too */
    bool is_done;    /**< the call is made and reported as failed, as NFS may */
    bool is_deadly;  /**< instead of the call, the process is killed */
};

/** The folder whose files count. */
void interpose_below(const char *folder);

/** From now on until interpose_disarm; k = 0 only counts. */
void interpose_arm(const struct interpose_fault *fault);

/** Calls of each kind since interpose_arm. */
extern int64_t interposed_counts[N_INTERPOSED];

/** A call that changed something below the folder, after it worked. */
struct interposed_change {
    enum interposed call;
    const char *path, *to; /**< of mkdir, open, unlink, rmdir; of rename and renameat2, both */
    int fd;                /**< of open (what it gave), write, pwrite, ftruncate, fsync, close */
    int flags;             /**< of open and renameat2 */
    const void *data;      /**< (bytes) of write and pwrite, at byte `at` */
    size_t bytes;
    int64_t at; /**< of ftruncate: the length */
};

/** Calls sink with each change from now on; NULL: no longer. */
void interpose_record(void (*sink)(const struct interposed_change *change));

/** Gives how many calls were made to fail. */
int64_t interpose_disarm(void);

#endif
