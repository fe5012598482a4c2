#define _GNU_SOURCE 1 /* memmem */
#include "peer_ssh.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "process.h"

#define PROBE_MS 10000
#define HOST_CHARS                                                            \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"          \
    "._-@:%+[]"

/* The options that hold for every connection (reasons: doc/transfer.md). */
static const char *const always[] = {
    "-T", "-x", "-a",
    "-o", "BatchMode=yes",
    "-o", "StrictHostKeyChecking=yes",
    "-o", "ConnectTimeout=10",
    "-o", "ServerAliveInterval=15",
    "-o", "ServerAliveCountMax=4",
    "-o", "ForwardAgent=no",
    "-o", "ClearAllForwardings=yes",
    "-o", "PermitLocalCommand=no",
    "-o", "Compression=no",
    "-o", "LogLevel=ERROR",
    "-o", "ControlMaster=no",
};

/* The fast ones, and in which order we like them. */
static const char *const fast[] = {
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
};

#define NFAST (sizeof(fast) / sizeof(fast[0]))

static bool append(char *text, size_t size, const char *item, size_t len)
{
    size_t used = strlen(text);
    bool comma = used != 0 && text[used - 1] != '=';

    if (used + len + 2 > size)
        return false;
    if (comma)
        text[used++] = ',';
    memcpy(text + used, item, len);
    text[used + len] = '\0';
    return true;
}

static size_t rank(const char *item, size_t len)
{
    size_t i;

    for (i = 0; i < NFAST; i++)
        if (strlen(fast[i]) == len && memcmp(fast[i], item, len) == 0)
            break;
    return i;
}

/* Reorders what ssh offers to this host anyway: nothing is added and nothing
 * taken away, so that no peer, policy or old client is ever at a loss. */
static void order_ciphers(const char *offered, char *text, size_t size)
{
    size_t i;

    snprintf(text, size, "Ciphers=");
    for (i = 0; i <= NFAST; i++) {
        const char *item = offered;

        while (*item != '\0') {
            size_t len = strcspn(item, ",");

            if (len != 0 && rank(item, len) == i &&
                !append(text, size, item, len)) {
                text[0] = '\0';
                return;
            }
            item += len + (item[len] == ',');
        }
    }
    if (text[strlen(text) - 1] == '=')
        text[0] = '\0';
}

/* The value of KEYWORD in the output of ssh -G, false when absent. */
static bool config_value(const char *out, const char *keyword, char *value,
                         size_t size)
{
    size_t len = strlen(keyword);
    const char *line = out;

    while (*line != '\0') {
        size_t end = strcspn(line, "\n");

        if (end > len && strncmp(line, keyword, len) == 0 &&
            line[len] == ' ') {
            size_t n = end - len - 1;

            if (n >= size)
                return false;
            memcpy(value, line + len + 1, n);
            value[n] = '\0';
            return true;
        }
        line += end + (line[end] == '\n');
    }
    return false;
}

bool peer_ssh_master(const char *program, const char *host)
{
    const char *argv[] = {program, "-o",    "BatchMode=yes",
                          "-O",    "check", host,
                          NULL};
    struct process_spec spec = {.argv = argv, .deadline_ms = PROBE_MS};
    struct process_result res;
    bool answers;

    answers = process_run(&spec, &res, NULL) == 0 && process_ok(&res);
    process_free(&res);
    return answers;
}

int peer_ssh_probe(const char *program, const char *name,
                   struct peer_host *host, struct relay_error *err)
{
    const char *argv[] = {program, "-G", name, NULL};
    struct process_spec spec = {.argv = argv, .deadline_ms = PROBE_MS};
    struct process_result res;
    char value[sizeof(host->ciphers)];

    memset(host, 0, sizeof(*host));
    if (name[0] == '\0' || name[0] == '-' ||
        name[strspn(name, HOST_CHARS)] != '\0' ||
        strlen(name) >= sizeof(host->name))
        return relay_fail(err, EX_CONFIG,
                          "'%s' cannot be a host for ssh: expected a name of "
                          "~/.ssh/config, HOST or USER@HOST", name);
    snprintf(host->name, sizeof(host->name), "%s", name);
    /* A failure is for the connection itself to report, in ssh's words. */
    if (process_run(&spec, &res, NULL) == 0 && process_ok(&res)) {
        if (config_value(res.out, "ciphers", value, sizeof(value)))
            order_ciphers(value, host->ciphers, sizeof(host->ciphers));
        if (config_value(res.out, "remotecommand", value, sizeof(value)))
            host->remote_command = strcmp(value, "none") != 0;
        if (config_value(res.out, "controlpath", value, sizeof(value)) &&
            strcmp(value, "none") != 0)
            host->own_master = peer_ssh_master(program, name);
    }
    process_free(&res);
    return 0;
}

static size_t put(const char **argv, size_t max, size_t n, const char *arg)
{
    if (n + 1 < max)
        argv[n++] = arg;
    return n;
}

size_t peer_ssh_argv(const struct peer *peer, bool data, const char **argv,
                     size_t max)
{
    const struct peer_host *host = data ? &peer->copies : &peer->control;
    size_t n = 0, i;

    n = put(argv, max, n, peer->program);
    for (i = 0; i < sizeof(always) / sizeof(always[0]); i++)
        n = put(argv, max, n, always[i]);
    if (host->ciphers[0] != '\0') {
        n = put(argv, max, n, "-o");
        n = put(argv, max, n, host->ciphers);
    }
    if (host->remote_command) {
        n = put(argv, max, n, "-o");
        n = put(argv, max, n, "RemoteCommand=none");
    }
    /* With reach: login the master may come (back) later than we looked. */
    if (!host->own_master && peer->cluster->reach != REACH_LOGIN) {
        n = put(argv, max, n, "-o");
        n = put(argv, max, n, "ControlPath=none");
    }
    n = put(argv, max, n, host->name);
    argv[n] = NULL;
    return n;
}

/* What ssh says when trying again is of no use. "Temporary failure in name
 * resolution" is not here: resolvers do come back. */
static const char *const permanent[] = {
    "Permission denied (",
    "Host key verification failed",
    "REMOTE HOST IDENTIFICATION HAS CHANGED",
    "host key is known for",
    "Name or service not known",
    "nodename nor servname",
    "No address associated with",
    "Too many authentication failures",
    "Unable to negotiate",
    "no matching ",
    "Bad configuration option",
    "Bad SSH2 cipher spec",
    "Bad owner or permissions",
    "terminating, ",
    "Cannot execute command-line and remote command",
    "account is currently not available",
    "account has expired",
};

static bool is_permanent(const char *line, size_t len)
{
    size_t i;

    for (i = 0; i < sizeof(permanent) / sizeof(permanent[0]); i++)
        if (memmem(line, len, permanent[i], strlen(permanent[i])) != NULL)
            return true;
    return false;
}

static void copy_line(char *to, size_t size, const char *line, size_t len)
{
    size_t i;

    while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == ' '))
        len--;
    for (i = 0; i < len && i + 1 < size; i++)
        to[i] = (unsigned char)line[i] < ' ' || line[i] == 127 ? '?' : line[i];
    to[i] = '\0';
}

bool peer_permanent(const char *text, char *line, size_t size)
{
    bool found = false;

    line[0] = '\0';
    while (text != NULL && *text != '\0') {
        size_t len = strcspn(text, "\n");

        /* The last line that says so is the most to the point: ssh prints
         * "Host key verification failed." at the end of its warnings. */
        if (is_permanent(text, len)) {
            copy_line(line, size, text, len);
            found = true;
        } else if (!found && len > 1) {
            copy_line(line, size, text, len);
        }
        text += len + (text[len] == '\n');
    }
    return found;
}
