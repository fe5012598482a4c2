/*
 * The courier: somebody on the login node who goes to the source for a job
 * that may not log in there itself (reach: login). They meet in a mailbox on
 * the job's file system, .relay/<hash>/courier (doc/protocol.md, section 12):
 * the job puts a request there and waits for the reply.
 */
#ifndef RELAY_COURIER_H
#define RELAY_COURIER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "peer.h"
#include "run.h"
#include "transfer.h"

/* --- on the login node: courier.c --- */

/* Serves the mailbox of run: does what jobs ask to be done on cluster, by
 * peer_script and transfer_pull as they would, until until(arg) says so (NULL:
 * never) or a signal ends it (process_catch_signals). Others may serve the
 * same mailbox: a request is done by one, and by another only when that one
 * gives no sign of life any more. What a job asked that is not there any more
 * is dropped. Tells run's log what it does; not the terminal. 0 when it was
 * told to end; -1 when the mailbox cannot be used (EX_CANTCREAT, EX_NOPERM)
 * or the cluster cannot be reached at all (EX_CONFIG). A cluster that does
 * not answer is the reply to the job, and no reason to end. */
int courier_serve(struct run *run, const char *cluster,
                  bool (*until)(void *arg), void *arg,
                  struct relay_error *err);

/* The same in a child process, which ends with this one, whatever ends it.
 * It is in a process group of its own: ^C of a terminal does not reach it.
 * Looks before at what can be seen from here, so that -1 comes at once. 0 and
 * *pid, or -1. */
int courier_start(struct run *run, const char *cluster, pid_t *pid,
                  struct relay_error *err);

/* Ends it and waits until it has ended; what it is at is given back, so that
 * the next courier does it again. *pid becomes 0. Nothing for 0. */
void courier_stop(pid_t *pid);

/* Has the child of courier_start ended by itself? It does so only when the
 * mailbox can be used no more. Then it is reaped and *pid is 0. */
bool courier_ended(pid_t *pid);

/* Is a job waiting at run's mailbox now, by the file server's clock? job
 * (may be NULL; 32 bytes) gets its id. */
bool courier_wanted(const struct run *run, char *job, size_t size);

/* --- in the job: courier_post.c --- */

/* Lets peer ask through run's mailbox whenever this job cannot log in there
 * by itself (reach: login, in a job, and no master of the user's that
 * answers). wait_s: for so long a courier is waited for that was there before
 * and is gone; where none has been seen, peer_script returns EX_TEMPFAIL at
 * once, as without a mailbox, and says what to type. Does nothing for a peer
 * that needs no courier. peer->post is set; run must outlive it. 0 or -1. */
int courier_use(struct run *run, int64_t wait_s, struct peer *peer,
                struct relay_error *err);

/* Ends that. Nothing for a peer without. */
void courier_leave(struct peer *peer);

/* The key of the run that a peer with peer->post is asked for. */
const char *courier_key(const struct peer *peer);

/* Is a courier for peer at the mailbox now? Renews the job's own sign of
 * life. False without peer->post. */
bool courier_is_there(const struct peer *peer);

/* peer_script by the courier; returns what that returns, and EX_TEMPFAIL when
 * nobody is there. 1: nothing was done, and the user's own master has come:
 * go by that. */
int courier_script(const struct peer *peer, const char *script,
                   const char *const *args, int64_t deadline_ms,
                   struct peer_reply *reply, struct relay_error *err);

/* transfer_pull of files (of t->files, those that are not here) by the
 * courier into t->to, which is ours and ends with a nonce. Progress is told as
 * transfer_pull does. *grown_at: clock_ms() of the last new byte, or as it
 * was. As courier_script returns. */
int courier_pull(const struct transfer *t, const struct manifest *files,
                 int64_t *grown_at, struct relay_error *err);

#endif
