/* ssweep verify: the roster against what is on disk. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "artefacts.h"
#include "clock.h"
#include "jsonfile.h"
#include "ssweep_session.h"

enum {
    NOT_ALL = 1,   /* exit code */
    SHOWN = 50,    /* lines of a kind, without --all */
    LISTED = 1000, /* in JSON */
    TICK_MS = 500
};

/* What can be wrong with a cell. */
enum kind {
    MISSING,  /* there is no directory */
    UNDONE,   /* waiting, running, partial, failed, unproven, quarantined */
    UNPROVEN, /* done by the record, and no more by the evidence */
    EMPTY,    /* a file of no bytes */
    BROKEN,   /* a file that does not load */
    STRAY,    /* a directory of nobody; not counted as a fault */
    KINDS
};

static const char *const kind_names[KINDS] = {"missing", "undone", "unproven",
                                              "empty",   "broken", "stray"};

struct verify {
    struct session s;
    struct strays strays;
    bool deep;
    bool json;
    bool all;
    size_t of[KINDS];
    size_t cells;
    size_t good;
    size_t files;
    size_t faults; /* of the present cell */
    const struct session_cell *cell;
    enum cell_state state;
    struct json_object *list;
    int64_t told; /* clock_ms of the last line about progress */
};

/* --- telling ------------------------------------------------------------- */

static void tell_json(struct verify *v, enum kind kind, const char *file,
                      const char *why)
{
    struct json_object *obj = json_object_new_object();

    json_add_str(obj, "kind", kind_names[kind]);
    json_object_object_add(
        obj, "index",
        kind == STRAY ? NULL
                      : json_object_new_int64((int64_t)v->cell->cell.index));
    json_add_str(obj, "id", kind == STRAY ? NULL : v->cell->cell.id);
    json_add_str(obj, "state",
                 kind == STRAY ? NULL : cell_state_name(v->state));
    json_add_str(obj, "dir", kind == STRAY ? file : v->cell->dir);
    json_add_str(obj, "file", kind == STRAY ? NULL : file);
    json_add_str(obj, "why", why[0] != '\0' ? why : NULL);
    json_object_array_add(v->list, obj);
}

static void tell_text(enum kind kind, const char *id, const char *file,
                      const char *why)
{
    char line[5200], clean[5200];

    snprintf(line, sizeof(line), "%-9s %s%s%s%s%.600s", kind_names[kind], id,
             id[0] != '\0' && file != NULL ? "  " : "",
             file != NULL ? file : "",
             why[0] == '\0' ? "" : file != NULL ? ": " : "  ", why);
    cli_clean(line, clean, sizeof(clean));
    printf("%s\n", clean);
}

static void tell(struct verify *v, enum kind kind, const char *file,
                 const char *why)
{
    size_t limit = v->json ? LISTED : SHOWN;

    v->faults++;
    if (v->of[kind]++ >= limit && !v->all)
        return;
    if (v->json)
        tell_json(v, kind, file, why);
    else
        tell_text(kind, kind == STRAY ? "" : v->cell->cell.id, file, why);
}

static void tell_file(void *arg, const char *file, const char *why)
{
    tell(arg, why[0] == '\0' ? EMPTY : BROKEN, file, why);
}

static void tell_stray(void *arg, const char *dir)
{
    tell(arg, STRAY, dir, "");
}

static void show_progress(struct verify *v, uint64_t at, uint64_t size)
{
    if (isatty(STDERR_FILENO) != 1 || clock_ms() - v->told < TICK_MS)
        return;
    v->told = clock_ms();
    fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " cells\033[K", at, size);
}

/* --- looking ------------------------------------------------------------- */

/* Somebody said "accept", and that stands whatever the evidence is. */
static bool was_accepted(struct verify *v)
{
    struct text history = {0};
    const char *last;
    bool accepted = false;

    if (queue_history(v->s.queue, v->cell->cell.index, &history, NULL) == 0 &&
        history.len > 1) {
        history.s[history.len - 1] = '\0'; /* the last newline */
        last = strrchr(history.s, '\n');
        last = last != NULL ? last : history.s;
        accepted = strstr(last, ", accepted") != NULL;
    }
    text_free(&history);
    return accepted;
}

/* The contract without what only the end of a program could tell: that is in
 * the record. Returns the number of checks; free(*some). -1: no memory. */
static int64_t lasting_checks(const struct verify *v, char ***some)
{
    char **checks;
    size_t n = session_contract(&v->s, &checks), i, kept = 0;

    *some = calloc(n + 1, sizeof(**some));
    if (*some == NULL)
        return -1;
    for (i = 0; i < n; i++)
        if (strcmp(checks[i], "exit0") != 0)
            (*some)[kept++] = checks[i];
    return (int64_t)kept;
}

static int check_proof(struct verify *v, struct relay_error *err)
{
    const struct session_cell *c = v->cell;
    struct outcome_facts facts = {.dir = c->dir,
                                  .state_dir = c->state_dir,
                                  .log = c->log,
                                  .status = -1,
                                  .deep = v->deep};
    struct outcome out;
    char **checks, **some;
    size_t n = session_contract(&v->s, &checks);
    int64_t kept = lasting_checks(v, &some);

    if (kept < 0)
        return relay_fail(err, EX_OSERR, "out of memory");
    facts.checks = some;
    facts.n = (size_t)kept;
    memset(&out, 0, sizeof(out));
    out.state = CELL_DONE; /* of exit0 alone: recorded */
    if (kept > 0 || n == 0)
        outcome_judge(&facts, &out);
    free(some);
    if (out.state == CELL_DONE ||
        (!v->deep && strstr(out.why, "files are not read here") != NULL) ||
        was_accepted(v))
        return 0;
    tell(v, UNPROVEN, NULL, out.why);
    return 0;
}

static void check_state(struct verify *v)
{
    const struct board_note *note = queue_note(v->s.queue,
                                               v->cell->cell.index);
    char why[400];

    snprintf(why, sizeof(why), "%s%s%s%s%s", cell_state_name(v->state),
             note != NULL && note->cause[0] != '\0' ? " (" : "",
             note != NULL ? note->cause : "",
             note != NULL && note->cause[0] != '\0' ? ")" : "",
             note != NULL && note->why[0] != '\0' ? ": " : "");
    if (note != NULL && note->why[0] != '\0')
        snprintf(why + strlen(why), sizeof(why) - strlen(why), "%s",
                 note->why);
    tell(v, UNDONE, NULL, why);
}

/* Its directory may be on another cluster, where it was run last. */
static void tell_missing(struct verify *v)
{
    uint64_t index = v->cell->cell.index;
    const struct board_note *note = queue_note(v->s.queue, index);
    struct queue_claim last = {.index = index,
                               .gen = queue_generation(v->s.queue, index) + 1};
    const char *state = cell_state_name(v->state);
    struct queue_place place;
    char why[1400];
    size_t n = 0;

    snprintf(last.id, sizeof(last.id), "%s", v->cell->cell.id);
    snprintf(why, sizeof(why), "%s", state);
    if (note != NULL && strcmp(note->cause, "elsewhere") == 0)
        snprintf(why, sizeof(why), "%s: %s", state, note->why);
    else if (queue_places(v->s.queue, &last, &place, 1, &n, NULL) == 0 &&
             n > 0 && v->s.cfg.cluster != NULL &&
             strcmp(place.cluster, v->s.cfg.cluster) != 0)
        snprintf(why, sizeof(why), "%s, and its directory is on %s, below %s",
                 state, place.cluster, place.out_root);
    tell(v, MISSING, NULL, why);
}

static int check_cell(struct verify *v, uint64_t index,
                      struct relay_error *err)
{
    struct session_cell c;
    struct stat st;
    int rc = session_cell(&v->s, index, &c, err);

    if (rc == 0 && c.cell.id[0] != '\0') /* a comment has no directory */
        rc = strays_know(&v->strays, c.dir) == 0
                 ? 0
                 : relay_fail(err, EX_OSERR, "out of memory");
    v->cell = &c;
    v->state = queue_state(v->s.queue, index);
    v->faults = 0;
    if (rc == 0 && !c.cell.withdrawn) {
        v->cells++;
        if (stat(c.dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
            tell_missing(v);
        } else {
            if (v->state == CELL_DONE)
                rc = check_proof(v, err);
            else
                check_state(v);
            if (v->state != CELL_RUNNING && v->state != CELL_WAITING)
                v->files += artefacts_check(c.dir, v->deep, tell_file, v);
        }
        v->good += v->faults == 0;
    }
    session_cell_free(&c);
    v->cell = NULL;
    return rc;
}

static int check_all(struct verify *v, struct relay_error *err)
{
    uint64_t size = roster_size(v->s.sweep.roster), i;

    for (i = 0; i < size; i++) {
        show_progress(v, i, size);
        if (check_cell(v, i, err) != 0)
            return -1;
    }
    if (v->told > 0)
        fprintf(stderr, "\r\033[K");
    strays_find(&v->strays, tell_stray, v);
    return 0;
}

/* --- the end ------------------------------------------------------------- */

static int print_summary(const struct verify *v)
{
    size_t limit = v->json ? LISTED : SHOWN;
    int i;

    for (i = 0; i < KINDS; i++)
        if (v->of[i] > limit && !v->all)
            printf("%-9s ... and %zu more: --all\n", kind_names[i],
                   v->of[i] - limit);
    printf("%s: %zu of %zu cells are good, %zu files looked at",
           v->s.sweep.path, v->good, v->cells, v->files);
    for (i = 0; i < KINDS; i++)
        if (v->of[i] > 0)
            printf(", %zu %s", v->of[i], kind_names[i]);
    printf("\n");
    return v->good == v->cells ? 0 : NOT_ALL;
}

static int print_json(struct verify *v)
{
    struct json_object *obj = json_object_new_object();
    struct json_object *of = json_object_new_object();
    int i, code;

    json_add_str(obj, "sweep", v->s.sweep.name);
    json_add_str(obj, "directory", v->s.sweep.path);
    json_add_bool(obj, "good", v->good == v->cells);
    json_add_bool(obj, "deep", v->deep);
    json_add_int(obj, "cells", (int64_t)v->cells);
    json_add_int(obj, "good_cells", (int64_t)v->good);
    json_add_int(obj, "files", (int64_t)v->files);
    for (i = 0; i < KINDS; i++)
        json_add_int(of, kind_names[i], (int64_t)v->of[i]);
    json_object_object_add(obj, "counts", of);
    json_object_object_add(obj, "problems", json_object_get(v->list));
    code = cli_json(obj);
    return code != 0 ? code : v->good == v->cells ? 0 : NOT_ALL;
}

static int say_deep(const char *deep, bool *is, struct relay_error *err)
{
    *is = strcmp(deep, "no") != 0;
    if (*is && strcmp(deep, "yes") != 0)
        return relay_fail(err, EX_USAGE, "--deep=%s: yes or no", deep);
    return 0;
}

int ssweep_verify(int argc, char **argv)
{
    struct session_how how = {0};
    struct verify v = {.deep = true};
    const char *deep = "yes";
    const struct cli_option options[] = {
        {"json", '\0', CLI_FLAG, &v.json, NULL, "print an object"},
        {"deep", '\0', CLI_TEXT, &deep, "no",
         "do not read files: only look whether they are there and not empty"},
        {"all", '\0', CLI_FLAG, &v.all, NULL, "list every one of a kind"},
        OUT_ROOT_OPTION(how),
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SSWEEP, "verify", "[OPTION]... SWEEP",
        "Holds the roster against what is on disk: is every cell there, done\n"
        "and proved to be, and does every checkpoint and JSON file of it\n"
        "load? Lists what is not so, and directories that belong to no cell.\n"
        "Deletes nothing. Ends with 1 while a cell is not good.",
        options, 1, 1};
    struct relay_error err = {0};
    char **args;
    int nargs, code;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    how.sweep = args[0];
    v.s.sweep.fd = -1;
    v.list = json_object_new_array();
    if (say_deep(deep, &v.deep, &err) != 0 ||
        session_open(&how, &v.s, &err) != 0 || check_all(&v, &err) != 0)
        code = cli_fail(SSWEEP, &err);
    else
        code = v.json ? print_json(&v) : print_summary(&v);
    json_object_put(v.list);
    strays_free(&v.strays);
    session_close(&v.s);
    return code;
}
