/* Errors: what a failed operation tells its caller.
 *
 * A function that can fail takes an rh_error * last and returns an rh_status: RH_OK, or the class
 * of the failure, which is also the exit code of the command that meets it. The message is a whole
 * sentence for the user: which file, what is wrong, where (byte offset, event number), what to do.
 * Whoever knows more prefixes it; only a command prints it.
 */
#ifndef REHEAP_BASE_ERROR_H
#define REHEAP_BASE_ERROR_H

typedef enum rh_status {
    RH_OK = 0,
    RH_DIFFERENT = 1,    /* a check, verification or gate found a difference */
    RH_USAGE = 2,        /* the call's own words are wrong */
    RH_BAD_INPUT = 3,    /* an input file is damaged, truncated or of another kind */
    RH_CANNOT_RUN = 4,   /* a program, allocator or needed tool could not be run */
    RH_SYSTEM = 5,       /* input/output or the system failed */
    RH_INTERRUPTED = 130 /* the user asked to stop */
} rh_status;

typedef struct rh_error {
    rh_status status;
    char message[1024]; /* always terminated; "" while status is RH_OK */
} rh_error;

/* Sets *error (which may be NULL) to `status` and the formatted message, and returns `status`. The
 * message is cut at the buffer's end, never overrun. */
rh_status rh_fail(rh_error *error, rh_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As rh_fail, with ": " and the text of `errno_value` appended. */
rh_status rh_fail_errno(rh_error *error, rh_status status, int errno_value, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts "PREFIX: " before the message already in *error, and returns its status. */
rh_status rh_error_prefix(rh_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
