/* The mailbox of a courier, both sides on this host: the courier's cluster is
 * the local one to it, so that its sh is this host's. */
#include "runenv.h"

#include <dirent.h>
#include <signal.h>
#include <sysexits.h>

#include "clock.h"
#include "courier.h"
#include "manifest.h"

#define NONCE "0123456789abcdef0123456789abcdef"

enum { DEADLINE_MS = 60000 };

struct job {
    struct run run;
    struct peer peer;
};

static void configure(const char *cluster, const char *more)
{
    char text[2048], path[600];

    snprintf(text, sizeof(text), "cluster: %s\nclusters:\n  here:\n"
             "    resume_root: %s/root\n  there:\n    resume_root: %s/root\n"
             "%s", cluster, temp.path, temp.path, more);
    temp_text("relay.yaml", text);
    setenv("RELAY_CONFIG", temp_join("relay.yaml", path, sizeof(path)), 1);
}

/* A job of cluster here that may not log in to there. */
static struct job open_job(const char *name)
{
    struct relay_error err = {0};
    struct job job;

    configure("here", "    ssh: nobody.invalid\n    reach: login\n");
    setenv("SLURM_JOB_ID", "77", 1);
    job.run = runenv_open(name);
    if (peer_open(&job.run.cfg, "there", &job.peer, &err) != 0)
        fail_msg("%s", err.text);
    return job;
}

/* Once it stands where it stays. */
static void use(struct job *job)
{
    assert_int_equal(courier_use(&job->run, 30, &job->peer, NULL), 0);
}

static void close_job(struct job *job)
{
    courier_leave(&job->peer);
    run_close(&job->run);
}

static struct run open_login(const char *name)
{
    struct run run;

    configure("there", "");
    unsetenv("SLURM_JOB_ID");
    run = runenv_open(name);
    setenv("SLURM_JOB_ID", "77", 1);
    return run;
}

static pid_t start(struct run *run)
{
    struct relay_error err = {0};
    pid_t pid;

    if (courier_start(run, "there", &pid, &err) != 0)
        fail_msg("%s", err.text);
    return pid;
}

static bool exists(const char *name)
{
    return faccessat(temp.fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void wait_until(bool (*is)(const char *arg), const char *arg)
{
    int64_t until = clock_ms() + DEADLINE_MS;

    while (!is(arg)) {
        if (clock_ms() > until)
            fail_msg("waited for %s", arg);
        clock_sleep_ms(20);
    }
}

static bool courier_came(const char *arg)
{
    return courier_is_there((const struct peer *)(const void *)arg);
}

static size_t lines_of(const char *name)
{
    size_t len = 0, n = 0, i;
    char *text = file_read(temp.fd, name, 4096, &len, NULL);

    for (i = 0; text != NULL && i < len; i++)
        n += text[i] == '\n';
    free(text);
    return n;
}

/* What is in the mailbox but signs of life. */
static size_t letters(const struct run *run)
{
    int fd = openat(run->relayfd, "courier", O_RDONLY | O_DIRECTORY);
    DIR *dir = fdopendir(fd);
    struct dirent *entry;
    size_t n = 0;

    while ((entry = readdir(dir)) != NULL)
        n += entry->d_name[0] != '.' &&
             strncmp(entry->d_name, "here-", 5) != 0 &&
             strncmp(entry->d_name, "job-", 4) != 0;
    closedir(dir);
    return n;
}

/* As if all that are there had given no sign of life for an hour. */
static void age_signs(const struct run *run, const char *kind)
{
    int fd = openat(run->relayfd, "courier", O_RDONLY | O_DIRECTORY);
    struct timespec old[2] = {{.tv_sec = clock_wall() - 3600}};
    DIR *dir = fdopendir(fd);
    struct dirent *entry;

    old[1] = old[0];
    while ((entry = readdir(dir)) != NULL)
        if (strncmp(entry->d_name, kind, strlen(kind)) == 0)
            assert_int_equal(utimensat(fd, entry->d_name, old, 0), 0);
    closedir(dir);
}

static void a_script_goes_there_and_its_answer_comes_back(void **state)
{
    static const char script[] =
        "printf 'one\\t%s\\n' \"$1\"\nval two \"$2\"\necho bad >&2\nexit 3\n";
    const char *args[] = {"it's \"here\" \\ \xff", "", NULL};
    struct job job = open_job("answer");
    struct run login = open_login("answer");
    struct relay_error err = {0};
    struct peer_reply reply;
    pid_t pid = start(&login);
    char text[64];

    (void)state;
    use(&job);
    wait_until(courier_came, (const char *)&job.peer);
    if (peer_script(&job.peer, script, args, 10000, &reply, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(reply.exit_code, 3);
    assert_string_equal(reply.err, "bad");
    assert_true(peer_value(&reply, "one", text, sizeof(text)));
    assert_string_equal(text, args[0]);
    assert_true(peer_value(&reply, "two", text, sizeof(text)));
    assert_string_equal(text, "");
    peer_reply_free(&reply);
    assert_int_equal(letters(&job.run), 0);
    courier_stop(&pid);
    assert_int_equal(pid, 0);
    assert_false(courier_is_there(&job.peer));
    close_job(&job);
    run_close(&login);
}

static void nobody_there_is_said_with_what_to_type(void **state)
{
    struct job job = open_job("nobody");
    struct relay_error err = {0};
    struct peer_reply reply;

    (void)state;
    use(&job);
    assert_int_equal(peer_script(&job.peer, "true\n", NULL, 1000, &reply,
                                 &err), -1);
    assert_int_equal(err.code, EX_TEMPFAIL);
    assert_non_null(strstr(err.text, "shandoff lab/unit/nobody --attach"));
    assert_int_equal(letters(&job.run), 0);
    close_job(&job);
}

static void a_failure_there_is_the_jobs_failure(void **state)
{
    struct job job = open_job("failure");
    struct run login = open_login("failure");
    struct relay_error err = {0};
    struct peer_reply reply;
    pid_t pid = start(&login);

    (void)state;
    use(&job);
    wait_until(courier_came, (const char *)&job.peer);
    assert_int_equal(peer_script(&job.peer, "sleep 600\n", NULL, 300, &reply,
                                 &err), -1);
    assert_int_equal(err.code, EX_TEMPFAIL);
    assert_non_null(strstr(err.text, "did not answer in time"));
    courier_stop(&pid);
    close_job(&job);
    run_close(&login);
}

static void two_at_one_mailbox_do_the_work_once(void **state)
{
    static const char script[] = "echo x >>\"$1\"\nsleep 1\n";
    char count[600];
    const char *args[] = {temp_join("once", count, sizeof(count)), NULL};
    struct job job = open_job("two");
    struct run login = open_login("two");
    struct relay_error err = {0};
    struct peer_reply reply;
    pid_t first = start(&login), second = start(&login);
    int i;

    (void)state;
    use(&job);
    wait_until(courier_came, (const char *)&job.peer);
    for (i = 1; i <= 3; i++) {
        if (peer_script(&job.peer, script, args, 10000, &reply, &err) != 0)
            fail_msg("%s", err.text);
        peer_reply_free(&reply);
        assert_int_equal(lines_of("once"), i);
    }
    courier_stop(&first);
    courier_stop(&second);
    close_job(&job);
    run_close(&login);
}

/* In a process of its own, which waits. */
static pid_t ask(struct job *job, const char *script, const char *const *args)
{
    struct peer_reply reply;
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    use(job);
    wait_until(courier_came, (const char *)&job->peer);
    if (peer_script(&job->peer, script, args, DEADLINE_MS, &reply, NULL) != 0)
        _exit(1);
    _exit(reply.exit_code);
}

static bool is_there(const char *name)
{
    return exists(name);
}

static void what_one_left_undone_another_does(void **state)
{
    static const char script[] =
        "echo x >>\"$1/twice\"\n[ -e \"$1/go\" ] || exec sleep 600\nexit 5\n";
    const char *args[] = {temp.path, NULL};
    struct job job = open_job("follow");
    struct run login = open_login("follow");
    pid_t first = start(&login), second, asker;
    int status;

    (void)state;
    asker = ask(&job, script, args);
    wait_until(is_there, "twice");
    assert_int_equal(kill(first, SIGKILL), 0);
    assert_int_equal(waitpid(first, &status, 0), first);
    temp_text("go", "");
    age_signs(&login, "here-");
    second = start(&login);
    assert_int_equal(waitpid(asker, &status, 0), asker);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 5);
    assert_int_equal(lines_of("twice"), 2);
    courier_stop(&second);
    close_job(&job);
    run_close(&login);
}

static bool was_left(const char *arg)
{
    const struct run *run = (const struct run *)(const void *)arg;
    char *text = file_read(run->relayfd, "log", 1 << 20, NULL, NULL);
    bool is = text != NULL && strstr(text, "not wanted any more") != NULL;

    free(text);
    return is;
}

/* A job that stood still for a while, as on a node whose file server did not
 * answer, waits for its reply when it goes on. */
static void what_a_job_that_stood_still_asked_is_done(void **state)
{
    static const char script[] =
        "echo x >>\"$1/stood\"\n[ -e \"$1/on\" ] || exec sleep 600\nexit 5\n";
    const char *args[] = {temp.path, NULL};
    struct job job = open_job("still");
    struct run login = open_login("still");
    pid_t pid = start(&login), asker;
    int status;

    (void)state;
    asker = ask(&job, script, args);
    wait_until(is_there, "stood");
    assert_int_equal(kill(asker, SIGSTOP), 0);
    assert_int_equal(waitpid(asker, &status, WUNTRACED), asker);
    age_signs(&login, "job-");
    wait_until(was_left, (const char *)&login);
    temp_text("on", "");
    assert_int_equal(kill(asker, SIGCONT), 0);
    assert_int_equal(waitpid(asker, &status, 0), asker);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 5);
    assert_int_equal(lines_of("stood"), 2);
    courier_stop(&pid);
    close_job(&job);
    run_close(&login);
}

static void what_a_dead_job_asked_is_dropped(void **state)
{
    static const char letter[] = "courier/ask-" NONCE "-1";
    struct run login = open_login("dead");
    char text[800];
    pid_t pid;

    (void)state;
    snprintf(text, sizeof(text),
             "{\"format\": 1, \"kind\": \"script\", \"cluster\": \"there\", "
             "\"args\": [], \"script\": \"touch %s/done\"}", temp.path);
    assert_int_equal(mkdirat(login.relayfd, "courier", 0700), 0);
    assert_int_equal(file_write(login.relayfd, letter, text, strlen(text),
                                0600, NULL), 0);
    assert_int_equal(file_write(login.relayfd, "courier/job-" NONCE, "{}", 2,
                                0600, NULL), 0);
    age_signs(&login, "job-");
    pid = start(&login);
    while (letters(&login) > 0)
        clock_sleep_ms(20);
    courier_stop(&pid);
    assert_false(exists("done"));
    run_close(&login);
}

static void wanted_names_the_job_that_waits(void **state)
{
    struct job job = open_job("wanted");
    struct run login = open_login("wanted");
    char id[32] = "";

    (void)state;
    use(&job);
    assert_false(courier_wanted(&login, id, sizeof(id)));
    assert_false(courier_is_there(&job.peer));
    assert_true(courier_wanted(&login, id, sizeof(id)));
    assert_string_equal(id, "77");
    close_job(&job);
    assert_false(courier_wanted(&login, NULL, 0));
    run_close(&login);
}

static void a_mailbox_of_others_is_refused(void **state)
{
    struct run login = open_login("open");
    struct relay_error err = {0};
    pid_t pid;

    (void)state;
    assert_int_equal(mkdirat(login.relayfd, "courier", 0700), 0);
    assert_int_equal(fchmodat(login.relayfd, "courier", 0770, 0), 0);
    assert_int_equal(courier_start(&login, "there", &pid, &err), -1);
    assert_int_equal(err.code, EX_NOPERM);
    assert_int_equal(pid, 0);
    run_close(&login);
}

/* --- copies -------------------------------------------------------------- */

static int copy_to(struct job *job, const char *name, struct relay_error *err)
{
    struct manifest files = {0};
    char from[600], to[600];
    struct transfer t = {.peer = &job->peer,
                         .from = temp_join("from", from, sizeof(from)),
                         .to = temp_join(name, to, sizeof(to)),
                         .files = &files,
                         .wait_s = 5};
    int rc;

    assert_int_equal(manifest_of_dir(temp.fd, "from", 1, &files, NULL), 0);
    rc = transfer_pull(&t, NULL, err);
    manifest_free(&files);
    return rc;
}

static void files_are_copied_into_a_jobs_staging_alone(void **state)
{
    struct job job = open_job("copy");
    struct run login = open_login("copy");
    struct relay_error err = {0};
    struct manifest want = {0}, have = {0};
    pid_t pid = start(&login);
    char why[200];

    (void)state;
    use(&job);
    wait_until(courier_came, (const char *)&job.peer);
    temp_mkdir("from");
    temp_mkdir("from/sub");
    temp_text("from/a b", "one");
    temp_text("from/sub/c", "two");
    temp_mkdir("staging-" NONCE);
    temp_mkdir("home");
    if (copy_to(&job, "staging-" NONCE, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(manifest_of_dir(temp.fd, "from", 1, &want, NULL), 0);
    assert_int_equal(manifest_of_dir(temp.fd, "staging-" NONCE, 1, &have,
                                     NULL), 0);
    if (manifest_diff(&want, &have, why, sizeof(why)) != 0)
        fail_msg("%s", why);
    assert_int_equal(copy_to(&job, "home", &err), -1);
    assert_int_equal(err.code, EX_NOPERM);
    assert_false(exists("home/a b"));
    manifest_free(&want);
    manifest_free(&have);
    courier_stop(&pid);
    close_job(&job);
    run_close(&login);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_script_goes_there_and_its_answer_comes_back),
        cmocka_unit_test(nobody_there_is_said_with_what_to_type),
        cmocka_unit_test(a_failure_there_is_the_jobs_failure),
        cmocka_unit_test(two_at_one_mailbox_do_the_work_once),
        cmocka_unit_test(what_one_left_undone_another_does),
        cmocka_unit_test(what_a_job_that_stood_still_asked_is_done),
        cmocka_unit_test(what_a_dead_job_asked_is_dropped),
        cmocka_unit_test(wanted_names_the_job_that_waits),
        cmocka_unit_test(a_mailbox_of_others_is_refused),
        cmocka_unit_test(files_are_copied_into_a_jobs_staging_alone),
    };

    return cmocka_run_group_tests(tests, runenv_setup, temp_teardown);
}
