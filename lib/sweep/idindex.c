#include "idindex.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"

#define MAGIC "RELAYIDS"
#define TELL_EVERY 65536u

enum { ID_FORMAT = 1 };

struct id_header {
    char magic[8];
    uint32_t format;
    uint32_t entry_size;
    uint64_t entries;
    uint64_t cells;
};

/* ---- making -------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
    const struct id_entry *x = a;
    const struct id_entry *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* Two cells that have one id; later is UINT64_MAX while there are none. */
struct twins {
    uint64_t earlier;
    uint64_t later;
    char id[CELL_ID_MAX + 1];
};

struct named {
    uint64_t index;
    char id[CELL_ID_MAX + 1];
};

static int by_id(const void *a, const void *b)
{
    const struct named *x = a;
    const struct named *y = b;
    int order = strcmp(x->id, y->id);

    if (order != 0)
        return order;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* Looks for equal ids among n entries of one key: the pair whose later cell
 * comes first in the source. */
static int compare_group(const struct roster *roster,
                         const struct id_entry *group, size_t n,
                         struct twins *twins, struct relay_error *err)
{
    struct named *named = calloc(n, sizeof(*named));
    size_t i;
    int rc = 0;

    if (named == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    for (i = 0; i < n && rc == 0; i++) {
        named[i].index = group[i].index;
        rc = roster_id(roster, group[i].index, named[i].id, err);
    }
    if (rc == 0)
        qsort(named, n, sizeof(*named), by_id);
    for (i = 1; i < n && rc == 0; i++) {
        if (strcmp(named[i - 1].id, named[i].id) != 0 ||
            named[i].index >= twins->later)
            continue;
        twins->earlier = named[i - 1].index;
        twins->later = named[i].index;
        memcpy(twins->id, named[i].id, sizeof(twins->id));
    }
    free(named);
    return rc;
}

static int report_twins(const struct roster *roster, const char *name,
                        const struct twins *twins, struct relay_error *err)
{
    const struct roster_info *info = roster_info(roster);
    struct relay_error ignored;
    struct cell a, b;
    int line = 0, other = 0;

    if (roster_cell(roster, twins->earlier, &a, &ignored) == 0)
        other = a.line;
    if (roster_cell(roster, twins->later, &b, &ignored) == 0)
        line = b.line;
    cell_free(&a);
    cell_free(&b);
    if (info->kind == ROSTER_QUEUE)
        return relay_fail(err, EX_DATAERR,
                          "%s:%d: the name %s is that of line %d already, and "
                          "two cells would write to one directory: rename one "
                          "of the files", name, line, twins->id, other);
    if (info->has_run_id)
        return relay_fail(err, EX_DATAERR, "%s:%d: run_id %s is that of line "
                          "%d already", name, line, twins->id, other);
    if (info->kind == ROSTER_CSV)
        return relay_fail(err, EX_DATAERR,
                          "%s:%d: the same cell as line %d (id %s): they "
                          "differ in nothing that is part of the id", name,
                          line, other, twins->id);
    return relay_fail(err, EX_DATAERR,
                      "%s: cells #%" PRIu64 " and #%" PRIu64 " are the same "
                      "(id %s): they differ in nothing that is part of the "
                      "id", name, twins->earlier, twins->later, twins->id);
}

/* Two cells of one id would be one claim, one directory and one run. */
static int check_twins(const struct roster *roster, const char *name,
                       const struct id_entry *entries, size_t n,
                       struct relay_error *err)
{
    struct twins twins = {.later = UINT64_MAX};
    size_t i, end;

    for (i = 0; i < n; i = end) {
        for (end = i + 1; end < n && entries[end].key == entries[i].key; end++)
            continue;
        if (end - i > 1 &&
            compare_group(roster, entries + i, end - i, &twins, err) != 0)
            return -1;
    }
    if (twins.later == UINT64_MAX)
        return 0;
    return report_twins(roster, name, &twins, err);
}

/* Fills entries with what has an id, in host order. */
static int collect(const struct roster *roster,
                   const struct id_progress *progress,
                   struct id_entry *entries, size_t *n,
                   struct relay_error *err)
{
    uint64_t size = roster_size(roster);
    char id[CELL_ID_MAX + 1];
    uint64_t i;

    *n = 0;
    for (i = 0; i < size; i++) {
        if (progress->tell != NULL && i % TELL_EVERY == TELL_EVERY - 1)
            progress->tell(progress->arg, i, size);
        if (roster_id(roster, i, id, err) != 0)
            return -1;
        if (id[0] == '\0')
            continue; /* a line that is no cell */
        entries[*n].key = roster_id_key(id);
        entries[*n].index = i;
        (*n)++;
    }
    if (progress->tell != NULL && size >= TELL_EVERY)
        progress->tell(progress->arg, size, size);
    return 0;
}

/* Points ids into its file. */
static void set_entries(struct id_index *ids, size_t n)
{
    ids->entries = (const struct id_entry *)((const char *)ids->file +
                                             sizeof(struct id_header));
    ids->n = n;
}

int id_index_make(const struct roster *roster, const char *name,
                  const struct id_progress *progress, struct id_index *ids,
                  struct relay_error *err)
{
    static const struct id_progress none;
    uint64_t size = roster_size(roster);
    struct id_header *header;
    struct id_entry *entries;
    size_t n, i;

    memset(ids, 0, sizeof(*ids));
    ids->file = size < SIZE_MAX / sizeof(*entries) - 2
                    ? malloc(sizeof(*header) + (size_t)size * sizeof(*entries))
                    : NULL;
    if (ids->file == NULL)
        return relay_fail(err, EX_OSERR, "out of memory for the ids of "
                          "%" PRIu64 " cells", size);
    header = ids->file;
    entries = (struct id_entry *)(header + 1);
    if (collect(roster, progress != NULL ? progress : &none, entries, &n,
                err) != 0)
        return -1;
    qsort(entries, n, sizeof(*entries), by_key);
    if (check_twins(roster, name, entries, n, err) != 0)
        return -1;
    for (i = 0; i < n; i++) {
        entries[i].key = htole64(entries[i].key);
        entries[i].index = htole64(entries[i].index);
    }
    memcpy(header->magic, MAGIC, sizeof(header->magic));
    header->format = htole32(ID_FORMAT);
    header->entry_size = htole32(sizeof(*entries));
    header->entries = htole64(n);
    header->cells = htole64(size);
    ids->len = sizeof(*header) + n * sizeof(*entries);
    set_entries(ids, n);
    return 0;
}

/* ---- loading ------------------------------------------------------------- */

static int map_failed(int dirfd, const char *path, struct relay_error *err)
{
    int code = errno == ENOENT ? EX_NOINPUT : EX_IOERR;
    char where[PATH_MAX];

    return relay_fail_errno(err, code, "cannot read %s",
                            file_where(dirfd, path, where, sizeof(where)));
}

static int map_file(int dirfd, const char *path, struct id_index *ids,
                    struct relay_error *err)
{
    struct stat st;
    void *map = MAP_FAILED;
    int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return map_failed(dirfd, path, err);
    if (fstat(fd, &st) == 0 && st.st_size > 0)
        map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        map_failed(dirfd, path, err);
        close(fd);
        return -1;
    }
    close(fd);
    ids->file = map;
    ids->len = (size_t)st.st_size;
    ids->mapped = true;
    return 0;
}

static int check_header(const struct id_index *ids,
                        const struct roster *roster, struct relay_error *err)
{
    const struct id_header *header = ids->file;
    uint64_t n;

    if (ids->len < sizeof(*header) ||
        memcmp(header->magic, MAGIC, sizeof(header->magic)) != 0)
        return relay_fail(err, EX_DATAERR, "it is not a file of ids");
    if (le32toh(header->format) != ID_FORMAT)
        return relay_fail(err, EX_CONFIG,
                          "it has format %u, and this version knows format %d "
                          "only: upgrade slurm-relay here",
                          le32toh(header->format), ID_FORMAT);
    n = le64toh(header->entries);
    if (le32toh(header->entry_size) != sizeof(struct id_entry) ||
        n > (ids->len - sizeof(*header)) / sizeof(struct id_entry) ||
        ids->len != sizeof(*header) + n * sizeof(struct id_entry))
        return relay_fail(err, EX_DATAERR, "it is cut off");
    if (le64toh(header->cells) != roster_size(roster))
        return relay_fail(err, EX_DATAERR,
                          "it is of %" PRIu64 " cells, and the source beside "
                          "it has %" PRIu64, le64toh(header->cells),
                          roster_size(roster));
    return 0;
}

int id_index_load(int dirfd, const char *path, const struct roster *roster,
                  bool map, struct id_index *ids, struct relay_error *err)
{
    char where[PATH_MAX];

    memset(ids, 0, sizeof(*ids));
    if (map) {
        if (map_file(dirfd, path, ids, err) != 0)
            return -1;
    } else {
        ids->file = file_read(dirfd, path, SIZE_MAX / 4, &ids->len, err);
        if (ids->file == NULL)
            return -1;
    }
    if (check_header(ids, roster, err) != 0)
        return relay_fail_in(err, "%s", file_where(dirfd, path, where,
                                                   sizeof(where)));
    set_entries(ids, le64toh(((const struct id_header *)ids->file)->entries));
    return 0;
}

void id_index_free(struct id_index *ids)
{
    if (ids->mapped && ids->file != NULL)
        munmap(ids->file, ids->len);
    else
        free(ids->file);
    memset(ids, 0, sizeof(*ids));
}

/* ---- looking up ---------------------------------------------------------- */

uint64_t id_index_key(const struct id_index *ids, size_t at)
{
    return le64toh(ids->entries[at].key);
}

uint64_t id_index_at(const struct id_index *ids, size_t at)
{
    return le64toh(ids->entries[at].index);
}

size_t id_index_seek(const struct id_index *ids, uint64_t key)
{
    size_t low = 0, high = ids->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (id_index_key(ids, middle) < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
