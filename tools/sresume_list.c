/* sresume list: the runs of this cluster. */
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "sresume.h"

const char *sresume_state_color(enum run_state state)
{
    switch (state) {
    case RUN_RUNNING:
    case RUN_COMPLETED:
        return "32";
    case RUN_MOVING:
    case RUN_QUEUED:
        return "36";
    case RUN_STRANDED:
    case RUN_FAILED:
        return "31";
    case RUN_UNKNOWN:
        return "33";
    case RUN_NEW:
    case RUN_ENDED:
    case RUN_MOVED:
        break;
    }
    return NULL;
}

static bool wanted(const struct report *r, const char *pattern,
                   const char *state)
{
    if (state != NULL && strcmp(state, run_state_name(r->state)) != 0)
        return false;
    if (pattern == NULL)
        return true;
    return fnmatch(pattern, r->name != NULL ? r->name : "", 0) == 0 ||
           (r->key != NULL && fnmatch(pattern, r->key, 0) == 0) ||
           fnmatch(pattern, r->hash, 0) == 0;
}

static void add_row(struct cli_table *table, const struct report *r)
{
    char text[256];

    if (r->name != NULL)
        cli_table_add(table, r->name, NULL);
    else
        cli_table_add(table, r->hash, NULL);
    snprintf(text, sizeof(text), r->step < 0 ? "-" : "%" PRId64, r->step);
    cli_table_add(table, text, NULL);
    if (r->saved != 0)
        clock_span(clock_wall() - r->saved, text, sizeof(text));
    cli_table_add(table, r->saved != 0 ? text : "-", NULL);
    /* What somebody must do something about stands out without colour. */
    cli_table_add(table,
                  r->state == RUN_STRANDED ? "STRANDED"
                                           : run_state_name(r->state),
                  sresume_state_color(r->state));
    if (r->state == RUN_MOVED || (r->owner[0] == '\0' &&
                                  r->moved_to[0] != '\0'))
        snprintf(text, sizeof(text), "on %s", r->moved_to);
    else if (r->owner[0] == '\0' && r->cause[0] != '\0' &&
             (r->state == RUN_ENDED || r->state == RUN_FAILED))
        snprintf(text, sizeof(text), "(%s)", r->cause);
    else
        snprintf(text, sizeof(text), "%s", r->owner);
    cli_table_add(table, text, NULL);
}

static int print_table(const struct report_list *list, const char *pattern,
                       const char *state)
{
    static const char *const heads[] = {"NAME",  "STEP",  "AGE",
                                        "STATE", "OWNER", NULL};
    struct cli_table table;
    size_t i, stranded = 0;
    int code;

    cli_table_init(&table, heads, "lrrll");
    for (i = 0; i < list->n; i++) {
        stranded += list->reports[i].state == RUN_STRANDED;
        if (wanted(&list->reports[i], pattern, state))
            add_row(&table, &list->reports[i]);
    }
    code = cli_table_print(&table, stdout);
    cli_table_free(&table);
    if (stranded > 0)
        fprintf(stderr, SRESUME ": %zu STRANDED: a handoff stopped the source "
                                "and nobody runs; '" SRESUME
                                " explain NAME' says what to type\n",
                stranded);
    if (list->n > 0 && !list->queue_answered)
        fprintf(stderr, SRESUME ": squeue did not answer: who is running is "
                                "not known\n");
    return code;
}

static int print_json(const struct report_list *list, const char *pattern,
                      const char *state)
{
    struct json_object *array = json_object_new_array();
    size_t i;

    for (i = 0; array != NULL && i < list->n; i++) {
        if (wanted(&list->reports[i], pattern, state))
            json_object_array_add(array, report_json(&list->reports[i]));
    }
    return cli_json(array);
}

static void print_trouble(const struct report_list *list)
{
    struct relay_error err = {0};
    size_t i;

    for (i = 0; i < list->n; i++) {
        if (list->reports[i].trouble[0] == '\0')
            continue;
        relay_fail(&err, EX_DATAERR, "%s", list->reports[i].trouble);
        (void)cli_fail(SRESUME, &err); /* the listing goes on */
    }
}

static int list_here(const struct place *place, const struct config *cfg,
                     const struct list_options *opt)
{
    struct report_list list = {0};
    struct relay_error err = {0};
    char *root = place_root(place, cfg, &err);
    int code;

    if (root == NULL || report_all(root, cfg->cluster, &list, &err) != 0) {
        code = cli_fail(SRESUME, &err);
    } else {
        code = opt->json ? print_json(&list, opt->pattern, opt->state)
                         : print_table(&list, opt->pattern, opt->state);
        print_trouble(&list);
    }
    report_list_free(&list);
    free(root);
    return code;
}

static int list_all(const struct place *place, const struct config *cfg,
                    const struct list_options *opt)
{
    /* What is wrong with the root here is said with the other clusters'. */
    char *root = place_root(place, cfg, NULL);
    int code = sresume_list_all(cfg, root, opt);

    free(root);
    return code;
}

int sresume_list(int argc, char **argv)
{
    struct place place = {0};
    struct list_options opt = {.pattern = NULL};
    bool all = false;
    const struct cli_option options[] = {
        {"all-clusters", '\0', CLI_FLAG, &all, NULL,
         "the runs of every configured cluster"},
        {"json", '\0', CLI_FLAG, &opt.json, NULL,
         "print an array of objects (of all clusters: an object)"},
        {"state", '\0', CLI_TEXT, &opt.state, "STATE",
         "only runs in STATE (running, stranded, ...)"},
        PLACE_OPTIONS(place),
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SRESUME, "list", "[OPTION]... [PATTERN]",
        "Lists the runs below this cluster's resume_root, or those whose\n"
        "name, key or hash fits the shell pattern PATTERN. STRANDED: a\n"
        "handoff stopped the source and nobody runs. With --all-clusters\n"
        "also those that ssh finds on the others, with rate and time left,\n"
        "which copy of a run counts, and whom a move to here would help.",
        options, 0, 1};
    struct relay_error err = {0};
    struct config cfg;
    char **args;
    int nargs, code;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    opt.pattern = args[0];
    if (place_config(&place, &cfg, &err) != 0)
        code = cli_fail(SRESUME, &err);
    else
        code = all ? list_all(&place, &cfg, &opt)
                   : list_here(&place, &cfg, &opt);
    config_free(&cfg);
    return code;
}
