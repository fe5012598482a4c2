#include "snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"
#include "jsonfile.h"
#include "text.h"

#define MAX_SNAPSHOT ((size_t)1 << 32)
#define END "end\n"

enum { MAX_TRIES = 10 };

static void number_name(int64_t number, char name[32])
{
    snprintf(name, 32, "%" PRId64, number);
}

static int newest(int dirfd, int64_t *number, struct relay_error *err)
{
    DIR *dir = file_list(dirfd);

    *number = 0;
    if (dir == NULL)
        return relay_fail_errno(err, EX_IOERR, "cannot list " SNAPSHOT_DIR);
    *number = file_highest(dir);
    closedir(dir); /* read only */
    return 0;
}

/* --- loading -------------------------------------------------------------- */

/* A snapshot in memory while it is taken in. */
struct loading {
    struct board *board;
    struct ledger_writers *writers;
    uint32_t *numbers; /* its number of a writer -> ours */
    uint32_t nwriters;
};

static int load_writers(struct loading *l, struct json_object *head,
                        struct relay_error *err)
{
    struct json_object *list = json_get(head, "writers");
    size_t n = list != NULL ? json_object_array_length(list) : 0;
    size_t i;

    l->numbers = calloc(n + 1, sizeof(*l->numbers));
    if (l->numbers == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    l->nwriters = (uint32_t)n;
    for (i = 0; i < n; i++) {
        struct json_object *entry = json_object_array_get_idx(list, i);
        int64_t number = ledger_number(l->writers,
                                       json_str(entry, "name", ""), err);
        struct ledger_writer *writer;

        if (number < 0)
            return -1;
        writer = &l->writers->all[number];
        l->numbers[i] = (uint32_t)number;
        if (json_int(entry, "offset", 0) > writer->offset)
            writer->offset = json_int(entry, "offset", 0);
        writer->sealed = json_flag(entry, "sealed", false);
        writer->folded = json_flag(entry, "folded", false);
    }
    return 0;
}

/* Done cells are in the bytes alone. */
static int load_bytes(struct loading *l, const uint8_t *bytes, uint64_t n,
                      struct relay_error *err)
{
    struct board_line line = {.observed = true, .state = CELL_DONE,
                              .cause = "", .why = ""};
    uint64_t i;

    for (i = 0; i < n && i < l->board->size; i++) {
        if ((bytes[i] & 7u) != CELL_DONE || bytes[i] >> 3 == BOARD_GEN_MAX)
            continue;
        line.index = i;
        line.gen = bytes[i] >> 3;
        if (board_apply(l->board, &line, 0, err) < 0)
            return -1;
    }
    return 0;
}

static int load_note(struct loading *l, const char *text,
                     struct relay_error *err)
{
    struct board_line line = {0};
    struct board_note *note;
    char cause[24], why[200] = "";
    int64_t began;
    unsigned writer, ended_by, state;
    int at = 0, observed;

    if (sscanf(text, "%u %d %u %u %" SCNu64 " %" SCNd64 " %" SCNd64
                     " %" SCNd64 " %" SCNd64 " %d %23s %n",
               &state, &observed, &writer, &ended_by, &line.index, &line.gen,
               &began, &line.time, &line.step, &line.failures, cause,
               &at) < 11 || at == 0 ||
        state >= CELL_STATES || writer >= l->nwriters ||
        ended_by >= l->nwriters)
        return 0; /* of a newer version: a hint less */
    snprintf(why, sizeof(why), "%s", text + at);
    line.state = (enum cell_state)state;
    line.cause = "";
    line.why = "";
    if (board_apply(l->board, &line, l->numbers[writer], err) != 1)
        return err->code != 0 ? -1 : 0;
    note = board_note(l->board, line.index);
    if (note == NULL)
        return 0;
    note->began = began;
    note->ended_by = l->numbers[ended_by];
    note->observed = observed != 0;
    if (strcmp(cause, "-") != 0)
        snprintf(note->cause, sizeof(note->cause), "%s", cause);
    if (strcmp(why, "-") != 0)
        snprintf(note->why, sizeof(note->why), "%s", why);
    return 0;
}

static int load_parts(struct loading *l, struct json_object *head,
                      char *body, size_t len, struct relay_error *err)
{
    uint64_t cells = (uint64_t)json_int(head, "cells", 0);
    char *at = body + cells;
    char *end;
    int64_t timed = json_int(head, "timed", 0);

    if (cells > len || len - cells < strlen(END) ||
        strcmp(body + len - strlen(END), END) != 0)
        return 0; /* torn */
    if (load_writers(l, head, err) != 0 ||
        load_bytes(l, (const uint8_t *)body, cells, err) != 0)
        return -1;
    for (; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        *end = '\0';
        if (strcmp(at, "end") != 0 && load_note(l, at, err) != 0)
            return -1;
    }
    if (timed > (int64_t)l->board->timed) {
        l->board->timed = (uint64_t)timed;
        l->board->seconds = (double)json_int(head, "seconds", 0);
    }
    return 1;
}

static int load_text(struct loading *l, char *text, size_t len,
                     struct relay_error *err)
{
    char *end = memchr(text, '\n', len);
    struct json_object *head;
    int rc = 0;

    if (end == NULL)
        return 0;
    head = json_parse(text, (size_t)(end - text), "snapshot", NULL);
    if (head != NULL && json_int(head, "format", 0) == 1)
        rc = load_parts(l, head, end + 1, len - (size_t)(end + 1 - text),
                        err);
    json_object_put(head);
    return rc;
}

enum taken { TAKEN, DAMAGED, GONE, FAILED };

static enum taken load_one(int dirfd, int64_t number, struct board *board,
                           struct ledger_writers *writers,
                           struct relay_error *err)
{
    struct loading l = {.board = board, .writers = writers};
    struct relay_error why = {0};
    char name[32];
    char *text;
    size_t len;
    int rc;

    number_name(number, name);
    text = file_read(dirfd, name, MAX_SNAPSHOT, &len, &why);
    if (text == NULL && why.code == EX_NOINPUT)
        return GONE;
    rc = text != NULL ? load_text(&l, text, len, &why) : -1;
    free(l.numbers);
    free(text);
    if (rc < 0)
        relay_fail(err, why.code, "%s", why.text);
    return rc < 0 ? FAILED : rc > 0 ? TAKEN : DAMAGED;
}

int snapshot_load(int dirfd, int64_t *number, struct board *board,
                  struct ledger_writers *writers, struct relay_error *err)
{
    int64_t last = 0;
    enum taken taken = GONE;
    int tries;

    /* One that is listed may be dropped before it is read: there is a newer
     * one then. */
    for (tries = 0; taken == GONE && tries < MAX_TRIES; tries++) {
        if (newest(dirfd, &last, err) != 0)
            return -1;
        if (last <= *number)
            return 0;
        taken = load_one(dirfd, last, board, writers, err);
    }
    if (taken == DAMAGED && last - 1 > *number &&
        load_one(dirfd, last - 1, board, writers, err) == FAILED)
        return -1;
    if (taken == FAILED || taken == GONE)
        return taken == FAILED ? -1 : 0;
    *number = last; /* a damaged one is not to be read again and again */
    return 1;
}

/* --- saving --------------------------------------------------------------- */

/* Only those that say more, or that a note names. */
static bool *wanted_writers(const struct board *board,
                            const struct ledger_writers *writers)
{
    bool *wanted = calloc(writers->n + 1, sizeof(*wanted));
    size_t i;

    for (i = 0; wanted != NULL && i < writers->n; i++)
        wanted[i] = !writers->all[i].folded;
    for (i = 0; wanted != NULL && i < board->nroom; i++)
        if (board->notes[i] != NULL) {
            wanted[board->notes[i]->writer] = true;
            wanted[board->notes[i]->ended_by] = true;
        }
    return wanted;
}

/* numbers[i] becomes the number in the file of our writer i. */
static struct json_object *save_writers(const struct ledger_writers *writers,
                                        const bool *wanted,
                                        uint32_t *numbers)
{
    struct json_object *list = json_object_new_array();
    uint32_t i, n = 0;

    for (i = 0; i < writers->n; i++) {
        const struct ledger_writer *writer = &writers->all[i];
        struct json_object *entry;

        if (!wanted[i])
            continue;
        numbers[i] = n++;
        entry = json_object_new_object();
        json_add_str(entry, "name", writer->name);
        json_add_int(entry, "offset", writer->offset);
        json_add_bool(entry, "sealed", writer->sealed);
        json_add_bool(entry, "folded", writer->folded);
        json_object_array_add(list, entry);
    }
    return list;
}

static void save_notes(const struct board *board, const uint32_t *numbers,
                       struct text *out)
{
    size_t i;

    for (i = 0; i < board->nroom; i++) {
        const struct board_note *note = board->notes[i];

        if (note == NULL)
            continue;
        text_printf(out, "%d %d %u %u %" PRIu64 " %" PRId64 " %" PRId64
                         " %" PRId64 " %" PRId64 " %d ",
                    (int)board_state(board, note->index),
                    (int)note->observed, (unsigned)numbers[note->writer],
                    (unsigned)numbers[note->ended_by], note->index, note->gen,
                    note->began, note->time, note->step, note->failures);
        ledger_add_words(out, note->cause, '_');
        text_add_char(out, ' ');
        ledger_add_words(out, note->why, ' ');
        text_add_char(out, '\n');
    }
}

static int make_text(const struct board *board,
                     const struct ledger_writers *writers, int64_t number,
                     struct text *out, struct relay_error *err)
{
    struct json_object *head = json_object_new_object();
    uint32_t *numbers = calloc(writers->n + 1, sizeof(*numbers));
    bool *wanted = wanted_writers(board, writers);

    if (numbers != NULL && wanted != NULL) {
        json_add_int(head, "format", 1);
        json_add_int(head, "number", number);
        json_add_int(head, "cells", (int64_t)board->size);
        json_add_int(head, "timed", (int64_t)board->timed);
        json_add_int(head, "seconds", (int64_t)board->seconds);
        json_object_object_add(head, "writers",
                               save_writers(writers, wanted, numbers));
        text_add(out, json_object_to_json_string_ext(
                          head, JSON_C_TO_STRING_PLAIN |
                                    JSON_C_TO_STRING_NOSLASHESCAPE));
        text_add_char(out, '\n');
        text_add_len(out, (const char *)board->cells, board->size);
        save_notes(board, numbers, out);
        text_add(out, END);
    }
    json_object_put(head);
    if (numbers == NULL || wanted == NULL || out->failed)
        relay_fail(err, EX_OSERR, "out of memory");
    out->failed = out->failed || numbers == NULL || wanted == NULL;
    free(numbers);
    free(wanted);
    return out->failed ? -1 : 0;
}

int snapshot_save(int dirfd, int64_t *number, const struct board *board,
                  const struct ledger_writers *writers, const char *writer,
                  struct relay_error *err)
{
    struct text out = {0};
    char temp[64], name[32], old[32];
    int rc = make_text(board, writers, *number + 1, &out, err);

    /* A writer may be several processes. */
    snprintf(temp, sizeof(temp), ".tmp-%s-%d", writer, (int)getpid());
    if (rc == 0)
        rc = file_write(dirfd, temp, out.s, out.len, 0666, err);
    text_free(&out);
    if (rc != 0)
        return -1;
    number_name(*number + 1, name);
    rc = linkat(dirfd, temp, dirfd, name, 0) == 0 ? 1 : 0;
    if (rc == 0 && errno != EEXIST)
        rc = relay_fail_errno(err, EX_CANTCREAT,
                              "cannot make " SNAPSHOT_DIR "/%s", name);
    (void)unlinkat(dirfd, temp, 0); /* a leftover does no harm */
    if (rc == 1) {
        number_name(*number - 1, old);
        (void)unlinkat(dirfd, old, 0); /* it may not be there */
        (*number)++;
    }
    return rc;
}
