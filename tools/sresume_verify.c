/* sresume verify: is every file of a run whole? */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"
#include "jsonfile.h"
#include "manifest.h"
#include "ptcheck.h"
#include "sresume.h"

enum verdict { GOOD, UNVERIFIABLE, BAD };

static const char *const verdict_names[] = {"good", "unverifiable", "BAD"};

struct check {
    enum verdict verdict;
    char note[600];
};

struct verify {
    int dirfd;
    const char *dir; /* for messages */
    struct manifest files;
    struct check *checks; /* one for each file */
    int64_t step;         /* -1 */
    char trouble[600];    /* of the whole: no meta, no checkpoint; "" */
};

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text);
    size_t m = strlen(end);

    return n > m && strcasecmp(text + n - m, end) == 0;
}

/* A ZIP by its first bytes: torch.save writes .pt, .pth, .ckpt, .bin, ... */
static bool is_zip(int dirfd, const char *path)
{
    char magic[4] = "";
    int fd = openat(dirfd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ssize_t got;

    if (fd < 0)
        return false;
    got = read(fd, magic, sizeof(magic));
    close(fd);
    return got == 4 && memcmp(magic, "PK\003\004", 4) == 0;
}

static void check_archive(struct verify *v, const char *path,
                          struct check *check)
{
    struct relay_error err = {0};

    switch (ptcheck_file(v->dirfd, path, 0, check->note, sizeof(check->note),
                         &err)) {
    case PT_GOOD:
        check->verdict = GOOD;
        return;
    case PT_UNVERIFIABLE:
        check->verdict = UNVERIFIABLE;
        return;
    case PT_BAD:
        break;
    }
    check->verdict = BAD;
    snprintf(check->note, sizeof(check->note), "%.599s", err.text);
}

static void check_meta(struct verify *v, struct check *check)
{
    struct relay_error err = {0};
    struct meta meta;

    if (meta_read(v->dirfd, v->dir, &meta, &err) != 0) {
        check->verdict = BAD;
        snprintf(check->note, sizeof(check->note), "%.599s", err.text);
        return;
    }
    v->step = meta.step;
    check->verdict = GOOD;
    if (meta.moved_to != NULL)
        snprintf(v->trouble, sizeof(v->trouble),
                 "it is only a note that the run moved to %s", meta.moved_to);
    else if (meta.step < 0)
        snprintf(v->trouble, sizeof(v->trouble),
                 META_FILE " has no last_checkpoint_step and no last_step");
    meta_free(&meta);
}

static void check_json(struct verify *v, const char *path,
                       struct check *check)
{
    struct relay_error err = {0};
    struct json_object *obj = json_load(v->dirfd, path, &err);

    check->verdict = obj != NULL ? GOOD : BAD;
    if (obj == NULL)
        snprintf(check->note, sizeof(check->note), "%.599s", err.text);
    json_object_put(obj);
}

static void check_file(struct verify *v, size_t i)
{
    const char *path = v->files.files[i].path;
    struct check *check = &v->checks[i];

    if (strcmp(path, META_FILE) == 0) {
        check_meta(v, check);
    } else if (ends_with(path, ".pt") || ends_with(path, ".pth") ||
               is_zip(v->dirfd, path)) {
        check_archive(v, path, check);
    } else if (ends_with(path, ".json") ||
               ends_with(path, ".json.orig")) {
        check_json(v, path, check);
    } else {
        check->verdict = UNVERIFIABLE;
        snprintf(check->note, sizeof(check->note),
                 v->files.files[i].sha256[0] != '\0'
                     ? "readable; this kind of file has no check of its own"
                     : "this kind of file has no check of its own");
    }
}

static int verify_dir(struct verify *v, bool digests, struct relay_error *err)
{
    size_t i;

    v->step = -1;
    v->dirfd = open(v->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (v->dirfd < 0)
        return relay_fail_errno(err, errno == ENOENT ? EX_NOINPUT : EX_IOERR,
                                "%s", v->dir);
    if (manifest_of_dir(v->dirfd, ".", digests, &v->files, err) != 0)
        return relay_fail_in(err, "%s", v->dir);
    v->checks = calloc(v->files.n + 1, sizeof(*v->checks));
    if (v->checks == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    if (manifest_find(&v->files, META_FILE) == NULL)
        snprintf(v->trouble, sizeof(v->trouble), "there is no " META_FILE);
    for (i = 0; i < v->files.n; i++)
        check_file(v, i);
    return 0;
}

static bool all_good(const struct verify *v)
{
    size_t i;

    for (i = 0; i < v->files.n; i++) {
        if (v->checks[i].verdict == BAD)
            return false;
    }
    return v->trouble[0] == '\0';
}

static struct json_object *to_json(const struct verify *v)
{
    struct json_object *obj = json_object_new_object();
    struct json_object *array = json_object_new_array();
    size_t i;

    json_add_int(obj, "format", 1);
    json_add_str(obj, "directory", v->dir);
    json_add_bool(obj, "good", all_good(v));
    json_add_str(obj, "trouble", v->trouble[0] != '\0' ? v->trouble : NULL);
    json_object_object_add(obj, "step", v->step < 0
                                            ? NULL
                                            : json_object_new_int64(v->step));
    for (i = 0; i < v->files.n; i++) {
        const struct manifest_file *file = &v->files.files[i];
        struct json_object *one = json_object_new_object();

        json_add_str(one, "path", file->path);
        json_add_int(one, "size", file->size);
        json_add_int(one, "mtime_ns", file->mtime_ns);
        if (file->sha256[0] != '\0')
            json_add_str(one, "sha256", file->sha256);
        json_add_str(one, "verdict",
                     v->checks[i].verdict == BAD
                         ? "bad"
                         : verdict_names[v->checks[i].verdict]);
        json_add_str(one, "note",
                     v->checks[i].note[0] != '\0' ? v->checks[i].note : NULL);
        json_object_array_add(array, one);
    }
    json_object_object_add(obj, "files", array);
    return obj;
}

static void print_files(const struct verify *v, bool digests)
{
    char note[620];
    size_t i;

    for (i = 0; i < v->files.n; i++) {
        cli_clean(v->checks[i].note, note, sizeof(note));
        if (digests)
            printf("%s  ", v->files.files[i].sha256);
        printf("%-12s %12" PRId64 "  %s%s%s\n",
               verdict_names[v->checks[i].verdict], v->files.files[i].size,
               v->files.files[i].path, note[0] != '\0' ? ": " : "", note);
    }
}

static int print_verdict(const struct verify *v)
{
    if (all_good(v)) {
        printf("%s: good, step %" PRId64 "\n", v->dir, v->step);
        return 0;
    }
    fprintf(stderr, SRESUME ": %s: %s\n", v->dir,
            v->trouble[0] != '\0' ? v->trouble
                                  : "a file is bad: do not resume from it");
    return EX_DATAERR;
}

/* The directory that KEY or DIR means; malloc'd or NULL. */
static char *find_dir(const struct place *place, const char *typed,
                      struct relay_error *err)
{
    struct run run;
    char path[4200];
    char *dir = NULL;

    if (place_is_dir(typed))
        return strdup(typed);
    if (place_open(place, typed, true, &run, err) == 0) {
        run_state_dir(&run, path, sizeof(path));
        dir = strdup(path);
    }
    run_close(&run);
    return dir;
}

int sresume_verify(int argc, char **argv)
{
    struct place place = {0};
    const char *digest = NULL;
    bool json = false;
    const struct cli_option options[] = {
        {"json", '\0', CLI_FLAG, &json, NULL, "print an object"},
        {"digest", '\0', CLI_OPT, &digest, "FILE",
         "print SHA-256s too; with FILE, write all as JSON there"},
        PLACE_OPTIONS(place),
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SRESUME, "verify", "[OPTION]... KEY|DIR",
        "Checks every file of a run's state: archives of torch.save entry by\n"
        "entry with their CRC-32s, JSON, and " META_FILE ". Ends with 65\n"
        "when something is bad.",
        options, 1, 1};
    struct relay_error err = {0};
    struct verify v = {.dirfd = -1};
    struct json_object *obj;
    char **args;
    char *dir;
    int nargs, code;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    dir = find_dir(&place, args[0], &err);
    v.dir = dir;
    if (dir == NULL || verify_dir(&v, digest != NULL, &err) != 0) {
        code = cli_fail(SRESUME, &err);
    } else if (digest != NULL && digest[0] != '\0') {
        obj = to_json(&v);
        code = json_save(AT_FDCWD, digest, obj, &err) == 0
                   ? print_verdict(&v)
                   : cli_fail(SRESUME, &err);
        json_object_put(obj);
    } else if (json) {
        code = cli_json(to_json(&v));
        code = code == 0 && !all_good(&v) ? EX_DATAERR : code;
    } else {
        print_files(&v, digest != NULL);
        code = print_verdict(&v);
    }
    if (v.dirfd >= 0)
        close(v.dirfd);
    free(v.checks);
    manifest_free(&v.files);
    free(dir);
    return code;
}
