/* Stops and continues a process again and again, until it has gone or our stdin ends: `nag PID TIMES_A_SECOND`. It says
 * how often at the end. */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv)
{
    struct pollfd input = { 0, POLLIN, 0 };
    struct timespec half;
    long count = 0;
    pid_t pid;
    if (argc != 3 || atol(argv[2]) <= 0)
        return 1;
    pid = (pid_t)atol(argv[1]);
    half.tv_sec = 0;
    half.tv_nsec = 500000000L / atol(argv[2]);
    while (poll(&input, 1, 0) == 0) {
        if (kill(pid, SIGSTOP))
            break;
        nanosleep(&half, NULL);
        if (kill(pid, SIGCONT))
            break;
        nanosleep(&half, NULL);
        count++;
    }
    kill(pid, SIGCONT);
    printf("%ld\n", count);
    return 0;
}
