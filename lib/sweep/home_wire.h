/*
 * What a worker asks the home of its sweep on another cluster, and what it is
 * answered: a JSON object each (doc/protocol.md, section 13). Readers take
 * nothing on trust: what is missing or odd is an error or the default.
 */
#ifndef RELAY_SWEEP_HOME_WIRE_H
#define RELAY_SWEEP_HOME_WIRE_H

#include <json-c/json.h>

#include "queue.h"

#define WIRE_MAX ((size_t)4 << 20) /* of a request or an answer */

struct json_object *wire_from_want(const struct queue_want *want);
/* avoid is malloc'd for want, or NULL. 0 or -1. */
int wire_to_want(struct json_object *obj, struct queue_want *want,
                 uint64_t **avoid, struct relay_error *err);

struct json_object *wire_from_claim(const struct queue_claim *claim);
/* 0; -1 EX_DATAERR for what is none. */
int wire_to_claim(struct json_object *obj, struct queue_claim *claim,
                  struct relay_error *err);

struct json_object *wire_from_end(const struct queue_end *end);
/* What end points to is obj's. 0 or -1. */
int wire_to_end(struct json_object *obj, struct queue_end *end,
                struct relay_error *err);

struct json_object *wire_from_counts(const struct board_counts *counts);
void wire_to_counts(struct json_object *obj, struct board_counts *counts);

struct json_object *wire_from_places(const struct queue_place *all, size_t n);
size_t wire_to_places(struct json_object *list, struct queue_place *all,
                      size_t max);

/* "claimed", "nothing", "finished". */
const char *wire_next(enum queue_next what);
int wire_to_next(const char *text, enum queue_next *what,
                 struct relay_error *err);

/* The state of that name. 0 or -1. */
int wire_to_state(const char *name, enum cell_state *state,
                  struct relay_error *err);

#endif
