/*
 * resume_meta.json, the training's own bookkeeping. We read what we need
 * and rewrite members by splicing the text, so that every other byte, the
 * spelling of numbers included, stays as the training wrote it.
 */
#ifndef RELAY_META_H
#define RELAY_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define META_FILE "resume_meta.json"
#define STATE_FILE "resume_state.pt"

struct meta {
    int64_t step;    /* last_checkpoint_step, else last_step; -1: neither */
    int64_t total;   /* total_steps, max_steps or num_steps; -1: none says */
    bool completed;  /* "completed": true */
    bool refuted;    /* "completed": false was said */
    char *run_name;  /* NULL when absent */
    char *run_dir;   /* NULL when absent; no slash at its end */
    char *run_id;    /* NULL when absent */
    char *entity;    /* NULL when absent; also wandb_entity */
    char *project;   /* NULL when absent; also wandb_project */
    char *moved_to;  /* cluster, when this is a stub (protocol, section 7) */
    int64_t moved_term;
    char *text;      /* the file */
    size_t len;
};

/* Parses text (which it copies); name is for messages. 0, or -1 EX_DATAERR
 * with NAME:LINE:COLUMN. Free with meta_free. */
int meta_parse(const char *text, size_t len, const char *name,
               struct meta *meta, struct relay_error *err);

/* Reads <dirfd>/resume_meta.json. -1 with EX_NOINPUT when there is none. */
int meta_read(int dirfd, const char *dirname, struct meta *meta,
              struct relay_error *err);

void meta_free(struct meta *meta);

/* The run's name: run_name, else the last component of run_dir, else NULL. */
const char *meta_name(const struct meta *meta);

/* Sets the top-level member NAME of the JSON text to a value given as JSON
 * text (already quoted): replaced where it stands, else added at the end.
 * Returns a malloc'd text (*out_len), or NULL with EX_DATAERR. */
char *meta_splice(const char *text, size_t len, const char *name,
                  const char *json_value, size_t *out_len,
                  struct relay_error *err);

/* Takes the top-level member NAME out, with its comma. As meta_splice; a text
 * that has no such member comes back as it is. */
char *meta_remove(const char *text, size_t len, const char *name,
                  size_t *out_len, struct relay_error *err);

/* value as a JSON string literal, quotes included, in ASCII as Python writes
 * it (a byte that is no UTF-8 becomes \udcXX, which Python turns back into the
 * byte); malloc'd; never NULL except out of memory. */
char *meta_quote(const char *value);

struct path_map {
    char *from;
    char *to;
};

/* The text of the meta as it must be on this cluster: run_dir becomes what
 * path_map says of it, else run_root/basename(run_dir); every other
 * top-level string that is an absolute path under a path_map entry follows
 * it; moved_to is taken out. *run_dir (malloc'd) is the new one, NULL when
 * the meta has none. Refuses a run_dir whose last component is empty, "." or
 * "..", and, with EX_CONFIG, one that no path_map fits when run_root is NULL.
 * Returns malloc'd text, or NULL. */
char *meta_localise(const struct meta *meta, const char *run_root,
                    const struct path_map *maps, size_t nmaps, char **run_dir,
                    size_t *out_len, struct relay_error *err);

/* Finds the wording of the old root in a state file: true when the bytes of
 * needle occur in the file (read in blocks). For the warning alone. */
bool meta_path_in_file(int dirfd, const char *path, const char *needle);

#endif
