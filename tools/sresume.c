/* sresume: look at, check, move and change the resume directories of runs. */
#include <stddef.h>

#include "sresume.h"

static const struct cli_command commands[] = {
    {"list", sresume_list, "the runs of this cluster and their states"},
    {"show", sresume_show, "one run: state, owner, handoff, history"},
    {"explain", sresume_explain, "what a job submitted now would do, and why"},
    {"verify", sresume_verify, "is every file of a run whole?"},
    {"wait", sresume_wait, "until a run is completed, or at a step"},
    {"run", sresume_run, "run a training with its identity (no plugin)"},
    {"rewrite", sresume_rewrite, "make run_dir one of this cluster"},
    {"sync", sresume_sync, "copy a run's state to another place"},
    {"reset", sresume_reset, "move a state aside: begin at step 0"},
    {"reopen", sresume_reopen, "let a completed run train on"},
    {"unlock", sresume_unlock, "declare a run's owner dead"},
    {"cadence", sresume_cadence, "how often to write a checkpoint"},
    {"init", sresume_init, "write the configuration, of what is found"},
    {"doctor", sresume_doctor, "check configuration and installation"},
    {"key", sresume_key, "the hash that a key becomes"},
    {"digest", sresume_digest, "SHA-256 of every file (plumbing)"},
    {NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
    static const struct cli_tool tool = {
        SRESUME,
        "Looks at and changes the state that trainings resume from.\n"
        "KEY is ENTITY/PROJECT/RUN_NAME, its hash, the beginning of the\n"
        "hash, or the exact run name.\n",
        commands};

    return cli_main(&tool, argc, argv);
}
