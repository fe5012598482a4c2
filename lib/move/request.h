/*
 * What a submission asks for: the options of an sbatch command line and of the
 * script's #SBATCH lines that decide where it may run. Only read: sbatch
 * itself gets every argument as it was typed.
 */
#ifndef RELAY_REQUEST_H
#define RELAY_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct request {
    char partition[128];  /* "" the default one; may be a list */
    char gpu[64];         /* type in --gres / --gpus, "" any */
    int gpus;             /* of the whole job; 0 none */
    char nodelist[512];
    char exclude[512];
    char constraint[256];
    char array[128];
    char qos[64];
    char job_name[128];
    char comment[256];
    bool has_comment;
    int64_t nodes;        /* 1 */
    const char *script;   /* in argv, NULL: --wrap or none */
    int script_at;        /* index in argv of the script; argc when none */
};

/* Reads argv (sbatch's arguments, a script among them, its own arguments
 * behind it), then the script's #SBATCH lines (an option on the command line
 * wins, SBATCH_* environment variables lie between as sbatch has it). A script
 * that cannot be read is EX_NOINPUT. 0 or -1. */
int request_read(char *const *argv, int argc, struct request *req,
                 struct relay_error *err);

#endif
