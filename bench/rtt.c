/* Round trips between a parent and children on two pipes, all pinned to one CPU.
 *
 *   rtt ROUNDS TRIPS CPU < plan
 *
 * Each line of the plan is `NAME KIND REQUEST COMMAND...`, separated by blanks. REQUEST is a file whose bytes are sent
 * as they are; the first exchange, which is not timed, shows the answer, and every later answer must be the same.
 * KIND is `plain`; or `pieces`: the same with the request in four write(2)s; or `nested`: then every line with a
 * "method" that the child sends is a call, which is answered with a fixed result, and the line without one is the
 * answer.
 *
 * A line `bound WHAT NAME OTHER LIMIT` says what must hold, or the exit status is 1. WHAT is `p50` or `cpu`: NAME's is
 * at most LIMIT times OTHER's; or `above`: NAME's CPU time above that of the first command is at least LIMIT times
 * OTHER's.
 *
 * In every round each command is started afresh, in shuffled order, warmed up, and makes TRIPS round trips (a tenth of
 * them when nested). Per round: the median and the 99th percentile of the round trips, and the child's CPU time.
 * A ratio compares with the first line of the plan in the same round; what is printed is the median over the rounds.
 *
 * Pinning is needed: where the kernel puts the two on two CPUs, the time is that of waking an idle CPU. */
#define _GNU_SOURCE
#include "child.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMANDS = 32, BOUNDS = 32, ROUNDS = 101, BUFFER = 1 << 16, PIECES = 4 };

struct command {
    char name[40], kind[16], request_file[512], line[2048];
    char request[4096];
    size_t request_length;
    double p50[ROUNDS], p99[ROUNDS], cpu[ROUNDS], ratio[ROUNDS], rate[ROUNDS];
};

struct bound {
    char what[8], name[40], other[40];
    double limit;
};

static struct command commands[COMMANDS];
static struct bound bounds[BOUNDS];
static int count, bound_count;
static char answer[BUFFER], buffer[BUFFER];

static void read_plan(void)
{
    char line[4096];
    while (fgets(line, sizeof line, stdin)) {
        struct command *c = &commands[count];
        struct bound *b = &bounds[bound_count];
        if (strncmp(line, "bound ", 6) == 0) {
            if (bound_count == BOUNDS ||
                sscanf(line, "bound %7s %39s %39s %lf", b->what, b->name, b->other, &b->limit) != 4)
                die("cannot use this line of the plan", line);
            bound_count++;
            continue;
        }
        if (count == COMMANDS ||
            sscanf(line, "%39s %15s %511s %2047[^\n]", c->name, c->kind, c->request_file, c->line) != 4)
            die("cannot use this line of the plan", line);
        FILE *file = fopen(c->request_file, "rb");
        if (!file)
            die("fopen", c->request_file);
        c->request_length = fread(c->request, 1, sizeof c->request, file);
        fclose(file);
        count++;
    }
    if (count == 0)
        die("the plan is empty", "stdin");
}

/* Send the request and read until the known answer is complete. */
static void plain_trip(struct child *child, const struct command *c, size_t expected)
{
    size_t used = 0, pieces = strcmp(c->kind, "pieces") == 0 ? PIECES : 1;
    for (size_t piece = 0; piece < pieces; piece++) {
        size_t from = c->request_length * piece / pieces, to = c->request_length * (piece + 1) / pieces;
        send_all(child->to, c->request + from, to - from);
    }
    while (used < expected)
        used = receive(child->from, buffer, used, sizeof buffer);
    if (used != expected || memcmp(buffer, answer, expected) != 0)
        die("an answer differs from the first one", c->name);
}

/* Answer one call of the child's; `line` ends with a zero byte. */
static void answer_call(struct child *child, const char *line)
{
    char reply[128];
    const char *id = strstr(line, "\"id\":");
    if (!id)
        die("a call has no id", line);
    int length = snprintf(reply, sizeof reply, "{\"jsonrpc\":\"2.0\",\"result\":\"fixed\",\"id\":%ld}\n",
                          strtol(id + 5, NULL, 10));
    send_all(child->to, reply, (size_t)length);
}

/* Send the request and answer calls until a line without a method comes; how many calls there were. */
static int nested_trip(struct child *child, const struct command *c)
{
    size_t used = 0;
    int calls = 0;
    send_all(child->to, c->request, c->request_length);
    for (;;) {
        used = receive(child->from, buffer, used, sizeof buffer - 1);
        if (buffer[used - 1] != '\n')
            continue; /* one line at a time is under way: the child waits for each answer */
        buffer[used] = 0;
        if (!strstr(buffer, "\"method\""))
            break;
        answer_call(child, buffer);
        calls++;
        used = 0;
    }
    if (!strstr(buffer, "\"result\":true"))
        die("the nested request failed", buffer);
    return calls;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(const double *values, int length, double part)
{
    static double *sorted;
    sorted = realloc(sorted, sizeof *sorted * (size_t)length);
    if (!sorted)
        die("realloc", "parent");
    memcpy(sorted, values, sizeof *sorted * (size_t)length);
    qsort(sorted, (size_t)length, sizeof *sorted, by_value);
    return sorted[(int)(part * (length - 1) + 0.5)];
}

static void run(struct command *c, int round, int trips, double *times)
{
    int nested = strcmp(c->kind, "nested") == 0;
    struct child child = start(c->line);
    size_t expected = 0;
    if (nested) {
        int calls = nested_trip(&child, c);
        if (calls != 10)
            die("the child did not make ten calls", c->name);
        trips /= 10;
    } else {
        send_all(child.to, c->request, c->request_length);
        expected = receive_until_silent(child.from, answer, sizeof answer, 50);
    }
    long long cpu = 0, started = 0;
    for (int i = -trips / 10; i < trips; i++) { /* the first ones warm up */
        if (i == 0) {
            cpu = now(child.clock);
            started = now(CLOCK_MONOTONIC);
        }
        long long before = now(CLOCK_MONOTONIC);
        if (nested)
            nested_trip(&child, c);
        else
            plain_trip(&child, c, expected);
        if (i >= 0)
            times[i] = (double)(now(CLOCK_MONOTONIC) - before) / 1e3;
    }
    c->rate[round] = trips / ((double)(now(CLOCK_MONOTONIC) - started) / 1e9);
    c->cpu[round] = (double)(now(child.clock) - cpu) / 1e3 / trips;
    c->p50[round] = percentile(times, trips, 0.5);
    c->p99[round] = percentile(times, trips, 0.99);
    finish(&child, c->name);
}

static void report(int rounds)
{
    printf("%-22s %8s %8s %8s %9s %8s %8s\n", "child", "p50 us", "best", "p99 us", "trips/s", "CPU us", "p50 ratio");
    for (int i = 0; i < count; i++) {
        struct command *c = &commands[i];
        for (int round = 0; round < rounds; round++)
            c->ratio[round] = c->p50[round] / commands[0].p50[round];
        printf("%-22s %8.2f %8.2f %8.2f %9.0f %8.2f %7.2fx\n", c->name, percentile(c->p50, rounds, 0.5),
               percentile(c->p50, rounds, 0), percentile(c->p99, rounds, 0.5), percentile(c->rate, rounds, 0.5),
               percentile(c->cpu, rounds, 0.5), percentile(c->ratio, rounds, 0.5));
    }
}

static const struct command *find(const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    die("a bound names a command that is not in the plan", name);
    return NULL;
}

/* Print each bound beside what was measured; how many are missed. */
static int check_bounds(int rounds)
{
    static double values[ROUNDS];
    int missed = 0;
    if (bound_count > 0)
        printf("\n%-58s %9s %8s\n", "bound", "measured", "");
    for (int i = 0; i < bound_count; i++) {
        const struct bound *b = &bounds[i];
        const struct command *one = find(b->name), *other = find(b->other), *floor = &commands[0];
        int above = strcmp(b->what, "above") == 0, cpu = strcmp(b->what, "cpu") == 0;
        char text[256];
        for (int r = 0; r < rounds; r++) {
            if (above)
                values[r] = (one->cpu[r] - floor->cpu[r]) / (other->cpu[r] - floor->cpu[r]);
            else
                values[r] = cpu ? one->cpu[r] / other->cpu[r] : one->p50[r] / other->p50[r];
        }
        double value = percentile(values, rounds, 0.5);
        int held = above ? value >= b->limit : value <= b->limit;
        missed += !held;
        if (above)
            snprintf(text, sizeof text, "CPU above %.39s's: %.39s >= %gx %.39s", floor->name, b->name, b->limit, b->other);
        else
            snprintf(text, sizeof text, "%.7s: %.39s <= %gx %.39s", b->what, b->name, b->limit, b->other);
        printf("%-58s %8.3fx %8s\n", text, value, held ? "held" : "MISSED");
    }
    return missed;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        die("usage: rtt ROUNDS TRIPS CPU < plan", "rtt");
    int rounds = atoi(argv[1]), trips = atoi(argv[2]);
    if (rounds < 1 || rounds > ROUNDS || trips < 10)
        die("1 to 101 rounds and at least 10 trips", argv[0]);
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(atoi(argv[3]), &set);
    if (sched_setaffinity(0, sizeof set, &set)) /* children inherit it */
        die("sched_setaffinity", argv[3]);
    signal(SIGPIPE, SIG_IGN);
    read_plan();
    double *times = malloc(sizeof *times * (size_t)trips);
    if (!times)
        die("malloc", argv[2]);
    srand(20170101);
    for (int round = 0; round < rounds; round++) {
        int order[COMMANDS];
        for (int i = 0; i < count; i++) {
            int j = rand() % (i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        for (int i = 0; i < count; i++)
            run(&commands[order[i]], round, trips, times);
    }
    printf("%d rounds of %d round trips (nested: %d), pinned to CPU %s; ratios to %s\n", rounds, trips, trips / 10,
           argv[3], commands[0].name);
    report(rounds);
    free(times);
    int missed = check_bounds(rounds);
    if (missed > 0)
        fprintf(stderr, "bench: %d bounds are missed\n", missed);
    return missed > 0;
}
