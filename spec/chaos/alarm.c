/* Loaded with LD_PRELOAD, it has SIGALRM interrupt the process ALARM_HZ times a second (1000), in a way that no system
 * call is begun again by the kernel: each one that waits fails with EINTR. At exit it says on stderr how often. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

static volatile sig_atomic_t alarms;

static void count(int number)
{
    (void)number;
    alarms++;
}

__attribute__((constructor)) static void begin(void)
{
    const char *given = getenv("ALARM_HZ");
    long each = 1000000 / (given && atol(given) > 0 ? atol(given) : 1000);
    struct sigaction action = { 0 };
    struct itimerval timer = { { 0, each }, { 0, each } };
    action.sa_handler = count; /* and no SA_RESTART */
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

__attribute__((destructor)) static void end(void)
{
    struct itimerval never = { { 0, 0 }, { 0, 0 } };
    setitimer(ITIMER_REAL, &never, NULL);
    fprintf(stderr, "alarm: %ld\n", (long)alarms);
}
