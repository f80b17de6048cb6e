/* Loaded with LD_PRELOAD, it has the wall clock jump ten years forwards and backwards, anew at every look: time,
 * gettimeofday and clock_gettime(CLOCK_REALTIME), and timespec_get on top of it. The monotonic clocks are left alone. At
 * exit it says on stderr how often somebody looked. */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define YEARS (10L * 365 * 24 * 3600)

static long looks;

static long jump(void)
{
    return __atomic_add_fetch(&looks, 1, __ATOMIC_RELAXED) % 2 ? YEARS : -YEARS;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int failed = (int)syscall(SYS_clock_gettime, clock, time);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        time->tv_sec += jump();
    return failed;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
    struct timespec now;
    int failed = clock_gettime(CLOCK_REALTIME, &now);
    (void)zone;
    if (!failed) {
        time->tv_sec = now.tv_sec;
        time->tv_usec = now.tv_nsec / 1000;
    }
    return failed;
}

time_t time(time_t *place)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (place)
        *place = now.tv_sec;
    return now.tv_sec;
}

__attribute__((destructor)) static void end(void)
{
    fprintf(stderr, "wall: %ld\n", looks);
}
