/* A child process on two pipes, for the round-trip benchmark. */
#ifndef FKRPC_BENCH_CHILD_H
#define FKRPC_BENCH_CHILD_H

#include <stddef.h>
#include <sys/types.h>
#include <time.h>

struct child {
    pid_t pid;
    int to;
    int from;
    clockid_t clock; /* its CPU time */
};

/* Start `sh -c "exec COMMAND"`; exits on failure, as everything here does. */
struct child start(const char *command);

/* Close its input and wait for it; an exit status other than 0 is fatal. */
void finish(struct child *child, const char *name);

/* Send all of `bytes`. */
void send_all(int fd, const char *bytes, size_t length);

/* One read(2), appended at `used` of a buffer of `size`; the new length. */
size_t receive(int fd, char *buffer, size_t used, size_t size);

/* What arrives until the child has been silent for `milliseconds`. */
size_t receive_until_silent(int fd, char *buffer, size_t size, int milliseconds);

/* Nanoseconds on a clock. */
long long now(clockid_t clock);

/* Print why, and exit. */
void die(const char *what, const char *which);

#endif
