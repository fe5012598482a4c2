/* Submits the job that a run moves to. */
#ifndef RELAY_MOVE_SUBMIT_H
#define RELAY_MOVE_SUBMIT_H

#include "config.h"
#include "error.h"
#include "request.h"
#include "run.h"
#include "target.h"

/* sbatch's arguments without our own: the cluster's `submit`, a profile's,
 * then what the user typed (n of them). NULL-terminated; the array is to be
 * freed, the words are not. NULL with EX_CONFIG for a profile that there is
 * not, EX_OSERR. *argc says how many. */
char **submit_args(const struct config *cfg, const char *profile,
                   char *const *typed, int n, int *argc,
                   struct relay_error *err);

/* The task of an array that the job will be, "" for none: the one that was
 * typed, else task (the source's, ""), else what the script says. */
const char *submit_array(const struct request *req, const char *task);

/* The same with ours before them, as sbatch is given them: --resume-key,
 * --handoff-from, where args have none --comment (the key), and the task of
 * the array. words is to be freed, and each of the first *own of them. */
struct submission {
    char **words;
    int n;
    int own;
    char comment[256]; /* that the job will have */
};

int submit_words(const struct run *run, const char *from, const char *task,
                 char *const *args, int argc, const struct request *req,
                 struct submission *sub, struct relay_error *err);
void submit_free(struct submission *sub);

/* The key as sbatch must be given it: % is %%. 0, or -1 EX_USAGE. */
int submit_escape(const char *key, char *text, size_t size,
                  struct relay_error *err);

/* Runs sbatch, and keeps the job as the run's target (target.h). What sbatch
 * said on stderr goes to say. 0, or -1 with its words. */
int submit_job(const struct run *run, const char *source,
               const struct submission *sub, const struct request *req,
               const char *task, void (*say)(void *arg, const char *text),
               void *say_arg, struct target *target, struct relay_error *err);

#endif
