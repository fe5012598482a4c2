/* One question to a home on another cluster, and its answer. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "home_ssh.h"
#include "home_wire.h"
#include "jsonfile.h"
#include "process.h"
#include "remote_scripts.h"

enum {
    HURRY_MS = 10 * 1000, /* of an answer when we are to end */
    PAUSE_MS = 1000
};

int ssh_home_script(struct ssh_home *h, const char *const *args,
                    int64_t deadline_ms, struct peer_reply *reply,
                    struct relay_error *err)
{
    char what[64];

    /* When we are asked to end, what is said is what others wait for. */
    h->peer.clean_up = process_cancelled() != 0;
    if (h->peer.clean_up && deadline_ms > HURRY_MS)
        deadline_ms = HURRY_MS;
    if (peer_script(&h->peer, remote_serve, args, deadline_ms, reply, err) !=
        0)
        return -1;
    if (!peer_value(reply, "missing", what, sizeof(what)))
        return 0;
    peer_reply_free(reply);
    return relay_fail(err, EX_UNAVAILABLE,
                      "%s: there is no ssweep there: install slurm-relay "
                      "there, or put ssweep on the PATH that `ssh %s` has",
                      h->peer.name,
                      h->peer.local ? "localhost" : h->peer.host);
}

/* The answer in a reply, an object to put; NULL when there is none. */
static struct json_object *take_answer(const struct ssh_home *h,
                                       const struct peer_reply *reply,
                                       struct relay_error *err)
{
    struct json_object *answer = NULL;
    char problem[300], name[100];
    const char *text, *said;
    size_t len, said_len = 0;
    int64_t code = peer_int(reply, "code", -1);

    snprintf(name, sizeof(name), "the answer of %s", h->peer.name);
    if (peer_value(reply, "problem", problem, sizeof(problem))) {
        relay_fail(err, EX_NOINPUT, "%s: %s", h->peer.name, problem);
        return NULL;
    }
    text = peer_section(reply, "answer", &len);
    said = peer_section(reply, "errors", &said_len);
    if (text != NULL && len > 0)
        answer = json_parse(text, len, name, err);
    else if (code < 0 || code > 128) /* something killed it, or its shell */
        relay_fail(err, EX_TEMPFAIL, "%s: ssweep there was ended before it "
                   "answered", h->peer.name);
    else
        relay_fail(err, EX_UNAVAILABLE, "%s: ssweep there gave no answer: "
                   "%.*s", h->peer.name, said_len < 300 ? (int)said_len : 300,
                   said != NULL ? said : "");
    if (answer == NULL || json_check_format(answer, name, err) == 0)
        return answer;
    json_object_put(answer);
    return NULL;
}

/* What every answer tells. */
static void take_news(struct ssh_home *h, struct json_object *answer)
{
    const char *refused = json_str(answer, "refused", NULL);
    const char *note = json_str(answer, "note", NULL);

    h->version = json_int(answer, "version", h->version);
    if (json_get(answer, "counts") != NULL)
        wire_to_counts(json_get(answer, "counts"), &h->counts);
    h->refused.code = 0;
    if (refused != NULL)
        (void)relay_fail(&h->refused, EX_DATAERR, "%s", refused);
    if (note != NULL && h->opt.say != NULL)
        h->opt.say(h->opt.arg, note);
}

static struct json_object *ask_once(struct ssh_home *h, const char *request,
                                    int64_t deadline_ms,
                                    struct relay_error *err)
{
    const char *args[] = {h->path, request, NULL};
    struct json_object *answer, *error;
    struct peer_reply reply;

    if (ssh_home_script(h, args, deadline_ms, &reply, err) != 0)
        return NULL;
    answer = take_answer(h, &reply, err);
    peer_reply_free(&reply);
    if (answer == NULL)
        return NULL;
    take_news(h, answer);
    error = json_get(answer, "error");
    if (error == NULL)
        return answer;
    /* Of the home itself nothing is to be tried again: that is ssh's code. */
    relay_fail(err, json_int(error, "code", EX_SOFTWARE) == EX_TEMPFAIL
                        ? EX_UNAVAILABLE
                        : (int)json_int(error, "code", EX_SOFTWARE),
               "%s: %s", h->peer.name, json_str(error, "text", "an error"));
    json_object_put(answer);
    return NULL;
}

struct json_object *ssh_home_ask(struct ssh_home *h,
                                 struct json_object *request,
                                 int64_t deadline_ms, int most,
                                 struct relay_error *err)
{
    struct relay_error why = {0};
    struct json_object *answer = NULL;
    const char *text;
    int times;

    json_add_int(request, "format", 1);
    text = json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN |
                                          JSON_C_TO_STRING_NOSLASHESCAPE);
    for (times = 0; times < most && answer == NULL; times++) {
        if (times > 0)
            clock_sleep_ms(PAUSE_MS);
        why.code = 0;
        answer = ask_once(h, text, deadline_ms, &why);
        if (answer == NULL && why.code != EX_TEMPFAIL)
            break;
    }
    json_object_put(request);
    if (answer == NULL)
        relay_fail(err, why.code, "%s", why.text);
    return answer;
}
