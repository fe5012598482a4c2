/*
 * Reaching a cluster: run a POSIX sh script there (over ssh, or here with
 * /bin/sh when the cluster is this one) and read its answer. The other side
 * needs nothing of ours.
 */
#ifndef RELAY_PEER_H
#define RELAY_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "error.h"

struct peer {
    const struct config_cluster *cluster;
    bool local;       /* this cluster: no ssh */
    bool own_master;  /* the user's ControlMaster answers: use it */
    char host[256];   /* for control */
    char data[256];   /* for copies */
};

/* Prepares; starts nothing but, when not local, `ssh -O check` (cheap, no
 * network). A host that is empty or begins with '-' is EX_CONFIG. */
int peer_open(const struct config *cfg, const char *cluster,
              struct peer *peer, struct relay_error *err);

/* ssh's arguments for this peer (program, options, host; NULL-terminated;
 * pointers live as long as peer): BatchMode, known hosts only, keep-alives,
 * no forwarding, Compression=no, cipher list; ControlPath=none unless the
 * user's master is used. max is the room in argv. Returns how many. */
size_t peer_ssh_argv(const struct peer *peer, bool data, const char **argv,
                     size_t max);

struct peer_reply {
    char *out;
    size_t len;
    int exit_code;
};

/* Runs script with sh there. args (NULL-terminated) become $1, $2, ... .
 * The text is sent on standard input as `exec /bin/sh -s` reads it, quoted by
 * us: nothing of a value is seen by another shell. deadline in ms. Returns 0
 * when the script ran to its end (whatever it exited with), -1 with
 * EX_UNAVAILABLE for what time does not heal (authentication, host key,
 * unknown host, no sh) and EX_TEMPFAIL for what it may (refused, timed out,
 * reset). The message names host and reason. */
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

/* Quotes text for a POSIX shell: 'it'\''s'. malloc'd. */
char *peer_quote(const char *text);

#endif
