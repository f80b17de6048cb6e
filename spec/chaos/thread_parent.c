/* Starts a program from a thread that ends, and asks it something afterwards: `thread_parent PROGRAM WORD...`. Prints its
 * answer and how it ended when its stdin was closed. */
#define _GNU_SOURCE
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int to[2], from[2];
static pid_t child;

static void *start(void *words)
{
    char **command = words;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], 0);
    posix_spawn_file_actions_adddup2(&actions, from[1], 1);
    posix_spawn_file_actions_addclose(&actions, to[1]);
    posix_spawn_file_actions_addclose(&actions, from[0]);
    if (posix_spawnp(&child, command[0], &actions, NULL, command, environ))
        child = -1;
    posix_spawn_file_actions_destroy(&actions);
    return NULL;
}

/* Asks once; 0 if something came back. */
static int ask(char *answer, size_t size)
{
    static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
    ssize_t count;
    if (write(to[1], request, sizeof request - 1) != (ssize_t)(sizeof request - 1))
        return 1;
    count = read(from[0], answer, size - 1);
    if (count <= 0)
        return 1;
    answer[count] = 0;
    return 0;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    char answer[4096];
    int status;
    if (argc < 2 || pipe(to) || pipe(from) || pthread_create(&thread, NULL, start, argv + 1))
        return 1;
    pthread_join(thread, NULL);
    if (child < 0)
        return 2;
    close(to[0]);
    close(from[1]);
    if (ask(answer, sizeof answer))
        return 3;
    usleep(300000); /* the thread is long gone; whoever took its end for ours would be, too */
    if (ask(answer, sizeof answer))
        return 4;
    fputs(answer, stdout);
    close(to[1]);
    waitpid(child, &status, 0);
    printf("status %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
    return 0;
}
