#include "logwatch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* So much of the output in one look; the rest waits for the next one. */
enum { READ_MAX = 4 << 20 };

static const char guess_text[] = "(^|[^[:alpha:]_])[Ss]tep[ :=]+([0-9]+)";
static const char resumed_text[] =
    "([Rr]esum|[Cc]ontinu)(ing|ed|es?).*[Ss]tep[ :=]+([0-9]+)";

void logwatch_begin(struct logwatch *w, const char *path, int64_t from,
                    int64_t step, const char *log_step)
{
    struct stat st;

    memset(w, 0, sizeof(*w));
    w->at = from;
    w->fd = -1;
    w->step = -1;
    if (step < 0 || path[0] != '/' ||
        regcomp(&w->guess, guess_text, REG_EXTENDED) != 0)
        return;
    if (regcomp(&w->resumed, resumed_text, REG_EXTENDED) != 0) {
        regfree(&w->guess);
        return;
    }
    w->step = step;
    w->configured = log_step != NULL &&
                    regcomp(&w->said, log_step, REG_EXTENDED) == 0;
    w->fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (w->fd >= 0 && (fstat(w->fd, &st) != 0 || !S_ISREG(st.st_mode))) {
        close(w->fd);
        w->fd = -1;
    }
    if (w->fd < 0)
        logwatch_end(w);
}

void logwatch_end(struct logwatch *w)
{
    if (w->step < 0)
        return; /* ended, or never begun */
    regfree(&w->guess);
    regfree(&w->resumed);
    if (w->configured)
        regfree(&w->said);
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    w->step = -1;
}

/* The number in that group of the expression, -1 when it does not match. */
static int64_t number_in(const regex_t *regex, size_t group, const char *line)
{
    regmatch_t at[4];
    char *end;
    int64_t number;

    if (regexec(regex, line, 4, at, 0) != 0 || at[group].rm_so < 0)
        return -1;
    errno = 0;
    number = strtoll(line + at[group].rm_so, &end, 10);
    return errno == 0 && end > line + at[group].rm_so ? number : -1;
}

static enum log_says judge(struct logwatch *w, const char *line,
                           int64_t *step)
{
    int64_t found;

    if (strncmp(line, "relay: ", 7) == 0)
        return LOG_NOTHING; /* our own */
    *step = found = number_in(&w->resumed, 3, line);
    if (found >= w->step && !w->proved) {
        w->proved = true;
        return LOG_RESUMED;
    }
    if (w->configured) {
        *step = found = number_in(&w->said, 1, line);
        return found >= 0 && found < w->step ? LOG_BACK : LOG_NOTHING;
    }
    if (w->proved || w->doubted)
        return LOG_NOTHING;
    if (found < 0)
        *step = found = number_in(&w->guess, 2, line);
    if (found < 0 || found >= w->step)
        return LOG_NOTHING;
    w->doubted = true;
    return LOG_DOUBT;
}

/* Puts bytes behind the line that is not whole; the first newline ends it.
 * True when it is whole; *taken are the bytes that went into it. */
static bool gather(struct logwatch *w, const char *bytes, size_t n,
                   size_t *taken)
{
    const char *end = memchr(bytes, '\n', n);
    size_t len = end != NULL ? (size_t)(end - bytes) : n;
    size_t room = sizeof(w->line) - 1 - w->used;
    size_t i;

    *taken = end != NULL ? len + 1 : n;
    for (i = 0; i < len && i < room; i++) /* regexec ends at a NUL */
        w->line[w->used++] = bytes[i] != '\0' ? bytes[i] : ' ';
    w->line[w->used] = '\0';
    return end != NULL;
}

enum log_says logwatch_read(struct logwatch *w, int64_t *step)
{
    int64_t until = w->at + READ_MAX;
    char buf[8192];

    while (w->fd >= 0 && w->at < until) {
        ssize_t n = pread(w->fd, buf, sizeof(buf), w->at);
        size_t used = 0, taken;

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        while (used < (size_t)n) {
            bool whole = gather(w, buf + used, (size_t)n - used, &taken);
            enum log_says says;

            used += taken;
            w->at += (int64_t)taken;
            if (!whole)
                continue;
            says = judge(w, w->line, step);
            w->used = 0;
            if (says != LOG_NOTHING)
                return says;
        }
    }
    return LOG_NOTHING;
}
