/* Opening a tracker, and what every question needs. */
#include "tracker.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "jsonfile.h"
#include "process.h"
#include "tracker/graphql.h"
#include "tracker/tracker_int.h"

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Does the user keep W&B from the network here? */
static bool is_off_line(const char *mode)
{
    static const char *const modes[] = {"offline", "disabled", "dryrun"};
    size_t i;

    for (i = 0; mode != NULL && i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(mode, modes[i]) == 0)
            return true;
    }
    return false;
}

static int not_used(struct relay_error *err, const char *why, const char *what)
{
    relay_fail(err, 0, "%s%s", why, what);
    return 1;
}

/* 0 use it, 1 do not, -1. */
static int decide(const struct tracker *t, struct relay_error *err)
{
    bool wanted = t->o.wish == TRACKER_WANDB;

    if (!wanted && is_off_line(t->s.mode))
        return not_used(err, "W&B's mode is ", t->s.mode);
    if (t->s.key != NULL)
        return environment("WANDB_IDENTITY_TOKEN_FILE") != NULL &&
                       environment("WANDB_API_KEY") != NULL
                   ? relay_fail(err, EX_CONFIG,
                                "WANDB_API_KEY and WANDB_IDENTITY_TOKEN_FILE "
                                "are both set: unset one of them")
                   : 0;
    if (!wanted && environment("WANDB_IDENTITY_TOKEN_FILE") != NULL)
        return not_used(err, "WANDB_IDENTITY_TOKEN_FILE is not supported here",
                        ", and there is no key");
    if (!wanted)
        return not_used(err, "there is no W&B key for ", t->s.host);
    return relay_fail(err, EX_CONFIG, "there is no W&B key for %s: neither "
                                      "WANDB_API_KEY nor in %s (`wandb login` "
                                      "puts one there)%s", t->s.host,
                      t->s.key_from,
                      environment("WANDB_IDENTITY_TOKEN_FILE") != NULL
                          ? "; WANDB_IDENTITY_TOKEN_FILE is not supported here"
                          : "");
}

static void describe(struct tracker *t)
{
    const char *project =
        t->s.project != NULL ? t->s.project : "uncategorized";

    text_clear(&t->where);
    text_printf(&t->where, "%s%s%s at %s",
                t->s.entity != NULL ? t->s.entity : "",
                t->s.entity != NULL ? "/" : "", project, t->s.host);
}

int tracker_open(const struct tracker_options *o, struct tracker **t,
                 struct relay_error *err)
{
    struct tracker *new;
    int rc;

    *t = NULL;
    if (o->wish == TRACKER_OFF)
        return not_used(err, "the tracker is switched off", "");
    new = calloc(1, sizeof(*new));
    if (new == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    new->o = *o;
    rc = settings_find(o->entity, o->project, o->workdir, &new->s, err);
    if (rc == 0)
        rc = decide(new, err);
    if (rc == 0)
        rc = http_open(&new->s, &new->http, err);
    if (rc != 0) {
        tracker_close(new);
        return rc;
    }
    describe(new);
    *t = new;
    return 0;
}

void tracker_close(struct tracker *t)
{
    if (t == NULL)
        return;
    http_close(t->http);
    settings_free(&t->s);
    text_free(&t->where);
    free(t);
}

const char *tracker_where(const struct tracker *t)
{
    return text_str(&t->where);
}

bool tracker_unreachable(const struct relay_error *err)
{
    return err->code == EX_UNAVAILABLE || err->code == EX_TEMPFAIL;
}

int64_t tracker_clock(const struct tracker *t)
{
    return clock_ms() + t->moved_ms;
}

/* Listings need an entity; a key has one of its own. */
static int ask_entity(struct tracker *t, struct relay_error *err)
{
    struct gql_call call = {
        .operation = "Viewer",
        .query = "query Viewer { viewer { id entity username } }",
        .variables = json_object_new_object(),
    };
    struct gql_reply reply;
    const char *entity = NULL;
    int rc = graphql(t, &call, &reply, err);

    json_object_put(call.variables);
    if (rc == 0) {
        entity = json_str(json_get(reply.data, "viewer"), "entity", NULL);
        t->s.entity = entity != NULL ? strdup(entity) : NULL;
        if (t->s.entity == NULL)
            rc = relay_fail(err, EX_CONFIG, "W&B (%s) does not say whose this "
                                            "key is: set WANDB_ENTITY",
                            t->s.host);
    }
    gql_reply_free(&reply);
    describe(t);
    return rc;
}

int tracker_begin(struct tracker *t, struct relay_error *err)
{
    t->deadline =
        t->o.budget_s > 0 ? tracker_clock(t) + t->o.budget_s * 1000 : 0;
    return t->s.entity != NULL ? 0 : ask_entity(t, err);
}

struct json_object *tracker_variables(const struct tracker *t)
{
    struct json_object *variables = json_object_new_object();

    json_add_str(variables, "project", t->s.project != NULL ? t->s.project
                                                            : "uncategorized");
    json_add_str(variables, "entity", t->s.entity);
    return variables;
}
