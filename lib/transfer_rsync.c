#define _GNU_SOURCE 1
#include "transfer_rsync.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "process.h"

#define MAX_ARGV 64
#define MAX_DEPTH 64
#define DEFAULT_STALL_S 60
/* What --append-verify reads before its first byte: slow disks do this. */
#define HASH_BYTES_PER_S (20 * 1024 * 1024)
#define PROBE_MS 20000

/* argv of one run, and the texts that it points to. */
struct command {
    const char *argv[MAX_ARGV];
    size_t n;
    char program[1024];
    char rsh[4096];
    char rsync_path[512];
    char here[2100];
    char there[4400];
    char timeout[40];
};

/* --- what is in a directory ---------------------------------------------- */

static int64_t tree_bytes(int at, const char *name, int depth)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *d;
    int64_t sum = 0;
    struct stat st;

    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return 0; /* it vanished, which is nobody's error here */
    }
    while ((d = readdir(dir)) != NULL) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0 ||
            fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISREG(st.st_mode))
            sum += st.st_size;
        else if (S_ISDIR(st.st_mode) && depth < MAX_DEPTH)
            sum += tree_bytes(fd, d->d_name, depth + 1);
    }
    closedir(dir);
    return sum;
}

int64_t rsync_tree_bytes(int dirfd)
{
    return tree_bytes(dirfd, ".", 0);
}

bool rsync_temp_name(const char *name, char *of, size_t size)
{
    size_t len = strlen(name);
    size_t i;

    if (len < 9 || name[0] != '.' || name[len - 7] != '.' ||
        len - 8 >= size)
        return false;
    for (i = len - 6; i < len; i++) {
        if (!isalnum((unsigned char)name[i]))
            return false;
    }
    memcpy(of, name + 1, len - 8);
    of[len - 8] = '\0';
    return true;
}

/* --- the command line ---------------------------------------------------- */

static int add(struct command *cmd, const char *arg, struct relay_error *err)
{
    if (cmd->n + 1 >= MAX_ARGV)
        return relay_fail(err, EX_SOFTWARE, "too many arguments for rsync");
    cmd->argv[cmd->n++] = arg;
    cmd->argv[cmd->n] = NULL;
    return 0;
}

/* Appends arg as rsync splits its -e: at spaces, with quotes in which a
 * doubled quote is one (no backslashes). */
static int add_rsh_word(char *text, size_t size, const char *arg,
                        struct relay_error *err)
{
    bool quote = arg[0] == '\0' || strpbrk(arg, " '\"") != NULL;
    size_t used = strlen(text);

    if (strlen(arg) * 2 + 4 > size - used)
        return relay_fail(err, EX_CONFIG, "ssh's arguments are too long");
    if (used > 0)
        text[used++] = ' ';
    if (quote)
        text[used++] = '\'';
    for (; *arg != '\0'; arg++) {
        if (*arg == '\'')
            text[used++] = '\'';
        text[used++] = *arg;
    }
    if (quote)
        text[used++] = '\'';
    text[used] = '\0';
    return 0;
}

/* PATH/ on the peer as rsync (3.2.4 and later) hands it on literally: it
 * escapes all but wildcards, which the other side would expand. */
static int remote_path(const char *host, const char *path, char *text,
                       size_t size, struct relay_error *err)
{
    int n = snprintf(text, size, "%s%s", host, host[0] != '\0' ? ":" : "");
    size_t used = (size_t)n;

    if (path[0] != '/')
        return relay_fail(err, EX_CONFIG, "%s: not an absolute path", path);
    for (; *path != '\0'; path++) {
        if ((unsigned char)*path < ' ' || *path == 0x7f || *path == '\\')
            return relay_fail(err, EX_DATAERR,
                              "a path on %s has a control character or a "
                              "backslash: rename it",
                              host[0] != '\0' ? host : "this host");
        if (used + 4 > size)
            return relay_fail(err, EX_DATAERR, "%s: the path is too long",
                              text);
        if (host[0] != '\0' && strchr("*?[]", *path) != NULL)
            text[used++] = '\\';
        text[used++] = *path;
    }
    text[used++] = '/';
    text[used] = '\0';
    return 0;
}

/* Whether the local rsync is older than 3.2.4 (then -s is needed to protect
 * arguments); 3.1.3 is the oldest that compares nanoseconds. */
static int check_version(const char *program, bool *old,
                         struct relay_error *err)
{
    const char *argv[] = {program, "--version", NULL};
    struct process_spec spec = {.argv = argv, .deadline_ms = 10000};
    struct process_result res;
    const char *at;
    int v[3] = {0, 0, 0};
    long n;

    if (process_run(&spec, &res, err) != 0) {
        process_free(&res);
        return -1;
    }
    at = strstr(res.out, "version ");
    if (at == NULL || sscanf(at, "version %d.%d.%d", &v[0], &v[1], &v[2]) < 2)
        v[0] = 0;
    process_free(&res);
    n = v[0] * 10000L + v[1] * 100L + v[2];
    *old = n < 30204;
    if (n < 30103)
        return relay_fail(err, EX_UNAVAILABLE,
                          "%s is older than 3.1.3 (or does not say its "
                          "version): install a newer rsync", program);
    return 0;
}

/* -e and the name of rsync there. The host is rsync's to add. */
static int add_ssh(const struct rsync_run *run, struct command *cmd,
                   struct relay_error *err)
{
    const struct peer *peer = run->t->peer;
    const char *with = peer->cluster != NULL ? peer->cluster->copy_with : NULL;
    const char *argv[MAX_ARGV];
    size_t n = peer_ssh_argv(peer, true, argv, MAX_ARGV);
    size_t i;

    if (n < 2)
        return relay_fail(err, EX_SOFTWARE, "no ssh command for %s",
                          peer->data);
    n--; /* the host */
    if (strcmp(argv[n - 1], "--") == 0)
        n--; /* rsync puts -l USER there for USER@HOST */
    cmd->rsh[0] = '\0';
    for (i = 0; i < n; i++) {
        if (add_rsh_word(cmd->rsh, sizeof(cmd->rsh), argv[i], err) != 0)
            return -1;
    }
    /* As our scripts find it there; the quotes are right for csh, too. */
    snprintf(cmd->rsync_path, sizeof(cmd->rsync_path),
             "--rsync-path=/usr/bin/env PATH=\"$PATH:" PEER_USUAL_PATH "\" "
             "%s rsync",
             with != NULL && with[0] != '\0' ? with : "nice -n 19");
    if (add(cmd, "-e", err) != 0 || add(cmd, cmd->rsh, err) != 0)
        return -1;
    return add(cmd, cmd->rsync_path, err);
}

static int add_options(const struct rsync_run *run, struct command *cmd,
                       bool old, struct relay_error *err)
{
    static const char *const common[] = {
        "-rlt", "--no-o", "--no-g", "--no-D", "--modify-window=-1",
        "--chmod=Du+rwx,Fu+rw", "--files-from=-", "--from0",
    };
    /* -I: what is to be copied has been decided; size and time prove nothing */
    static const char *const whole[] = {"-W", "-I", "--partial"};
    static const char *const append[] = {"--append-verify"};
    static const char *const push[] = {"-W", "-I", "--delay-updates"};
    const char *const *more = run->mode == RSYNC_WHOLE    ? whole
                              : run->mode == RSYNC_APPEND ? append
                                                          : push;
    size_t nmore = run->mode == RSYNC_APPEND ? 1 : 3;
    size_t i;

    for (i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
        if (add(cmd, common[i], err) != 0)
            return -1;
    }
    for (i = 0; i < nmore; i++) {
        if (add(cmd, more[i], err) != 0)
            return -1;
    }
    if (run->mode == RSYNC_PUSH) {
        snprintf(cmd->timeout, sizeof(cmd->timeout), "--timeout=%lld",
                 (long long)(run->t->stall_s > 0 ? run->t->stall_s
                                                 : DEFAULT_STALL_S));
        if (add(cmd, cmd->timeout, err) != 0)
            return -1;
    }
    if (old && !run->t->peer->local)
        return add(cmd, "-s", err);
    return 0;
}

static int build(const struct rsync_run *run, struct command *cmd,
                 struct relay_error *err)
{
    const struct transfer *t = run->t;
    bool push = run->mode == RSYNC_PUSH;
    const char *host = t->peer->local ? "" : t->peer->data;
    bool old;

    memset(cmd, 0, sizeof(*cmd));
    if (process_find("rsync", cmd->program, sizeof(cmd->program), err) != 0 ||
        check_version(cmd->program, &old, err) != 0 ||
        add(cmd, cmd->program, err) != 0 ||
        add_options(run, cmd, old, err) != 0)
        return -1;
    if (!t->peer->local && add_ssh(run, cmd, err) != 0)
        return -1;
    if (remote_path(host, push ? t->to : t->from, cmd->there,
                    sizeof(cmd->there), err) != 0 ||
        remote_path("", push ? t->from : t->to, cmd->here, sizeof(cmd->here),
                    err) != 0 ||
        add(cmd, "--", err) != 0 ||
        add(cmd, push ? cmd->here : cmd->there, err) != 0)
        return -1;
    return add(cmd, push ? cmd->there : cmd->here, err);
}

/* The names for --files-from, each with "./" before it ('#' and ';' begin
 * comments) and a NUL behind. */
static char *names_of(const struct manifest *files, size_t *len,
                      struct relay_error *err)
{
    size_t room = 1;
    char *text;
    size_t i;

    for (i = 0; i < files->n; i++)
        room += strlen(files->files[i].path) + 3;
    text = malloc(room);
    if (text == NULL) {
        relay_fail(err, EX_OSERR, "out of memory for the list of files");
        return NULL;
    }
    *len = 0;
    for (i = 0; i < files->n; i++) {
        size_t n = strlen(files->files[i].path) + 1;

        memcpy(text + *len, "./", 2);
        memcpy(text + *len + 2, files->files[i].path, n);
        *len += n + 2;
    }
    return text;
}

/* Our environment without what changes rsync's behaviour behind our back
 * (RSYNC_RSH, RSYNC_PARTIAL_DIR, RSYNC_OLD_ARGS, ...). Only the array is
 * allocated. */
static const char **clean_env(struct relay_error *err)
{
    size_t n = 0;
    size_t kept = 0;
    const char **env;
    size_t i;

    while (environ[n] != NULL)
        n++;
    env = calloc(n + 2, sizeof(*env));
    if (env == NULL) {
        relay_fail(err, EX_OSERR, "out of memory");
        return NULL;
    }
    for (i = 0; i < n; i++) {
        if (strncmp(environ[i], "RSYNC_", 6) != 0 &&
            strncmp(environ[i], "LC_ALL=", 7) != 0)
            env[kept++] = environ[i];
    }
    env[kept] = "LC_ALL=C"; /* its messages are looked at */
    return env;
}

/* --- the watchdog -------------------------------------------------------- */

struct watch {
    struct rsync_run *run;
    int64_t first;    /* bytes below dirfd at the start */
    int64_t next;     /* clock_ms() of the next look */
    int64_t stall_at; /* give up then, unless a byte comes */
    bool stalled;
};

static int64_t stall_ms(const struct rsync_run *run)
{
    int64_t s = run->t->stall_s > 0 ? run->t->stall_s : DEFAULT_STALL_S;

    return s * 1000;
}

/* rsync's own --timeout does not fire on a pull, so the bytes that arrive
 * are watched. */
static int tick(void *arg)
{
    struct watch *w = arg;
    int64_t now = clock_ms();
    int64_t bytes;

    if (w->run->mode == RSYNC_PUSH || now < w->next)
        return 0;
    bytes = rsync_tree_bytes(w->run->dirfd);
    /* A look at very many files must not become the work itself. */
    w->next = clock_ms() + 500 + 10 * (clock_ms() - now);
    if (bytes != w->run->here) {
        if (bytes > w->run->here)
            w->run->grown_at = now;
        w->run->here = bytes;
        w->stall_at = now + stall_ms(w->run);
        if (w->run->t->progress != NULL) {
            int64_t done = w->run->had + bytes - w->first;

            w->run->t->progress(w->run->t->arg,
                                done < w->run->total ? done : w->run->total,
                                w->run->total);
        }
    }
    w->stalled = now >= w->stall_at;
    return w->stalled;
}

/* --- what an end means --------------------------------------------------- */

/* The first line of rsync's or ssh's complaint, printable. */
static void complaint(const struct process_result *res, char *text,
                      size_t size)
{
    const char *at = res->err + strspn(res->err, "\r\n\t ");
    size_t n = strcspn(at, "\r\n");
    size_t i;

    if (n == 0) {
        snprintf(text, size, "rsync ");
        process_describe(res, text + 6, size - 6);
        return;
    }
    if (n >= size)
        n = size - 1;
    for (i = 0; i < n; i++)
        text[i] = (unsigned char)at[i] < ' ' || at[i] == 0x7f ? '?' : at[i];
    text[n] = '\0';
}

static bool said(const struct process_result *res, const char *what)
{
    return strstr(res->err, what) != NULL;
}

/* Asks the host of the copies whether it can be reached, has rsync and the
 * directory. RSYNC_GOOD when all is well there. */
static enum rsync_end probe(const struct transfer *t, bool push,
                            struct relay_error *err)
{
    static const char script[] =
        "command -v rsync >/dev/null 2>&1 && printf 'rsync\\tyes\\n'\n"
        "[ -d \"$1\" ] && printf 'dir\\tyes\\n'\n"
        "exit 0\n";
    const char *dir = push ? t->to : t->from;
    const char *args[] = {dir, NULL};
    struct peer_reply reply;
    struct peer peer = *t->peer;
    enum rsync_end end = RSYNC_GOOD;
    char yes[8];

    memcpy(peer.host, peer.data, sizeof(peer.host));
    if (peer_script(&peer, script, args, PROBE_MS, &reply, err) != 0)
        return err->code == EX_TEMPFAIL ? RSYNC_AGAIN : RSYNC_NEVER;
    if (!peer_value(&reply, "rsync", yes, sizeof(yes))) {
        relay_fail(err, EX_UNAVAILABLE,
                   "rsync is not in the PATH on %s: install it, or set data: "
                   "to a host that has it", peer.data);
        end = RSYNC_NEVER;
    } else if (!peer_value(&reply, "dir", yes, sizeof(yes))) {
        relay_fail(err, EX_IOERR, "the directory %s is not there on %s", dir,
                   peer.local ? "this host" : peer.data);
        end = RSYNC_NEVER;
    }
    peer_reply_free(&reply);
    return end;
}

/* By exit code, once the peer itself is known to be well. */
static enum rsync_end by_code(const struct rsync_run *run, int code,
                              const char *what, struct relay_error *err)
{
    const char *host = run->t->peer->local ? "this host" : run->t->peer->data;

    switch (code) {
    case 1: case 2: case 4: case 127: /* options, protocol, not found */
        relay_fail(err, EX_UNAVAILABLE,
                   "rsync with %s does not work (%s); does the login shell "
                   "there print something?", host, what);
        return RSYNC_NEVER;
    case 10: case 12: case 19: case 20: case 30: case 35: case 255:
        relay_fail(err, EX_TEMPFAIL, "copying from %s broke off: %s", host,
                   what);
        return RSYNC_AGAIN;
    case 13: case 14: case 15: case 16: case 21: case 22:
        relay_fail(err, EX_TEMPFAIL, "rsync with %s failed: %s", host, what);
        return RSYNC_ONCE;
    default: /* 23, 24: files that vanished, changed or cannot be read */
        relay_fail(err, EX_IOERR, "not every file could be copied from %s: %s",
                   host, what);
        return RSYNC_NEVER;
    }
}

static enum rsync_end classify(const struct rsync_run *run,
                               const struct watch *watch,
                               const struct process_result *res,
                               struct relay_error *err)
{
    const struct transfer *t = run->t;
    bool push = run->mode == RSYNC_PUSH;
    enum rsync_end end;
    char what[300];
    int code;

    if (process_cancelled() != 0) {
        relay_fail(err, EX_TEMPFAIL, "the copy was ended by signal %d; what "
                   "has come is kept", process_cancelled());
        return RSYNC_ENDED;
    }
    if (process_ok(res))
        return RSYNC_GOOD;
    complaint(res, what, sizeof(what));
    if (said(res, "No space left on device (28)") ||
        said(res, "Disk quota exceeded (122)")) {
        relay_fail(err, EX_CANTCREAT, "no room left in %s%s%s: %s",
                   push ? t->peer->data : "", push ? ":" : "", t->to, what);
        return RSYNC_NEVER;
    }
    end = probe(t, push, err);
    if (end != RSYNC_GOOD)
        return end;
    if (watch->stalled) {
        relay_fail(err, EX_TEMPFAIL, "no byte came from %s for %lld s",
                   t->peer->local ? "this host" : t->peer->data,
                   (long long)stall_ms(run) / 1000);
        return RSYNC_AGAIN;
    }
    code = WIFEXITED(res->status) ? WEXITSTATUS(res->status) : 20;
    return by_code(run, code, what, err);
}

enum rsync_end rsync_run(struct rsync_run *run, struct relay_error *err)
{
    struct process_spec spec = {.tick = tick};
    struct watch watch = {.run = run};
    struct process_result res = {.status = 0};
    enum rsync_end end = RSYNC_NEVER;
    const char **env = NULL;
    struct command *cmd = calloc(1, sizeof(*cmd));
    char *names = names_of(run->files, &spec.input_len, err);

    if (cmd == NULL)
        relay_fail(err, EX_OSERR, "out of memory");
    if (cmd != NULL && names != NULL)
        env = clean_env(err);
    if (env != NULL && build(run, cmd, err) == 0) {
        run->here = watch.first = rsync_tree_bytes(run->dirfd);
        watch.stall_at = clock_ms() + stall_ms(run) +
                         run->hash_bytes / HASH_BYTES_PER_S * 1000;
        spec.argv = cmd->argv;
        spec.env = env;
        spec.input = names;
        spec.tick_arg = &watch;
        if (process_run(&spec, &res, err) == 0)
            end = classify(run, &watch, &res, err);
        if (run->mode != RSYNC_PUSH &&
            rsync_tree_bytes(run->dirfd) > watch.first)
            run->grown_at = clock_ms();
        process_free(&res);
    }
    free(names);
    free(env);
    free(cmd);
    return end;
}
