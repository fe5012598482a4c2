#include "tempdir.h"

#include <dirent.h>
#include <errno.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "sweep/sweep.h"

enum { PROCESSES = 8 };

#define GRID                                                                  \
    "method: grid\nproject: proj\nentity: lab\n"                              \
    "parameters:\n  b: {values: [1, 2, 3]}\n  a: {values: [x, y]}\n"

/* ---- what the tests do --------------------------------------------------- */

static int setup(void **state)
{
    char path[600];

    if (temp_setup(state) != 0 || chdir(temp.path) != 0)
        return -1;
    temp_text("relay.yaml", "cluster: here\nclusters:\n"
                            "  here: {out_root: /outs/%e}\n");
    unsetenv("RELAY_OUT_ROOT");
    return setenv("RELAY_CONFIG", temp_join("relay.yaml", path,
                                            sizeof(path)), 1);
}

static int teardown(void **state)
{
    return chdir("/") == 0 ? temp_teardown(state) : -1;
}

/* Creates with defaults; the code of the error, 0 when there is none. */
static int create(const char *source, const char *dir,
                  struct relay_error *err)
{
    struct sweep_create how = {.source = source, .dir = dir};
    char path[4096];

    memset(err, 0, sizeof(*err));
    return sweep_create(&how, path, sizeof(path), NULL, err) == 0 ? 0
                                                                  : err->code;
}

static void open_ok(const char *path, struct sweep *sweep)
{
    struct relay_error err = {0};

    if (sweep_open(path, sweep, &err) != 0)
        fail_msg("%s", err.text);
}

/* A sweep of a new source. */
static void make(const char *source, const char *text, struct sweep *sweep)
{
    struct relay_error err;

    temp_text(source, text);
    if (create(source, NULL, &err) != 0)
        fail_msg("%s", err.text);
    open_ok(source, sweep);
}

static void says(const struct relay_error *err, const char *what)
{
    if (strstr(err->text, what) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err->text, what);
}

static void append(const char *name, const char *text)
{
    FILE *file = fopen(name, "a");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* How many entries of the working directory begin so. */
static int entries(const char *prefix)
{
    const struct dirent *entry;
    DIR *dir = opendir(".");
    int n = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        n += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    closedir(dir);
    return n;
}

static int refresh(struct sweep *sweep, struct relay_error *err)
{
    memset(err, 0, sizeof(*err));
    return sweep_refresh(sweep, NULL, NULL, err);
}

/* ---- making -------------------------------------------------------------- */

static void a_sweep_is_what_its_source_says(void **state)
{
    struct sweep sweep;
    uint64_t i;

    (void)state;
    make("grid.yaml", GRID "#RELAY retries 5\n#RELAY done exit0\n", &sweep);
    assert_string_equal(sweep.name, "grid");
    assert_string_equal(sweep.entity, "lab");
    assert_string_equal(sweep.project, "proj");
    assert_int_equal(sweep.retries, 5);
    assert_int_equal(sweep.ids.n, 6);
    for (i = 0; i < 6; i++) {
        char id[CELL_ID_MAX + 1];
        uint64_t found;

        assert_int_equal(roster_id(sweep.roster, i, id, NULL), 0);
        assert_int_equal(sweep_find(&sweep, id, &found, NULL), 0);
        assert_int_equal(found, i);
    }
    assert_int_equal(faccessat(sweep.fd, "claims", F_OK, 0), 0);
    assert_int_equal(faccessat(sweep.fd, "ledgers", F_OK, 0), 0);
    sweep_close(&sweep);
}

static void the_same_source_again_is_fine_and_an_edited_one_is_not(
    void **state)
{
    struct relay_error err;
    struct sweep sweep;

    (void)state;
    make("same.yaml", GRID, &sweep);
    sweep_close(&sweep);
    assert_int_equal(create("same.yaml", NULL, &err), 0);
    assert_int_equal(create("./same.yaml", "same.sweep/", &err), 0);
    append("same.yaml", "  c: {value: 1}\n");
    assert_int_equal(create("same.yaml", NULL, &err), EX_CANTCREAT);
    says(&err, "same.yaml was edited");
    says(&err, "line 7");
    says(&err, "-o NEW.sweep");
    assert_int_equal(create("same.yaml", "other.sweep", &err), 0);
    open_ok("other.sweep", &sweep);
    assert_string_equal(strrchr(sweep.path, '/'), "/other.sweep");
    sweep_close(&sweep);
}

static void other_options_are_another_sweep(void **state)
{
    struct sweep_create how = {.source = "opt.txt"};
    struct relay_error err = {0};
    struct sweep sweep;
    char path[4096];

    (void)state;
    make("opt.txt", "a.yaml t\n", &sweep);
    sweep_close(&sweep);
    how.options.epochs = 20; /* what it is without the option */
    assert_int_equal(sweep_create(&how, path, sizeof(path), NULL, &err), 0);
    how.options.epochs = 3;
    assert_int_equal(sweep_create(&how, path, sizeof(path), NULL, &err), -1);
    assert_int_equal(err.code, EX_CANTCREAT);
    says(&err, "--epochs=20 and not 3");
}

static void an_edited_configuration_is_another_sweep(void **state)
{
    struct relay_error err;
    struct sweep sweep;
    char before[CELL_ID_MAX + 1], after[CELL_ID_MAX + 1];

    (void)state;
    temp_text("base.toml", "depth = 6\n");
    make("conf.yaml", "#RELAY config base.toml\n" GRID, &sweep);
    assert_int_equal(roster_id(sweep.roster, 0, before, NULL), 0);
    sweep_close(&sweep);
    temp_text("base.toml", "depth = 7\n");
    assert_int_equal(create("conf.yaml", NULL, &err), EX_CANTCREAT);
    says(&err, "base.toml was edited");
    open_ok("conf.sweep", &sweep); /* the sweep keeps its own */
    assert_int_equal(roster_id(sweep.roster, 0, after, NULL), 0);
    assert_string_equal(before, after);
    sweep_close(&sweep);
}

static void two_files_of_one_name_are_two_sweeps(void **state)
{
    struct relay_error err;
    struct sweep sweep;

    (void)state;
    make("two.txt", "a.yaml t\n", &sweep);
    sweep_close(&sweep);
    temp_mkdir("elsewhere");
    temp_text("elsewhere/two.txt", "a.yaml t\n");
    assert_int_equal(create("elsewhere/two.txt", NULL, &err), EX_CANTCREAT);
    says(&err, "/two.txt");
}

static void a_bad_source_leaves_nothing_behind(void **state)
{
    static const struct {
        const char *name, *text, *why;
    } bad[] = {
        {"bad.csv", "run_id,a\nx,1\ny,2\nx,3\n", "bad.csv:4: run_id x is that "
                                                 "of line 2"},
        {"bad.csv", "a,b\n1,2\n1.0,2\n", "bad.csv:3: the same cell as line 2"},
        {"bad.csv", "a,b\n1\n", "bad.csv:2: 1 field"},
        {"bad.txt", "p/a.yaml t\n#\nq/a.toml t\n", "bad.txt:3: the name a is "
                                                   "that of line 1"},
        {"bad.yaml", GRID "#RELAY exclude b\n", "cells #0 and #1"},
        {"bad.yaml", GRID "#RELAY out out/{name}\n", "without {id}"},
        {"bad.yaml", GRID "#RELAY out ../{id}\n", "leads out"},
        {"bad.yaml", GRID "#RELAY out {idd}/{id}\n", "{idd} is not known"},
    };
    struct relay_error err;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        temp_text(bad[i].name, bad[i].text);
        assert_int_equal(create(bad[i].name, NULL, &err), EX_DATAERR);
        says(&err, bad[i].why);
        assert_int_equal(entries("bad.sweep"), 0);
        assert_int_equal(entries("."), 2); /* "." and ".." */
    }
    assert_int_equal(create("gone.yaml", NULL, &err), EX_NOINPUT);
    temp_text("fine.yaml", GRID);
    assert_int_equal(create("fine.yaml", "no/where.sweep", &err),
                     EX_CANTCREAT);
}

static void what_is_there_already_is_left_alone(void **state)
{
    struct relay_error err;
    struct sweep sweep;

    (void)state;
    temp_text("there.yaml", GRID);
    temp_mkdir("there.sweep");
    temp_text("there.sweep/thesis.tex", "years of work\n");
    assert_int_equal(create("there.yaml", NULL, &err), EX_CANTCREAT);
    says(&err, "is not a sweep");
    assert_int_equal(access("there.sweep/thesis.tex", F_OK), 0);
    temp_text("file.sweep", "a file\n");
    assert_int_equal(create("there.yaml", "file.sweep", &err), EX_CANTCREAT);
    temp_mkdir("empty");
    assert_int_equal(create("there.yaml", "empty", &err), 0);
    open_ok("empty", &sweep);
    assert_int_equal(sweep.ids.n, 6);
    sweep_close(&sweep);
}

static void what_a_killed_creation_left_goes_away(void **state)
{
    static const struct timespec old[2] = {{.tv_sec = 1000000000},
                                           {.tv_sec = 1000000000}};
    struct sweep sweep;

    (void)state;
    temp_mkdir(".left.sweep.tmp-old");
    temp_text(".left.sweep.tmp-old/ids", "half\n");
    temp_mkdir(".left.sweep.tmp-young"); /* somebody may be at it */
    temp_mkdir(".other.sweep.tmp-old");
    assert_int_equal(utimensat(temp.fd, ".left.sweep.tmp-old", old, 0), 0);
    assert_int_equal(utimensat(temp.fd, ".other.sweep.tmp-old", old, 0), 0);
    make("left.yaml", GRID, &sweep);
    sweep_close(&sweep);
    assert_int_equal(entries(".left"), 1);
    assert_int_equal(entries(".other"), 1);
    assert_int_equal(rmdir(".left.sweep.tmp-young"), 0);
    assert_int_equal(rmdir(".other.sweep.tmp-old"), 0);
}

/* Runs PROCESSES of them at once; how many ended with 0. */
static int at_once(int (*child)(int number))
{
    pid_t pids[PROCESSES];
    int gate[2];
    int i, good = 0;
    char c;

    assert_int_equal(pipe(gate), 0);
    for (i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            close(gate[1]);
            if (read(gate[0], &c, 1) != 0) /* until all are there */
                _exit(1);
            _exit(child(i));
        }
    }
    close(gate[0]);
    close(gate[1]);
    for (i = 0; i < PROCESSES; i++) {
        int status = -1;

        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        good += status == 0;
    }
    return good;
}

static int create_and_open(int number)
{
    struct relay_error err;
    struct sweep sweep = {.fd = -1};
    int rc = create("race.csv", NULL, &err);

    (void)number;
    if (rc == 0)
        rc = sweep_open("race.csv", &sweep, &err);
    if (rc == 0)
        rc = sweep.ids.n != 2000;
    if (rc != 0)
        fprintf(stderr, "%s\n", err.text);
    sweep_close(&sweep);
    return rc;
}

static void eight_make_it_at_once(void **state)
{
    FILE *file = fopen("race.csv", "w");
    int i;

    (void)state;
    assert_non_null(file);
    fprintf(file, "seed,lr\n");
    for (i = 0; i < 2000; i++)
        fprintf(file, "%d,0.1\n", i);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(at_once(create_and_open), PROCESSES);
    assert_int_equal(entries("race.sweep"), 1);
    assert_int_equal(entries(".race"), 0);
}

/* ---- opening ------------------------------------------------------------- */

static void a_newer_version_is_refused(void **state)
{
    struct relay_error err = {0};
    struct sweep sweep;

    (void)state;
    make("newer.yaml", GRID, &sweep);
    sweep_close(&sweep);
    temp_text("newer.sweep/sweep.json", "{\"format\": 2}\n");
    assert_int_equal(sweep_open("newer.sweep", &sweep, &err), -1);
    assert_int_equal(err.code, EX_CONFIG);
    says(&err, "format 2");
    sweep_close(&sweep);
    assert_int_equal(create("newer.yaml", NULL, &err), EX_CONFIG);
}

static void what_is_no_sweep_is_said(void **state)
{
    struct relay_error err = {0};
    struct sweep sweep;

    (void)state;
    temp_text("none.yaml", GRID);
    assert_int_equal(sweep_open("none.yaml", &sweep, &err), -1);
    assert_int_equal(err.code, EX_NOINPUT);
    says(&err, "ssweep create none.yaml");
    sweep_close(&sweep);
    temp_mkdir("plain");
    assert_int_equal(sweep_open("plain", &sweep, &err), -1);
    assert_int_equal(err.code, EX_NOINPUT);
    sweep_close(&sweep);
    assert_int_equal(sweep_open("nothing", &sweep, &err), -1);
    assert_int_equal(err.code, EX_NOINPUT);
    sweep_close(&sweep);
}

static void damage_is_seen(void **state)
{
    struct relay_error err = {0};
    struct sweep sweep;

    (void)state;
    make("hurt.yaml", GRID, &sweep);
    sweep_close(&sweep);
    assert_int_equal(truncate("hurt.sweep/source/1/ids", 64), 0);
    assert_int_equal(sweep_open("hurt.sweep", &sweep, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    says(&err, "ids: it is cut off");
    sweep_close(&sweep);
}

/* ---- finding ------------------------------------------------------------- */

static void a_cell_is_found_by_the_beginning_of_its_id(void **state)
{
    struct relay_error err = {0};
    char id[CELL_ID_MAX + 1], other[CELL_ID_MAX + 1];
    struct sweep sweep;
    uint64_t index;

    (void)state;
    make("find.yaml", GRID "  seed: {values: [1, 2]}\n", &sweep);
    assert_int_equal(roster_id(sweep.roster, 4, id, NULL), 0);
    assert_int_equal(roster_id(sweep.roster, 5, other, NULL), 0);
    assert_int_equal(sweep_find(&sweep, "#4", &index, &err), 0);
    assert_int_equal(index, 4);
    assert_int_equal(sweep_find(&sweep, "#12", &index, &err), -1);
    says(&err, "#0 to #11");
    assert_int_equal(sweep_find(&sweep, "#x", &index, &err), -1);
    id[8] = '\0'; /* both seeds begin so */
    assert_int_equal(sweep_find(&sweep, id, &index, &err), -1);
    assert_int_equal(err.code, EX_USAGE);
    says(&err, other);
    other[7] = '\0';
    assert_int_equal(sweep_find(&sweep, other, &index, &err), -1);
    assert_int_equal(sweep_find(&sweep, "zzzzzzzzzz", &index, &err), -1);
    assert_int_equal(sweep_find(&sweep, "", &index, &err), -1);
    assert_int_equal(sweep_find(&sweep, "3", &index, &err), 0);
    assert_int_equal(index, 3);
    assert_int_equal(sweep_find(&sweep, "3x", &index, &err), -1);
    sweep_close(&sweep);
}

static void names_are_found_by_their_beginning(void **state)
{
    struct relay_error err = {0};
    struct sweep sweep;
    uint64_t index;

    (void)state;
    make("names.csv", "run_id,a\nfineweb-base-1,1\nfineweb-base-2,2\n"
                      "fineweb-big-1,3\n", &sweep);
    assert_int_equal(sweep_find(&sweep, "fineweb-base-2", &index, &err), 0);
    assert_int_equal(index, 1);
    assert_int_equal(sweep_find(&sweep, "fineweb-bi", &index, &err), 0);
    assert_int_equal(index, 2);
    assert_int_equal(sweep_find(&sweep, "fineweb-ba", &index, &err), -1);
    says(&err, "fineweb-base-1 and fineweb-base-2");
    assert_int_equal(sweep_find(&sweep, "finweb-big-1", &index, &err), -1);
    says(&err, "the nearest is fineweb-big-1");
    sweep_close(&sweep);
}

/* ---- growing ------------------------------------------------------------- */

static bool first_line(void *arg, uint64_t index)
{
    (void)arg;
    return index == 0;
}

static void appended_lines_are_taken_in(void **state)
{
    struct relay_error err;
    struct sweep sweep, other;
    uint64_t index;

    (void)state;
    make("grow.txt", "a.yaml t\nb.yaml t\n", &sweep);
    open_ok("grow.sweep", &other);
    assert_int_equal(refresh(&sweep, &err), 0);
    append("grow.txt", "c.yaml t 3\nd.ya");
    assert_int_equal(refresh(&sweep, &err), 1);
    assert_int_equal(roster_size(sweep.roster), 3); /* d is being written */
    assert_int_equal(sweep_find(&sweep, "c", &index, &err), 0);
    assert_int_equal(index, 2);
    assert_int_equal(refresh(&sweep, &err), 0);
    append("grow.txt", "ml t\n");
    assert_int_equal(refresh(&sweep, &err), 1);
    assert_int_equal(sweep_find(&sweep, "d", &index, &err), 0);
    assert_int_equal(index, 3);
    /* Another worker has the same cells, with the file gone, too. */
    assert_int_equal(unlink("grow.txt"), 0);
    assert_int_equal(refresh(&other, &err), 1);
    assert_int_equal(roster_size(other.roster), 4);
    assert_int_equal(sweep_find(&other, "d", &index, &err), 0);
    sweep_close(&other);
    open_ok("grow.sweep", &other);
    assert_int_equal(roster_size(other.roster), 4);
    sweep_close(&other);
    sweep_close(&sweep);
}

static void an_unclaimed_line_can_be_withdrawn(void **state)
{
    struct relay_error err = {0};
    struct sweep sweep;
    uint64_t index;

    (void)state;
    make("draw.txt", "a.yaml t\nb.yaml t\nc.yaml t\n", &sweep);
    temp_text("draw.txt", "a.yaml  t\n# b.yaml t\nc.yaml t\n");
    assert_int_equal(sweep_refresh(&sweep, first_line, NULL, &err), 1);
    assert_true(roster_withdrawn(sweep.roster, 1));
    assert_false(roster_withdrawn(sweep.roster, 2));
    assert_int_equal(sweep_find(&sweep, "b", &index, &err), -1);
    assert_int_equal(sweep_find(&sweep, "c", &index, &err), 0);
    assert_int_equal(index, 2);
    temp_text("draw.txt", "a.yaml t\nb.yaml t\nc.yaml t\n"); /* back again */
    assert_int_equal(sweep_refresh(&sweep, first_line, NULL, &err), 1);
    assert_int_equal(sweep_find(&sweep, "b", &index, &err), 0);
    sweep_close(&sweep);
}

static bool any_line(void *arg, uint64_t index)
{
    (void)arg;
    return index < 2;
}

static void a_claimed_line_stays_a_cell(void **state)
{
    struct relay_error err = {0};
    struct sweep sweep;
    char id[CELL_ID_MAX + 1];
    uint64_t index;

    (void)state;
    make("keep.txt", "a.yaml t\nb.yaml t\nc.yaml t", &sweep);
    temp_text("keep.txt", "#a.yaml t\nb.yaml t\nc.yaml t");
    assert_int_equal(sweep_refresh(&sweep, first_line, NULL, &err), 0);
    assert_non_null(strstr(sweep.note, "keep.txt:1: "));
    assert_non_null(strstr(sweep.note, "claimed"));
    assert_false(roster_withdrawn(sweep.roster, 0));
    sweep.note[0] = '\0';
    assert_int_equal(sweep_refresh(&sweep, first_line, NULL, &err), 0);
    assert_string_equal(sweep.note, ""); /* said once */
    /* What is appended beside is taken in, what is withdrawn, too. */
    temp_text("keep.txt", "#a.yaml t\n #b.yaml t\n# c.yaml t\nd.yaml t 3\n");
    assert_int_equal(sweep_refresh(&sweep, any_line, NULL, &err), 1);
    assert_non_null(strstr(sweep.note, "so were 1 more"));
    assert_false(roster_withdrawn(sweep.roster, 0));
    assert_false(roster_withdrawn(sweep.roster, 1));
    assert_true(roster_withdrawn(sweep.roster, 2));
    assert_int_equal(roster_id(sweep.roster, 1, id, &err), 0);
    assert_string_equal(id, "b");
    assert_int_equal(sweep_find(&sweep, "d", &index, &err), 0);
    assert_int_equal(index, 3);
    sweep_close(&sweep);
    open_ok("keep.sweep", &sweep);
    assert_int_equal(sweep_find(&sweep, "a", &index, &err), 0);
    assert_int_equal(sweep_refresh(&sweep, any_line, NULL, &err), 0);
    sweep_close(&sweep);
}

static void what_stood_there_may_not_change(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"#RELAY retries 1\na.yaml t\nx.yaml t\n", "edit.txt:3: this line"},
        {"#RELAY retries 1\na.yaml t 5\nb.yaml t\n", "edit.txt:2: this line"},
        {"#RELAY retries 1\na.yaml t\n", "edit.txt:3: there was a line"},
        {"#RELAY retries 2\na.yaml t\nb.yaml t\n", "edit.txt:1: #RELAY"},
        {"a.yaml t\nb.yaml t\n", "edit.txt:1: #RELAY"},
        {"#RELAY retries 1\na.yaml t\nb.yaml t\n#RELAY seed 3\n",
         "edit.txt:4: a #RELAY line"},
        {"#RELAY retries 1\na.yaml t\nb.yaml t\n  #RELAY retries 3\n",
         "edit.txt:4: a #RELAY line"},
        {"#RELAY retries 1\na.yaml t\nb.yaml t\nq/a.yaml t\n",
         "edit.txt:4: the name a is that of line 2"},
        {"#RELAY retries 1\na.yaml t\nb.yaml t\nc.yaml t 1 2\n",
         "edit.txt:4:12: `2` is one word too many"},
    };
    struct relay_error err;
    struct sweep sweep;
    size_t i;

    (void)state;
    make("edit.txt", "#RELAY retries 1\na.yaml t\nb.yaml t\n", &sweep);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        temp_text("edit.txt", bad[i].text);
        assert_int_equal(refresh(&sweep, &err), -1);
        assert_int_equal(err.code, EX_DATAERR);
        says(&err, bad[i].why);
        assert_int_equal(roster_size(sweep.roster), 3);
        assert_int_equal(create("edit.txt", NULL, &err),
                         i < 7 ? EX_CANTCREAT : 0);
    }
    temp_text("edit.txt", ""); /* as an editor leaves it for a moment */
    assert_int_equal(refresh(&sweep, &err), 0);
    assert_int_equal(faccessat(sweep.fd, "source/2", F_OK, 0), -1);
    sweep_close(&sweep);
}

static void a_csv_grows_by_rows(void **state)
{
    struct relay_error err;
    struct sweep sweep;

    (void)state;
    make("rows.csv", "run_id,a\nx,1", &sweep); /* no line break */
    assert_int_equal(refresh(&sweep, &err), 0);
    append("rows.csv", "\ny,\"2\n");
    assert_int_equal(refresh(&sweep, &err), 0); /* the quote is open */
    append("rows.csv", "\"\nz,3");
    assert_int_equal(refresh(&sweep, &err), 1);
    assert_int_equal(roster_size(sweep.roster), 2);
    append("rows.csv", "\n");
    assert_int_equal(refresh(&sweep, &err), 1);
    assert_int_equal(roster_size(sweep.roster), 3);
    assert_int_equal(create("rows.csv", NULL, &err), 0);
    append("rows.csv", "x,4\n");
    assert_int_equal(refresh(&sweep, &err), -1);
    says(&err, "rows.csv:6: run_id x is that of line 2");
    temp_text("rows.csv", "run_id,a\nx,1\ny,\"2\n\"\nz,4\n");
    assert_int_equal(refresh(&sweep, &err), -1);
    says(&err, "rows.csv:5: this line");
    sweep_close(&sweep);
    make("joined.csv", "run_id,a\nx,1", &sweep);
    append("joined.csv", "2\n"); /* 1 has become 12 */
    assert_int_equal(refresh(&sweep, &err), -1);
    says(&err, "joined.csv:2: this line");
    sweep_close(&sweep);
}

/* Takes in what there is until all is there; number 0 writes it. */
static int grow_and_refresh(int number)
{
    struct relay_error err = {0};
    struct sweep sweep = {.fd = -1};
    int i, rc = sweep_open("crowd.sweep", &sweep, &err);

    for (i = 1; rc >= 0 && number == 0 && i < 40; i++) {
        char line[40];

        snprintf(line, sizeof(line), "c%d.yaml t\n", i);
        append("crowd.txt", line);
        rc = refresh(&sweep, &err);
    }
    while (rc >= 0 && roster_size(sweep.roster) < 40)
        rc = refresh(&sweep, &err);
    if (rc < 0)
        fprintf(stderr, "%s\n", err.text);
    sweep_close(&sweep);
    return rc < 0;
}

static void eight_take_in_what_grows(void **state)
{
    struct sweep sweep;
    uint64_t index;

    (void)state;
    make("crowd.txt", "c0.yaml t\n", &sweep);
    sweep_close(&sweep);
    alarm(120);
    assert_int_equal(at_once(grow_and_refresh), PROCESSES);
    alarm(0);
    open_ok("crowd.sweep", &sweep);
    assert_int_equal(roster_size(sweep.roster), 40);
    assert_int_equal(sweep_find(&sweep, "c39", &index, NULL), 0);
    assert_int_equal(index, 39);
    sweep_close(&sweep);
}

/* ---- directories and keys ------------------------------------------------ */

static void dir_is(const struct sweep *sweep, const char *out_root,
                   const char *wanted)
{
    struct relay_error err = {0};
    struct cell cell;
    char *dir;

    assert_int_equal(roster_cell(sweep->roster, 0, &cell, NULL), 0);
    dir = sweep_cell_dir(sweep, &cell, out_root, &err);
    if (dir == NULL)
        fail_msg("%s", err.text);
    assert_string_equal(dir, wanted);
    free(dir);
    cell_free(&cell);
}

static void a_cell_has_a_directory_of_its_own(void **state)
{
    char id[CELL_ID_MAX + 1], wanted[2048];
    struct sweep sweep;

    (void)state;
    make("dir.yaml", "name: ../a/b\n" GRID, &sweep);
    assert_int_equal(roster_id(sweep.roster, 0, id, NULL), 0);
    snprintf(wanted, sizeof(wanted), "/outs/lab/proj/.._a_b/%s", id);
    dir_is(&sweep, NULL, wanted); /* of the configuration */
    snprintf(wanted, sizeof(wanted), "/o/proj/.._a_b/%s", id);
    dir_is(&sweep, "/o/", wanted);
    snprintf(wanted, sizeof(wanted), "%s/o/proj/.._a_b/%s", temp.path, id);
    dir_is(&sweep, "o", wanted);
    sweep_close(&sweep);
    setenv("RELAY_OUT_ROOT", "/env", 1);
    open_ok("dir.sweep", &sweep);
    snprintf(wanted, sizeof(wanted), "/env/proj/.._a_b/%s", id);
    dir_is(&sweep, NULL, wanted);
    sweep_close(&sweep);
    unsetenv("RELAY_OUT_ROOT");
    make("run.csv", "run_id,a\nbase-1,1\n", &sweep);
    dir_is(&sweep, "/o", "/o/base-1");
    sweep_close(&sweep);
    make("tmpl.csv", "#RELAY out /abs/{name}/{index}\nrun_id,a\nbase-1,1\n",
         &sweep);
    dir_is(&sweep, "/o", "/abs/tmpl/0");
    sweep_close(&sweep);
}

static void without_configuration_cells_write_beside_the_sweep(void **state)
{
    char path[600], wanted[1200];
    struct sweep sweep;

    (void)state;
    temp_text("bare.yaml", "cluster: here\n");
    setenv("RELAY_CONFIG", temp_join("bare.yaml", path, sizeof(path)), 1);
    make("beside.csv", "run_id,a\nbase-1,1\n", &sweep);
    assert_non_null(realpath(temp.path, path));
    snprintf(wanted, sizeof(wanted), "%s/out/base-1", path);
    dir_is(&sweep, NULL, wanted);
    sweep_close(&sweep);
    setenv("RELAY_CONFIG", temp_join("relay.yaml", path, sizeof(path)), 1);
}

static void a_broken_configuration_is_said_when_it_is_needed(void **state)
{
    struct relay_error err = {0};
    char path[600];
    struct sweep sweep;
    struct cell cell;

    (void)state;
    make("cfg.csv", "run_id,a\nbase-1,1\n", &sweep);
    sweep_close(&sweep);
    temp_text("broken.yaml", "nonsense: 1\n");
    setenv("RELAY_CONFIG", temp_join("broken.yaml", path, sizeof(path)), 1);
    open_ok("cfg.sweep", &sweep);
    dir_is(&sweep, "/o", "/o/base-1");
    assert_int_equal(roster_cell(sweep.roster, 0, &cell, NULL), 0);
    assert_null(sweep_cell_dir(&sweep, &cell, NULL, &err));
    assert_int_equal(err.code, EX_CONFIG);
    says(&err, "broken.yaml:1:");
    cell_free(&cell);
    sweep_close(&sweep);
    setenv("RELAY_CONFIG", temp_join("relay.yaml", path, sizeof(path)), 1);
}

static void a_cell_has_a_resume_key(void **state)
{
    struct relay_error err = {0};
    struct sweep sweep;
    char key[600];

    (void)state;
    make("key.csv", "run_id,a\nbase-1,1\n", &sweep);
    assert_string_equal(sweep.project, "key");
    free(sweep.entity);
    sweep.entity = strdup("a/b%c");
    assert_int_equal(sweep_cell_key(&sweep, "base-1", key, sizeof(key), &err),
                     0);
    assert_string_equal(key, "a_b_c/key/base-1");
    assert_int_equal(sweep_cell_key(&sweep, "base-1", key, 8, &err), -1);
    assert_int_equal(err.code, EX_USAGE);
    sweep_close(&sweep);
}

static void job_scripts_are_frozen(void **state)
{
    struct relay_error err;
    struct sweep sweep;

    (void)state;
    temp_mkdir("exps");
    temp_mkdir("exps/one");
    temp_text("exps/one/JOB.slurm", "#!/bin/sh\n");
    assert_int_equal(create("exps", NULL, &err), 0);
    open_ok("exps", &sweep);
    assert_int_equal(roster_size(sweep.roster), 1);
    assert_int_equal(faccessat(sweep.fd, "source/1/exps/one/JOB.slurm", R_OK,
                               0), 0);
    sweep_close(&sweep);
    assert_int_equal(create("exps", NULL, &err), 0);
    temp_mkdir("exps/two");
    temp_text("exps/two/JOB.slurm", "#!/bin/sh\n");
    assert_int_equal(create("exps", NULL, &err), EX_CANTCREAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sweep_is_what_its_source_says),
        cmocka_unit_test(
            the_same_source_again_is_fine_and_an_edited_one_is_not),
        cmocka_unit_test(other_options_are_another_sweep),
        cmocka_unit_test(an_edited_configuration_is_another_sweep),
        cmocka_unit_test(two_files_of_one_name_are_two_sweeps),
        cmocka_unit_test(a_bad_source_leaves_nothing_behind),
        cmocka_unit_test(what_is_there_already_is_left_alone),
        cmocka_unit_test(what_a_killed_creation_left_goes_away),
        cmocka_unit_test(eight_make_it_at_once),
        cmocka_unit_test(a_newer_version_is_refused),
        cmocka_unit_test(what_is_no_sweep_is_said),
        cmocka_unit_test(damage_is_seen),
        cmocka_unit_test(a_cell_is_found_by_the_beginning_of_its_id),
        cmocka_unit_test(names_are_found_by_their_beginning),
        cmocka_unit_test(appended_lines_are_taken_in),
        cmocka_unit_test(an_unclaimed_line_can_be_withdrawn),
        cmocka_unit_test(a_claimed_line_stays_a_cell),
        cmocka_unit_test(what_stood_there_may_not_change),
        cmocka_unit_test(a_csv_grows_by_rows),
        cmocka_unit_test(eight_take_in_what_grows),
        cmocka_unit_test(a_cell_has_a_directory_of_its_own),
        cmocka_unit_test(without_configuration_cells_write_beside_the_sweep),
        cmocka_unit_test(a_broken_configuration_is_said_when_it_is_needed),
        cmocka_unit_test(a_cell_has_a_resume_key),
        cmocka_unit_test(job_scripts_are_frozen),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
