/*
 * Runs a fuzz target over the files given as arguments, for compilers without
 * libFuzzer and for the replay of a corpus. Exits with 0, or 1 when a file
 * cannot be read; a target that finds something aborts.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
    FILE *in = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t size = 0, room = 0, n;

    if (in == NULL) {
        perror(path);
        return 1;
    }
    do {
        if (size == room) {
            uint8_t *more = realloc(data, room = room * 2 + 4096);

            if (more == NULL) {
                perror(path);
                free(data);
                fclose(in);
                return 1;
            }
            data = more;
        }
        n = fread(data + size, 1, room - size, in);
        size += n;
    } while (n > 0);
    fclose(in); /* read only */
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    int failed = 0;
    int i;

    for (i = 1; i < argc; i++)
        failed |= run_file(argv[i]);
    printf("%d inputs run\n", argc - 1);
    return failed;
}
