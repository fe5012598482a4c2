/* Sending what W&B wrote offline, beside the cells. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "wandbsync.h"
#include "worker_state.h"

enum { STOP_MS = 3000, SEND_MAX_MS = 600000 };

static void sender_free(struct sender *s)
{
    free(s->dir);
    free(s->live);
    free(s);
}

/* Our own environment, in which the program may reach the network. */
static int send_env(struct words *env)
{
    static char offline[] = "WANDB_MODE";
    static char *names[] = {offline, NULL};
    const struct cellenv online = {.unset = {.word = names, .n = 1}};

    return cellenv_apply(&online, environ, env, NULL);
}

/* Starts `wandb sync` of the next attempt. false: there is none. */
static bool send_next(struct worker *w, struct sender *s)
{
    struct relay_error err = {0};
    struct words argv = {0}, env = {0};
    struct keeper_spec spec = {.dir = s->dir};
    char log[4300];
    bool started = false;
    int rc = wandbsync_next(s->dir, w->wandb, s->live, &s->after, &argv,
                            s->path, sizeof(s->path), &err);

    if (rc == 1 && send_env(&env) == 0) {
        snprintf(log, sizeof(log), "%s/wandb/sync.log", s->dir);
        spec.log = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        spec.argv = argv.word;
        spec.env = env.word;
        s->began = clock_ms();
        started = spec.log >= 0 && keeper_start(&spec, &s->keeper, &err) == 0;
        if (spec.log >= 0)
            close(spec.log);
    }
    if (err.code != 0)
        worker_say(w, "%s", err.text);
    words_free(&argv);
    words_free(&env);
    return started;
}

void sender_begin(struct worker *w, const char *dir, const char *live)
{
    struct sender *s;

    if (w->wandb[0] == '\0')
        return;
    for (s = w->senders; s != NULL; s = s->next) {
        if (strcmp(s->dir, dir) == 0 && live != NULL)
            return; /* it is being sent */
    }
    s = calloc(1, sizeof(*s));
    if (s == NULL)
        return; /* it is sent with the next attempt */
    s->keeper = (struct keeper){.pid = -1, .fd = -1};
    s->dir = strdup(dir);
    s->live = live != NULL ? strdup(live) : NULL;
    if (s->dir == NULL || (live != NULL && s->live == NULL)) {
        sender_free(s);
        return;
    }
    s->next = w->senders;
    w->senders = s;
}

/* Another of the same cell that runs already? In order means one by one. */
static bool must_wait(const struct worker *w, const struct sender *s)
{
    const struct sender *other;

    for (other = w->senders; other != NULL; other = other->next) {
        if (other != s && other->keeper.fd >= 0 &&
            strcmp(other->dir, s->dir) == 0)
            return true;
    }
    return false;
}

/* One step of a sender; false: it is done. */
static bool serve(struct worker *w, struct sender *s)
{
    int status;

    if (s->keeper.fd < 0)
        return must_wait(w, s) || send_next(w, s);
    if (!keeper_ended(&s->keeper, &status)) {
        /* It hangs, and the job's time is dear: it is sent another time. */
        if (clock_ms() - s->began > SEND_MAX_MS)
            keeper_signal(&s->keeper, SIGKILL);
        return true;
    }
    if (status != 0) {
        worker_say(w, "`wandb sync` of %s failed (%s/wandb/sync.log): it is "
                      "kept and tried again later", s->path, s->dir);
        return false;
    }
    if (s->live == NULL || strcmp(s->live, s->path) != 0)
        wandbsync_sent(s->path);
    return send_next(w, s);
}

void senders_serve(struct worker *w)
{
    struct sender **at = &w->senders;

    while (*at != NULL) {
        struct sender *s = *at;

        if (serve(w, s)) {
            at = &s->next;
        } else {
            *at = s->next;
            sender_free(s);
        }
    }
}

void senders_stop(struct worker *w)
{
    int64_t until = clock_ms() + STOP_MS;
    struct sender *s, *next;
    int status;

    for (s = w->senders; s != NULL; s = s->next)
        keeper_signal(&s->keeper, SIGTERM);
    for (s = w->senders; s != NULL; s = next) {
        next = s->next;
        while (s->keeper.fd >= 0 && !keeper_ended(&s->keeper, &status)) {
            if (clock_ms() >= until)
                keeper_signal(&s->keeper, SIGKILL);
            clock_sleep_ms(20);
        }
        sender_free(s);
    }
    w->senders = NULL;
}
