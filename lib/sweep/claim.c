#include "claim.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "jsonfile.h"

#define MAX_RECORD ((size_t)1 << 16)
#define NAME_MAX_LEN (CELL_ID_MAX + 32)

/* A reader on NFS may be told for a moment that a name which it has just
 * failed to make does not exist. */
enum { READ_TRIES = 10, READ_PAUSE_MS = 200, LINK_TRIES = 3 };

enum { MAX_PARTS = 100000 };

static const char *kind_name(enum cell_state state)
{
    return state == CELL_RUNNING ? "claim" : cell_state_name(state);
}

static bool kind_of(const char *name, enum cell_state *state)
{
    int i;

    for (i = 0; i < CELL_STATES; i++) {
        if (strcmp(name, kind_name((enum cell_state)i)) == 0) {
            *state = (enum cell_state)i;
            return true;
        }
    }
    return false;
}

static void claim_name(const char *id, int64_t gen, char *name, size_t size)
{
    snprintf(name, size, "%02x/%s.%" PRId64,
             (unsigned)(roster_id_key(id) & 0xff), id, gen);
}

static void record_name(const struct claim_store *store,
                        enum cell_state state, char *name, size_t size)
{
    snprintf(name, size, "%s.%s.%d", store->writer, kind_name(state),
             store->part[state]);
}

int claim_open(int sweepfd, const struct owner *own, const char *writer,
               struct claim_store *store, struct relay_error *err)
{
    store->own = own;
    store->claims = -1;
    store->records = -1;
    if (writer != NULL)
        snprintf(store->writer, sizeof(store->writer), "%s", writer);
    store->claims = file_open_dir(sweepfd, "claims", err);
    if (store->claims < 0)
        return -1;
    store->records = file_open_dir(sweepfd, "records", err);
    return store->records < 0 ? -1 : 0;
}

void claim_close(struct claim_store *store)
{
    if (store->claims >= 0)
        close(store->claims);
    if (store->records >= 0)
        close(store->records);
    store->claims = store->records = -1;
}

/* --- reading -------------------------------------------------------------- */

static int read_name(int dirfd, const char *name, struct claim_record *rec,
                     struct relay_error *err)
{
    size_t len;
    char *text = file_read(dirfd, name, MAX_RECORD, &len, err);
    struct json_object *body;
    int rc = 0;

    if (text == NULL)
        return -1;
    body = json_parse(text, len, name, err);
    free(text);
    if (body == NULL)
        return relay_fail_in(err, "a claim is damaged");
    memset(rec, 0, sizeof(*rec));
    rc = json_check_format(body, name, err);
    if (rc == 0 && !kind_of(json_str(body, "kind", ""), &rec->state))
        rc = relay_fail(err, EX_DATAERR, "claims/%s is of an unknown kind: %s",
                        name, json_str(body, "kind", "none"));
    snprintf(rec->writer, sizeof(rec->writer), "%s",
             json_str(body, "writer", ""));
    rec->job_owned = json_flag(body, "job_owned", false);
    rec->time = json_int(body, "time", 0);
    owner_from_json(json_get(body, "owner"), "", &rec->owner);
    snprintf(rec->out_root, sizeof(rec->out_root), "%s",
             json_str(body, "out_root", ""));
    snprintf(rec->resume_root, sizeof(rec->resume_root), "%s",
             json_str(body, "resume_root", ""));
    json_object_put(body);
    return rc;
}

int claim_read(const struct claim_store *store, const char *id, int64_t gen,
               struct claim_record *rec, struct relay_error *err)
{
    char name[NAME_MAX_LEN];

    claim_name(id, gen, name, sizeof(name));
    return read_name(store->claims, name, rec, err);
}

/* --- our records ---------------------------------------------------------- */

/* Without a temporary file: nobody else reads a name that is only ours, and
 * after a crash the claims hold what was linked, not this name. */
static int write_new(int dirfd, const char *name, const char *text,
                     struct relay_error *err)
{
    int fd = openat(dirfd, name,
                    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                    0666);
    bool good;

    if (fd < 0)
        return relay_fail_errno(err, EX_CANTCREAT, "cannot make records/%s",
                                name);
    good = file_write_all(fd, text, strlen(text)) == 0 && fsync(fd) == 0;
    if (!good)
        relay_fail_errno(err, EX_IOERR, "cannot write records/%s", name);
    if (close(fd) != 0 && good)
        good = relay_fail_errno(err, EX_IOERR, "records/%s", name) == 0;
    if (!good)
        (void)unlinkat(dirfd, name, 0); /* nothing is linked to it yet */
    return good ? 0 : -1;
}

static int make_record(struct claim_store *store, enum cell_state state,
                       struct relay_error *err)
{
    struct json_object *body = json_object_new_object();
    char name[80];
    int rc;

    json_add_int(body, "format", 1);
    json_add_str(body, "kind", kind_name(state));
    json_add_str(body, "writer", store->writer);
    json_add_bool(body, "job_owned", store->job_owned);
    json_object_object_add(body, "owner", owner_to_json(store->own));
    if (store->out_root != NULL)
        json_add_str(body, "out_root", store->out_root);
    if (store->resume_root != NULL)
        json_add_str(body, "resume_root", store->resume_root);
    json_add_int(body, "time", clock_wall());
    record_name(store, state, name, sizeof(name));
    rc = store->shared
             ? json_save(store->records, name, body, err)
             : write_new(store->records, name,
                         json_object_to_json_string_ext(
                             body, JSON_C_TO_STRING_PLAIN |
                                       JSON_C_TO_STRING_NOSLASHESCAPE),
                         err);
    json_object_put(body);
    store->ready[state] = rc == 0;
    return rc;
}

/* Does that record name the very owner that we are? A nonce may have been
 * another's before, who is judged by its own. */
static bool names_us(const struct claim_store *store,
                     const struct claim_record *rec)
{
    return !store->shared || store->job_owned ||
           owner_same_process(&rec->owner, store->own);
}

/* A writer of several processes (a script's calls, a job's) makes a record
 * that is there already no second time: it may have links. */
static bool find_record(struct claim_store *store, enum cell_state state)
{
    struct claim_record rec;
    struct relay_error why = {0};
    char name[80];

    for (; store->part[state] < MAX_PARTS; store->part[state]++) {
        record_name(store, state, name, sizeof(name));
        if (read_name(store->records, name, &rec, &why) == 0 &&
            names_us(store, &rec))
            return true;
        if (why.code == EX_NOINPUT)
            return false;
    }
    return false;
}

static int need_record(struct claim_store *store, enum cell_state state,
                       struct relay_error *err)
{
    if (store->ready[state])
        return 0;
    if (!store->shared || !find_record(store, state))
        return make_record(store, state, err);
    store->ready[state] = true;
    return 0;
}

/* --- linking -------------------------------------------------------------- */

/* One try. 0, or errno. */
static int try_link(struct claim_store *store, const char *name,
                    enum cell_state state)
{
    char record[80];
    char dir[3] = {name[0], name[1], '\0'};

    record_name(store, state, record, sizeof(record));
    if (linkat(store->records, record, store->claims, name, 0) == 0)
        return 0;
    if (errno != ENOENT)
        return errno;
    if (mkdirat(store->claims, dir, 0777) != 0 && errno != EEXIST)
        return errno;
    if (linkat(store->records, record, store->claims, name, 0) == 0)
        return 0;
    return errno;
}

/* 1 ours, 0 another's, -1 nobody's (EX_NOINPUT) or not to be read. */
static int whose(const struct claim_store *store, const char *name,
                 enum cell_state state, bool must_exist,
                 struct relay_error *err)
{
    struct relay_error why = {0};
    struct claim_record rec = {.state = CELL_WAITING};
    int try;

    for (try = 0; try < READ_TRIES; try++) {
        if (read_name(store->claims, name, &rec, &why) == 0)
            return strcmp(rec.writer, store->writer) == 0 &&
                   rec.state == state && names_us(store, &rec) &&
                   !(must_exist && store->crowded);
        if (!must_exist || why.code != EX_NOINPUT)
            break;
        clock_sleep_ms(READ_PAUSE_MS);
    }
    return relay_fail(err, why.code, "%s", why.text);
}

int claim_link(struct claim_store *store, const char *id, int64_t gen,
               enum cell_state state, struct relay_error *err)
{
    struct relay_error nobody = {0};
    char name[NAME_MAX_LEN];
    int why = 0, try = 0;

    claim_name(id, gen, name, sizeof(name));
    while (try < LINK_TRIES) {
        int won;

        if (need_record(store, state, err) != 0)
            return -1;
        why = try_link(store, name, state);
        if (why == 0)
            return 1;
        if (why == EMLINK && store->part[state] < MAX_PARTS) {
            store->part[state]++;
            store->ready[state] = false;
            continue;
        }
        won = whose(store, name, state, why == EEXIST, &nobody);
        if (won >= 0)
            return won;
        if (nobody.code != EX_NOINPUT)
            return relay_fail(err, nobody.code, "%s", nobody.text);
        store->ready[state] = why != ENOENT; /* was the record removed? */
        try++;
    }
    errno = why;
    return relay_fail_errno(err, EX_CANTCREAT, "cannot make claims/%s", name);
}

/* --- asking for a stop ---------------------------------------------------- */

static void stop_name(const char *id, int64_t gen, char *name, size_t size)
{
    snprintf(name, size, "%02x/%s.%" PRId64 ".stop",
             (unsigned)(roster_id_key(id) & 0xff), id, gen);
}

int claim_ask_stop(const struct claim_store *store, const char *id,
                   int64_t gen, struct relay_error *err)
{
    char name[NAME_MAX_LEN];
    int fd;

    stop_name(id, gen, name, sizeof(name));
    fd = openat(store->claims, name,
                O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0)
        return relay_fail_errno(err, EX_CANTCREAT, "cannot make claims/%s",
                                name);
    close(fd); /* empty: its being there is the message */
    return 0;
}

bool claim_asked_stop(const struct claim_store *store, const char *id,
                      int64_t gen)
{
    char name[NAME_MAX_LEN];

    stop_name(id, gen, name, sizeof(name));
    return faccessat(store->claims, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}
