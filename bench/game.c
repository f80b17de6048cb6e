/* A recorded game between this parent and child processes, all pinned to one CPU: what the child's side costs.
 *
 *   game ROUNDS CPU TAPE < plan
 *
 * TAPE is what bench/game.lua makes of a recording in CBOR. Each line of the plan is `NAME PIECES COMMAND...`: the
 * command is given the tape's name, plays the child's side on stdin and stdout, and ends at the end of its input.
 * Every packet to it is written in so many pieces, as FreeKill's server does (4), or whole (1). Packets from it are
 * read one at a time and never ahead; they are not compared with the recording, spec/freekill_replay_spec.lua does.
 *
 * In every round each command is started afresh, in shuffled order. A child's CPU time is its process's, from its
 * first packet to the last record, divided by the calls it makes; a ratio compares with the first command in the plan
 * of the same number of pieces in the same round. What is printed is the median over the rounds. */
#define _GNU_SOURCE
#include "child.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMANDS = 16, ROUNDS = 101, BUFFER = 1 << 16 };

struct command {
    char name[40], line[2048];
    int pieces;
    double cpu[ROUNDS], wall[ROUNDS], ratio[ROUNDS];
};

static struct command commands[COMMANDS];
static int count;
static unsigned char *tape, buffer[BUFFER];
static size_t tape_length;

static void read_plan(const char *tape_name)
{
    char line[4096];
    while (fgets(line, sizeof line, stdin)) {
        struct command *c = &commands[count];
        char command[1024];
        if (count == COMMANDS || sscanf(line, "%39s %d %1023[^\n]", c->name, &c->pieces, command) != 3 ||
            snprintf(c->line, sizeof c->line, "%s '%s'", command, tape_name) >= (int)sizeof c->line)
            die("cannot use this line of the plan", line);
        count++;
    }
    if (count == 0)
        die("the plan is empty", "stdin");
}

static void read_tape(const char *name)
{
    FILE *file = fopen(name, "rb");
    if (!file || fseek(file, 0, SEEK_END))
        die("fopen", name);
    tape_length = (size_t)ftell(file);
    rewind(file);
    tape = malloc(tape_length);
    if (!tape || fread(tape, 1, tape_length, file) != tape_length)
        die("fread", name);
    fclose(file);
}

/* Where the CBOR item that starts at `at` ends; 0 if it is not complete within `used`. Definite lengths only. */
static size_t item_end(size_t at, size_t used)
{
    if (at >= used)
        return 0;
    int major = buffer[at] >> 5, additional = buffer[at] & 31;
    uint64_t value = (uint64_t)additional;
    at++;
    if (additional >= 24) {
        int bytes = additional <= 27 ? 1 << (additional - 24) : 0;
        if (bytes == 0)
            die("an indefinite length", "child");
        if (at + (size_t)bytes > used)
            return 0;
        for (value = 0; bytes > 0; bytes--)
            value = value << 8 | buffer[at++];
    }
    if (major == 2 || major == 3)
        return value > used - at ? 0 : at + (size_t)value;
    uint64_t items = major == 4 ? value : major == 5 ? 2 * value : major == 6;
    for (; items > 0; items--) {
        at = item_end(at, used);
        if (at == 0)
            return 0;
    }
    return at;
}

static void receive_packet(const struct child *child)
{
    size_t used = 0, end = 0;
    do {
        used = receive(child->from, (char *)buffer, used, sizeof buffer);
        end = item_end(0, used);
    } while (end == 0);
    if (end != used)
        die("the child sent two packets at once", "child");
}

static void send_packet(const struct child *child, const unsigned char *bytes, size_t length, int pieces)
{
    for (int piece = 0; piece < pieces; piece++) {
        size_t from = length * (size_t)piece / (size_t)pieces, to = length * (size_t)(piece + 1) / (size_t)pieces;
        send_all(child->to, (const char *)bytes + from, to - from);
    }
}

/* Play the tape; the number of packets the child sent. */
static int play(struct child *child, int pieces, long long *cpu, long long *wall)
{
    int calls = 0;
    for (size_t at = 0; at < tape_length;) {
        char direction = (char)tape[at];
        uint32_t length;
        memcpy(&length, tape + at + 1, sizeof length);
        if (direction == 'c') {
            receive_packet(child);
            if (calls++ == 0) {
                *cpu = now(child->clock);
                *wall = now(CLOCK_MONOTONIC);
            }
        } else {
            send_packet(child, tape + at + 5, length, pieces);
        }
        at += 5 + length;
    }
    *cpu = now(child->clock) - *cpu;
    *wall = now(CLOCK_MONOTONIC) - *wall;
    return calls;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, int length)
{
    double sorted[ROUNDS];
    memcpy(sorted, values, sizeof *sorted * (size_t)length);
    qsort(sorted, (size_t)length, sizeof *sorted, by_value);
    return sorted[length / 2];
}

static void report(int rounds)
{
    printf("%-24s %8s %8s %10s %9s\n", "child", "pieces", "CPU us", "wall us", "CPU ratio");
    for (int i = 0; i < count; i++) {
        struct command *c = &commands[i], *base = commands;
        while (base->pieces != c->pieces)
            base++;
        for (int round = 0; round < rounds; round++)
            c->ratio[round] = c->cpu[round] / base->cpu[round];
        printf("%-24s %8d %8.2f %10.2f %8.2fx\n", c->name, c->pieces, median(c->cpu, rounds),
               median(c->wall, rounds), median(c->ratio, rounds));
    }
}

int main(int argc, char **argv)
{
    if (argc != 4)
        die("usage: game ROUNDS CPU TAPE < plan", "game");
    int rounds = atoi(argv[1]), calls = 0;
    if (rounds < 1 || rounds > ROUNDS)
        die("1 to 101 rounds", argv[0]);
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(atoi(argv[2]), &set);
    if (sched_setaffinity(0, sizeof set, &set)) /* children inherit it */
        die("sched_setaffinity", argv[2]);
    signal(SIGPIPE, SIG_IGN);
    read_plan(argv[3]);
    read_tape(argv[3]);
    srand(20170101);
    for (int round = 0; round < rounds; round++) {
        int order[COMMANDS];
        for (int i = 0; i < count; i++) {
            int j = rand() % (i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        for (int i = 0; i < count; i++) {
            struct command *c = &commands[order[i]];
            struct child child = start(c->line);
            long long cpu = 0, wall = 0;
            calls = play(&child, c->pieces, &cpu, &wall);
            finish(&child, c->name);
            c->cpu[round] = (double)cpu / 1e3 / calls;
            c->wall[round] = (double)wall / 1e3 / calls;
        }
    }
    printf("%d packets from the child, median of %d rounds, pinned to CPU %s\n", calls, rounds, argv[2]);
    report(rounds);
    return 0;
}
