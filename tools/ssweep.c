/* ssweep: the sweep queue. */
#include <stddef.h>

#include "ssweep.h"

static const struct cli_command commands[] = {
    {"create", ssweep_create, "make the queue of a sweep file"},
    {"cells", ssweep_cells, "the cells of a sweep, or of a file"},
    {"run", ssweep_run, "run cell after cell, inside a job"},
    {"exec", ssweep_exec, "a command with the arguments of the job's cell"},
    {"status", ssweep_status, "how far it is, and what needs a person"},
    {"explain", ssweep_explain, "everything about one cell"},
    {"claim", ssweep_claim, "take the next cell (for scripts)"},
    {"finish", ssweep_finish, "record how a claimed cell ended"},
    {"release", ssweep_release, "give a claimed cell back"},
    {"retry", ssweep_retry, "let cells run again"},
    {"accept", ssweep_accept, "declare unproven cells done"},
    {"cancel", ssweep_cancel, "stop a cell, or hold it back"},
    {"logs", ssweep_logs, "what a cell's program printed"},
    {"wait", ssweep_wait, "until nothing is left to do"},
    {"verify", ssweep_verify, "the roster against what is on disk"},
    {"serve", ssweep_serve, "answer workers on another cluster (not for people)"},
    {NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
    static const struct cli_tool tool = {
        SSWEEP,
        "A queue of trainings, one for each cell of a sweep file.\n"
        "SWEEP is a sweep's directory, or the file that it was made of.\n"
        "CELL is an id, its beginning (8 characters), or #INDEX.\n",
        commands};

    return cli_main(&tool, argc, argv);
}
