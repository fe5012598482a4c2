/* sresume doctor: is this installation well, and the configuration? */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "doctor.h"
#include "peer.h"
#include "process.h"
#include "transfer.h"

enum { PEER_MS = 15000, TOOL_MS = 10000 };

void finding(struct findings *f, enum finding_status status,
             const char *check, const char *fmt, ...)
{
    struct finding *grown = realloc(f->list, (f->n + 1) * sizeof(*grown));
    va_list ap;

    if (grown == NULL) {
        f->broken = true;
        return;
    }
    f->list = grown;
    grown = &f->list[f->n++];
    grown->status = status;
    grown->check = check;
    va_start(ap, fmt);
    vsnprintf(grown->text, sizeof(grown->text), fmt, ap);
    va_end(ap);
}

/* ---- configuration ---------------------------------------------------- */

static void check_config(struct findings *f, const struct config *cfg)
{
    struct relay_error err = {0};
    const struct config_cluster *here;
    size_t i;

    finding(f, FINDING_OK, "config", "this cluster is %s", cfg->cluster);
    for (i = 0; i < cfg->norigins; i++)
        finding(f, FINDING_INFO, "config", "%s = %s (%s:%d)",
                cfg->origins[i].key, cfg->origins[i].value,
                cfg->origins[i].file, cfg->origins[i].line);
    if (cfg->norigins == 0)
        finding(f, FINDING_WARN, "config",
                "no relay.yaml was found: neither the site's beside "
                "slurm.conf, nor ~/.config/slurm-relay/relay.yaml, nor "
                ".relay.yaml here");
    here = config_find(cfg, cfg->cluster, &err);
    if (here == NULL)
        finding(f, FINDING_FAIL, "config", "%s", err.text);
    else if (here->run_root == NULL)
        finding(f, FINDING_WARN, "config",
                "clusters.%s.run_root is not set: a run that moves here keeps "
                "its old run_dir, unless path_map maps it", cfg->cluster);
}

/* ---- directories ------------------------------------------------------ */

static void check_root(struct findings *f, const char *root)
{
    struct relay_error err = {0};
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT) {
        finding(f, FINDING_INFO, "resume_root",
                "%s is not there yet: the first job makes it", root);
        return;
    }
    if (fd < 0) {
        finding(f, FINDING_FAIL, "resume_root", "%s: %s", root,
                strerror(errno));
        return;
    }
    if (transfer_room(fd, root, 1 << 20, 16, &err) == 0)
        finding(f, FINDING_OK, "resume_root",
                "%s: write, link, rename and exchange work", root);
    else
        finding(f, FINDING_FAIL, "resume_root", "%s", err.text);
    close(fd);
}

static void check_runs(struct findings *f, const char *root,
                       const struct config *cfg)
{
    struct report_list list;
    struct relay_error err = {0};
    size_t i, stranded = 0;

    if (report_all(root, cfg->cluster, &list, &err) != 0) {
        finding(f, FINDING_FAIL, "runs", "%s", err.text);
        return;
    }
    for (i = 0; i < list.n; i++) {
        const struct report *r = &list.reports[i];
        const char *name = r->name != NULL ? r->name : r->hash;

        if (r->trouble[0] != '\0')
            finding(f, FINDING_FAIL, "runs", "%s", r->trouble);
        if (r->state != RUN_STRANDED)
            continue;
        stranded++;
        finding(f, FINDING_FAIL, "runs",
                "%s is STRANDED (fenced, and nobody runs): '" SRESUME
                " explain %s' says what to type", name, name);
    }
    if (stranded == 0)
        finding(f, FINDING_OK, "runs", "%zu runs, none stranded", list.n);
    report_list_free(&list);
}

/* ---- programs and peers ----------------------------------------------- */

/* First line of PROGRAM --version (or -V). */
static void check_program(struct findings *f, const char *program,
                          const char *option, const char *without)
{
    char path[256];
    const char *argv[] = {path, option, NULL};
    struct process_spec spec = {.argv = argv, .deadline_ms = TOOL_MS};
    struct process_result res = {0};
    struct relay_error err = {0};
    const char *text;

    if (process_find(program, path, sizeof(path), &err) != 0) {
        finding(f, FINDING_FAIL, "programs", "%s is missing: %s", program,
                without);
        return;
    }
    if (process_run(&spec, &res, &err) != 0 || !process_ok(&res)) {
        finding(f, FINDING_FAIL, "programs", "%s does not run: %s", path,
                err.text[0] != '\0' ? err.text : "it failed");
    } else {
        /* ssh -V writes to standard error. */
        text = res.out_len > 0 ? res.out : res.err;
        finding(f, FINDING_OK, "programs", "%s: %.*s", path,
                (int)strcspn(text, "\n"), text);
    }
    process_free(&res);
}

static void check_there(struct findings *f, const struct peer *peer)
{
    static const char script[] =
        "v=$(rsync --version 2>/dev/null | sed 1q); printf 'rsync\\t%s\\n' "
        "\"$v\"\n"
        "for p in squeue sacct scontrol scancel; do command -v $p >/dev/null "
        "|| m=\"$m $p\"; done\nprintf 'missing\\t%s\\n' \"$m\"\n";
    const char *name = peer->cluster->name;
    const char *args[] = {NULL};
    struct peer_reply reply;
    struct relay_error err = {0};
    char text[256];

    if (peer_script(peer, script, args, PEER_MS, &reply, &err) != 0) {
        finding(f, FINDING_FAIL, "ssh", "%s: %s", name, err.text);
        return;
    }
    finding(f, FINDING_OK, "ssh", "%s answers as %s%s", name, peer->host,
            peer->own_master ? " (over your ControlMaster)" : "");
    if (peer_value(&reply, "rsync", text, sizeof(text)) && text[0] != '\0')
        finding(f, FINDING_OK, "ssh", "%s has %s", name, text);
    else
        finding(f, FINDING_FAIL, "ssh", "%s has no rsync in the PATH of a "
                                        "command over ssh: install it there",
                name);
    if (peer_value(&reply, "missing", text, sizeof(text)) && text[0] != '\0')
        finding(f, FINDING_FAIL, "ssh",
                "%s lacks%s in the PATH of a command over ssh: nothing can "
                "be handed over from there", name, text);
    peer_reply_free(&reply);
}

static void check_peers(struct findings *f, const struct config *cfg)
{
    struct relay_error err = {0};
    struct peer peer;
    size_t i;

    for (i = 0; i < cfg->nclusters; i++) {
        const struct config_cluster *c = &cfg->clusters[i];

        if (strcmp(c->name, cfg->cluster) == 0)
            continue;
        if (c->reach == REACH_NONE || c->ssh == NULL) {
            finding(f, FINDING_INFO, "ssh", "%s is not reached (%s)", c->name,
                    c->ssh == NULL ? "no ssh: in the configuration"
                                   : "reach: none");
            continue;
        }
        if (peer_open(cfg, c->name, &peer, &err) != 0)
            finding(f, FINDING_FAIL, "ssh", "%s: %s", c->name, err.text);
        else
            check_there(f, &peer);
    }
}

/* ---- the command ------------------------------------------------------ */

static void examine(struct findings *f, const struct place *place)
{
    struct slurm_config slurm = {0};
    struct relay_error err = {0};
    struct config cfg;
    char *root;

    if (place_config(place, &cfg, &err) != 0) {
        finding(f, FINDING_FAIL, "config", "%s", err.text);
    } else {
        check_config(f, &cfg);
        root = place_root(place, &cfg, &err);
        if (root == NULL) {
            finding(f, FINDING_FAIL, "resume_root", "%s", err.text);
        } else {
            check_root(f, root);
            check_runs(f, root, &cfg);
        }
        free(root);
    }
    check_program(f, "ssh", "-V", "no other cluster can be reached");
    check_program(f, "rsync", "--version", "nothing can be copied");
    doctor_slurm(f, &slurm);
    doctor_plugin(f, &slurm);
    check_peers(f, &cfg);
    free(slurm.text);
    config_free(&cfg);
}

static int print_findings(const struct findings *f, bool quiet)
{
    static const char *const names[] = {"ok", "info", "warn", "FAIL"};
    static const char *const colors[] = {"32", "2", "33", "31"};
    bool color = cli_color(stdout);
    char clean[1300];
    size_t i;

    for (i = 0; i < f->n; i++) {
        const struct finding *one = &f->list[i];

        if (quiet && one->status < FINDING_WARN)
            continue;
        cli_clean(one->text, clean, sizeof(clean));
        if (color)
            printf("\033[%sm%-4s\033[0m", colors[one->status],
                   names[one->status]);
        else
            printf("%-4s", names[one->status]);
        printf("  %-11s  %s\n", one->check, clean);
    }
    return 0;
}

static int print_json(const struct findings *f)
{
    static const char *const names[] = {"ok", "info", "warn", "fail"};
    struct json_object *array = json_object_new_array();
    size_t i;

    for (i = 0; array != NULL && i < f->n; i++) {
        struct json_object *one = json_object_new_object();

        json_object_object_add(
            one, "status", json_object_new_string(names[f->list[i].status]));
        json_object_object_add(one, "check",
                               json_object_new_string(f->list[i].check));
        json_object_object_add(one, "text",
                               json_object_new_string(f->list[i].text));
        json_object_array_add(array, one);
    }
    return cli_json(array);
}

int sresume_doctor(int argc, char **argv)
{
    struct place place = {0};
    struct findings f = {0};
    bool json = false;
    bool quiet = false;
    const struct cli_option options[] = {
        {"json", '\0', CLI_FLAG, &json, NULL, "print an array of objects"},
        {"quiet", 'q', CLI_FLAG, &quiet, NULL, "only what is not well"},
        PLACE_OPTIONS(place),
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SRESUME, "doctor", "[OPTION]...",
        "Checks the configuration (each value with its file and line), the\n"
        "plugin, Slurm's settings, the resume_root, and each peer over ssh.\n"
        "Changes nothing. Ends with 1 when a line says FAIL.",
        options, 0, 0};
    char **args;
    int nargs, code;
    size_t i;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    examine(&f, &place);
    code = json ? print_json(&f) : print_findings(&f, quiet);
    for (i = 0; i < f.n; i++) {
        if (f.list[i].status == FINDING_FAIL && code == 0)
            code = 1;
    }
    if (f.broken)
        code = EX_OSERR;
    free(f.list);
    return code;
}
