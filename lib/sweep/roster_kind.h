/* What the kinds of sources share, and nobody else sees: roster.c calls them
 * by their table of functions. */
#ifndef RELAY_SWEEP_ROSTER_KIND_H
#define RELAY_SWEEP_ROSTER_KIND_H

#include <openssl/evp.h>

#include "digest.h"
#include "roster.h"

struct roster;

/* A kind of source. size and the functions of one cell are called with an
 * index below size. */
struct roster_kind_ops {
    /* Takes r->text apart (r->path for a directory) into r->data; fills
     * r->info. 0 or -1. */
    int (*open)(struct roster *r, struct lint *lint, struct relay_error *err);
    void (*close)(struct roster *r); /* r->data may be NULL */
    uint64_t (*size)(const struct roster *r);
    int (*id)(const struct roster *r, uint64_t index,
              char id[CELL_ID_MAX + 1], struct relay_error *err);
    int (*params)(const struct roster *r, uint64_t index,
                  struct value *params, struct relay_error *err);
    int (*args)(const struct roster *r, const struct cell *cell,
                struct words *args, struct relay_error *err);
    bool (*withdrawn)(const struct roster *r, uint64_t index); /* or NULL */
    int (*line)(const struct roster *r, uint64_t index);       /* or NULL */
};

extern const struct roster_kind_ops roster_wandb;
extern const struct roster_kind_ops roster_csv;
extern const struct roster_kind_ops roster_queue;
extern const struct roster_kind_ops roster_jobs;

/* Makes ids of canonical texts. Two texts and a context are kept, so that a
 * million ids cost no memory. */
struct id_maker {
    EVP_MD_CTX *ctx;
    struct text text;   /* scratch of the caller's */
    struct text suffix; /* "\n" and the digest of each #RELAY config */
};

/* An id_maker to close (NULL is fine), or NULL. */
struct id_maker *id_maker_open(const struct relay_lines *lines,
                               struct relay_error *err);
void id_maker_close(struct id_maker *maker);

/* Hashes maker->text. seed NULL: none. 0 or -1. */
int id_maker_hash(struct id_maker *maker, const int64_t *seed,
                  char id[CELL_ID_MAX + 1], struct relay_error *err);

/* Is v a seed that goes into the id's suffix: an int, or a float that is
 * integral (as deduplication takes it)? Any other seed is a parameter like
 * the others. v may be NULL. */
bool id_seed(const struct value *v, int64_t *seed);

/* The name of the parameter that is the seed. */
const char *id_seed_name(const struct relay_lines *lines);

bool id_excluded(const struct relay_lines *lines, const char *key);

/* Can that be an id: [A-Za-z0-9][A-Za-z0-9._-]*, CELL_ID_MAX at most? */
bool id_valid(const char *id, size_t len);

struct roster {
    const struct roster_kind_ops *ops;
    void *data;
    struct roster_info info;
    struct roster_options opt;
    char *path;
    char *name; /* owned copy of info.name */
    char *text; /* of the source; NULL for a directory */
    size_t len;
    struct relay_lines lines;
    struct id_maker *maker; /* scratch: changes with every id */
};

/* As roster_load, of a text that was read already (NULL: it is read); path
 * tells its kind and is for messages. text moves into the roster, also on
 * error. */
int roster_parse(const char *path, char *text, size_t len,
                 const struct roster_options *opt,
                 const struct relay_config_file *frozen, size_t nfrozen,
                 struct roster **roster, struct lint *lint,
                 struct relay_error *err);

/* The name of a source without directories and its last ending; malloc'd, or
 * NULL out of memory. */
char *source_name(const char *path);

/* The digest that a #RELAY config file of that source has now. 0 or -1. */
int config_digest(const char *source, const struct relay_config_file *config,
                  char digest[DIGEST_HEX], struct relay_error *err);

#endif
