#include "gitcheck.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cellenv.h"
#include "onpath.h"
#include "process.h"

enum { DEADLINE_MS = 10000, MAX_ANSWER = 1 << 20 };

/* Asks git in dir; its first line into answer. false when it fails. */
static bool ask(const char *dir, char *answer, size_t size, ...)
    __attribute__((sentinel));

/* Nothing that would wait for a person. */
static const struct cellenv quiet = {
    .set = {.word = (char *[]){(char[]){"GIT_TERMINAL_PROMPT=0"},
                               (char[]){"GIT_OPTIONAL_LOCKS=0"},
                               (char[]){"SSH_ASKPASS=/bin/false"},
                               (char[]){"SSH_ASKPASS_REQUIRE=force"}, NULL},
            .n = 4},
};

static bool run(const char *const *argv, char *answer, size_t size)
{
    struct process_spec spec = {.argv = argv, .deadline_ms = DEADLINE_MS,
                                .max_output = MAX_ANSWER};
    struct process_result res;
    struct words env = {0};
    bool ok = false;

    if (cellenv_apply(&quiet, environ, &env, NULL) == 0) {
        spec.env = (const char *const *)env.word;
        ok = process_run(&spec, &res, NULL) == 0 && process_ok(&res);
        if (ok)
            snprintf(answer, size, "%.*s", (int)strcspn(res.out, "\n"),
                     res.out);
        process_free(&res);
    }
    words_free(&env);
    return ok;
}

static bool ask(const char *dir, char *answer, size_t size, ...)
{
    const char *argv[16];
    char git[4096];
    size_t n = 0;
    va_list ap;

    answer[0] = '\0';
    if (!onpath_find("git", git, sizeof(git)))
        return false;
    argv[n++] = git;
    argv[n++] = "-C";
    argv[n++] = dir;
    va_start(ap, size);
    while (n + 1 < sizeof(argv) / sizeof(argv[0]) &&
           (argv[n] = va_arg(ap, const char *)) != NULL)
        n++;
    argv[n] = NULL;
    va_end(ap);
    return run(argv, answer, size);
}

void gitcheck_info(const char *dir, struct gitinfo *info)
{
    char line[512];

    memset(info, 0, sizeof(*info));
    info->known = ask(dir, info->commit, sizeof(info->commit), "rev-parse",
                      "--verify", "-q", "HEAD", NULL);
    if (!info->known)
        return;
    (void)ask(dir, info->branch, sizeof(info->branch), "symbolic-ref", "-q",
              "--short", "HEAD", NULL); /* "" for a detached one */
    info->dirty = ask(dir, line, sizeof(line), "status", "--porcelain",
                      "--untracked-files=no", NULL) && line[0] != '\0';
}

/* The commit that the remote's branch is at now; false when it is silent. */
static bool ask_remote(const char *dir, const char *upstream, char *commit,
                       size_t size)
{
    char branch[256], name[300], remote[256], ref[256];

    if (!ask(dir, branch, sizeof(branch), "symbolic-ref", "-q", "--short",
             "HEAD", NULL) || upstream[0] == '\0')
        return false;
    snprintf(name, sizeof(name), "branch.%s.remote", branch);
    if (!ask(dir, remote, sizeof(remote), "config", name, NULL))
        return false;
    snprintf(name, sizeof(name), "branch.%s.merge", branch);
    if (!ask(dir, ref, sizeof(ref), "config", name, NULL) ||
        !ask(dir, commit, size, "ls-remote", "--quiet", remote, ref, NULL))
        return false;
    commit[strcspn(commit, "\t ")] = '\0';
    return commit[0] != '\0';
}

static int refuse(const char *dir, const char *upstream, const char *by,
                  struct relay_error *err)
{
    return relay_fail(err, EX_CONFIG,
                      "%s is behind %s%s: `git pull` first, or run it as it "
                      "is with --allow-behind", dir, upstream, by);
}

int gitcheck_behind(const char *dir, char *note, size_t note_size,
                    struct relay_error *err)
{
    char upstream[256], remote[128], count[64], by[96], range[160];

    note[0] = '\0';
    if (!ask(dir, upstream, sizeof(upstream), "rev-parse", "--abbrev-ref",
             "--symbolic-full-name", "@{upstream}", NULL))
        return 0;
    snprintf(range, sizeof(range), "HEAD..@{upstream}");
    if (!ask_remote(dir, upstream, remote, sizeof(remote))) {
        snprintf(note, note_size, "%s did not answer: the checkout is "
                                  "compared with what was fetched last",
                 upstream);
    } else if (ask(dir, count, sizeof(count), "cat-file", "-t", remote,
                   NULL)) {
        snprintf(range, sizeof(range), "HEAD..%s", remote);
    } else {
        snprintf(by, sizeof(by), " (%.12s was not fetched yet)", remote);
        return refuse(dir, upstream, by, err);
    }
    if (!ask(dir, count, sizeof(count), "rev-list", "--count", range, NULL) ||
        strcmp(count, "0") == 0)
        return 0;
    snprintf(by, sizeof(by), " by %s commit%s", count,
             strcmp(count, "1") == 0 ? "" : "s");
    return refuse(dir, upstream, by, err);
}
