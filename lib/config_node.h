/*
 * Nodes of a YAML document into fields of a structure, by a table of keys.
 * Each function returns 0, or -1 with EX_CONFIG and FILE:LINE:COLUMN.
 */
#ifndef RELAY_CONFIG_NODE_H
#define RELAY_CONFIG_NODE_H

#include <stddef.h>
#include <yaml.h>

#include "config.h"
#include "error.h"

struct reader {
    yaml_document_t doc;
    const char *file;
    struct config *cfg;
    struct relay_error *err;
};

/* One key: who reads it, and where it goes. */
struct key {
    const char *name;
    int (*set)(struct reader *r, const struct key *key, yaml_node_t *node,
               void *base, const char *path);
    size_t offset;
    size_t count;             /* offset of the length of a list */
    const char *const *words; /* of node_set_word, in the order of the enum */
    const struct key *keys;   /* of node_set_section */
};

struct section {
    const struct key *keys;
    void *base;
};

/* The kinds of values: path is the key's full name ("handoff.overhead"),
 * base the structure that key->offset is in. Text that must not be taken for
 * an option of another program is a command; a word is one of key->words. */
int node_set_text(struct reader *r, const struct key *key, yaml_node_t *node,
                  void *base, const char *path);
int node_set_command(struct reader *r, const struct key *key, yaml_node_t *node,
                     void *base, const char *path);
int node_set_host(struct reader *r, const struct key *key, yaml_node_t *node,
                  void *base, const char *path);
int node_set_name(struct reader *r, const struct key *key, yaml_node_t *node,
                  void *base, const char *path);
int node_set_regex(struct reader *r, const struct key *key, yaml_node_t *node,
                   void *base, const char *path);
int node_set_duration(struct reader *r, const struct key *key,
                      yaml_node_t *node, void *base, const char *path);
/* A duration, or "auto", which is -1. */
int node_set_quiet(struct reader *r, const struct key *key, yaml_node_t *node,
                   void *base, const char *path);
int node_set_count(struct reader *r, const struct key *key, yaml_node_t *node,
                   void *base, const char *path);
int node_set_signal(struct reader *r, const struct key *key, yaml_node_t *node,
                    void *base, const char *path);
int node_set_word(struct reader *r, const struct key *key, yaml_node_t *node,
                  void *base, const char *path);
int node_set_list(struct reader *r, const struct key *key, yaml_node_t *node,
                  void *base, const char *path);
/* A list of the checks of done.h. */
int node_set_checks(struct reader *r, const struct key *key,
                    yaml_node_t *node, void *base, const char *path);
int node_set_section(struct reader *r, const struct key *key, yaml_node_t *node,
                     void *base, const char *path);

/* An each of node_each_pair whose arg is a struct section: sets the member
 * NAME of it, refuses a name that has no row in the table. */
int node_set_member(struct reader *r, const char *name, yaml_node_t *key,
                    yaml_node_t *value, const char *path, void *arg);

/* Calls each for every pair of a mapping, with "PATH.NAME". */
int node_each_pair(struct reader *r, yaml_node_t *map, const char *path,
                   int (*each)(struct reader *r, const char *name,
                               yaml_node_t *key, yaml_node_t *value,
                               const char *path, void *arg),
                   void *arg);

/* The text of a scalar without control characters (the document's own), or
 * NULL with the error. path is for the message. */
const char *node_scalar(const struct reader *r, const char *path,
                        const yaml_node_t *node);

/* Replaces *where by a copy of text (NULL: by NULL). */
int node_put_text(struct reader *r, char **where, const char *text);

/* Remembers where a value came from; the last file wins. */
int node_note(struct reader *r, const char *path, const char *value,
              const yaml_node_t *node);

/* Room for one more element behind n: an array that doubles. NULL out of
 * memory (the old one stays). */
void *node_grow(void *array, size_t n, size_t size);

/* The errors: at a node; PATH: "TEXT" is WHY; out of memory. */
int node_fail(const struct reader *r, const yaml_node_t *node, const char *fmt,
              ...) __attribute__((format(printf, 3, 4)));
int node_bad_value(const struct reader *r, const yaml_node_t *node,
                   const char *path, const char *text, const char *why);
int node_no_memory(const struct reader *r);

#endif
