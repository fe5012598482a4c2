/*
 * The commands of sresume. Each takes its own argv (argv[0] is its name) and
 * returns an exit code of sysexits.h, having printed what there is to print.
 */
#ifndef RELAY_SRESUME_H
#define RELAY_SRESUME_H

#include "cli.h"
#include "place.h"

#define SRESUME "sresume"

int sresume_key(int argc, char **argv);
int sresume_digest(int argc, char **argv);
int sresume_list(int argc, char **argv);
int sresume_show(int argc, char **argv);
int sresume_verify(int argc, char **argv);
int sresume_rewrite(int argc, char **argv);
int sresume_sync(int argc, char **argv);
int sresume_reset(int argc, char **argv);
int sresume_reopen(int argc, char **argv);
int sresume_unlock(int argc, char **argv);
int sresume_explain(int argc, char **argv);
int sresume_run(int argc, char **argv);
int sresume_doctor(int argc, char **argv);
int sresume_wait(int argc, char **argv);
int sresume_init(int argc, char **argv);
int sresume_cadence(int argc, char **argv);

/* `list --all-clusters`: root is this cluster's resume_root, NULL for the
 * configured one. Returns an exit code, having printed. */
struct list_options {
    const char *pattern; /* NULL: all */
    const char *state;   /* NULL: all */
    bool json;
};

int sresume_list_all(const struct config *cfg, const char *root,
                     const struct list_options *opt);

/* The colour of a state, NULL for none. */
const char *sresume_state_color(enum run_state state);

#endif
