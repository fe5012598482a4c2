/* ssweep logs: what a cell's program printed. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "sweep/metadata.h"
#include "ssweep_session.h"

enum { LOOK_MS = 200, ASK_MS = 2000, BLOCK = 65536 };

/* A log that is followed. */
struct follow {
    const char *path;
    int fd; /* -1: it is not there yet */
    off_t at;
};

static int print_rest(struct follow *f, struct relay_error *err)
{
    char block[BLOCK];
    ssize_t got;

    while ((got = pread(f->fd, block, sizeof(block), f->at)) > 0) {
        if (fwrite(block, 1, (size_t)got, stdout) != (size_t)got)
            return relay_fail_errno(err, EX_IOERR, "writing the output");
        f->at += got;
    }
    if (got < 0)
        return relay_fail_errno(err, EX_IOERR, "%s", f->path);
    if (fflush(stdout) != 0)
        return relay_fail_errno(err, EX_IOERR, "writing the output");
    return 0;
}

/* Where the last lines begin: read from the end, for logs are long. */
static off_t find_tail(int fd, int64_t lines)
{
    char block[BLOCK];
    off_t end = lseek(fd, 0, SEEK_END);
    off_t at = end;
    int64_t seen = 0;

    while (at > 0) {
        size_t want = at < BLOCK ? (size_t)at : BLOCK;
        ssize_t i;

        if (pread(fd, block, want, at - (off_t)want) != (ssize_t)want)
            return 0; /* it shrank meanwhile */
        at -= (off_t)want;
        for (i = (ssize_t)want - 1; i >= 0; i--) {
            /* The newline at the very end closes the last line. */
            if (block[i] == '\n' && at + i + 1 < end && ++seen == lines)
                return at + i + 1;
        }
    }
    return lines == 0 ? end : 0;
}

static int open_log(struct follow *f, struct relay_error *err)
{
    f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
    f->at = 0;
    if (f->fd < 0 && errno != ENOENT)
        return relay_fail_errno(err, EX_NOINPUT, "%s", f->path);
    return 0;
}

/* Prints what is new. A file that became shorter, or is another one, is read
 * from its beginning. */
static int look(struct follow *f, struct relay_error *err)
{
    struct stat now, old;

    if (f->fd < 0 && open_log(f, err) != 0)
        return -1;
    if (f->fd < 0)
        return 0;
    if (fstat(f->fd, &old) == 0 && old.st_size < f->at) {
        fprintf(stderr, SSWEEP ": %s was truncated\n", f->path);
        f->at = 0;
    }
    if (print_rest(f, err) != 0)
        return -1;
    if (stat(f->path, &now) != 0 || fstat(f->fd, &old) != 0 ||
        (now.st_ino == old.st_ino && now.st_dev == old.st_dev))
        return 0;
    fprintf(stderr, SSWEEP ": %s is a new file\n", f->path);
    close(f->fd);
    if (open_log(f, err) != 0)
        return -1;
    return f->fd >= 0 ? print_rest(f, err) : 0;
}

static bool is_over(enum cell_state state)
{
    return state == CELL_DONE || state == CELL_FAILED ||
           state == CELL_UNPROVEN || state == CELL_QUARANTINED;
}

/* Until the cell is finished: then everything was written. */
static int follow(struct session *s, uint64_t index, struct follow *f,
                  struct relay_error *err)
{
    int64_t asked = 0;
    bool over = false;

    while (!over) {
        if (clock_ms() - asked >= ASK_MS) {
            if (queue_refresh(s->queue, err) != 0)
                return -1;
            over = is_over(queue_state(s->queue, index));
            asked = clock_ms();
        }
        if (look(f, err) != 0)
            return -1;
        if (!over)
            clock_sleep_ms(LOOK_MS);
    }
    return 0;
}

struct logs {
    int64_t lines; /* -1: all */
    bool follow;
};

static int show(struct session *s, const char *typed, const struct logs *l,
                struct relay_error *err)
{
    struct session_cell c = {0};
    struct metadata_last last = {0};
    struct follow f = {.fd = -1};
    uint64_t index;
    int rc = sweep_find(&s->sweep, typed, &index, err);

    if (rc == 0)
        rc = session_cell(s, index, &c, err);
    if (rc == 0) /* a cell of --sweep-cell prints to its job's output */
        metadata_read(c.dir, c.cell.id, &last);
    f.path = last.output[0] != '\0' ? last.output : c.log;
    if (rc == 0)
        rc = open_log(&f, err);
    if (rc == 0 && f.fd < 0 && !l->follow)
        rc = relay_fail(err, EX_NOINPUT, "%s is not there: %s is %s", f.path,
                        c.cell.id,
                        cell_state_name(queue_state(s->queue, index)));
    if (rc == 0 && f.fd >= 0 && l->lines >= 0)
        f.at = find_tail(f.fd, l->lines);
    if (rc == 0 && l->follow)
        rc = follow(s, index, &f, err);
    else if (rc == 0)
        rc = print_rest(&f, err);
    if (f.fd >= 0)
        close(f.fd);
    session_cell_free(&c);
    return rc;
}

int ssweep_logs(int argc, char **argv)
{
    struct session_how how = {0};
    struct logs l = {.lines = -1};
    const struct cli_option options[] = {
        {"follow", 'f', CLI_FLAG, &l.follow, NULL,
         "go on printing until the cell is finished"},
        {"lines", 'n', CLI_INT, &l.lines, "N", "the last N lines alone"},
        OUT_ROOT_OPTION(how),
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SSWEEP, "logs", "[OPTION]... SWEEP CELL",
        "Prints what a cell's program printed: its stdout.log, all attempts; of a\n"
        "cell of --sweep-cell the output of its last job.",
        options, 2, 2};
    struct relay_error err = {0};
    struct session s;
    char **args;
    int nargs, code;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    how.sweep = args[0];
    if (session_open(&how, &s, &err) != 0 ||
        show(&s, args[1], &l, &err) != 0)
        code = cli_fail(SSWEEP, &err);
    session_close(&s);
    return code;
}
