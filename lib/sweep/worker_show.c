/* --dry-run: what would run, and how. Nothing is made and nothing claimed. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "worker_state.h"

/* The sweep as far as there is one: of a bare file the roster alone. */
static int open_source(struct worker *w, struct relay_error *err)
{
    static const struct queue_options look = {.read_only = true};
    struct roster_options read;
    struct relay_error none = {0};
    struct lint lint = {0};
    struct stat st;
    int rc;

    if (home_is_url(w->opt->source))
        return relay_fail(err, EX_USAGE, "--dry-run looks at sweeps of this "
                                         "cluster: type it where %s is",
                          w->opt->source);
    if (sweep_open(w->opt->source, &w->sweep, &none) == 0) {
        if (worker_check_sweep(w, err) != 0)
            return -1;
        return queue_open(&w->sweep, NULL, &look, &w->queue, err);
    }
    sweep_close(&w->sweep);
    if (none.code != EX_NOINPUT || stat(w->opt->source, &st) != 0 ||
        !S_ISREG(st.st_mode))
        return relay_fail(err, none.code, "%s", none.text);
    read = worker_reading(w->opt, NULL);
    rc = roster_load(w->opt->source, &read, NULL, 0, &w->sweep.roster, &lint,
                     err);
    w->opt->warn(&lint);
    if (rc == 0)
        w->sweep.name = strdup(roster_info(w->sweep.roster)->name);
    return rc != 0 || w->sweep.name != NULL
               ? rc : relay_fail(err, EX_OSERR, "out of memory");
}

static bool would_run(const struct worker *w, uint64_t index)
{
    uint64_t shards = (uint64_t)w->opt->shard_count;
    enum cell_state state;

    if (roster_withdrawn(w->sweep.roster, index) ||
        (shards > 1 && index % shards != (uint64_t)w->opt->shard_index))
        return false;
    if (w->queue == NULL)
        return true;
    state = queue_state(w->queue, index);
    return state == CELL_WAITING || state == CELL_PARTIAL;
}

static int show_cell(struct worker *w, uint64_t index,
                     struct relay_error *err)
{
    struct words argv = {0};
    struct text line = {0};
    struct cell cell = {0};
    char *dir = NULL;
    char json[4200] = "params.json";
    int rc = roster_cell(w->sweep.roster, index, &cell, err);

    if (rc == 0 && w->queue != NULL) {
        dir = sweep_cell_dir(&w->sweep, &cell, w->opt->out_root, err);
        rc = dir != NULL ? 0 : -1;
    }
    if (dir != NULL)
        snprintf(json, sizeof(json), "%s/.relay/params.json", dir);
    if (rc == 0)
        rc = worker_words(&w->sweep, &cell, w->opt->command, json, &argv, err);
    if (rc == 0) {
        command_quote(&argv, &line);
        fprintf(w->opt->out, "%s\t%s\n", cell.id, text_str(&line));
    }
    text_free(&line);
    words_free(&argv);
    cell_free(&cell);
    free(dir);
    return rc;
}

int worker_show(const struct worker_options *opt, struct relay_error *err)
{
    struct worker w = {.opt = opt, .sweep = {.fd = -1}};
    int64_t shown = 0;
    uint64_t index, size;
    int rc = open_source(&w, err);

    size = rc == 0 ? roster_size(w.sweep.roster) : 0;
    for (index = 0; rc == 0 && index < size; index++) {
        if (opt->max_cells > 0 && shown >= opt->max_cells)
            break;
        if (!would_run(&w, index))
            continue;
        rc = show_cell(&w, index, err);
        shown++;
    }
    if (rc == 0)
        fprintf(stderr, "ssweep: %" PRId64 " cell%s would run\n", shown,
                shown == 1 ? "" : "s");
    if (w.queue != NULL)
        queue_close(w.queue);
    sweep_close(&w.sweep);
    return rc;
}
