/* sresume doctor: Slurm's own settings. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "process.h"

enum { SLURM_MS = 15000 };

bool slurm_value(const struct slurm_config *slurm, const char *name,
                 char *value, size_t size)
{
    const char *line = slurm->text;
    size_t len = strlen(name);

    while (line != NULL && *line != '\0') {
        const char *p = line + len;

        if (strncmp(line, name, len) == 0 && (*p == ' ' || *p == '=')) {
            p += strspn(p, " ");
            if (*p == '=') {
                p += 1 + strspn(p + 1, " ");
                snprintf(value, size, "%.*s", (int)strcspn(p, "\n"), p);
                return true;
            }
        }
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return false;
}

long slurm_seconds(const struct slurm_config *slurm, const char *name,
                   long otherwise)
{
    char text[256];
    char *end;
    long seconds;

    if (!slurm_value(slurm, name, text, sizeof(text)))
        return otherwise;
    seconds = strtol(text, &end, 10);
    /* 65534 is how a time-out that is not set is printed. */
    return end == text || seconds >= 65534 ? otherwise : seconds;
}

/* Runs a command of Slurm's; its output (malloc'd), or NULL. */
static char *ask(const char *program, const char *const *arguments,
                 struct relay_error *err)
{
    char path[256];
    const char *argv[8] = {path};
    struct process_spec spec = {.argv = argv, .deadline_ms = SLURM_MS};
    struct process_result res = {0};
    char how[128];
    char *text = NULL;
    size_t i;

    for (i = 0; arguments[i] != NULL && i < 6; i++)
        argv[i + 1] = arguments[i];
    if (process_find(program, path, sizeof(path), err) != 0)
        return NULL;
    if (process_run(&spec, &res, err) == 0) {
        process_describe(&res, how, sizeof(how));
        if (process_ok(&res))
            text = strdup(res.out);
        else
            relay_fail(err, 1, "%s %s: %.300s", path, how, res.err);
    }
    process_free(&res);
    return text;
}

static void check_flags(struct findings *f, const struct slurm_config *slurm)
{
    char flags[512] = "";

    (void)slurm_value(slurm, "PrologFlags", flags, sizeof(flags));
    if (strstr(flags, "RunInJob") != NULL)
        finding(f, FINDING_FAIL, "prolog",
                "PrologFlags has RunInJob: Slurm then runs no SPANK prolog "
                "and no SPANK epilog, so that no end of a job is recorded; "
                "take it out of slurm.conf");
    else if (strstr(flags, "Alloc") != NULL ||
             strstr(flags, "Contain") != NULL ||
             strstr(flags, "X11") != NULL)
        finding(f, FINDING_OK, "prolog", "PrologFlags is %s", flags);
    else
        finding(f, FINDING_INFO, "prolog",
                "PrologFlags is %s: the prolog runs with a job's first step; "
                "Alloc has it run on every node at once",
                flags[0] != '\0' ? flags : "(null)");
    if (strstr(flags, "Serial") != NULL)
        finding(f, FINDING_WARN, "prolog",
                "PrologFlags has Serial: a prolog of ours holds up the other "
                "jobs of its node for prolog_deadline");
}

static void check_accounting(struct findings *f)
{
    static const char *const args[] = {"-n", "-X", "-P", "-o", "JobID", NULL};
    struct relay_error err = {0};
    char *text = ask("sacct", args, &err);

    if (text != NULL)
        finding(f, FINDING_OK, "accounting", "sacct answers");
    else
        finding(f, FINDING_WARN, "accounting",
                "sacct does not answer (%s): why a job ended is not known, "
                "and a job that Slurm forgot is waited for 60 s",
                err.text);
    free(text);
}

void doctor_slurm(struct findings *f, struct slurm_config *slurm)
{
    static const char *const args[] = {"show", "config", NULL};
    struct relay_error err = {0};
    char version[128] = "unknown";

    slurm->text = ask("scontrol", args, &err);
    if (slurm->text == NULL) {
        finding(f, FINDING_WARN, "slurm",
                "Slurm does not answer here: %s; its settings are not checked",
                err.text);
        return;
    }
    (void)slurm_value(slurm, "SLURM_VERSION", version, sizeof(version));
    finding(f, FINDING_OK, "slurm", "Slurm %s answers", version);
    check_flags(f, slurm);
    check_accounting(f);
}
