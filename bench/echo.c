/* The floor of a round trip: writes back what it reads, and knows nothing of messages. */
#include <unistd.h>

int main(void)
{
    static char buffer[1 << 16];
    for (;;) {
        ssize_t length = read(0, buffer, sizeof buffer);
        if (length <= 0)
            return length < 0;
        for (ssize_t done = 0; done < length;) {
            ssize_t written = write(1, buffer + done, (size_t)(length - done));
            if (written < 0)
                return 1;
            done += written;
        }
    }
}
