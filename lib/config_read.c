#include "config_read.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "config_node.h"
#include "config_value.h"

static const char *const reach_words[] = {"job", "login", "none", NULL};
static const char *const peers_words[] = {"warn", "require", "off", NULL};
static const char *const tracker_words[] = {"auto", "wandb", "off", NULL};
static const char *const copy_words[] = {"none", "small", "all", NULL};

#define IN_CLUSTER(field) .offset = offsetof(struct config_cluster, field)
#define IN_CONFIG(field) .offset = offsetof(struct config, field)

static const struct key cluster_keys[] = {
    {"ssh", node_set_host, IN_CLUSTER(ssh)},
    {"data", node_set_host, IN_CLUSTER(data)},
    {"reach", node_set_word, IN_CLUSTER(reach), .words = reach_words},
    {"resume_root", node_set_text, IN_CLUSTER(resume_root)},
    {"run_root", node_set_text, IN_CLUSTER(run_root)},
    {"out_root", node_set_text, IN_CLUSTER(out_root)},
    {"copy_with", node_set_command, IN_CLUSTER(copy_with)},
    {"submit", node_set_list, IN_CLUSTER(submit),
     .count = offsetof(struct config_cluster, nsubmit)},
    {"max_gpus", node_set_count, IN_CLUSTER(max_gpus)},
    {0},
};

static int set_cluster(struct reader *r, const char *name, yaml_node_t *key,
                       yaml_node_t *value, const char *path, void *arg)
{
    struct config *cfg = arg;
    struct section section = {.keys = cluster_keys};
    struct config_cluster *more;
    const char *why = "";
    size_t i = 0;

    if (value_name(name, &why) != 0)
        return node_bad_value(r, key, "clusters", name, why);
    while (i < cfg->nclusters && strcmp(cfg->clusters[i].name, name) != 0)
        i++;
    if (i == cfg->nclusters) {
        more = node_grow(cfg->clusters, cfg->nclusters, sizeof(*more));
        if (more == NULL)
            return node_no_memory(r);
        cfg->clusters = more;
        memset(&more[i], 0, sizeof(more[i]));
        more[i].reach = REACH_JOB;
        more[i].name = strdup(name);
        if (more[i].name == NULL)
            return node_no_memory(r);
        cfg->nclusters++;
    }
    section.base = &cfg->clusters[i];
    return node_each_pair(r, value, path, node_set_member, &section);
}

static int set_clusters(struct reader *r, const struct key *key,
                        yaml_node_t *node, void *base, const char *path)
{
    (void)key;
    return node_each_pair(r, node, path, set_cluster, base);
}

static int set_one_speed(struct reader *r, const char *name, yaml_node_t *key,
                         yaml_node_t *value, const char *path, void *arg)
{
    struct config *cfg = arg;
    const char *text = node_scalar(r, path, value);
    struct config_speed *more;
    const char *why = "";
    double factor = 0;
    size_t i = 0;

    (void)key;
    if (text == NULL)
        return -1;
    if (value_factor(text, &factor, &why) != 0)
        return node_bad_value(r, value, path, text, why);
    while (i < cfg->nspeed && strcmp(cfg->speed[i].gpu, name) != 0)
        i++;
    if (i == cfg->nspeed) {
        more = node_grow(cfg->speed, cfg->nspeed, sizeof(*more));
        if (more == NULL)
            return node_no_memory(r);
        cfg->speed = more;
        more[i].gpu = strdup(name);
        if (more[i].gpu == NULL)
            return node_no_memory(r);
        cfg->nspeed++;
    }
    cfg->speed[i].factor = factor;
    return node_note(r, path, text, value);
}

static int set_speed(struct reader *r, const struct key *key, yaml_node_t *node,
                     void *base, const char *path)
{
    (void)key;
    return node_each_pair(r, node, path, set_one_speed, base);
}

static int set_one_map(struct reader *r, const char *name, yaml_node_t *key,
                       yaml_node_t *value, const char *path, void *arg)
{
    struct config *cfg = arg;
    const char *text = node_scalar(r, path, value);
    struct path_map *more;
    size_t i = 0;

    if (text == NULL)
        return -1;
    if (name[0] != '/' || text[0] != '/')
        return node_fail(r, name[0] != '/' ? key : value,
                         "path_map: \"%.100s\" is not an absolute path",
                         name[0] != '/' ? name : text);
    while (i < cfg->npath_map && strcmp(cfg->path_map[i].from, name) != 0)
        i++;
    if (i == cfg->npath_map) {
        more = node_grow(cfg->path_map, cfg->npath_map, sizeof(*more));
        if (more == NULL)
            return node_no_memory(r);
        cfg->path_map = more;
        more[i].to = NULL;
        more[i].from = strdup(name);
        if (more[i].from == NULL)
            return node_no_memory(r);
        cfg->npath_map++;
    }
    if (node_put_text(r, &cfg->path_map[i].to, text) != 0)
        return -1;
    return node_note(r, path, text, value);
}

static int set_path_map(struct reader *r, const struct key *key,
                        yaml_node_t *node, void *base, const char *path)
{
    (void)key;
    return node_each_pair(r, node, path, set_one_map, base);
}

static const struct key handoff_keys[] = {
    {"min_remaining", node_set_duration, IN_CONFIG(min_remaining)},
    {"overhead", node_set_duration, IN_CONFIG(overhead)},
    {"checkpoint_signal", node_set_signal, IN_CONFIG(checkpoint_signal)},
    {"stop_timeout", node_set_duration, IN_CONFIG(stop_timeout)},
    {"source_wait", node_set_duration, IN_CONFIG(source_wait)},
    {"copy_run_dir", node_set_word, IN_CONFIG(copy_run_dir),
     .words = copy_words},
    {0},
};

static const struct key sync_keys[] = {
    {"to", node_set_command, IN_CONFIG(sync_to)},
    {0},
};

static const struct key top_keys[] = {
    {"cluster", node_set_name, IN_CONFIG(cluster)},
    {"clusters", set_clusters, .offset = 0},
    {"speed", set_speed, .offset = 0},
    {"path_map", set_path_map, .offset = 0},
    {"handoff", node_set_section, .keys = handoff_keys},
    {"sync", node_set_section, .keys = sync_keys},
    {"peers", node_set_word, IN_CONFIG(peers), .words = peers_words},
    {"tracker", node_set_word, IN_CONFIG(tracker), .words = tracker_words},
    {"takeover_quiet", node_set_quiet, IN_CONFIG(takeover_quiet)},
    {"log_step", node_set_regex, IN_CONFIG(log_step)},
    {"done", node_set_checks, IN_CONFIG(done),
     .count = offsetof(struct config, ndone)},
    {0},
};

static int yaml_failed(const struct reader *r, const yaml_parser_t *parser)
{
    const char *problem =
        parser->problem != NULL ? parser->problem : "cannot be parsed";

    if (parser->error == YAML_READER_ERROR)
        return relay_fail(r->err, EX_CONFIG, "%s: byte %zu: %s", r->file,
                          parser->problem_offset + 1, problem);
    return relay_fail(r->err, EX_CONFIG, "%s:%zu:%zu: %s%s%s", r->file,
                      parser->problem_mark.line + 1,
                      parser->problem_mark.column + 1, problem,
                      parser->context != NULL ? " " : "",
                      parser->context != NULL ? parser->context : "");
}

static int read_document(struct reader *r, yaml_node_t *root)
{
    struct section top = {top_keys, r->cfg};

    return node_each_pair(r, root, "", node_set_member, &top);
}

int config_read(const char *text, size_t len, const char *file,
                struct config *cfg, struct relay_error *err)
{
    struct reader r = {.file = file, .cfg = cfg, .err = err};
    yaml_parser_t parser;
    yaml_node_t *root;
    bool first = true;
    int rc = 0;

    if (yaml_parser_initialize(&parser) != 1)
        return node_no_memory(&r);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    do {
        if (yaml_parser_load(&parser, &r.doc) != 1) {
            rc = yaml_failed(&r, &parser);
            break;
        }
        root = yaml_document_get_root_node(&r.doc);
        if (root != NULL)
            rc = first ? read_document(&r, root)
                       : node_fail(&r, root, "a second document (after ---)");
        first = false;
        yaml_document_delete(&r.doc);
    } while (rc == 0 && root != NULL);
    yaml_parser_delete(&parser);
    return rc;
}

void config_defaults(struct config *cfg)
{
    memset(cfg, 0, sizeof(*cfg));
    cfg->min_remaining = 30 * 60;
    cfg->overhead = 10 * 60;
    cfg->stop_timeout = 120;
    cfg->source_wait = 10 * 60;
    cfg->copy_run_dir = COPY_NONE;
    cfg->peers = PEERS_WARN;
    cfg->tracker = TRACKER_AUTO;
}
