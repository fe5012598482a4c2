/*
 * Several moves at once: each run that fits is planned, the free slots go to
 * those that gain most, and each of these is moved by a child of its own,
 * which is this program with one KEY.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "jsonfile.h"
#include "process.h"
#include "shandoff.h"
#include "move/slots.h"
#include "move/submit.h"

enum { LOOK_MS = 60000, LINE = 2048 };

struct candidate {
    char key[KEY_MAX + 1];
    char name[128];
    int64_t gain;   /* seconds */
    bool known;     /* is it? */
    bool possible;  /* no gate but the slot stands in the way */
    int gpus;
    struct slots slots; /* here, as its plan saw them */
    char why[500];  /* why it does not move */
    bool chosen;
    /* While it moves. */
    pid_t pid;
    int fd;
    char line[LINE];
    size_t used;
    char *out;      /* with --json: all that it printed */
    size_t out_len;
    int code;       /* exit code, -1 before */
};

/* --- plans ---------------------------------------------------------------- */

static void take_gates(const struct plan *plan, struct candidate *c)
{
    size_t i;

    c->possible = true;
    for (i = 0; i < GATES; i++) {
        const struct gate_result *g = &plan->results[i];

        if (g->overridden || g->gate == GATE_SLOT ||
            (g->verdict != GATE_FAIL && g->verdict != GATE_UNKNOWN))
            continue;
        if (c->possible)
            snprintf(c->why, sizeof(c->why), "%s: %s", gate_name(g->gate),
                     g->text);
        c->possible = false;
    }
}

static void plan_one(const struct shandoff *o, struct candidate *c)
{
    struct relay_error err = {0};
    struct overview there = {0};
    struct plan plan = {0};
    struct run run = {.rootfd = -1, .relayfd = -1, .jobfd = -1};
    char key[KEY_MAX + 1];

    if (shandoff_find(o, c->key, &there, key, &err) != 0 ||
        place_open(&o->place, key, true, &run, &err) != 0 ||
        plan_make(&run, &o->plan, &there, &plan, &err) != 0) {
        snprintf(c->why, sizeof(c->why), "%.*s",
                 (int)strcspn(err.text, "\n"), err.text);
    } else {
        take_gates(&plan, c);
        c->known = plan.estimate.known;
        c->gain = plan.estimate.gain;
        c->gpus = plan.facts.gpus_here;
        c->slots = plan.slots;
    }
    plan_free(&plan);
    overview_free(&there);
    run_close(&run);
}

/* Runs there that train, whose name fits. */
static int find_all(const struct shandoff *o, struct candidate **list,
                    size_t *n, struct relay_error *err)
{
    struct overview_want want = {.pattern = o->match, .deadline_ms = LOOK_MS};
    struct overview there = {0};
    char cluster[64];
    struct config cfg;
    size_t i;
    int rc = -1;

    *list = NULL;
    *n = 0;
    snprintf(cluster, sizeof(cluster), "%.*s",
             (int)strcspn(o->plan.from, ":"), o->plan.from);
    if (place_config(&o->place, &cfg, err) == 0 &&
        config_find(&cfg, cluster, err) != NULL &&
        overview_look(&cfg, cluster, &want, &there, err) == 0)
        rc = there.answered ? 0
                            : relay_fail(err, EX_TEMPFAIL, "%s", there.why);
    if (rc == 0 && there.n > 0 &&
        (*list = calloc(there.n, sizeof(**list))) == NULL)
        rc = relay_fail(err, EX_OSERR, "out of memory");
    for (i = 0; rc == 0 && i < there.n; i++) {
        const struct overview_run *r = &there.runs[i];
        struct candidate *c = &(*list)[*n];

        if (r->stub || r->completed || r->job == NULL ||
            submit_escape(r->key != NULL ? r->key : r->hash, c->key,
                          sizeof(c->key), err) != 0)
            continue;
        snprintf(c->name, sizeof(c->name), "%s",
                 r->name != NULL ? r->name : r->hash);
        c->fd = -1;
        c->code = -1;
        (*n)++;
    }
    if (rc == 0 && *n == 0)
        rc = relay_fail(err, EX_DATAERR, "no run on %s that fits '%s' is "
                                         "training", cluster, o->match);
    overview_free(&there);
    config_free(&cfg);
    return rc;
}

/* --- who goes now --------------------------------------------------------- */

/* All plans saw the same slots: the last one's count. */
static size_t share(const struct shandoff *o, struct candidate *list, size_t n,
                    struct relay_error *err)
{
    struct slot_candidate *ask = calloc(n, sizeof(*ask));
    size_t *from = calloc(n, sizeof(*from));
    const struct slots *slots = NULL;
    size_t i, m = 0, chosen = 0;

    for (i = 0; ask != NULL && from != NULL && i < n; i++) {
        if (!list[i].possible)
            continue;
        slots = &list[i].slots;
        ask[m] = (struct slot_candidate){.gain = list[i].gain,
                                         .known = list[i].known,
                                         .gpus = list[i].gpus};
        from[m++] = i;
    }
    if (ask == NULL || from == NULL ||
        (m > 0 && slots_share(ask, m, slots, (size_t)o->max) != 0)) {
        relay_fail(err, EX_OSERR, "out of memory");
        m = 0;
    }
    for (i = 0; i < m; i++) {
        list[from[i]].chosen = ask[i].goes;
        chosen += ask[i].goes;
        if (!ask[i].goes)
            snprintf(list[from[i]].why, sizeof(list[from[i]].why),
                     "no slot is left for it: others gain more");
    }
    free(ask);
    free(from);
    return chosen;
}

static void show(const struct candidate *list, size_t n, FILE *stream)
{
    static const char *const heads[] = {"NAME", "GAIN", "GPUS", "MOVES", "",
                                        NULL};
    struct cli_table table;
    char text[64];
    size_t i;

    cli_table_init(&table, heads, "lrrll");
    for (i = 0; i < n; i++) {
        const struct candidate *c = &list[i];

        cli_table_add(&table, c->name, NULL);
        if (c->known)
            clock_span(c->gain < 0 ? -c->gain : c->gain, text + 1,
                       sizeof(text) - 1);
        text[0] = c->gain < 0 ? '-' : '+';
        cli_table_add(&table, c->known ? text : "-", NULL);
        snprintf(text, sizeof(text), "%d", c->gpus);
        cli_table_add(&table, text, NULL);
        cli_table_add(&table, c->chosen ? "now" : "not",
                      c->chosen ? "32" : NULL);
        cli_table_add(&table, c->why, NULL);
    }
    (void)cli_table_print(&table, stream); /* cli_finish tells of stdout */
    cli_table_free(&table);
    fflush(stream);
}

/* moved: the end of each that was chosen, too. */
static int show_json(const struct candidate *list, size_t n, bool moved)
{
    struct json_object *array = json_object_new_array();
    size_t i;

    for (i = 0; i < n; i++) {
        struct json_object *obj = json_object_new_object();

        json_add_str(obj, "name", list[i].name);
        json_add_str(obj, "key", list[i].key);
        if (list[i].known)
            json_add_int(obj, "gain", list[i].gain);
        json_add_int(obj, "gpus", list[i].gpus);
        json_add_bool(obj, "moves", list[i].chosen);
        json_add_str(obj, "why", list[i].why[0] != '\0' ? list[i].why : NULL);
        if (moved && list[i].chosen) {
            json_add_int(obj, "exit", list[i].code);
            json_object_object_add(obj, "end",
                                   list[i].out != NULL
                                       ? json_tokener_parse(list[i].out)
                                       : NULL);
        }
        json_object_array_add(array, obj);
    }
    return cli_json(array);
}

/* --- children ------------------------------------------------------------- */

static bool is_for_several(const char *word)
{
    return strncmp(word, "--mat", 5) == 0 || strncmp(word, "--max", 5) == 0;
}

/* The same command for one KEY: --match and --max, and their values, go; the
 * question was asked. */
static char **words_for(const struct shandoff *o, char *const *argv,
                        const char *key)
{
    const struct plan_options *plan = &o->plan;
    size_t room = (size_t)(plan->sbatch - argv) + (size_t)plan->nsbatch + 5;
    char **words = calloc(room, sizeof(*words));
    size_t at = 0;
    int i;

    if (words == NULL)
        return NULL;
    words[at++] = argv[0];
    words[at++] = (char *)"--yes";
    for (i = 1; &argv[i] < plan->sbatch && strcmp(argv[i], "--") != 0; i++) {
        if (!is_for_several(argv[i]))
            words[at++] = argv[i];
        else if (strchr(argv[i], '=') == NULL)
            i++;
    }
    words[at++] = (char *)(uintptr_t)key; /* execv writes to none of them */
    words[at++] = (char *)"--";
    for (i = 0; i < plan->nsbatch; i++)
        words[at++] = plan->sbatch[i];
    return words;
}

/* With --json its object is what we read, and progress goes past us. */
static void become(const struct shandoff *o, struct candidate *c,
                   char *const *argv, int fd, pid_t parent)
{
    char **words = words_for(o, argv, c->key);

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent || words == NULL || dup2(fd, 1) != 1 ||
        (!o->json && dup2(fd, 2) != 2))
        _exit(EX_OSERR);
    execv("/proc/self/exe", words);
    _exit(EX_OSERR);
}

static int start(const struct shandoff *o, struct candidate *c,
                 char *const *argv, struct relay_error *err)
{
    pid_t parent = getpid();
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0)
        return relay_fail_errno(err, EX_OSERR, "pipe");
    c->pid = fork();
    if (c->pid == 0)
        become(o, c, argv, fds[1], parent);
    close(fds[1]);
    if (c->pid < 0) {
        close(fds[0]);
        return relay_fail_errno(err, EX_OSERR, "fork");
    }
    c->fd = fds[0];
    return 0;
}

static void print_line(struct candidate *c)
{
    printf("%s: %.*s\n", c->name, (int)c->used, c->line);
    fflush(stdout);
    c->used = 0;
}

static void keep(struct candidate *c, const char *buf, size_t n)
{
    char *more = realloc(c->out, c->out_len + n + 1);

    if (more == NULL)
        return; /* it does not parse then, and is null */
    memcpy(more + c->out_len, buf, n);
    c->out_len += n;
    more[c->out_len] = '\0';
    c->out = more;
}

/* What a child prints, line by line or whole; at its end, its exit code. */
static void hear(const struct shandoff *o, struct candidate *c)
{
    char buf[512];
    ssize_t n = read(c->fd, buf, sizeof(buf));
    ssize_t i;
    int status;

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (o->json && n > 0)
        keep(c, buf, (size_t)n);
    for (i = 0; !o->json && i < n; i++) {
        if (buf[i] == '\n' || c->used == sizeof(c->line))
            print_line(c);
        if (buf[i] != '\n')
            c->line[c->used++] = buf[i];
    }
    if (n > 0)
        return;
    if (c->used > 0)
        print_line(c);
    close(c->fd);
    c->fd = -1;
    c->code = EX_SOFTWARE;
    if (waitpid(c->pid, &status, 0) == c->pid)
        c->code = WIFEXITED(status) ? WEXITSTATUS(status)
                                    : 128 + WTERMSIG(status);
}

static void hear_all(const struct shandoff *o, struct candidate *list,
                     size_t n)
{
    struct pollfd *fds = calloc(n, sizeof(*fds));
    size_t *of = calloc(n, sizeof(*of));
    size_t i, m = 1;
    bool told = false;

    while (fds != NULL && of != NULL && m > 0) {
        for (i = m = 0; i < n; i++) {
            if (list[i].fd < 0)
                continue;
            fds[m] = (struct pollfd){.fd = list[i].fd, .events = POLLIN};
            of[m++] = i;
        }
        /* A terminal's ^C reaches them too; another signal does not. */
        for (i = 0; process_cancelled() != 0 && !told && i < m; i++)
            kill(list[of[i]].pid, process_cancelled());
        told = process_cancelled() != 0;
        if (m == 0 || poll(fds, m, 1000) <= 0)
            continue;
        for (i = 0; i < m; i++)
            if (fds[i].revents != 0)
                hear(o, &list[of[i]]);
    }
    free(fds);
    free(of);
}

static int move_all(const struct shandoff *o, struct candidate *list, size_t n,
                    char *const *argv)
{
    struct relay_error err = {0};
    int code = 0;
    size_t i;

    for (i = 0; i < n; i++)
        if (list[i].chosen && start(o, &list[i], argv, &err) != 0)
            code = cli_fail(SHANDOFF, &err);
    hear_all(o, list, n);
    for (i = 0; i < n; i++) {
        if (!list[i].chosen)
            continue;
        if (!o->json)
            printf("%s: %s\n", list[i].name,
                   list[i].code != 0 ? "NOT moved, see above"
                   : o->detach ? "submitted" : "moved");
        if (list[i].code != 0)
            code = list[i].code;
    }
    return code;
}

int shandoff_several(const struct shandoff *o, char *const *argv)
{
    struct relay_error err = {0};
    struct candidate *list;
    size_t i, n, chosen = 0;
    char question[64];
    int code = 0;

    if (find_all(o, &list, &n, &err) != 0) {
        free(list);
        return cli_fail(SHANDOFF, &err);
    }
    for (i = 0; i < n; i++)
        plan_one(o, &list[i]);
    chosen = share(o, list, n, &err);
    if (!o->json || !o->dry_run)
        show(list, n, o->json ? stderr : stdout);
    snprintf(question, sizeof(question), "Move %zu of %zu?", chosen, n);
    if (!o->dry_run && chosen == 0)
        relay_fail(&err, EX_NOPERM, "none of these runs moves");
    if (!o->dry_run &&
        (chosen == 0 || (!o->yes && !shandoff_confirm(question, &err))))
        code = cli_fail(SHANDOFF, &err);
    else if (!o->dry_run)
        code = move_all(o, list, n, argv);
    if (o->json && show_json(list, n, !o->dry_run) != 0)
        code = EX_OSERR;
    for (i = 0; i < n; i++)
        free(list[i].out);
    free(list);
    return code;
}
