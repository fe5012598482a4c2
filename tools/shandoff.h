/* shandoff: moves a running training to this cluster. */
#ifndef RELAY_SHANDOFF_H
#define RELAY_SHANDOFF_H

#include "move/follow.h"
#include "place.h"
#include "move/plan.h"

#define SHANDOFF "shandoff"

/* What was typed. */
struct shandoff {
    struct place place;
    struct plan_options plan; /* from, sbatch, rates, overrides */
    const char *match;        /* --match PATTERN; NULL: one run */
    int64_t max;              /* --max; 0: as many as there are slots */
    int64_t refresh;          /* seconds; 0: never */
    bool yes;
    bool dry_run;
    bool json;
    bool detach;
};

/* --- shandoff_find.c --- */

/* Looks the run up on the source by key, hash, beginning of the hash, or exact
 * run name (one ssh): there is what that cluster said (free it in any case),
 * key what the run is opened by here (KEY_MAX + 1 bytes). A key that is not
 * there is 0: the look at the source says more. 0 or -1. */
int shandoff_find(const struct shandoff *o, const char *typed,
                  struct overview *there, char *key, struct relay_error *err);

/* --- shandoff_show.c --- */

void show_plan(const struct plan *plan, const struct shandoff *o);
/* The three numbers, and from where it resumed. */
void show_proof(const struct run *run, const char *from,
                const struct follow_result *result);
/* Which copy counts when it did not work, and what to type. */
void show_failure(const struct run *run, const char *from,
                  const struct follow_result *result, enum follow_end end,
                  struct relay_error *err);

/* --- shandoff_move.c --- */

/* One run, to the end. Returns the exit code. */
int shandoff_move(const struct shandoff *o, const char *typed);
/* Follows the job that was submitted before. Returns the exit code. */
int shandoff_attach(const struct shandoff *o, const char *typed);
/* Gives the run back. Returns the exit code. */
int shandoff_abort(const struct shandoff *o, const char *typed);
/* y or n of a terminal; false, and err says why, when nobody can be asked. */
bool shandoff_confirm(const char *question, struct relay_error *err);

/* --- shandoff_several.c --- */

/* Those that fit a pattern, by who gains most. argv is the program's own, that
 * o->plan.sbatch points into. Returns the exit code. */
int shandoff_several(const struct shandoff *o, char *const *argv);

#endif
