/* System calls that are hard to get: loaded with LD_PRELOAD, it makes read, write, send, pwritev2 and poll fail or do
 * less than asked, at random, as they may at any time.
 *
 * Only pipes and sockets are meant, and not stderr; and a short read, as of the pipe by which a new process tells that it
 * could not begin, is never put off with EAGAIN: nobody else has that pipe, who could have made it non-blocking.
 *
 * FAULTS is the chance in percent (default 30), FAULTS_SEED where the
 * chances start. At exit it says on stderr how many calls there were and what was done to them. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static unsigned chance = 30;
static unsigned long long state = 88172645463325252ULL;
static unsigned long calls, interrupted, again, shortened;

static unsigned long long next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static ssize_t (*real_read)(int, void *, size_t);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_send)(int, const void *, size_t, int);
static ssize_t (*real_pwritev2)(int, const struct iovec *, int, off_t, int);
static int (*real_poll)(struct pollfd *, nfds_t, int);

__attribute__((constructor)) static void begin(void)
{
    const char *percent = getenv("FAULTS"), *seed = getenv("FAULTS_SEED");
    if (percent)
        chance = (unsigned)atoi(percent);
    if (seed)
        state += strtoull(seed, NULL, 10) * 2862933555777941757ULL;
    state += (unsigned long long)getpid();
    *(void **)&real_read = dlsym(RTLD_NEXT, "read");
    *(void **)&real_write = dlsym(RTLD_NEXT, "write");
    *(void **)&real_send = dlsym(RTLD_NEXT, "send");
    *(void **)&real_pwritev2 = dlsym(RTLD_NEXT, "pwritev2");
    *(void **)&real_poll = dlsym(RTLD_NEXT, "poll");
}

__attribute__((destructor)) static void end(void)
{
    if (calls)
        fprintf(stderr, "shim: %lu calls, %lu interrupted, %lu again, %lu short\n", calls, interrupted, again,
                shortened);
}

/* 0: go on with *length bytes; -1: errno is set. */
static int fault(int fd, size_t *length, int may_be_put_off)
{
    struct stat st;
    if (fd == 2 || fstat(fd, &st) || !(S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
        return 0;
    calls++;
    if (next_random() % 100 >= chance)
        return 0;
    switch (next_random() % 3) {
    case 0:
        interrupted++;
        errno = EINTR;
        return -1;
    case 1:
        if (!may_be_put_off)
            return 0;
        again++;
        errno = EAGAIN;
        return -1;
    default:
        if (*length > 1) {
            shortened++;
            *length = 1 + next_random() % (*length < 64 ? *length : next_random() % 2 ? 64 : *length);
        }
        return 0;
    }
}

ssize_t read(int fd, void *bytes, size_t length)
{
    return fault(fd, &length, length >= 1024) ? -1 : real_read(fd, bytes, length);
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    return fault(fd, &length, 1) ? -1 : real_write(fd, bytes, length);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
    return fault(fd, &length, 1) ? -1 : real_send(fd, bytes, length, flags);
}

ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    struct iovec first = *parts;
    if (count != 1)
        return real_pwritev2(fd, parts, count, offset, flags);
    return fault(fd, &first.iov_len, 1) ? -1 : real_pwritev2(fd, &first, 1, offset, flags);
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    calls++;
    if (next_random() % 100 < chance / 3) {
        interrupted++;
        errno = EINTR;
        return -1;
    }
    return real_poll(fds, count, timeout);
}
