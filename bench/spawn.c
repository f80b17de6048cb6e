/* What a C parent needs to start a bare Lua: `spawn COUNT LUA` starts `LUA -e 'io.write("x"):flush()'` COUNT times with
 * posix_spawn(3) and pipes for stdin and stdout, and prints the microseconds from the call to the first byte, one a line. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return fprintf(stderr, "usage: spawn COUNT LUA\n"), 2;
    char *words[] = {argv[2], "-e", "io.write('x'):flush()", NULL};
    for (int i = 0; i < atoi(argv[1]); i++) {
        int to[2], from[2];
        pid_t pid;
        char byte;
        double started = now();
        if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
            die("pipe2");
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, to[0], 0);
        posix_spawn_file_actions_adddup2(&actions, from[1], 1);
        if (posix_spawnp(&pid, words[0], &actions, NULL, words, environ))
            die(words[0]);
        posix_spawn_file_actions_destroy(&actions);
        close(to[0]);
        close(from[1]);
        if (read(from[0], &byte, 1) != 1)
            die("read");
        printf("%.1f\n", now() - started);
        close(to[1]);
        close(from[0]);
        if (waitpid(pid, NULL, 0) != pid)
            die("waitpid");
    }
    return 0;
}
