#include "leftovers.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"

/* Linux limits the strings of an execve to a quarter of the stack limit. */
#define ENVIRON_MAX (8 << 20)
#define TERM_MS 1000
#define PAUSE_MS 20

struct wanted {
    char job[32];
    const char *const *nonces;
    size_t nonce_count;
};

static bool is_nonce(const struct wanted *w, const char *value)
{
    size_t i;

    for (i = 0; i < w->nonce_count; i++)
        if (strcmp(value, w->nonces[i]) == 0)
            return true;
    return false;
}

static bool matches(const struct wanted *w, const char *env, size_t len)
{
    static const char nonce[] = "RELAY_RUN_NONCE=";
    bool job_found = false, nonce_found = false;
    size_t at;

    for (at = 0; at < len; at += strlen(env + at) + 1) {
        if (strcmp(env + at, w->job) == 0)
            job_found = true;
        else if (strncmp(env + at, nonce, sizeof(nonce) - 1) == 0 &&
                 is_nonce(w, env + at + sizeof(nonce) - 1))
            nonce_found = true;
    }
    return job_found && nonce_found;
}

/* The environment of a process, NUL behind it; NULL when it is not ours to
 * read or there is none. */
static char *read_environ(int proc, const char *pid, size_t *len)
{
    char path[300], *env = NULL;
    size_t room = 0;
    int fd;

    snprintf(path, sizeof(path), "%s/environ", pid);
    fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    *len = 0;
    while (fd >= 0 && *len < ENVIRON_MAX) {
        ssize_t got;

        if (room - *len < 4096) {
            char *more = realloc(env, room + 65536);

            if (more == NULL)
                break;
            env = more;
            room += 65536;
        }
        got = read(fd, env + *len, room - *len - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        *len += (size_t)got;
    }
    if (fd >= 0)
        close(fd);
    if (env != NULL)
        env[*len] = '\0';
    return env;
}

static bool is_wanted(int proc, const char *pid, const struct wanted *w)
{
    struct stat st;
    size_t len;
    char *env;
    bool found;

    if (fstatat(proc, pid, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        st.st_uid != geteuid())
        return false;
    env = read_environ(proc, pid, &len);
    found = env != NULL && matches(w, env, len);
    free(env);
    return found;
}

/* The descriptor first and the look second, so that what is signalled is
 * what was looked at. Linux before 5.3 has the pid alone. */
static bool end_one(int proc, const char *name, const struct wanted *w,
                    int sig)
{
    pid_t pid = (pid_t)strtol(name, NULL, 10);
    bool found;
    int fd = -1;

    if (pid == getpid())
        return false;
#ifdef SYS_pidfd_open
    fd = (int)syscall(SYS_pidfd_open, pid, 0U);
    if (fd < 0 && errno == ESRCH)
        return false;
#endif
    found = is_wanted(proc, name, w);
#ifdef SYS_pidfd_send_signal
    if (found && fd >= 0)
        (void)syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0U);
#endif
    if (found && fd < 0)
        (void)kill(pid, sig);
    if (fd >= 0)
        close(fd);
    return found;
}

static int end_all(const struct wanted *w, int sig)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    int found = 0;

    if (proc == NULL)
        return -1;
    while ((entry = readdir(proc)) != NULL)
        if (isdigit((unsigned char)entry->d_name[0]) &&
            end_one(dirfd(proc), entry->d_name, w, sig))
            found++;
    closedir(proc);
    return found;
}

int leftovers_end(uint32_t jobid, const char *const *nonces,
                    size_t nonce_count, int64_t until)
{
    struct wanted w = {.nonces = nonces, .nonce_count = nonce_count};
    int64_t kill_at = clock_ms() + TERM_MS;
    int first, left;

    snprintf(w.job, sizeof(w.job), "SLURM_JOB_ID=%" PRIu32, jobid);
    if (kill_at > until - TERM_MS / 4)
        kill_at = until - TERM_MS / 4;
    first = left = end_all(&w, SIGTERM);
    while (left > 0 && clock_ms() < until) {
        clock_sleep_ms(PAUSE_MS);
        left = end_all(&w, clock_ms() < kill_at ? 0 : SIGKILL);
    }
    return first;
}
