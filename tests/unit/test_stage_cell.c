/* A job's cell, without Slurm: claimed once, run under its key, ended. */
#include "runenv.h"

#include <sysexits.h>

#include "jobenv.h"
#include "stage_cell.h"

#define NONCE_A "0123456789abcdef0123456789abcdef"
#define NONCE_B "fedcba9876543210fedcba9876543210"
#define NONCE_C "00000000000000000000000000000001"

static char sweep_path[700];
static int made;

/* A sweep of its own for each test: two cells; more is put before. */
static void make_sweep(const char *more)
{
    char name[64], file[64], text[512], path[600], dir[600], out[4096];
    struct sweep_create create = {.source = path, .dir = dir};
    struct relay_error err = {0};

    snprintf(name, sizeof(name), "s%d.sweep", ++made);
    snprintf(file, sizeof(file), "s%d.yaml", made);
    snprintf(text, sizeof(text),
             "%sname: s%d\nentity: lab\nproject: unit%d\nmethod: grid\n"
             "parameters:\n  width: {values: [8, 16]}\n", more, made, made);
    temp_text(file, text);
    temp_join(file, path, sizeof(path));
    temp_join(name, dir, sizeof(dir));
    if (sweep_create(&create, out, sizeof(out), NULL, &err) != 0)
        fail_msg("%s", err.text);
    snprintf(sweep_path, sizeof(sweep_path), "%s", dir);
}

/* A run of a job: its nonce and its job directory. */
struct job {
    struct run_options opt;
    char dir[600];
    char value[800];
    char *env;
    size_t len;
    enum stage_verdict verdict;
    struct run_cell cell;
};

static struct job job_of(const char *nonce, const char *cell)
{
    struct job job = {.opt = {.nonce = nonce, .here = true}};

    temp_mkdir(nonce);
    temp_join(nonce, job.dir, sizeof(job.dir));
    snprintf(job.value, sizeof(job.value), "%s%s%s", sweep_path,
             cell[0] != '\0' ? ":" : "", cell);
    return job;
}

static int stage(struct job *job, struct relay_error *err)
{
    struct run run;
    int rc;

    job->opt.job_dir = job->dir;
    job->opt.sweep_cell = job->value;
    free(job->env);
    rc = stage_cell_in(&job->opt, &run, &job->verdict, &job->env, &job->len,
                       err);
    job->cell = run.cell;
    run_close(&run);
    return rc;
}

static void stage_runs(struct job *job)
{
    struct relay_error err = {0};

    if (stage(job, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(job->verdict, STAGE_RUN);
    assert_non_null(job->env);
}

static void out(struct job *job, int status)
{
    struct relay_error err = {0};
    struct run run;

    job->opt.job_dir = job->dir;
    if (run_open_resolved(&job->opt, &run, &err) != 0 ||
        stage_out(&run, status, 0, &err) != 0)
        fail_msg("%s", err.text);
    run_close(&run);
}

static void end_job(struct job *job)
{
    free(job->env);
    job->env = NULL;
    assert_int_equal(file_remove_tree(temp.fd, job->opt.nonce, NULL), 0);
}

static const char *get(const struct job *job, const char *name)
{
    return jobenv_get(job->env, job->len, name);
}

/* The state of a cell as a reader finds it, and the cause of its last end. */
static enum cell_state state_of(uint64_t index, char cause[24])
{
    const struct queue_options opt = {.read_only = true};
    struct relay_error err = {0};
    struct sweep sweep = {.fd = -1};
    const struct board_note *note;
    struct queue *queue = NULL;
    enum cell_state state;

    if (sweep_open(sweep_path, &sweep, &err) != 0 ||
        queue_open(&sweep, NULL, &opt, &queue, &err) != 0)
        fail_msg("%s", err.text);
    state = queue_state(queue, index);
    note = queue_note(queue, index);
    snprintf(cause, 24, "%s", note != NULL ? note->cause : "");
    queue_close(queue);
    sweep_close(&sweep);
    return state;
}

static void expect(uint64_t index, enum cell_state state, const char *cause)
{
    char found[24];

    assert_string_equal(cell_state_name(state_of(index, found)),
                        cell_state_name(state));
    if (cause != NULL)
        assert_string_equal(found, cause);
}

static void one_run_of_a_job_has_one_cell(void **state)
{
    struct job a, b;
    char first[64];

    (void)state;
    make_sweep("");
    a = job_of(NONCE_A, "");
    b = job_of(NONCE_B, "");
    stage_runs(&a);
    snprintf(first, sizeof(first), "%s", get(&a, "RELAY_CELL_ID"));
    stage_runs(&a); /* cut off, and called again */
    assert_string_equal(get(&a, "RELAY_CELL_ID"), first);
    assert_int_equal(a.cell.gen, 1);
    stage_runs(&b);
    assert_string_not_equal(get(&b, "RELAY_CELL_ID"), first);
    expect(0, CELL_RUNNING, NULL);
    expect(1, CELL_RUNNING, NULL);
    end_job(&a);
    end_job(&b);
}

static void the_body_gets_its_cell(void **state)
{
    struct job a;
    char *verdict;
    const char *record;
    bool gone = false;

    (void)state;
    make_sweep("");
    a = job_of(NONCE_A, "#1");
    stage_runs(&a);
    assert_string_equal(get(&a, "RELAY_SWEEP"), sweep_path);
    assert_string_equal(get(&a, "RELAY_CELL_INDEX"), "1");
    assert_string_equal(get(&a, "RELAY_CELL_ARGS"), "--width=16");
    assert_string_equal(get(&a, "RELAY_RUN_NONCE"), NONCE_A);
    assert_non_null(strstr(get(&a, "RELAY_RESUME_KEY"), "lab/unit"));
    assert_non_null(strstr(get(&a, "RELAY_RESUME_DIR"), "/root/"));
    assert_null(get(&a, "RELAY_RESUME_STEP"));
    assert_non_null(get(&a, "WANDB_RUN_ID"));
    assert_int_equal(access(get(&a, "RELAY_CELL_JSON"), R_OK), 0);
    assert_int_equal(access(get(&a, "RELAY_RUN_DIR"), W_OK), 0);
    assert_non_null(strstr(get(&a, "RELAY_SET"), "WANDB_RUN_ID"));
    /* A name alone is unset: with it W&B would drop our run's identity. */
    for (record = a.env; record < a.env + a.len; record += strlen(record) + 1)
        gone = gone || strcmp(record, "WANDB_SWEEP_ID") == 0;
    assert_true(gone);
    verdict = file_read(temp.fd, NONCE_A "/verdict", 64, NULL, NULL);
    assert_string_equal(verdict, "0\n");
    free(verdict);
    end_job(&a);
}

static void how_it_ended_is_recorded_by_cause(void **state)
{
    static const struct {
        int status;
        enum cell_state state;
        const char *cause;
    } cases[] = {
        {0, CELL_UNPROVEN, "exited"},
        {3 << 8, CELL_FAILED, "failed"},
        {11, CELL_FAILED, "failed"}, /* SIGSEGV is of its own making */
        {15, CELL_WAITING, "unresolved"},
        {9, CELL_WAITING, "unresolved"},
        {(128 + 15) << 8, CELL_WAITING, "unresolved"},
        {-1, CELL_WAITING, "unresolved"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct job a;

        make_sweep("#RELAY retries 0\n");
        a = job_of(NONCE_A, "#0");
        stage_runs(&a);
        out(&a, cases[i].status);
        expect(0, cases[i].state, cases[i].cause);
        out(&a, 0); /* an epilog that comes twice changes nothing */
        expect(0, cases[i].state, cases[i].cause);
        end_job(&a);
    }
}

static void proof_makes_it_done(void **state)
{
    struct job a;
    char path[1200];

    (void)state;
    make_sweep("");
    a = job_of(NONCE_A, "#0");
    stage_runs(&a);
    snprintf(path, sizeof(path), "%s/summary.json", get(&a, "RELAY_RUN_DIR"));
    assert_int_equal(file_write(AT_FDCWD, path, "{\"ok\": true}", 12, 0644,
                                NULL), 0);
    out(&a, 0);
    expect(0, CELL_DONE, NULL);
    end_job(&a);
    /* A cell that is done ends the job at once. */
    a = job_of(NONCE_B, "#0");
    assert_int_equal(stage(&a, NULL), 0);
    assert_int_equal(a.verdict, STAGE_DONE);
    end_job(&a);
}

static void a_restart_is_seen_in_the_epilog(void **state)
{
    struct job a;

    (void)state;
    make_sweep("");
    a = job_of(NONCE_A, "#0");
    stage_runs(&a);
    setenv("SLURM_JOB_RESTART_COUNT", "1", 1);
    out(&a, 0);
    unsetenv("SLURM_JOB_RESTART_COUNT");
    expect(0, CELL_WAITING, "requeued");
    end_job(&a);
}

static void what_never_ran_is_given_back(void **state)
{
    struct job a;

    (void)state;
    make_sweep("");
    a = job_of(NONCE_A, "#0");
    stage_runs(&a);
    /* Killed before its verdict was there. */
    assert_int_equal(unlinkat(temp.fd, NONCE_A "/verdict", 0), 0);
    out(&a, 15);
    expect(0, CELL_WAITING, "cancelled");
    end_job(&a);
}

static void a_job_without_a_cell_is_surplus(void **state)
{
    struct relay_error err = {0};
    struct job a, b, c;
    char *verdict;

    (void)state;
    make_sweep("");
    a = job_of(NONCE_A, "");
    b = job_of(NONCE_B, "");
    c = job_of(NONCE_C, "");
    stage_runs(&a);
    stage_runs(&b);
    assert_int_equal(stage(&c, &err), 0);
    assert_int_equal(c.verdict, STAGE_DONE);
    verdict = file_read(temp.fd, NONCE_C "/verdict", 64, NULL, NULL);
    assert_string_equal(verdict, "done\n");
    free(verdict);
    end_job(&a);
    end_job(&b);
    end_job(&c);
}

static void a_broken_state_holds_the_cell_back(void **state)
{
    struct relay_error err = {0};
    struct job a;
    char path[1200];

    (void)state;
    make_sweep("");
    a = job_of(NONCE_A, "#0");
    stage_runs(&a);
    snprintf(path, sizeof(path), "%s", get(&a, "RELAY_RESUME_DIR"));
    assert_int_equal(file_make_dirs(path, 0755, NULL), 0);
    snprintf(path, sizeof(path), "%s/resume_meta.json",
             get(&a, "RELAY_RESUME_DIR"));
    out(&a, 15);
    assert_int_equal(file_write(AT_FDCWD, path, "{", 1, 0644, NULL), 0);
    end_job(&a);
    /* Who names it is told, and may try again; */
    a = job_of(NONCE_B, "#0");
    assert_int_equal(stage(&a, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    expect(0, CELL_WAITING, "refused");
    end_job(&a);
    /* who takes any would meet it again and again. */
    a = job_of(NONCE_C, "");
    assert_int_equal(stage(&a, &err), -1);
    expect(0, CELL_QUARANTINED, "refused");
    end_job(&a);
}

static void wrong_values_are_refused(void **state)
{
    struct relay_error err = {0};
    struct job a;

    (void)state;
    make_sweep("");
    a = job_of(NONCE_A, "ffffffffffffffff");
    assert_int_equal(stage(&a, &err), -1);
    assert_int_equal(err.code, EX_USAGE);
    snprintf(a.value, sizeof(a.value), "%s/nothing", temp.path);
    assert_int_equal(stage(&a, &err), -1);
    assert_int_equal(err.code, EX_USAGE);
    snprintf(a.value, sizeof(a.value), "%s:%%a", sweep_path);
    assert_int_equal(stage(&a, &err), -1);
    assert_int_equal(err.code, EX_USAGE);
    assert_non_null(strstr(err.text, "not an array"));
    end_job(&a);
    expect(0, CELL_WAITING, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_run_of_a_job_has_one_cell),
        cmocka_unit_test(the_body_gets_its_cell),
        cmocka_unit_test(how_it_ended_is_recorded_by_cause),
        cmocka_unit_test(proof_makes_it_done),
        cmocka_unit_test(a_restart_is_seen_in_the_epilog),
        cmocka_unit_test(what_never_ran_is_given_back),
        cmocka_unit_test(a_job_without_a_cell_is_surplus),
        cmocka_unit_test(a_broken_state_holds_the_cell_back),
        cmocka_unit_test(wrong_values_are_refused),
    };

    return cmocka_run_group_tests(tests, runenv_setup, temp_teardown);
}
