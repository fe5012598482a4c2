#include "verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"

#define ENVIRONMENT_MAX (1 << 20)

int verdict_read(int dir, struct verdict *verdict, struct relay_error *err)
{
    struct relay_error missing = {0};
    char *text, *end;
    long code;

    text = file_read(dir, "verdict", 16, NULL, &missing);
    if (text == NULL)
        return missing.code == EX_NOINPUT
                   ? 0
                   : relay_fail(err, EX_SOFTWARE, "%s", missing.text);
    *verdict = (struct verdict){0};
    if (strcmp(text, "done\n") == 0) {
        verdict->done = true;
        free(text);
        return 1;
    }
    code = strtol(text, &end, 10);
    if (end != text && strcmp(end, "\n") == 0 && code >= 0 && code <= 255) {
        verdict->code = (int)code;
        free(text);
        return 1;
    }
    free(text);
    return relay_fail(err, EX_SOFTWARE, "the helper left no verdict that can "
                                        "be read");
}

/* Ends the name of NAME=VALUE and finds its value, NULL when the record is a
 * NAME alone. False when it is neither. */
static bool split(char *record, char **value)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
                                  "abcdefghijklmnopqrstuvwxyz0123456789";
    size_t len = strspn(record, allowed);

    *value = NULL;
    if (len == 0 || (record[0] >= '0' && record[0] <= '9'))
        return false;
    if (record[len] == '\0')
        return true;
    *value = record + len + 1;
    if (record[len] != '=')
        return false;
    record[len] = '\0';
    return true;
}

int verdict_environment(int dir,
                        int (*set)(void *arg, const char *name,
                                   const char *value),
                        void *arg, struct relay_error *err)
{
    size_t len, at = 0;
    char *text;
    int rc = 0;

    text = file_read(dir, "env", ENVIRONMENT_MAX, &len, err);
    if (text == NULL)
        return -1;
    while (rc == 0 && at < len) {
        char *record = text + at, *value;
        size_t size = strlen(record) + 1;

        if (at + size > len || !split(record, &value)) {
            rc = relay_fail(err, EX_SOFTWARE,
                            "the environment that the helper left is damaged");
            break;
        }
        if (set(arg, record, value) != 0)
            rc = relay_fail(err, EX_OSERR, "%s could not be set", record);
        at += size;
    }
    free(text);
    return rc;
}

int verdict_take_gate(int dir, const char *kind, uint32_t stepid,
                      struct relay_error *err)
{
    char text[16];
    int fd;

    fd = openat(dir, kind, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return relay_fail_errno(err, EX_OSERR, "%s", kind);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        relay_fail_errno(err, errno == EWOULDBLOCK ? EX_TEMPFAIL : EX_OSERR,
                         "%s", kind);
        close(fd);
        return -1;
    }
    /* Of one length always, so that a reader never sees half of it. The old
     * verdict goes first: who reads our number reads no verdict of before. */
    snprintf(text, sizeof(text), "%010" PRIu32 "\n", stepid);
    if ((unlinkat(dir, "verdict", 0) == 0 || errno == ENOENT) &&
        pwrite(fd, text, strlen(text), 0) == (ssize_t)strlen(text))
        return fd;
    relay_fail_errno(err, EX_OSERR, "%s", kind);
    close(fd);
    return -1;
}

enum gate_state verdict_gate_state(int dir, const char *kind,
                                   uint32_t stepid)
{
    enum gate_state state = GATE_NONE;
    char text[16] = "";
    ssize_t len;
    int fd;

    fd = openat(dir, kind, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return GATE_NONE;
    /* Before the number: a gate that ends in between is still at work. */
    if (flock(fd, LOCK_SH | LOCK_NB) != 0)
        state = GATE_AT_WORK;
    else
        state = GATE_ENDED;
    len = pread(fd, text, sizeof(text) - 1, 0);
    close(fd);
    if (len <= 0 || strtoul(text, NULL, 10) != stepid)
        return GATE_NONE;
    return state;
}
