#define _GNU_SOURCE 1 /* memmem */
#include "peer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "clock.h"
#include "courier.h"
#include "file.h"
#include "peer_ssh.h"
#include "process.h"
#include "remote_scripts.h"

#define MAX_SSH_ARGS 64
#define MAX_PAUSE_S 15
#define LOOK_MS 500 /* for a courier, and for a signal just before a sleep */

static int open_hosts(struct peer *peer, struct relay_error *err)
{
    const struct config_cluster *cluster = peer->cluster;
    const char *data = cluster->data != NULL ? cluster->data : cluster->ssh;

    if (cluster->ssh == NULL || cluster->ssh[0] == '\0')
        return relay_fail(err, EX_CONFIG,
                          "clusters.%s has no ssh: host, so it cannot be "
                          "reached from here", peer->name);
    if (cluster->reach == REACH_NONE)
        return relay_fail(err, EX_CONFIG,
                          "clusters.%s has reach: none: it is not to be "
                          "reached from here", peer->name);
    if (process_find("ssh", peer->program, sizeof(peer->program), err) != 0)
        return -1;
    if (peer_ssh_probe(peer->program, cluster->ssh, &peer->control, err) != 0)
        return relay_fail_in(err, "clusters.%s.ssh", peer->name);
    if (strcmp(cluster->ssh, data) == 0)
        peer->copies = peer->control;
    else if (peer_ssh_probe(peer->program, data, &peer->copies, err) != 0)
        return relay_fail_in(err, "clusters.%s.data", peer->name);
    peer->own_master = peer->control.own_master;
    snprintf(peer->host, sizeof(peer->host), "%s", peer->control.name);
    snprintf(peer->data, sizeof(peer->data), "%s", peer->copies.name);
    return 0;
}

int peer_open(const struct config *cfg, const char *cluster,
              struct peer *peer, struct relay_error *err)
{
    memset(peer, 0, sizeof(*peer));
    snprintf(peer->name, sizeof(peer->name), "%s", cluster);
    peer->local = cfg->cluster != NULL && strcmp(cfg->cluster, cluster) == 0;
    if (peer->local) {
        peer->cluster = config_find(cfg, cluster, NULL);
        return 0;
    }
    peer->cluster = config_find(cfg, cluster, err);
    if (peer->cluster == NULL)
        return -1;
    return open_hosts(peer, err);
}

/* --- the text that sh reads ---------------------------------------------- */

static void put_quoted(FILE *to, const char *text)
{
    fputc('\'', to);
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputs("'\\''", to);
        else
            fputc(*text, to);
    }
    fputc('\'', to);
}

static void put_path(FILE *to, const struct peer *peer)
{
    const char *tools = getenv("RELAY_TOOLS");

    if (!peer->local) {
        fputs("PATH=${PATH:+$PATH:}" PEER_USUAL_PATH "\nexport PATH\n", to);
        return;
    }
    fputs("PATH=", to);
    if (tools != NULL && tools[0] == '/') {
        put_quoted(to, tools);
        fputc(':', to);
    }
    fputs(PEER_USUAL_PATH "\nexport PATH\n", to);
}

/* sh reads its program from the pipe that it would hand on as standard
 * input, so the script is one compound command (read whole before it runs)
 * with its own standard input; and a subshell, so that its exit is not the
 * end of ours. */
static char *wrap(const struct peer *peer, const char *token,
                  const char *script, const char *const *args, size_t *len)
{
    char *text = NULL;
    FILE *to = open_memstream(&text, len);

    if (to == NULL)
        return NULL;
    put_path(to, peer);
    fprintf(to, "relay_token=%s\n", token);
    fputs(remote_common, to);
    fputs("\nprintf '\\n@start\\t%s\\n' \"$relay_token\"\n(\nset --", to);
    for (; args != NULL && *args != NULL; args++) {
        fputc(' ', to);
        put_quoted(to, *args);
    }
    fprintf(to,
            "\n%s\n) </dev/null\nrelay_status=$?\n"
            "printf '\\n@end\\t%%s\\t%%s\\n' \"$relay_token\" "
            "\"$relay_status\"\nexit 0\n",
            script);
    if (fclose(to) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* --- the answer ---------------------------------------------------------- */

struct answer {
    bool started; /* sh there has read our first lines */
    bool whole;
    const char *text; /* between the markers */
    size_t len;
    int exit_code;
};

/* What start-up files of the user print before, and whatever comes after, is
 * outside the markers and dropped. */
static void find_answer(const char *out, size_t out_len, const char *token,
                        struct answer *answer)
{
    char mark[64];
    const char *end = out + out_len, *at, *stop;
    int n = snprintf(mark, sizeof(mark), "\n@start\t%s\n", token);

    memset(answer, 0, sizeof(*answer));
    at = memmem(out, out_len, mark, (size_t)n);
    if (at == NULL)
        return;
    answer->started = true;
    answer->text = at + n;
    n = snprintf(mark, sizeof(mark), "\n@end\t%s\t", token);
    stop = memmem(answer->text, (size_t)(end - answer->text), mark,
                  (size_t)n);
    if (stop == NULL ||
        memchr(stop + n, '\n', (size_t)(end - stop - n)) == NULL)
        return;
    answer->whole = true;
    answer->len = (size_t)(stop - answer->text);
    answer->exit_code = (int)strtol(stop + n, NULL, 10);
}

static int keep_answer(const struct answer *answer, const char *errors,
                       struct peer_reply *reply, struct relay_error *err)
{
    char line[256];

    (void)peer_permanent(errors, line, sizeof(line)); /* the last line */
    reply->out = malloc(answer->len + 1);
    reply->err = strdup(line);
    if (reply->out == NULL || reply->err == NULL) {
        peer_reply_free(reply);
        return relay_fail(err, EX_OSERR, "out of memory");
    }
    memcpy(reply->out, answer->text, answer->len);
    reply->out[answer->len] = '\0';
    reply->len = answer->len;
    reply->exit_code = answer->exit_code;
    return 0;
}

/* --- failures ------------------------------------------------------------ */

static bool needs_master(const struct peer *peer)
{
    return !peer->local && peer->cluster->reach == REACH_LOGIN &&
           getenv("SLURM_JOB_ID") != NULL;
}

bool peer_may_log_in(const struct peer *peer, const char *host)
{
    return !needs_master(peer) || peer_ssh_master(peer->program, host);
}

int peer_fail_login(const struct peer *peer, const char *reason,
                    struct relay_error *err)
{
    const char *key = peer->post != NULL ? courier_key(peer) : NULL;

    if (key != NULL)
        return relay_fail(
            err, EX_TEMPFAIL,
            "%s: %s%sjobs cannot log in there (reach: login); waiting for the "
            "login node: type there: shandoff %s --attach (or, on this host: "
            "ssh -fNM %s)", peer->name, reason, reason[0] != '\0' ? "; " : "",
            key, peer->host);
    return relay_fail(
        err, EX_TEMPFAIL,
        "%s: %s%sjobs cannot log in there (reach: login) and no ssh master "
        "connection of yours to %s answers on this host; on the login node "
        "type: ssh -fNM %s (your ssh configuration must set a ControlPath "
        "for it)",
        peer->name, reason, reason[0] != '\0' ? "; " : "", peer->host,
        peer->host);
}

/* sh began and did not reach our last line. */
static int fail_cut_off(const struct peer *peer, const char *line,
                        const struct process_result *res,
                        struct relay_error *err)
{
    char how[64];
    bool lost = !WIFEXITED(res->status) || WEXITSTATUS(res->status) == 255;

    process_describe(res, how, sizeof(how));
    if (res->timed_out || res->stopped || lost)
        return relay_fail(err, EX_TEMPFAIL,
                          "%s: the connection was lost before the answer was "
                          "whole (%s %s)%s%s", peer->name,
                          peer->local ? "sh" : "ssh", how,
                          line[0] != '\0' ? ": " : "", line);
    return relay_fail(err, EX_UNAVAILABLE,
                      "%s: /bin/sh there gave up before the end of our "
                      "script (%s)%s%s", peer->name, how,
                      line[0] != '\0' ? ": " : "", line);
}

static int fail_ssh(const struct peer *peer, const struct process_result *res,
                    struct relay_error *err)
{
    char line[256], how[64];
    bool permanent = peer_permanent(res->err, line, sizeof(line));
    int code = WIFEXITED(res->status) ? WEXITSTATUS(res->status) : 255;

    process_describe(res, how, sizeof(how));
    if (res->timed_out || res->stopped)
        return relay_fail(err, EX_TEMPFAIL, "%s (ssh %s) %s", peer->name,
                          peer->host, how);
    /* The login node's second factor is what "Permission denied" means once
     * the user's master has gone. */
    if (permanent && (needs_master(peer) ||
                      (peer->own_master &&
                       !peer_ssh_master(peer->program, peer->host))))
        return peer_fail_login(peer, line, err);
    /* 126, 127: the login shell has no /bin/sh; 1: it is a nologin. */
    if (permanent || code == 126 || code == 127 || code == 1)
        return relay_fail(err, EX_UNAVAILABLE,
                          "%s cannot be reached: %s (see what `ssh -o "
                          "BatchMode=yes %s true` says)", peer->name,
                          line[0] != '\0' ? line : how, peer->host);
    return relay_fail(err, EX_TEMPFAIL, "%s cannot be reached now: %s",
                      peer->name, line[0] != '\0' ? line : how);
}

static int run_sh(const struct peer *peer, const char *text, size_t len,
                  int64_t deadline_ms, struct process_result *res,
                  struct relay_error *err)
{
    const char *local[] = {"/bin/sh", "-s", NULL};
    const char *remote[MAX_SSH_ARGS];
    struct process_spec spec = {
        .argv = local,
        .input = text,
        .input_len = len,
        .deadline_ms = deadline_ms,
        .clean_up = peer->clean_up,
    };

    if (!peer->local) {
        size_t n = peer_ssh_argv(peer, false, remote, MAX_SSH_ARGS - 1);

        remote[n] = "exec /bin/sh -s";
        remote[n + 1] = NULL;
        spec.argv = remote;
    }
    return process_run(&spec, res, err);
}

int peer_script(const struct peer *peer, const char *script,
                const char *const *args, int64_t deadline_ms,
                struct peer_reply *reply, struct relay_error *err)
{
    struct process_result res;
    struct answer answer;
    char token[33], line[256];
    char *text;
    size_t len;
    int rc;

    memset(reply, 0, sizeof(*reply));
    if (!peer_may_log_in(peer, peer->host)) {
        rc = courier_script(peer, script, args, deadline_ms, reply, err);
        if (rc <= 0)
            return rc;
    }
    if (file_nonce(token, err) != 0)
        return -1;
    text = wrap(peer, token, script, args, &len);
    if (text == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    rc = run_sh(peer, text, len, deadline_ms, &res, err);
    free(text);
    if (rc != 0) {
        process_free(&res);
        return relay_fail_in(err, "%s", peer->name);
    }
    find_answer(res.out, res.out_len, token, &answer);
    if (answer.whole) {
        rc = keep_answer(&answer, res.err, reply, err);
    } else if (answer.started || peer->local) {
        (void)peer_permanent(res.err, line, sizeof(line)); /* last line */
        rc = fail_cut_off(peer, line, &res, err);
    } else {
        rc = fail_ssh(peer, &res, err);
    }
    process_free(&res);
    return rc;
}

bool peer_pause(const struct peer *peer, int64_t ms)
{
    int64_t until = clock_ms() + ms;
    bool alone = peer->post != NULL && !courier_is_there(peer);
    int64_t left;

    while ((left = until - clock_ms()) > 0 && process_cancelled() == 0) {
        clock_sleep_ms(left > LOOK_MS ? LOOK_MS : left);
        if (alone && courier_is_there(peer))
            break;
    }
    return process_cancelled() == 0;
}

int peer_script_retry(const struct peer *peer, const char *script,
                      const char *const *args, int64_t deadline_ms,
                      int64_t wait_s, void (*say)(void *arg, const char *text),
                      void *say_arg, struct peer_reply *reply,
                      struct relay_error *err)
{
    int64_t until = clock_ms() + wait_s * 1000;
    int64_t pause = 1;
    struct relay_error why = {0};

    for (;;) {
        char text[sizeof(why.text) + 64];
        int64_t left;

        if (peer_script(peer, script, args, deadline_ms, reply, &why) == 0)
            return 0;
        left = (until - clock_ms() + 999) / 1000;
        if (why.code != EX_TEMPFAIL || left <= 0 || process_cancelled() != 0)
            break;
        if (pause > left)
            pause = left;
        snprintf(text, sizeof(text), "%s; trying again in %" PRId64 " s",
                 why.text, pause);
        if (say != NULL)
            say(say_arg, text);
        if (!peer_pause(peer, pause * 1000))
            break;
        pause = pause * 2 < MAX_PAUSE_S ? pause * 2 : MAX_PAUSE_S;
    }
    return relay_fail(err, why.code, "%s", why.text);
}
