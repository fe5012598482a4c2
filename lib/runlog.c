/* What a user reads: the job's output and .relay/<hash>/log. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "run.h"

/* Only ever a convenience: a full disk must not stop a handoff for it. */
static void append(const struct run *run, const char *text)
{
    char line[1400];
    char when[32];

    if (run->relayfd < 0)
        return;
    clock_iso(clock_wall(), when, sizeof(when));
    snprintf(line, sizeof(line), "%s %s %s", when,
             run->self.job_id[0] != '\0' ? run->self.job_id : "-", text);
    (void)file_append_line(run->relayfd, "log", line, NULL);
}

void run_log(const struct run *run, const char *fmt, ...)
{
    char text[1200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    append(run, text);
}

void run_say(const struct run *run, const char *fmt, ...)
{
    char text[1200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    fprintf(stderr, "relay: %s\n", text);
    append(run, text);
}

void run_note_output(struct run *run)
{
    struct stat st;
    ssize_t n;

    run->out_path[0] = '\0';
    if (fstat(STDOUT_FILENO, &st) != 0 || !S_ISREG(st.st_mode))
        return;
    n = readlink("/proc/self/fd/1", run->out_path, sizeof(run->out_path) - 1);
    run->out_path[n > 0 ? n : 0] = '\0';
    run->out_from = st.st_size;
}

void run_say_line(void *arg, const char *text)
{
    run_say(arg, "%s", text);
}
