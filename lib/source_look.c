#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "jsonfile.h"
#include "remote_scripts.h"
#include "runs.h"
#include "source_script.h"

/* What was asked, handed down. */
struct question {
    const char *root;
    const char *hash;
    const char *run_name; /* "" for none */
    const char *typed;
    bool job_known;
    const char *probe; /* below .relay */
    int64_t wait_s;
    void (*say)(void *, const char *);
    void *say_arg;
};

/* --- names --------------------------------------------------------------- */

static bool in_name(unsigned char c)
{
    return isalnum(c) || c == '_' || c == '-' || c >= 0x80;
}

bool source_names(const char *text, size_t len, const char *name)
{
    size_t n = strlen(name);
    size_t i;

    for (i = 0; n > 0 && i + n <= len; i++) {
        size_t after = i + n;

        if (text[i] != name[0] || memcmp(text + i, name, n) != 0)
            continue;
        if (i > 0 && (in_name((unsigned char)text[i - 1]) ||
                      text[i - 1] == '.'))
            continue;
        if (after < len && in_name((unsigned char)text[after]))
            continue;
        /* `lr-0.1` is not in `lr-0.15` (above), nor `lr-0` in `lr-0.1`. */
        if (after + 1 < len && text[after] == '.' &&
            isdigit((unsigned char)text[after + 1]))
            continue;
        return true;
    }
    return false;
}

/* One UTF-8 character; its length, 1 for a byte that is none. */
static size_t decode(const unsigned char *at, unsigned *code)
{
    size_t n = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : at[0] >= 0xc0 ? 2 : 1;
    size_t i;

    *code = n == 1 ? at[0] : at[0] & (0xffU >> (n + 1));
    for (i = 1; i < n; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            *code = at[0];
            return 1;
        }
        *code = *code << 6 | (at[i] & 0x3fU);
    }
    return n;
}

/* A name as Python's json writes it, with \uXXXX for all but ASCII; "" when
 * that is the name itself. */
static void spell_in_json(const char *name, char *out, size_t size)
{
    const unsigned char *at = (const unsigned char *)name;
    size_t used = 0;
    bool other = false;

    while (*at != '\0' && used + 13 < size) {
        unsigned code;

        at += decode(at, &code);
        other = other || code >= 0x80;
        if (code < 0x80)
            out[used++] = (char)code;
        else if (code < 0x10000)
            used += (size_t)snprintf(out + used, size - used, "\\u%04x", code);
        else
            used += (size_t)snprintf(out + used, size - used, "\\u%04x\\u%04x",
                                     0xd800 + ((code - 0x10000) >> 10),
                                     0xdc00 + ((code - 0x10000) & 0x3ff));
    }
    out[other ? used : 0] = '\0';
}

/* --- nearest names ------------------------------------------------------- */

struct names {
    struct run_list list;
    size_t room;
};

/* The entry of hash: the last one, since lines come file by file. */
static struct run_entry *entry_of(struct names *names, const char *hash)
{
    struct run_list *list = &names->list;

    if (list->n > 0 && strncmp(list->runs[list->n - 1].hash, hash, 40) == 0)
        return &list->runs[list->n - 1];
    if (list->n == names->room) {
        size_t room = names->room * 2 + 64;
        struct run_entry *more = realloc(list->runs, room * sizeof(*more));

        if (more == NULL)
            return NULL;
        list->runs = more;
        names->room = room;
    }
    memset(&list->runs[list->n], 0, sizeof(*list->runs));
    memcpy(list->runs[list->n].hash, hash, 40);
    list->runs[list->n].step = -1;
    return &list->runs[list->n++];
}

/* HASH/resume_meta.json:"MEMBER": VALUE */
static void take_name(struct names *names, const char *line, size_t len)
{
    const size_t skip = 40 + sizeof("/" META_FILE);
    struct run_entry *entry;
    struct json_object *doc;
    char text[2048];
    const char *value;
    int n;

    if (len <= skip || line[40] != '/')
        return;
    n = snprintf(text, sizeof(text), "{%.*s}", (int)(len - skip), line + skip);
    if (n < 0 || (size_t)n >= sizeof(text))
        return;
    doc = json_parse(text, (size_t)n, "a name", NULL);
    entry = doc != NULL ? entry_of(names, line) : NULL;
    if (entry != NULL) {
        value = json_str(doc, "run_name", NULL);
        if (value != NULL) {
            free(entry->name);
            entry->name = strdup(value);
        }
        value = json_str(doc, "run_dir", NULL);
        if (value != NULL && entry->name == NULL) {
            const char *slash = strrchr(value, '/');

            entry->name = strdup(slash != NULL ? slash + 1 : value);
        }
        entry->step = json_int(doc, "last_checkpoint_step",
                               json_int(doc, "last_step", entry->step));
    }
    if (doc != NULL)
        json_object_put(doc);
}

char *source_nearest(const struct peer_reply *reply, const char *name)
{
    struct names names = {.room = 0};
    size_t len;
    const char *at = peer_section(reply, "names", &len);
    const char *end = at + len;
    char *text;

    while (at != NULL && at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));

        if (stop == NULL)
            stop = end;
        take_name(&names, at, (size_t)(stop - at));
        at = stop + 1;
    }
    text = runs_nearest(&names.list, name, 5);
    runs_free(&names.list);
    return text;
}

/* --- candidates: metas that hold the name -------------------------------- */

struct candidates {
    const char *name;
    size_t fits;
    bool stub; /* the fit is one */
    char fit[41];
    char list[512];
};

/* A section candidate: the hash, a newline, the meta. */
static void take_candidate(void *arg, const char *value, size_t len)
{
    struct candidates *c = arg;
    struct meta meta;
    const char *name;
    size_t used;
    bool stub;

    if (len < 42 || meta_parse(value + 41, len - 41, META_FILE, &meta,
                               NULL) != 0)
        return; /* another run's trouble */
    name = meta_name(&meta);
    stub = meta.moved_to != NULL;
    /* A run that moved on counts only where there is no other. */
    if (name == NULL || strcmp(name, c->name) != 0 ||
        (c->fits > 0 && stub && !c->stub)) {
        meta_free(&meta);
        return;
    }
    if (c->stub && !stub) {
        c->fits = 0;
        c->list[0] = '\0';
    }
    c->fits++;
    c->stub = stub;
    snprintf(c->fit, sizeof(c->fit), "%.40s", value);
    used = strlen(c->list);
    snprintf(c->list + used, sizeof(c->list) - used, "\n  %s (step %lld)",
             c->fit, (long long)meta.step);
    meta_free(&meta);
}

/* --- the look ------------------------------------------------------------ */

static int ask(const struct peer *peer, const struct question *q,
               struct peer_reply *reply, struct relay_error *err)
{
    char json_name[4096];
    char text[sizeof(remote_tree) + sizeof(remote_look)];
    const char *args[] = {q->root,  q->hash,   q->run_name, q->typed,
                          q->probe, json_name, NULL};

    spell_in_json(q->run_name, json_name, sizeof(json_name));
    snprintf(text, sizeof(text), "%s%s", remote_tree, remote_look);
    if (peer_script_retry(peer, text, args, LOOK_MS, q->wait_s, q->say,
                          q->say_arg, reply, err) != 0)
        return -1;
    if (reply->exit_code != 0) {
        relay_fail(err, EX_UNAVAILABLE,
                   "%s: looking at the run failed there (%d): %s", peer->name,
                   reply->exit_code, reply->err);
        peer_reply_free(reply);
        return -1;
    }
    return 0;
}

/* The state, when the reply has one. */
static int take_state(struct source *src, const struct peer_reply *reply,
                      struct relay_error *err)
{
    size_t len;
    char where[1200];

    if (peer_section(reply, "meta", &len) == NULL)
        return 0;
    snprintf(where, sizeof(where), "%s: %s/%s", src->peer->name, src->root,
             src->hash);
    if (source_take_meta(reply, where, &src->meta, err) != 0 ||
        source_take_files(reply, false, &src->files, err) != 0)
        return -1;
    src->stub = src->meta.moved_to != NULL;
    src->found = !src->stub;
    src->lost = peer_value(reply, "lost", where, sizeof(where));
    src->has_special = peer_value(reply, "special", src->special,
                                  sizeof(src->special));
    return 0;
}

static int take_reply(struct source *src, const struct question *q,
                      const struct peer_reply *reply, struct relay_error *err)
{
    char text[1024];

    if (peer_value(reply, "problem", text, sizeof(text)))
        return relay_fail(err, EX_CONFIG, "clusters.%s.resume_root: %s",
                          src->peer->name, text);
    if (!peer_value(reply, "root", src->root, sizeof(src->root)) ||
        strlen(src->root) + 1 >= sizeof(src->root))
        return relay_fail(err, EX_UNAVAILABLE,
                          "%s: the answer has no root, or a very long one",
                          src->peer->name);
    snprintf(src->hash, sizeof(src->hash), "%s", q->hash);
    peer_value(reply, "user", src->user, sizeof(src->user));
    peer_value(reply, "rsync", src->rsync, sizeof(src->rsync));
    peer_value(reply, "digester", src->digester, sizeof(src->digester));
    peer_value(reply, "git", src->git, sizeof(src->git));
    src->shared = peer_value(reply, "shared", text, sizeof(text));
    if (source_take_lease(reply, &src->lease, err) != 0)
        return relay_fail_in(err, "%s: %s/.relay/%s", src->peer->name,
                             src->root, src->hash);
    return take_state(src, reply, err);
}

/* The job, and what Slurm knows of it. */
static int look_at_job(struct source *src, const struct question *q,
                       const struct peer_reply *reply,
                       struct relay_error *err)
{
    const char *name = src->found ? meta_name(&src->meta) : NULL;
    const char *nonce = "";
    char state[1100];

    if (name == NULL && q->run_name[0] != '\0')
        name = q->run_name;
    if (source_find_job(src, reply, name, q->typed, err) != 0)
        return -1;
    if (src->job_id[0] == '\0')
        return 0;
    if (lease_held(&src->lease) &&
        strcmp(src->lease.owner.job_id, src->job_id) == 0)
        nonce = src->lease.owner.nonce;
    snprintf(state, sizeof(state), "%s/%s", src->root, src->hash);
    return liveness_facts(src->peer, src->job_id, nonce, state, &src->job,
                          err);
}

/* Nothing at the hash: *again is set when the name was found at another. */
static int search(struct source *src, const struct question *q,
                  const struct peer_reply *reply, char again[41],
                  struct relay_error *err)
{
    struct candidates c = {.name = q->run_name};

    again[0] = '\0';
    if (src->found || src->stub)
        return 0;
    if (q->run_name[0] != '\0')
        peer_each(reply, "candidate", take_candidate, &c);
    if (c.fits > 1)
        return relay_fail(err, EX_DATAERR,
                          "%zu runs on %s are called %s:%s\nname one by its "
                          "hash: --resume-key=HASH", c.fits, src->peer->name,
                          q->run_name, c.list);
    if (c.fits == 1) {
        memcpy(again, c.fit, 41);
        return 0;
    }
    src->nearest = source_nearest(reply, q->run_name[0] != '\0' ? q->run_name
                                                                : q->hash);
    return 0;
}

static void reset(struct source *src, const struct peer *peer,
                  const struct question *q)
{
    memset(src, 0, sizeof(*src));
    src->peer = peer;
    src->wait_s = q->wait_s;
    src->say = q->say;
    src->say_arg = q->say_arg;
    src->meta.step = -1;
    src->lease.step = -1;
}

static int look_once(struct source *src, const struct question *q,
                     char again[41], struct relay_error *err)
{
    struct peer_reply reply;
    int rc;

    if (ask(src->peer, q, &reply, err) != 0)
        return -1;
    rc = take_reply(src, q, &reply, err);
    if (rc == 0)
        rc = search(src, q, &reply, again, err);
    if (rc == 0 && again[0] == '\0' && !q->job_known)
        rc = look_at_job(src, q, &reply, err);
    peer_reply_free(&reply);
    return rc;
}

int source_look(const struct peer *peer, const char *root, const char *hash,
                const char *run_name, const char *typed_job,
                const char *probe, int64_t wait_s,
                void (*say)(void *, const char *), void *say_arg,
                struct source *src, struct relay_error *err)
{
    char probe_path[200] = "";
    char again[41] = "";
    char none[41] = "";
    struct question q = {.root = root != NULL ? root : "",
                         .hash = hash,
                         .run_name = run_name != NULL ? run_name : "",
                         .typed = typed_job != NULL ? typed_job : "",
                         .job_known = typed_job == NULL,
                         .probe = probe_path,
                         .wait_s = wait_s,
                         .say = say,
                         .say_arg = say_arg};

    reset(src, peer, &q);
    if (probe != NULL && probe[0] != '\0')
        snprintf(probe_path, sizeof(probe_path), "%s/%s", hash, probe);
    if (look_once(src, &q, again, err) != 0)
        return -1;
    if (again[0] == '\0')
        return 0;
    source_free(src);
    reset(src, peer, &q);
    q.hash = again;
    q.run_name = "";
    return look_once(src, &q, none, err);
}

void source_free(struct source *src)
{
    meta_free(&src->meta);
    manifest_free(&src->files);
    lease_free(&src->lease);
    free(src->followers);
    free(src->nearest);
    memset(src, 0, sizeof(*src));
}
