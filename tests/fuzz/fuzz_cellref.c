#include "fuzz.h"

#include "sweep/cellref.h"

/* What passes the check is taken apart as it was given, and no cell's name
 * leads out of a directory or is an option. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *value = fuzz_text(data, size);
    struct relay_error err;
    struct cellref ref;

    if (cellref_check(value, &err) == 0) {
        HOLDS(strlen(value) <= CELLREF_MAX && value[0] != '-');
        if (cellref_parse(value, "4711", "7", &ref, &err) == 0) {
            HOLDS(ref.sweep[0] != '\0');
            HOLDS((ref.cell[0] != '\0') == cellref_names_cell(value));
            HOLDS(strchr(ref.cell, '/') == NULL && ref.cell[0] != '-' &&
                  ref.cell[0] != '.');
            if (strchr(value, '%') == NULL)
                HOLDS(strncmp(value, ref.sweep, strlen(ref.sweep)) == 0);
        }
        if (cellref_parse(value, NULL, NULL, &ref, &err) == 0)
            HOLDS(!cellref_is_of_array(value));
    } else {
        HOLDS(cellref_parse(value, "4711", "7", &ref, &err) == -1);
    }
    free(value);
    return 0;
}
