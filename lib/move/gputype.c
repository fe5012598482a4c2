#include "gputype.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "move/constraint.h"
#include "move/gpuname.h"
#include "move/gres.h"
#include "move/hosts.h"

enum { FIELDS = 5 };

/* One line of sinfo: a node in one of its partitions. */
struct node {
    char *name;
    char *partition;
    bool is_default; /* the partition */
    char *gres;
    char *features;
    char *state;
};

/* The lines of a text, one after the other; the copy is cut up. */
struct lines {
    char *copy;
    char *at;
};

static bool begin(struct lines *lines, const char *sinfo)
{
    lines->copy = lines->at = strdup(sinfo);
    return lines->copy != NULL;
}

static bool next_node(struct lines *lines, struct node *node)
{
    while (*lines->at != '\0') {
        char *field[FIELDS] = {lines->at};
        size_t n = 1;
        char *p = lines->at;
        size_t len = strcspn(p, "\n");

        lines->at = p[len] == '\n' ? p + len + 1 : p + len;
        p[len] = '\0';
        while (n < FIELDS && (p = strchr(p, '|')) != NULL) {
            *p++ = '\0';
            field[n++] = p;
        }
        if (n < FIELDS || field[0][0] == '\0')
            continue;
        *node = (struct node){.name = field[0], .partition = field[1],
                              .gres = field[2], .features = field[3],
                              .state = field[4]};
        len = strlen(node->partition);
        node->is_default = len > 0 && node->partition[len - 1] == '*';
        if (node->is_default)
            node->partition[len - 1] = '\0';
        return true;
    }
    return false;
}

/* False where Slurm starts nothing: "down*", "drained", "idle*" (it does not
 * answer). */
static bool is_up(const char *state)
{
    static const char *const off[] = {"down", "drain", "fail", "future",
                                      "unk", "inval"};
    size_t len = strlen(state);
    size_t i;

    for (i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
        if (strncasecmp(state, off[i], strlen(off[i])) == 0)
            return false;
    }
    return len == 0 || state[len - 1] != '*';
}

/* Is word an element of the list (commas between), whatever its case? */
static bool listed(const char *list, const char *word)
{
    size_t len = strlen(word);

    while (*list != '\0') {
        size_t n = strcspn(list, ",");

        if (n == len && strncasecmp(list, word, n) == 0)
            return true;
        list += n + (list[n] == ',');
    }
    return false;
}

static bool in_partition(const struct node *node, const char *partition)
{
    return partition[0] == '\0' ? node->is_default
                                : listed(partition, node->partition);
}

/* The name in speed: that a feature is, "GPU_SKU:RTX_2080Ti" by what is
 * behind its colon; "" for none. */
static const char *name_of_features(const struct config *cfg,
                                    const char *features)
{
    while (*features != '\0') {
        size_t n = strcspn(features, ",");
        char feature[100];
        const char *value;
        size_t i;

        snprintf(feature, sizeof(feature), "%.*s", (int)n, features);
        value = strrchr(feature, ':');
        value = value != NULL ? value + 1 : feature;
        for (i = 0; i < cfg->nspeed; i++) {
            if (gpuname_compare(cfg->speed[i].gpu, value) != GPUNAME_OTHER)
                return cfg->speed[i].gpu;
        }
        features += n + (features[n] == ',');
    }
    return "";
}

double gputype_factor(const struct config *cfg, const char *name)
{
    double best[GPUNAME_SAME + 1] = {0};
    size_t i;

    for (i = 0; i < cfg->nspeed; i++) {
        double *slot = &best[gpuname_compare(cfg->speed[i].gpu, name)];

        if (*slot <= 0 || cfg->speed[i].factor < *slot)
            *slot = cfg->speed[i].factor;
    }
    return best[GPUNAME_SAME] > 0 ? best[GPUNAME_SAME] : best[GPUNAME_MODEL];
}

static int add_type(struct gputypes *types, const char *name, double factor)
{
    struct gputype *more;
    size_t i;

    for (i = 0; i < types->n; i++) {
        if (strcmp(types->types[i].name, name) == 0) {
            types->types[i].nodes++;
            return 0;
        }
    }
    more = realloc(types->types, (types->n + 1) * sizeof(*more));
    if (more == NULL)
        return -1;
    types->types = more;
    more += types->n++;
    *more = (struct gputype){.factor = factor, .nodes = 1};
    snprintf(more->name, sizeof(more->name), "%s", name);
    return 0;
}

/* All GPUs of a node of one of the types wanted ("" any). How many, or -1. */
static int add_node(const struct node *node, const char *wanted,
                    const struct config *cfg, struct gputypes *types)
{
    const char *gres = node->gres;
    struct gres_gpu gpu;
    int n = 0;

    while (gres_next(&gres, false, &gpu)) {
        const char *name = gpu.type;

        if (gpu.count == 0 || (wanted[0] != '\0' && !listed(wanted, name)))
            continue;
        if (name[0] == '\0')
            name = name_of_features(cfg, node->features);
        if (add_type(types, name, gputype_factor(cfg, name)) != 0)
            return -1;
        n++;
    }
    return n;
}

/* What was left out of all nodes, for the reason that none is left. */
struct left_out {
    bool partition;  /* there is such a one */
    bool constraint; /* could not be evaluated */
    bool down;
};

/* 1 when the request may run on the node, 0. */
static int allows(const struct request *req, const struct node *node,
                  struct left_out *left)
{
    int fits;

    if (!in_partition(node, req->partition))
        return 0;
    left->partition = true;
    if ((req->nodelist[0] != '\0' && !hosts_have(req->nodelist, node->name)) ||
        hosts_have(req->exclude, node->name))
        return 0;
    fits = constraint_fits(req->constraint, node->features);
    left->constraint = left->constraint || fits < 0;
    return fits > 0;
}

static void say_why(const struct request *req, const struct left_out *left,
                    struct gputypes *types)
{
    if (left->constraint)
        snprintf(types->why, sizeof(types->why),
                 "--constraint=%.150s is more than features with & and |",
                 req->constraint);
    else if (!left->partition && req->partition[0] == '\0')
        snprintf(types->why, sizeof(types->why),
                 "sinfo shows no default partition here");
    else if (!left->partition)
        snprintf(types->why, sizeof(types->why),
                 "sinfo shows no partition %.150s here", req->partition);
    else
        snprintf(types->why, sizeof(types->why),
                 left->down ? "the nodes with %.60s that the request allows "
                              "are down or drained"
                            : "no node that the request allows has %.60s",
                 req->gpu[0] != '\0' ? req->gpu : "a GPU");
}

int gputypes_read(const char *sinfo, const struct request *req,
                  const struct config *cfg, struct gputypes *types,
                  struct relay_error *err)
{
    struct left_out left = {false, false, false};
    struct gputypes down = {0};
    struct lines lines;
    struct node node;
    int n = 0;

    memset(types, 0, sizeof(*types));
    if (req->gpus == 0) {
        types->known = true;
        snprintf(types->why, sizeof(types->why), "the request is for no GPU");
        return 0;
    }
    if (!begin(&lines, sinfo))
        return relay_fail(err, EX_OSERR, "out of memory");
    while (n >= 0 && next_node(&lines, &node)) {
        bool up = is_up(node.state);

        if (allows(req, &node, &left))
            n = add_node(&node, req->gpu, cfg, up ? types : &down);
    }
    left.down = down.n > 0;
    gputypes_free(&down);
    free(lines.copy);
    if (n < 0)
        return relay_fail(err, EX_OSERR, "out of memory");
    types->known = types->n > 0 && !left.constraint;
    if (!types->known)
        say_why(req, &left, types);
    return 0;
}

void gputypes_free(struct gputypes *types)
{
    free(types->types);
    types->types = NULL;
    types->n = 0;
}

const struct gputype *gputypes_slowest(const struct gputypes *types)
{
    const struct gputype *slowest = NULL;
    size_t i;

    for (i = 0; types->known && i < types->n; i++) {
        if (slowest == NULL || types->types[i].factor < slowest->factor)
            slowest = &types->types[i];
    }
    return slowest;
}

/* The slowest factor of a node's GPUs, 0 unknown; -1 without GPUs. */
static double node_factor(const struct node *node, const struct config *cfg)
{
    struct gputypes types = {.known = true};
    const struct gputype *slowest;
    double factor = -1;

    if (add_node(node, "", cfg, &types) > 0) {
        slowest = gputypes_slowest(&types);
        factor = slowest->factor;
    }
    gputypes_free(&types);
    return factor;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double gputype_median(const char *sinfo, const char *partition,
                      const struct config *cfg)
{
    size_t n = 0, all = 0, room = 0;
    double *factors = NULL;
    struct lines lines;
    struct node node;
    double median = 0;

    if (!begin(&lines, sinfo))
        return 0;
    while (next_node(&lines, &node)) {
        double factor;

        if (!in_partition(&node, partition) ||
            (factor = node_factor(&node, cfg)) < 0)
            continue;
        all++;
        if (n == room) {
            double *more;

            room = room == 0 ? 64 : room * 2;
            more = realloc(factors, room * sizeof(*factors));
            if (more == NULL)
                break;
            factors = more;
        }
        if (factor > 0)
            factors[n++] = factor;
    }
    if (n > 0 && 2 * n >= all) {
        qsort(factors, n, sizeof(*factors), by_size);
        median = factors[(n - 1) / 2];
    }
    free(factors);
    free(lines.copy);
    return median;
}
