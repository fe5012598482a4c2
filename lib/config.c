#define _GNU_SOURCE 1
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "config_read.h"
#include "config_value.h"
#include "file.h"

#define MAX_CONFIG ((size_t)256 << 10)
#define MAX_SLURM_CONF ((size_t)16 << 20)
#define SLURM_CONF "/etc/slurm/slurm.conf"

/* Root trusts what root alone can have written. */
static int check_owner(int fd, const char *path, struct relay_error *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return relay_fail_errno(err, EX_CONFIG, "cannot look at %s", path);
    if (st.st_uid != 0)
        return relay_fail(err, EX_CONFIG,
                          "%s belongs to uid %u and root reads it: chown it "
                          "to root", path, (unsigned)st.st_uid);
    if ((st.st_mode & 022) != 0)
        return relay_fail(err, EX_CONFIG,
                          "%s can be written by others than root: chmod go-w "
                          "it", path);
    return 0;
}

/* The text of a file whose last component may be a symlink (people link
 * their dotfiles): 1, 0 when there is none, -1. */
static int read_text(const char *path, bool trusted, size_t max, char **text,
                     size_t *len, struct relay_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    if (fd < 0)
        return relay_fail_errno(err, EX_CONFIG, "cannot open %s", path);
    *text = NULL;
    if (!trusted || geteuid() != 0 || check_owner(fd, path, err) == 0) {
        *text = file_read_fd(fd, path, max, len, err);
        if (*text == NULL && err != NULL)
            err->code = EX_CONFIG;
    }
    close(fd);
    return *text != NULL ? 1 : -1;
}

/* 1 read, 0 there is none, -1. */
static int load_file(const char *path, bool trusted, struct config *cfg,
                     struct relay_error *err)
{
    char *text = NULL;
    size_t len = 0;
    int rc = read_text(path, trusted, MAX_CONFIG, &text, &len, err);

    if (rc == 1 && config_read(text, len, path, cfg, err) != 0)
        rc = -1;
    free(text);
    return rc;
}

/* DIR/NAME; -1 when it is too long. */
static int join(const char *dir, size_t dir_len, const char *name, char *path,
                size_t size, struct relay_error *err)
{
    int n = snprintf(path, size, "%.*s%s", (int)dir_len, dir, name);

    if (n < 0 || (size_t)n >= size)
        return relay_fail(err, EX_CONFIG, "the path %.100s... is too long",
                          dir);
    return 0;
}

static const char *slurm_conf(void)
{
    const char *conf = getenv("SLURM_CONF");

    return conf != NULL && conf[0] == '/' ? conf : SLURM_CONF;
}

static int load_site(const char *site, struct config *cfg,
                     struct relay_error *err)
{
    char path[PATH_MAX];
    const char *conf = slurm_conf();

    if (site != NULL)
        return load_file(site, true, cfg, err);
    if (join(conf, (size_t)(strrchr(conf, '/') - conf), "/relay.yaml", path,
             sizeof(path), err) != 0)
        return -1;
    return load_file(path, true, cfg, err);
}

static const char *home_dir(void)
{
    const char *home = getenv("HOME");
    struct passwd *pw;

    if (home != NULL && home[0] == '/')
        return home;
    pw = getpwuid(geteuid());
    return pw != NULL && pw->pw_dir != NULL && pw->pw_dir[0] == '/'
               ? pw->pw_dir
               : NULL;
}

static int load_all(const char *site, const char *workdir, struct config *cfg,
                    struct relay_error *err)
{
    const char *alone = getenv("RELAY_CONFIG");
    const char *home = home_dir();
    char path[PATH_MAX];
    int rc;

    if (alone != NULL && alone[0] != '\0') {
        rc = load_file(alone, true, cfg, err);
        if (rc == 0)
            return relay_fail(err, EX_CONFIG, "$RELAY_CONFIG names %s, and "
                                              "there is no such file", alone);
        return rc < 0 ? -1 : 0;
    }
    if (load_site(site, cfg, err) < 0)
        return -1;
    if (home != NULL &&
        (join(home, strlen(home), "/.config/slurm-relay/relay.yaml", path,
              sizeof(path), err) != 0 ||
         load_file(path, false, cfg, err) < 0))
        return -1;
    if (workdir != NULL &&
        (join(workdir, strlen(workdir), "/.relay.yaml", path, sizeof(path),
              err) != 0 ||
         load_file(path, false, cfg, err) < 0))
        return -1;
    return 0;
}

/* ClusterName of one line of slurm.conf into name; false: not that line. */
static bool cluster_line(const char *line, size_t len, char *name, size_t size)
{
    static const char key[] = "ClusterName";
    const char *end = line + len;
    size_t n = 0;

    while (line < end && isspace((unsigned char)*line))
        line++;
    if ((size_t)(end - line) < sizeof(key) ||
        strncasecmp(line, key, sizeof(key) - 1) != 0)
        return false;
    line += sizeof(key) - 1;
    while (line < end && isspace((unsigned char)*line))
        line++;
    if (line == end || *line != '=')
        return false;
    line++;
    while (line < end && (isspace((unsigned char)*line) || *line == '"'))
        line++;
    while (line < end && !isspace((unsigned char)*line) && *line != '#' &&
           *line != '"' && n + 1 < size)
        name[n++] = (char)tolower((unsigned char)*line++); /* as Slurm does */
    name[n] = '\0';
    return n > 0;
}

/* "" when slurm.conf is missing, closed to us, or does not say. */
static void name_of_slurm_conf(char *name, size_t size)
{
    char *text = NULL;
    size_t len = 0, pos = 0;

    name[0] = '\0';
    if (read_text(slurm_conf(), false, MAX_SLURM_CONF, &text, &len, NULL) != 1)
        return;
    while (pos < len) {
        const char *line = text + pos;
        const char *end = memchr(line, '\n', len - pos);
        size_t n = end != NULL ? (size_t)(end - line) : len - pos;

        cluster_line(line, n, name, size);
        pos += n + 1;
    }
    free(text);
}

static int fill_cluster(struct config *cfg, struct relay_error *err)
{
    const char *name = getenv("SLURM_CLUSTER_NAME");
    const char *why = "";
    char found[64];

    if (cfg->cluster != NULL)
        return 0;
    if (name == NULL || name[0] == '\0') {
        name_of_slurm_conf(found, sizeof(found));
        name = found;
    }
    if (name[0] == '\0')
        return 0;
    if (value_name(name, &why) != 0)
        return relay_fail(err, EX_CONFIG, "the cluster's own name \"%.100s\" "
                                          "is %s", name, why);
    cfg->cluster = strdup(name);
    if (cfg->cluster == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    return 0;
}

/* %u of the new paths is the user who runs this. */
static int expand_maps(struct config *cfg, struct relay_error *err)
{
    struct passwd *pw = getpwuid(geteuid());
    struct config_names names = {.user = pw != NULL ? pw->pw_name : NULL};
    size_t i;

    for (i = 0; i < cfg->npath_map; i++) {
        struct path_map *map = &cfg->path_map[i];
        char *from = config_path_for_peer(map->from, &names, err);
        char *to = from != NULL ? config_path_for_peer(map->to, &names, err)
                                : NULL;

        if (to == NULL) {
            free(from);
            return -1;
        }
        free(map->from);
        free(map->to);
        map->from = from;
        map->to = to;
    }
    return 0;
}

int config_load(const char *site, const char *workdir, struct config *cfg,
                struct relay_error *err)
{
    config_defaults(cfg);
    if (load_all(site, workdir, cfg, err) == 0 &&
        fill_cluster(cfg, err) == 0 && expand_maps(cfg, err) == 0)
        return 0;
    config_free(cfg);
    return -1;
}

static void free_texts(char **texts, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        free(texts[i]);
    free(texts);
}

static void free_cluster(struct config_cluster *c)
{
    size_t i;

    for (i = 0; i < c->nprofiles; i++) {
        free(c->profiles[i].name);
        free_texts(c->profiles[i].submit, c->profiles[i].nsubmit);
    }
    free(c->profiles);
    free(c->name);
    free(c->ssh);
    free(c->data);
    free(c->resume_root);
    free(c->run_root);
    free(c->out_root);
    free(c->copy_with);
    free_texts(c->submit, c->nsubmit);
}

void config_free(struct config *cfg)
{
    size_t i;

    for (i = 0; i < cfg->nclusters; i++)
        free_cluster(&cfg->clusters[i]);
    for (i = 0; i < cfg->nspeed; i++)
        free(cfg->speed[i].gpu);
    for (i = 0; i < cfg->npath_map; i++) {
        free(cfg->path_map[i].from);
        free(cfg->path_map[i].to);
    }
    for (i = 0; i < cfg->norigins; i++) {
        free(cfg->origins[i].key);
        free(cfg->origins[i].value);
        free(cfg->origins[i].file);
    }
    free(cfg->cluster);
    free(cfg->clusters);
    free(cfg->speed);
    free(cfg->path_map);
    free(cfg->origins);
    free(cfg->checkpoint_signal);
    free(cfg->sync_to);
    free(cfg->log_step);
    free_texts(cfg->done, cfg->ndone);
    memset(cfg, 0, sizeof(*cfg));
}

const struct config_cluster *config_find(const struct config *cfg,
                                         const char *name,
                                         struct relay_error *err)
{
    char all[400] = "";
    size_t used = 0;
    size_t i;

    for (i = 0; i < cfg->nclusters; i++) {
        if (name != NULL && strcmp(cfg->clusters[i].name, name) == 0)
            return &cfg->clusters[i];
        if (used < sizeof(all))
            used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s",
                                     i > 0 ? ", " : "",
                                     cfg->clusters[i].name);
    }
    if (name == NULL)
        relay_fail(err, EX_CONFIG, "this cluster's name is not known here: "
                                   "set cluster: in relay.yaml");
    else if (cfg->nclusters == 0)
        relay_fail(err, EX_CONFIG, "no cluster \"%.100s\": relay.yaml has no "
                                   "clusters:", name);
    else
        relay_fail(err, EX_CONFIG, "no cluster \"%.100s\" in relay.yaml; "
                                   "there are: %s", name, all);
    return NULL;
}

const struct config_profile *config_profile_of(const struct config_cluster *c,
                                               const char *name,
                                               struct relay_error *err)
{
    char all[400] = "";
    size_t used = 0;
    size_t i;

    for (i = 0; i < c->nprofiles; i++) {
        if (strcmp(c->profiles[i].name, name) == 0)
            return &c->profiles[i];
        if (used < sizeof(all))
            used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s",
                                     i > 0 ? ", " : "", c->profiles[i].name);
    }
    if (c->nprofiles == 0)
        relay_fail(err, EX_CONFIG, "no profile \"%.100s\": clusters.%s in "
                                   "relay.yaml has no profiles:", name,
                   c->name);
    else
        relay_fail(err, EX_CONFIG, "no profile \"%.100s\" of clusters.%s in "
                                   "relay.yaml; there are: %s", name, c->name,
                   all);
    return NULL;
}
