/*
 * Reaching a cluster: run a POSIX sh script there (over ssh, or here with
 * /bin/sh when the cluster is this one) and read its answer. The other side
 * needs nothing of ours.
 */
#ifndef RELAY_PEER_H
#define RELAY_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "error.h"

/* Searched behind the PATH that a login there has: Slurm's commands, and what
 * the system has, need not be in it. */
#define PEER_USUAL_PATH                                                       \
    "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:"           \
    "/opt/slurm/bin:/usr/local/slurm/bin:/opt/slurm/current/bin"

struct courier_post; /* courier.h */

/* What ssh's own configuration says of a host. */
struct peer_host {
    char name[256];
    bool own_master;     /* the user's ControlMaster answers: use it */
    bool remote_command; /* the user set RemoteCommand: to be overruled */
    char ciphers[512];   /* "Ciphers=..." in our order, "" to leave it */
};

struct peer {
    const struct config_cluster *cluster; /* NULL: local and unconfigured */
    char name[64];     /* of the cluster */
    bool local;        /* this cluster: no ssh */
    bool own_master;   /* of the control host */
    char host[256];    /* for control */
    char data[256];    /* for copies */
    char program[256]; /* ssh */
    bool clean_up;     /* set by the caller: go on after a signal came */
    struct peer_host control;
    struct peer_host copies;
    struct courier_post *post; /* who goes there for us; NULL: nobody */
};

/* Prepares; starts nothing but, when not local, `ssh -G` and, where that
 * names a ControlPath, `ssh -O check` (cheap, no network). A host that is
 * empty or begins with '-' is EX_CONFIG, and so is `reach: none`. */
int peer_open(const struct config *cfg, const char *cluster,
              struct peer *peer, struct relay_error *err);

/* ssh's arguments for this peer (program, options, host; NULL-terminated;
 * pointers live as long as peer): BatchMode, known hosts only, keep-alives,
 * no forwarding, Compression=no, aes-gcm before other ciphers that the user's
 * ssh would offer anyway; ControlPath=none unless the user's master is used.
 * max is the room in argv, 64 is enough. Returns how many. */
size_t peer_ssh_argv(const struct peer *peer, bool data, const char **argv,
                     size_t max);

struct peer_reply {
    char *out;     /* what the script printed, NUL behind it */
    size_t len;
    int exit_code; /* of the script */
    char *err;     /* the end of what came on stderr, one line, printable */
};

/* Runs script with sh there, behind lib/remote/common.sh (its functions may
 * be used). args (NULL-terminated; NULL for none) become $1, $2, ... .
 * The text is sent on standard input as `exec /bin/sh -s` reads it, quoted by
 * us: nothing of a value is seen by another shell. deadline in ms. Returns 0
 * when the script ran to its end (whatever it exited with), -1 with
 * EX_UNAVAILABLE for what time does not heal (authentication, host key,
 * unknown host, no sh) and EX_TEMPFAIL for what it may (refused, timed out,
 * reset, or `reach: login` and neither a master of the user's nor a courier).
 * The message names host and reason. A marker with a random token after the script's last byte
 * is what proves that the answer is whole: ssh's exit code does not. */
int peer_script(const struct peer *peer, const char *script,
                const char *const *args, int64_t deadline_ms,
                struct peer_reply *reply, struct relay_error *err);

/* As peer_script, again after EX_TEMPFAIL (1, 2, 4, ... 15 s apart) until
 * wait_s seconds are over; say (may be NULL) gets a line for each wait. */
int peer_script_retry(const struct peer *peer, const char *script,
                      const char *const *args, int64_t deadline_ms,
                      int64_t wait_s, void (*say)(void *arg, const char *text),
                      void *say_arg, struct peer_reply *reply,
                      struct relay_error *err);

void peer_reply_free(struct peer_reply *reply);

/* May this process log in to host of the peer by itself, now? Else it takes
 * the user's master (which does not answer), or a courier (courier.h). */
bool peer_may_log_in(const struct peer *peer, const char *host);

/* Fails with EX_TEMPFAIL and says what the user can type where. reason may be
 * "". */
int peer_fail_login(const struct peer *peer, const char *reason,
                    struct relay_error *err);

/* Pauses before another try; shorter when a courier has come meanwhile. false
 * when a signal asked us to end. */
bool peer_pause(const struct peer *peer, int64_t ms);

/*
 * A reply is lines NAME<TAB>VALUE and raw sections
 *     @NAME<TAB>LENGTH\n<LENGTH bytes>\n
 * Values never hold a newline; anything that may, is a section.
 */

/* The value of the first line NAME, copied into text; false when absent. */
bool peer_value(const struct peer_reply *reply, const char *name, char *text,
                size_t size);
int64_t peer_int(const struct peer_reply *reply, const char *name,
                 int64_t otherwise);

/* The bytes of section NAME (inside the reply), or NULL. */
const char *peer_section(const struct peer_reply *reply, const char *name,
                         size_t *len);

/* Calls each for every line or section of that name, in order. */
void peer_each(const struct peer_reply *reply, const char *name,
               void (*each)(void *arg, const char *value, size_t len),
               void *arg);

/* True when ssh's stderr shows what time does not heal; *line, of at least
 * 256 bytes, gets the line that says why (or the last one). */
bool peer_permanent(const char *text, char *line, size_t size);

/* Quotes text for a POSIX shell: 'it'\''s'. malloc'd. */
char *peer_quote(const char *text);

#endif
