/* The plugin's arguments in plugstack.conf. libc only. */
#ifndef RELAY_SPANK_ARGS_H
#define RELAY_SPANK_ARGS_H

#include <stdbool.h>

#include "error.h"

#define ARGS_PATH_MAX 1024

struct relay_args {
    char config[ARGS_PATH_MAX]; /* the site's configuration */
    char helper[ARGS_PATH_MAX]; /* relay-job */
    char rundir[ARGS_PATH_MAX]; /* markers live here */
    char allow_groups[1024];    /* names with commas; "" for everybody */
    unsigned prolog_deadline;   /* seconds */
    unsigned epilog_deadline;   /* seconds */
    bool network;               /* in prolog and epilog */
    bool submit_check;
};

/* Fills in the defaults, then reads argv. An unknown name, a value that is
 * not one and a relative path are errors (EX_CONFIG): the plugin must then do
 * nothing. Returns 0 or -1. */
int args_parse(struct relay_args *args, int argc, char *const *argv,
               struct relay_error *err);

/* What root is about to rely on, the helper and the configuration with their
 * directories, must be root's (ours, when we are not root) and writable by no
 * one else. A missing configuration is fine: the helper says so. Returns 0, or
 * -1 with EX_CONFIG, or EX_UNAVAILABLE when the helper is missing. */
int args_check_files(const struct relay_args *args, struct relay_error *err);

/* True when the administrator has made RUNDIR/off. */
bool args_switched_off(const struct relay_args *args);

#endif
