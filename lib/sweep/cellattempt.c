#include "cellattempt.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "cellfiles.h"
#include "clock.h"
#include "gitcheck.h"
#include "jsonfile.h"

/* --- before --------------------------------------------------------------- */

/* What nobody has judged yet may be proof (metadata.h). completed: false of a
 * run that was interrupted refutes nothing. */
static int judge_left(struct run *run, struct cellrun *c, char *why,
                      size_t why_size, struct relay_error *err)
{
    struct outcome out;

    cellrun_judge(run, c, -1, false, &out);
    if (out.state != CELL_DONE &&
        !(out.refuted && cellfiles_summary_judges(run->cell.dir)))
        return 1;
    snprintf(why, why_size, "cell %s of sweep %s is %s, by what an earlier "
                            "attempt left%s%s", c->cell.id, c->sweep.name,
             out.refuted ? "refuted: it waits for you (ssweep retry)"
                         : "done",
             out.why[0] != '\0' ? ": " : "", out.why);
    return cellrun_record(run, c, -1, &out, err) == 0 ? 0 : -1;
}

int cellattempt_prepare(struct run *run, struct cellrun *c, char *why,
                        size_t why_size, struct relay_error *err)
{
    char *dir = sweep_cell_dir(&c->sweep, &c->cell, NULL, err);

    if (dir == NULL)
        return -1;
    if (strlen(dir) >= sizeof(run->cell.dir)) {
        free(dir);
        return relay_fail(err, EX_CANTCREAT, "the path of cell %s's directory "
                                             "is too long", c->cell.id);
    }
    snprintf(run->cell.dir, sizeof(run->cell.dir), "%s", dir);
    free(dir);
    metadata_read(run->cell.dir, c->cell.id, &c->last);
    if (!metadata_judged(&c->last, c->sweep.path, run->cell.gen))
        return judge_left(run, c, why, why_size, err);
    return cellfiles_clear(run->cell.dir,
                           metadata_redone(&c->last, run->cell.gen),
                           err) == 0 ? 1 : -1;
}

static int64_t times_redone(const struct run *run, const struct cellrun *c)
{
    return c->last.redone +
           (metadata_redone(&c->last, run->cell.gen) ? 1 : 0);
}

int cellattempt_redone(const struct run *run, const struct cellrun *c)
{
    int64_t redone = times_redone(run, c);

    return redone > 0 ? (int)redone + 1 : 0;
}

/* --- beginning and end ---------------------------------------------------- */

int cellattempt_begin(struct run *run, const struct cellrun *c,
                      const struct cellenv *env, struct relay_error *err)
{
    struct words all = {0};
    struct gitinfo git;
    struct metadata m = {
        .sweep = c->sweep.path,
        .name = c->sweep.name,
        .id = c->cell.id,
        .index = c->cell.index,
        .gen = run->cell.gen,
        .attempt = c->last.attempt + 1,
        .redone = times_redone(run, c),
        .params = &c->cell.params,
        .workdir = run->workdir,
        .output = run->out_path,
        .gpus = getenv("CUDA_VISIBLE_DEVICES"),
        .own = &run->self,
        .git = &git,
        .started = clock_wall(),
    };
    int rc = cellenv_apply(env, environ, &all, err);

    if (rc == 0) {
        gitcheck_info(run->workdir, &git);
        m.env = all.word;
        rc = metadata_write(env->dir, &m, err);
    }
    words_free(&all);
    return rc;
}

void cellattempt_resolve(const struct cellrun *c, uint64_t index,
                         const char *cause)
{
    struct json_object *doc = NULL;
    char path[4300] = "";
    struct cell cell = {0};
    char *dir = NULL;

    if (roster_cell(c->sweep.roster, index, &cell, NULL) == 0)
        dir = sweep_cell_dir(&c->sweep, &cell, NULL, NULL);
    if (dir != NULL) {
        snprintf(path, sizeof(path), "%s/" CELL_METADATA, dir);
        doc = json_load(AT_FDCWD, path, NULL);
    }
    if (json_object_is_type(doc, json_type_object)) {
        json_add_str(doc, "state", cell_state_name(CELL_PARTIAL));
        json_add_str(doc, "cause", cause);
        (void)json_save(AT_FDCWD, path, doc, NULL);
    }
    json_object_put(doc);
    cell_free(&cell);
    free(dir);
}

void cellattempt_end(const struct run *run, int status,
                     const struct queue_end *end)
{
    struct json_object *doc;
    char path[1200], now[32];

    snprintf(path, sizeof(path), "%s/" CELL_METADATA, run->cell.dir);
    doc = json_load(AT_FDCWD, path, NULL);
    if (json_object_is_type(doc, json_type_object) &&
        json_int(doc, "gen", 0) == run->cell.gen) {
        clock_iso(clock_wall(), now, sizeof(now));
        json_add_str(doc, "ended", now);
        json_add_int(doc, "seconds", end->seconds);
        if (status >= 0 && WIFEXITED(status))
            json_add_int(doc, "exit_status", WEXITSTATUS(status));
        else if (status >= 0 && WIFSIGNALED(status))
            json_add_int(doc, "signal", WTERMSIG(status));
        json_add_str(doc, "state", cell_state_name(end->state));
        json_add_str(doc, "cause", end->cause);
        json_add_str(doc, "why", end->why);
        if (end->step >= 0)
            json_add_int(doc, "step", end->step);
        (void)json_save(AT_FDCWD, path, doc, NULL);
    }
    json_object_put(doc);
}
