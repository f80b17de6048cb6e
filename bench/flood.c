/* Bytes in quantity, for the channel's benchmark.
 *
 *   flood write FILE COUNT    the file's bytes so many times to stdout, in as few write(2)s as a pipe takes
 *   flood read COUNT RESULT   so many lines from stdin; lines per second, from the first read(2) to the last line,
 *                             go to the file RESULT
 *
 * The one into the other is what a pipe carries where nobody looks at the messages. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 1 << 16 };

static void die(const char *what)
{
    fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void send_all(const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(1, bytes, length);
        if (written < 0)
            die("write");
        bytes += written;
        length -= (size_t)written;
    }
}

static void write_copies(const char *name, long count)
{
    FILE *file = fopen(name, "rb");
    if (!file || fseek(file, 0, SEEK_END))
        die(name);
    size_t length = (size_t)ftell(file);
    rewind(file);
    /* As many copies as fit into what a pipe holds, or one. */
    long together = length < BUFFER ? (long)(BUFFER / length) : 1;
    char *bytes = malloc(length * (size_t)together);
    if (!bytes || fread(bytes, 1, length, file) != length)
        die(name);
    for (long i = 1; i < together; i++)
        memcpy(bytes + length * (size_t)i, bytes, length);
    for (; count > 0; count -= together)
        send_all(bytes, length * (size_t)(count < together ? count : together));
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void read_lines(long count, const char *result)
{
    static char buffer[BUFFER];
    double started = 0;
    for (long lines = 0; lines < count;) {
        ssize_t length = read(0, buffer, sizeof buffer);
        if (length <= 0)
            die("read");
        if (started == 0)
            started = now();
        for (const char *at = buffer, *end = buffer + length; (at = memchr(at, '\n', (size_t)(end - at))); at++)
            lines++;
    }
    double seconds = now() - started;
    FILE *file = fopen(result, "w");
    if (!file || fprintf(file, "%.0f\n", (double)count / seconds) < 0 || fclose(file))
        die(result);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "write") == 0) {
        write_copies(argv[2], atol(argv[3]));
    } else if (argc == 4 && strcmp(argv[1], "read") == 0) {
        read_lines(atol(argv[2]), argv[3]);
    } else {
        fprintf(stderr, "usage: flood write FILE COUNT | flood read COUNT RESULT\n");
        return 2;
    }
    return 0;
}
