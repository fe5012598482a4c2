#include "courier_work.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"
#include "jsonfile.h"
#include "peer.h"
#include "process.h"
#include "transfer.h"

enum { NONCE_LEN = 32 };

static void say(void *arg, const char *text)
{
    run_log(arg, "courier: %s", text);
}

static int write_reply(const struct courier_box *box, const char *id,
                       struct json_object *reply, struct relay_error *err)
{
    char name[80];

    json_add_int(reply, "format", 1);
    courier_box_name(COURIER_REPLY, id, name, sizeof(name));
    return json_save(box->fd, name, reply, err);
}

void courier_reply_failed(const struct courier_box *box, const char *id)
{
    struct json_object *reply = json_object_new_object();

    json_add_int(reply, "code", EX_TEMPFAIL);
    json_add_str(reply, "error", "the login node's process for it died");
    (void)write_reply(box, id, reply, NULL); /* it asks again, or gives up */
    json_object_put(reply);
}

/* --- a script ------------------------------------------------------------ */

/* The words of an array, NULL-terminated; they stay json-c's. */
static const char **words_of(struct json_object *array)
{
    size_t n = json_object_is_type(array, json_type_array)
                   ? json_object_array_length(array) : 0;
    const char **words = calloc(n + 1, sizeof(*words));
    size_t i;

    for (i = 0; words != NULL && i < n; i++) {
        words[i] = json_object_get_string(json_object_array_get_idx(array, i));
        if (words[i] == NULL)
            words[i] = "";
    }
    return words;
}

static int do_script(const struct courier_box *box, const struct peer *peer,
                     const char *id, struct json_object *ask,
                     struct json_object *reply, struct relay_error *err)
{
    const char **args = words_of(json_get(ask, "args"));
    struct peer_reply got;
    char name[80];
    int rc;

    if (args == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    rc = peer_script(peer, json_str(ask, "script", ""), args,
                     json_int(ask, "deadline_ms", 0), &got, err);
    free(args);
    if (rc != 0)
        return -1;
    json_add_int(reply, "exit", got.exit_code);
    json_add_str(reply, "stderr", got.err);
    courier_box_name(COURIER_OUT, id, name, sizeof(name));
    rc = file_write(box->fd, name, got.out, got.len, 0600, err);
    peer_reply_free(&got);
    return rc;
}

/* --- a copy -------------------------------------------------------------- */

/* A directory that a job has made for its copies: ours alone, and named by a
 * nonce. Nothing else is written to, whatever a request says. */
static int check_target(const char *to, struct relay_error *err)
{
    const char *name = strrchr(to, '/');
    size_t len = name != NULL ? strlen(name) : 0;
    struct stat st;
    int fd;
    bool good;

    if (to[0] != '/' || len <= NONCE_LEN + 1 ||
        strspn(name + len - NONCE_LEN, "0123456789abcdef") != NONCE_LEN)
        return relay_fail(err, EX_NOPERM, "%s is no directory for copies", to);
    fd = file_open_dir(AT_FDCWD, to, err);
    if (fd < 0)
        return -1;
    good = fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
           (st.st_mode & 077) == 0;
    close(fd);
    return good ? 0 : relay_fail(err, EX_NOPERM, "%s must be yours, with mode "
                                 "0700", to);
}

static int do_copy(struct run *run, const struct peer *peer,
                   struct json_object *ask, struct relay_error *err)
{
    struct manifest files = {0};
    struct transfer t = {.peer = peer,
                         .from = json_str(ask, "from", ""),
                         .to = json_str(ask, "to", ""),
                         .files = &files,
                         .stall_s = json_int(ask, "stall_s", 0),
                         .wait_s = json_int(ask, "wait_s", 0),
                         .say = say,
                         .arg = run};
    int rc;

    if (check_target(t.to, err) != 0 ||
        manifest_from_json(json_get(ask, "files"), &files, err) != 0)
        return -1;
    rc = transfer_pull(&t, NULL, err);
    manifest_free(&files);
    return rc;
}

/* --- either -------------------------------------------------------------- */

static int do_request(struct run *run, const struct courier_box *box,
                      const char *cluster, const char *id,
                      struct json_object *reply, struct relay_error *err)
{
    struct json_object *ask;
    struct peer peer;
    char name[80];
    const char *kind;
    int rc;

    courier_box_name(COURIER_ASK, id, name, sizeof(name));
    ask = json_load(box->fd, name, err);
    kind = json_str(ask, "kind", "");
    if (ask == NULL || json_check_format(ask, name, err) != 0 ||
        peer_open(&run->cfg, cluster, &peer, err) != 0)
        rc = -1;
    else if (strcmp(kind, "script") == 0)
        rc = do_script(box, &peer, id, ask, reply, err);
    else if (strcmp(kind, "copy") == 0)
        rc = do_copy(run, &peer, ask, err);
    else
        rc = relay_fail(err, EX_CONFIG, "the login node's version knows no "
                                        "request \"%s\"", kind);
    json_object_put(ask);
    return rc;
}

void courier_work(struct run *run, const struct courier_box *box,
                  const char *cluster, const char *id)
{
    struct json_object *reply = json_object_new_object();
    struct relay_error err = {0};
    int rc = do_request(run, box, cluster, id, reply, &err);

    json_add_int(reply, "code", rc == 0 ? 0 : err.code);
    if (rc != 0)
        json_add_str(reply, "error", err.text);
    /* Ended by a signal: another one does it. And who asked may be gone. */
    if (process_cancelled() == 0 && courier_box_has(box, COURIER_ASK, id) &&
        write_reply(box, id, reply, &err) != 0)
        run_log(run, "courier: %s", err.text);
    json_object_put(reply);
}
