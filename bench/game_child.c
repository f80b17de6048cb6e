/* The least a child of bench/game.c can do: the recorded reads and writes, nothing is looked at.
 *
 *   game_child TAPE */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

int main(int argc, char **argv)
{
    static unsigned char buffer[1 << 16];
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!file || fseek(file, 0, SEEK_END))
        fail("game_child: the tape");
    size_t length = (size_t)ftell(file), used = 0;
    rewind(file);
    unsigned char *tape = malloc(length);
    if (!tape || fread(tape, 1, length, file) != length)
        fail("game_child: the tape");
    fclose(file);
    for (size_t at = 0; at < length;) {
        uint32_t size;
        memcpy(&size, tape + at + 1, sizeof size);
        if (tape[at] == 'c') {
            if (write(1, tape + at + 5, size) != (ssize_t)size)
                fail("game_child: write");
        } else {
            while (used < size) {
                ssize_t got = read(0, buffer + used, sizeof buffer - used);
                if (got <= 0)
                    fail("game_child: read");
                used += (size_t)got;
            }
            used = 0;
        }
        at += 5 + size;
    }
    return read(0, buffer, sizeof buffer) != 0;
}
