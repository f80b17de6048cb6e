#define _GNU_SOURCE
#include "child.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void die(const char *what, const char *which)
{
    fprintf(stderr, "rtt: %s: %s%s%s\n", which, what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}

struct child start(const char *command)
{
    struct child child;
    int to[2], from[2];
    char line[4096];
    if (snprintf(line, sizeof line, "exec %s", command) >= (int)sizeof line)
        die("the command is too long", command);
    if (pipe(to) || pipe(from))
        die("pipe", command);
    child.pid = fork();
    if (child.pid < 0)
        die("fork", command);
    if (child.pid == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        close(to[0]);
        close(to[1]);
        close(from[0]);
        close(from[1]);
        execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    child.to = to[1];
    child.from = from[0];
    int error = clock_getcpuclockid(child.pid, &child.clock);
    if (error) {
        errno = error;
        die("clock_getcpuclockid", command);
    }
    return child;
}

void finish(struct child *child, const char *name)
{
    int status;
    close(child->to);
    close(child->from);
    while (waitpid(child->pid, &status, 0) < 0)
        if (errno != EINTR)
            die("waitpid", name);
    errno = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        die("the child did not end with status 0", name);
}

void send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0)
            die("write", "parent");
        bytes += written;
        length -= (size_t)written;
    }
}

size_t receive(int fd, char *buffer, size_t used, size_t size)
{
    if (used == size)
        die("an answer is too long", "parent");
    ssize_t length = read(fd, buffer + used, size - used);
    if (length <= 0)
        die("the child closed its output", "parent");
    return used + (size_t)length;
}

size_t receive_until_silent(int fd, char *buffer, size_t size, int milliseconds)
{
    struct pollfd entry = { .fd = fd, .events = POLLIN };
    size_t used = 0;
    /* The first bytes may take as long as an interpreter needs to start. */
    int wait = 20000;
    while (poll(&entry, 1, wait) > 0) {
        used = receive(fd, buffer, used, size);
        wait = milliseconds;
    }
    errno = 0;
    if (used == 0)
        die("no answer", "parent");
    return used;
}

long long now(clockid_t clock)
{
    struct timespec time;
    if (clock_gettime(clock, &time))
        die("clock_gettime", "parent");
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}
