#include "roster.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "digest.h"
#include "file.h"
#include "roster_kind.h"

/* Offsets into a source are kept in 32 bits. */
#define MAX_SOURCE ((size_t)UINT32_MAX - 1)

static const struct roster_kind_ops *const kinds[] = {
    [ROSTER_WANDB] = &roster_wandb,
    [ROSTER_CSV] = &roster_csv,
    [ROSTER_QUEUE] = &roster_queue,
    [ROSTER_JOBS] = &roster_jobs,
};

static enum roster_kind kind_of(const char *path, bool directory)
{
    const char *dot = strrchr(path, '.');

    if (directory)
        return ROSTER_JOBS;
    if (dot == NULL || strchr(dot, '/') != NULL)
        return ROSTER_QUEUE;
    if (strcasecmp(dot, ".yaml") == 0 || strcasecmp(dot, ".yml") == 0)
        return ROSTER_WANDB;
    return strcasecmp(dot, ".csv") == 0 ? ROSTER_CSV : ROSTER_QUEUE;
}

char *source_name(const char *path)
{
    size_t end = strlen(path);
    size_t begin, dot;

    while (end > 1 && path[end - 1] == '/')
        end--;
    begin = end;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    for (dot = end; dot > begin + 1 && path[dot - 1] != '.'; dot--)
        continue;
    if (dot > begin + 1)
        end = dot - 1;
    return strndup(path + begin, end - begin);
}

/* ---- the files that cells depend on ------------------------------------ */

/* The digest that is known of a file of that name; or NULL. */
static const char *known_digest(const struct relay_config_file *frozen,
                                size_t n, const char *path)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (strcmp(frozen[i].path, path) == 0 && frozen[i].digest[0] != '\0')
            return frozen[i].digest;
    }
    return NULL;
}

int config_digest(const char *source, const struct relay_config_file *config,
                  char digest[DIGEST_HEX], struct relay_error *err)
{
    const char *slash = strrchr(source, '/');
    char path[PATH_MAX];
    char *real;
    int n, rc;

    if (config->path[0] == '/' || slash == NULL)
        n = snprintf(path, sizeof(path), "%s", config->path);
    else
        n = snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - source),
                     source, config->path);
    if (n < 0 || (size_t)n >= sizeof(path))
        return relay_fail(err, EX_DATAERR, "%s:%d: the path of %.200s is too "
                          "long", source, config->line, config->path);
    real = realpath(path, NULL); /* it may be a symlink: content counts */
    if (real == NULL)
        return relay_fail_errno(err, EX_NOINPUT, "%s:%d: cannot read %s",
                                source, config->line, path);
    rc = digest_file(AT_FDCWD, real, digest, NULL, NULL, err);
    free(real);
    if (rc != 0)
        return relay_fail_in(err, "%s:%d", source, config->line);
    return 0;
}

static int take_configs(struct roster *r,
                        const struct relay_config_file *frozen, size_t n,
                        struct relay_error *err)
{
    size_t i;

    for (i = 0; i < r->lines.nconfigs; i++) {
        struct relay_config_file *config = &r->lines.configs[i];
        const char *digest = known_digest(frozen, n, config->path);

        if (digest != NULL)
            memcpy(config->digest, digest, sizeof(config->digest));
        else if (config_digest(r->path, config, config->digest, err) != 0)
            return -1;
    }
    return 0;
}

/* ---- #RELAY lines ------------------------------------------------------- */

/* The first line that begins with #RELAY; 0: none. */
static int relay_line_of(const struct roster *r)
{
    const char *at = r->text;
    const char *end = r->text + r->len;
    int line = 1;

    while (at < end) {
        const char *next = memchr(at, '\n', (size_t)(end - at));

        if (end - at >= 6 && memcmp(at, "#RELAY", 6) == 0)
            return line;
        if (next == NULL)
            break;
        at = next + 1;
        line++;
    }
    return 0;
}

static int read_lines(struct roster *r, struct relay_error *err)
{
    const struct relay_lines *lines = &r->lines;
    int line = r->opt.strict_wandb ? relay_line_of(r) : 0;

    if (line != 0)
        return relay_fail(err, EX_DATAERR,
                          "%s:%d: a #RELAY line, and --strict-wandb is given",
                          r->path, line);
    if (relaylines_parse(r->text, r->len, r->path, &r->lines, err) != 0)
        return -1;
    if (r->info.kind == ROSTER_WANDB)
        return 0;
    line = lines->nzips > 0 ? lines->zips[0].line
           : lines->nwhens > 0 ? lines->whens[0].line : 0;
    if (line != 0)
        return relay_fail(err, EX_DATAERR,
                          "%s:%d: zip and when are for a W&B sweep file; here "
                          "each line says what it is", r->path, line);
    return 0;
}

/* ---- loading ------------------------------------------------------------ */

static int read_text(struct roster *r, struct relay_error *err)
{
    /* A source may be a symlink. */
    int fd = open(r->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return relay_fail_errno(err, EX_NOINPUT, "cannot read %s", r->path);
    r->text = file_read_fd(fd, r->path, MAX_SOURCE, &r->len, err);
    close(fd); /* read only */
    return r->text != NULL ? 0 : -1;
}

static int read_source(struct roster *r, struct relay_error *err)
{
    struct stat st = {0};

    if (r->text == NULL && stat(r->path, &st) != 0)
        return relay_fail_errno(err, EX_NOINPUT, "cannot read %s", r->path);
    r->info.kind = kind_of(r->path, S_ISDIR(st.st_mode));
    r->ops = kinds[r->info.kind];
    if (r->info.kind == ROSTER_JOBS)
        return 0;
    if (r->text == NULL && read_text(r, err) != 0)
        return -1;
    if (memchr(r->text, '\0', r->len) != NULL)
        return relay_fail(err, EX_DATAERR, "%s: not a text: it has a NUL "
                          "character", r->path);
    return read_lines(r, err);
}

static int load(struct roster *r, const struct relay_config_file *frozen,
                size_t nfrozen, struct lint *lint, struct relay_error *err)
{
    if (r->path == NULL || r->name == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    r->info.name = r->name;
    r->info.lines = &r->lines;
    if (read_source(r, err) != 0 ||
        take_configs(r, frozen, nfrozen, err) != 0 ||
        (r->maker = id_maker_open(&r->lines, err)) == NULL)
        return -1;
    return r->ops->open(r, lint, err);
}

int roster_parse(const char *path, char *text, size_t len,
                 const struct roster_options *opt,
                 const struct relay_config_file *frozen, size_t nfrozen,
                 struct roster **roster, struct lint *lint,
                 struct relay_error *err)
{
    struct roster *r = calloc(1, sizeof(*r));

    *roster = NULL;
    if (r == NULL) {
        free(text);
        return relay_fail(err, EX_OSERR, "out of memory");
    }
    r->opt = *opt;
    r->path = strdup(path);
    r->name = source_name(path);
    r->text = text;
    r->len = len;
    relaylines_init(&r->lines);
    if (load(r, frozen, nfrozen, lint, err) != 0) {
        roster_free(r);
        return -1;
    }
    *roster = r;
    return 0;
}

int roster_load(const char *path, const struct roster_options *opt,
                const struct relay_config_file *frozen, size_t nfrozen,
                struct roster **roster, struct lint *lint,
                struct relay_error *err)
{
    return roster_parse(path, NULL, 0, opt, frozen, nfrozen, roster, lint,
                        err);
}

void roster_free(struct roster *roster)
{
    if (roster == NULL)
        return;
    if (roster->ops != NULL)
        roster->ops->close(roster);
    id_maker_close(roster->maker);
    relaylines_free(&roster->lines);
    free(roster->text);
    free(roster->name);
    free(roster->path);
    free(roster);
}

/* ---- cells -------------------------------------------------------------- */

const struct roster_info *roster_info(const struct roster *roster)
{
    return &roster->info;
}

uint64_t roster_size(const struct roster *roster)
{
    return roster->ops->size(roster);
}

static int check_index(const struct roster *r, uint64_t index,
                       struct relay_error *err)
{
    if (index < roster_size(r))
        return 0;
    return relay_fail(err, EX_USAGE, "there is no cell #%llu: the last one of "
                      "%s is #%lld", (unsigned long long)index, r->path,
                      (long long)roster_size(r) - 1);
}

int roster_cell(const struct roster *roster, uint64_t index,
                struct cell *cell, struct relay_error *err)
{
    memset(cell, 0, sizeof(*cell));
    cell->index = index;
    cell->cost = -1;
    if (check_index(roster, index, err) != 0)
        return -1;
    cell->withdrawn = roster_withdrawn(roster, index);
    if (roster->ops->line != NULL)
        cell->line = roster->ops->line(roster, index);
    if (roster->ops->id(roster, index, cell->id, err) != 0 ||
        roster->ops->params(roster, index, &cell->params, err) != 0)
        return -1;
    if (roster->lines.cost != NULL)
        cell->cost = relaylines_cost(roster->lines.cost, &cell->params);
    return 0;
}

void cell_free(struct cell *cell)
{
    value_free(&cell->params);
}

int roster_id(const struct roster *roster, uint64_t index,
              char id[CELL_ID_MAX + 1], struct relay_error *err)
{
    id[0] = '\0';
    if (check_index(roster, index, err) != 0)
        return -1;
    return roster->ops->id(roster, index, id, err);
}

bool roster_withdrawn(const struct roster *roster, uint64_t index)
{
    return roster->ops->withdrawn != NULL && index < roster_size(roster) &&
           roster->ops->withdrawn(roster, index);
}

int roster_args(const struct roster *roster, const struct cell *cell,
                struct words *args, struct relay_error *err)
{
    memset(args, 0, sizeof(*args));
    if (roster->ops->args == NULL)
        return command_args(&cell->params, args, err);
    if (check_index(roster, cell->index, err) != 0)
        return -1;
    return roster->ops->args(roster, cell, args, err);
}
