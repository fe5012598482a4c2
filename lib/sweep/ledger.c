#include "ledger.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "jsonfile.h"
#include "text.h"

enum { CHUNK = 1 << 18 };

static const char letters[] = "wrpudfq"; /* enum cell_state */

/* --- writers -------------------------------------------------------------- */

static uint32_t hash_of(const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash;
}

/* The slot of a name, or the free one where it belongs. */
static uint32_t slot_of(const struct ledger_writers *writers,
                        const char *name)
{
    uint32_t at = hash_of(name) & (writers->nslots - 1);

    while (writers->slots[at] != 0 &&
           strcmp(writers->all[writers->slots[at] - 1].name, name) != 0)
        at = (at + 1) & (writers->nslots - 1);
    return at;
}

static int make_room(struct ledger_writers *writers, struct relay_error *err)
{
    uint32_t room = writers->room > 0 ? writers->room * 2 : 16;
    struct ledger_writer *all = realloc(writers->all, room * sizeof(*all));
    uint32_t *slots;
    uint32_t i;

    if (all == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    writers->all = all;
    slots = calloc((size_t)room * 2, sizeof(*slots));
    if (slots == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    free(writers->slots);
    writers->slots = slots;
    writers->nslots = room * 2;
    writers->room = room;
    for (i = 0; i < writers->n; i++)
        slots[slot_of(writers, all[i].name)] = i + 1;
    return 0;
}

int64_t ledger_number(struct ledger_writers *writers, const char *name,
                      struct relay_error *err)
{
    char known[CLAIM_WRITER];
    struct ledger_writer *writer;
    uint32_t at;

    snprintf(known, sizeof(known), "%s", name);
    if (writers->n == writers->room && make_room(writers, err) != 0)
        return -1;
    at = slot_of(writers, known);
    if (writers->slots[at] == 0) {
        writer = &writers->all[writers->n++];
        memset(writer, 0, sizeof(*writer));
        memcpy(writer->name, known, sizeof(known));
        writers->slots[at] = writers->n;
    }
    return writers->slots[at] - 1;
}

void ledger_writers_free(struct ledger_writers *writers)
{
    free(writers->all);
    free(writers->slots);
    memset(writers, 0, sizeof(*writers));
}

/* --- writing -------------------------------------------------------------- */

static int write_line(int fd, const char *text, size_t len,
                      struct relay_error *err)
{
    ssize_t n;

    do
        n = write(fd, text, len);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)len)
        return 0;
    if (n >= 0)
        errno = ENOSPC;
    return relay_fail_errno(err, EX_IOERR, "cannot write the ledger");
}

/* Its length, or -1. */
static int64_t write_header(int fd, const struct claim_store *store,
                            struct relay_error *err)
{
    struct json_object *head = json_object_new_object();
    struct text line = {0};
    int64_t rc;

    json_add_int(head, "format", 1);
    json_add_str(head, "writer", store->writer);
    json_add_bool(head, "job_owned", store->job_owned);
    json_object_object_add(head, "owner", owner_to_json(store->own));
    json_add_int(head, "time", clock_wall());
    text_add(&line, json_object_to_json_string_ext(
                        head, JSON_C_TO_STRING_PLAIN |
                                  JSON_C_TO_STRING_NOSLASHESCAPE));
    text_add_char(&line, '\n');
    rc = line.failed ? relay_fail(err, EX_OSERR, "out of memory")
                     : write_line(fd, line.s, line.len, err);
    if (rc == 0)
        rc = (int64_t)line.len;
    text_free(&line);
    json_object_put(head);
    return rc;
}

static int begin_ledger(int fd, int dirfd, const struct claim_store *store,
                        int64_t *len, struct relay_error *err)
{
    int64_t head = write_header(fd, store, err);

    if (head < 0)
        return -1;
    if (len != NULL)
        *len = head;
    if (fsync(fd) != 0 || fsync(dirfd) != 0)
        return relay_fail_errno(err, EX_IOERR, "fsync of " LEDGER_DIR "/%s",
                                store->writer);
    return 0;
}

static bool begins_with_us(int dirfd, const struct claim_store *store)
{
    struct ledger_writer first = {.known = false};

    memcpy(first.name, store->writer, sizeof(first.name));
    return store->job_owned ||
           (ledger_know(dirfd, &first) &&
            owner_same_process(&first.owner, store->own));
}

int ledger_open(int dirfd, const struct claim_store *store, int64_t *len,
                struct relay_error *err)
{
    struct stat st;
    int fd = openat(dirfd, store->writer,
                    O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                    0666);

    if (fd < 0)
        return relay_fail_errno(err, EX_CANTCREAT, "cannot make " LEDGER_DIR
                                                   "/%s", store->writer);
    if (fstat(fd, &st) != 0) {
        close(fd);
        return relay_fail_errno(err, EX_IOERR, LEDGER_DIR "/%s",
                                store->writer);
    }
    if (len != NULL)
        *len = st.st_size;
    if ((st.st_size > 0 && (!store->shared || begins_with_us(dirfd, store))) ||
        begin_ledger(fd, dirfd, store, len, err) == 0)
        return fd;
    close(fd);
    return -1;
}

void ledger_add_words(struct text *out, const char *words, char blank)
{
    const char *c;

    if (words[0] == '\0')
        text_add_char(out, '-');
    for (c = words; *c != '\0'; c++)
        text_add_char(out, iscntrl((unsigned char)*c) || *c == ' ' ? blank
                                                                   : *c);
}

int64_t ledger_append(int fd, const struct board_line *line,
                      struct relay_error *err)
{
    struct text out = {0};
    char letter = letters[line->state];
    int64_t rc;

    if (line->observed)
        letter = (char)toupper((unsigned char)letter);
    text_add_char(&out, letter);
    text_printf(&out, " %" PRIu64 " %" PRId64 " %" PRId64 " %" PRId64
                      " %" PRId64 " %d ",
                line->index, line->gen, line->time, line->step,
                line->seconds, line->failures);
    ledger_add_words(&out, line->cause, '_');
    text_add_char(&out, ' ');
    ledger_add_words(&out, line->why, ' ');
    text_add_char(&out, '\n');
    rc = out.failed ? relay_fail(err, EX_OSERR, "out of memory")
                    : write_line(fd, out.s, out.len, err);
    if (rc == 0)
        rc = (int64_t)out.len;
    text_free(&out);
    return rc;
}

int ledger_intend(int fd, uint64_t index, int64_t gen,
                  struct relay_error *err)
{
    char line[64];
    int len = snprintf(line, sizeof(line), "i %" PRIu64 " %" PRId64 "\n",
                       index, gen);

    return write_line(fd, line, (size_t)len, err);
}

int ledger_seal(int fd, struct relay_error *err)
{
    return write_line(fd, "z\n", 2, err);
}

/* --- reading -------------------------------------------------------------- */

static bool take_number(const char **at, int64_t *n)
{
    char *end;

    errno = 0;
    *n = strtoll(*at, &end, 10);
    if (end == *at || *end != ' ' || errno != 0)
        return false;
    *at = end + 1;
    return true;
}

/* Parses a line (NUL-terminated, changed). False for one that is none. */
static bool parse_line(char *text, struct board_line *line)
{
    const char *letter = strchr(letters, tolower((unsigned char)text[0]));
    const char *at = text + 2;
    int64_t index, failures;
    char *blank;

    if (text[0] == '\0' || letter == NULL || text[1] != ' ')
        return false;
    line->state = (enum cell_state)(letter - letters);
    line->observed = isupper((unsigned char)text[0]) != 0;
    if (!take_number(&at, &index) || !take_number(&at, &line->gen) ||
        !take_number(&at, &line->time) || !take_number(&at, &line->step) ||
        !take_number(&at, &line->seconds) || !take_number(&at, &failures) ||
        index < 0 || line->gen < 1)
        return false;
    line->index = (uint64_t)index;
    line->failures = failures < 0 || failures > 1000000 ? 0 : (int)failures;
    line->cause = at;
    blank = strchr(text + (at - text), ' ');
    if (blank == NULL)
        return false;
    *blank = '\0';
    line->why = blank + 1;
    if (strcmp(line->cause, "-") == 0)
        line->cause = "";
    if (strcmp(line->why, "-") == 0)
        line->why = "";
    return true;
}

static void take_header(const char *text, struct ledger_writer *writer)
{
    struct json_object *head = json_parse(text, strlen(text), "ledger", NULL);
    struct owner own;

    if (head == NULL)
        return;
    owner_from_json(json_get(head, "owner"), writer->name, &own);
    if (!owner_same_process(&own, &writer->owner)) {
        writer->dead = false; /* that was the nonce's owner before */
        writer->looked = 0;
    }
    writer->owner = own;
    writer->job_owned = json_flag(head, "job_owned", false);
    writer->known = true;
    json_object_put(head);
}

struct reading {
    struct ledger_writers *writers;
    uint32_t number;
    struct board *board;
    uint64_t news;
};

static int take_line(struct reading *r, char *text, struct relay_error *err)
{
    struct ledger_writer *writer = &r->writers->all[r->number];
    struct board_line line;
    int rc;

    if (text[0] == '{') {
        take_header(text, writer);
        return 0;
    }
    if (strcmp(text, "z") == 0) {
        writer->sealed = true;
        return 0;
    }
    if (sscanf(text, "i %" SCNu64 " %" SCNd64, &writer->meant,
               &writer->meant_gen) == 2 || !parse_line(text, &line))
        return 0; /* of a newer version, or torn by a full disk */
    rc = board_apply(r->board, &line, r->number, err);
    if (rc > 0)
        r->news++;
    return rc < 0 ? -1 : 0;
}

/* Takes the whole lines of buf; *used is what they are long. */
static int take_lines(struct reading *r, char *buf, size_t len, size_t *used,
                      struct relay_error *err)
{
    char *at = buf;
    char *end;

    while ((end = memchr(at, '\n', len - (size_t)(at - buf))) != NULL) {
        *end = '\0';
        if (take_line(r, at, err) != 0)
            return -1;
        at = end + 1;
    }
    *used = (size_t)(at - buf);
    return 0;
}

static int read_on(int fd, struct reading *r, struct relay_error *err)
{
    struct ledger_writer *writer = &r->writers->all[r->number];
    char *buf = malloc(CHUNK + 1);
    int rc = buf != NULL ? 0 : relay_fail(err, EX_OSERR, "out of memory");
    ssize_t n = 1;

    while (rc == 0) {
        size_t used;

        n = pread(fd, buf, CHUNK, writer->offset);
        if (n <= 0)
            break;
        rc = take_lines(r, buf, (size_t)n, &used, err);
        if (rc != 0 || used == 0)
            break; /* a line that is being written */
        writer->offset += (int64_t)used;
        if (n < CHUNK)
            break;
    }
    free(buf);
    if (rc == 0 && n < 0)
        return relay_fail_errno(err, EX_IOERR, "cannot read " LEDGER_DIR
                                               "/%s", writer->name);
    return rc;
}

/* Most ledgers of a long sweep are of writers that are gone: they need not
 * even be opened. -1: not known. */
static int64_t size_of(int dirfd, const struct ledger_writer *writer)
{
    struct stat st;

    if (fstatat(dirfd, writer->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return -1;
    return S_ISREG(st.st_mode) ? (int64_t)st.st_size
                               : writer->offset; /* none of ours */
}

int ledger_read(int dirfd, struct ledger_writers *writers, uint32_t number,
                struct board *board, uint64_t *news, struct relay_error *err)
{
    struct reading r = {.writers = writers, .number = number, .board = board};
    const struct ledger_writer *writer = &writers->all[number];
    int fd;
    int rc;

    if (writer->sealed || writer->folded ||
        size_of(dirfd, writer) == writer->offset)
        return 0;
    fd = openat(dirfd, writer->name,
                O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return 0; /* folded meanwhile: a snapshot has it */
    if (fd < 0)
        return relay_fail_errno(err, EX_IOERR, "cannot open " LEDGER_DIR
                                               "/%s", writer->name);
    rc = read_on(fd, &r, err);
    close(fd); /* read only: nothing to lose */
    *news += r.news;
    return rc;
}

int ledger_read_all(int dirfd, struct ledger_writers *writers,
                    struct board *board, const char *own, uint64_t *news,
                    struct relay_error *err)
{
    DIR *dir = file_list(dirfd);
    struct dirent *entry;
    int rc = 0;

    if (dir == NULL)
        return relay_fail_errno(err, EX_IOERR, "cannot list " LEDGER_DIR);
    while (rc == 0 && (entry = readdir(dir)) != NULL) {
        int64_t number;

        if (strlen(entry->d_name) != CLAIM_WRITER - 1 ||
            strcmp(entry->d_name, own) == 0)
            continue; /* ".", "..", folded; what we know anyway */
        number = ledger_number(writers, entry->d_name, err);
        rc = number < 0 ? -1
                        : ledger_read(dirfd, writers, (uint32_t)number, board,
                                      news, err);
    }
    closedir(dir); /* read only */
    return rc;
}

/* --- one writer ----------------------------------------------------------- */

static int open_either(int dirfd, const struct ledger_writer *writer)
{
    char folded[64];
    int fd = openat(dirfd, writer->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd >= 0)
        return fd;
    snprintf(folded, sizeof(folded), LEDGER_FOLDED "/%s", writer->name);
    return openat(dirfd, folded, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

bool ledger_know(int dirfd, struct ledger_writer *writer)
{
    char head[4096];
    ssize_t n;
    char *end;
    int fd;

    if (writer->known)
        return true;
    fd = open_either(dirfd, writer);
    if (fd < 0)
        return false;
    n = pread(fd, head, sizeof(head) - 1, 0);
    close(fd); /* read only */
    if (n <= 0)
        return false;
    head[n] = '\0';
    end = strchr(head, '\n');
    if (end == NULL)
        return false;
    *end = '\0';
    take_header(head, writer);
    return writer->known;
}

void ledger_fold(int dirfd, struct ledger_writer *writer)
{
    char folded[64];

    /* What it said after we read it and before it died is in no snapshot. */
    if (!writer->sealed && size_of(dirfd, writer) != writer->offset)
        return;
    if (mkdirat(dirfd, LEDGER_FOLDED, 0777) != 0 && errno != EEXIST)
        return;
    snprintf(folded, sizeof(folded), LEDGER_FOLDED "/%s", writer->name);
    if (renameat(dirfd, writer->name, dirfd, folded) == 0)
        writer->folded = true;
}

int ledger_each(int dirfd, const struct ledger_writer *writer, uint64_t index,
                void (*each)(void *arg, const struct board_line *line),
                void *arg, struct relay_error *err)
{
    int fd = open_either(dirfd, writer);
    char *text = NULL;
    size_t size = 0;
    FILE *file;

    if (fd < 0)
        return 0; /* the links are there all the same */
    file = fdopen(fd, "re");
    if (file == NULL) {
        close(fd);
        return relay_fail_errno(err, EX_IOERR, LEDGER_DIR "/%s",
                                writer->name);
    }
    while (getline(&text, &size, file) > 0) {
        struct board_line line;

        text[strcspn(text, "\n")] = '\0';
        if (parse_line(text, &line) && line.index == index)
            each(arg, &line);
    }
    free(text);
    fclose(file); /* read only */
    return 0;
}
