#define _GNU_SOURCE 1
#include "tempdir.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "clock.h"
#include "peer.h"

static struct config_cluster clusters[] = {
    {.name = (char *)"iris"},
    {.name = (char *)"closed", .ssh = (char *)"127.0.0.254"},
    {.name = (char *)"login", .ssh = (char *)"127.0.0.254",
     .reach = REACH_LOGIN},
    {.name = (char *)"none", .ssh = (char *)"h", .reach = REACH_NONE},
    {.name = (char *)"dash", .ssh = (char *)"-oProxyCommand=x"},
    {.name = (char *)"blank", .ssh = (char *)"h -oProxyCommand=x"},
    {.name = (char *)"empty", .ssh = (char *)""},
    {.name = (char *)"data", .ssh = (char *)"127.0.0.254",
     .data = (char *)"-x"},
};

static const struct config cfg = {.cluster = (char *)"iris",
                                  .clusters = clusters,
                                  .nclusters = 8};

static struct peer open_peer(const char *name)
{
    struct peer peer;
    struct relay_error err = {0};

    if (peer_open(&cfg, name, &peer, &err) != 0)
        fail_msg("%s", err.text);
    return peer;
}

/* Runs a script here and returns its answer. */
static struct peer_reply run(const char *script, const char *const *args)
{
    struct peer peer = open_peer("iris");
    struct peer_reply reply;
    struct relay_error err = {0};

    if (peer_script(&peer, script, args, 20000, &reply, &err) != 0)
        fail_msg("%s", err.text);
    return reply;
}

static void values_arrive_as_they_are(void **state)
{
    static const char *const args[] = {
        "it's", "$(touch /x) `id` \\ \"", "a\nb", "", "--", "*", NULL,
    };
    struct peer_reply reply =
        run("for a in \"$@\"; do printf '%s|' \"$a\"; done; printf %s $#",
            args);

    (void)state;
    assert_string_equal(reply.out,
                        "it's|$(touch /x) `id` \\ \"|a\nb||--|*|6");
    assert_int_equal(reply.exit_code, 0);
    peer_reply_free(&reply);
}

static void every_exit_is_a_whole_answer(void **state)
{
    struct peer_reply reply = run("echo a; exit 255; echo b", NULL);

    (void)state;
    assert_string_equal(reply.out, "a\n");
    assert_int_equal(reply.exit_code, 255);
    peer_reply_free(&reply);
    reply = run("", NULL);
    assert_string_equal(reply.out, "");
    assert_int_equal(reply.exit_code, 0);
    peer_reply_free(&reply);
    reply = run("echo lost >&2; false", NULL);
    assert_int_equal(reply.exit_code, 1);
    assert_string_equal(reply.err, "lost");
    peer_reply_free(&reply);
}

/* A program of the script's must not eat the rest of the script. */
static void programs_do_not_read_the_script(void **state)
{
    struct peer_reply reply = run("cat\necho after", NULL);

    (void)state;
    assert_string_equal(reply.out, "after\n");
    peer_reply_free(&reply);
}

static void a_script_that_breaks_off_is_no_answer(void **state)
{
    struct peer peer = open_peer("iris");
    struct peer_reply reply;
    struct relay_error err = {0};

    (void)state;
    assert_int_equal(peer_script(&peer, "echo a; kill -9 $$", NULL, 20000,
                                 &reply, &err), -1);
    assert_int_equal(err.code, EX_TEMPFAIL);
    assert_null(reply.out);
    assert_int_equal(peer_script(&peer, "if then", NULL, 20000, &reply, &err),
                     -1);
    assert_int_equal(err.code, EX_UNAVAILABLE);
    assert_int_equal(peer_script(&peer, "echo a; sleep 100", NULL, 300,
                                 &reply, &err), -1);
    assert_int_equal(err.code, EX_TEMPFAIL);
    peer_reply_free(&reply);
}

static void slurm_commands_print_what_we_ask(void **state)
{
    struct peer_reply reply;

    (void)state;
    setenv("SQUEUE_FORMAT", "%i", 1);
    setenv("SLURM_CLUSTERS", "other", 1);
    setenv("SACCT_FORMAT", "x", 1);
    reply = run("echo \"${SQUEUE_FORMAT-}${SLURM_CLUSTERS-}${SACCT_FORMAT-}\""
                "$SLURM_TIME_FORMAT", NULL);
    unsetenv("SQUEUE_FORMAT");
    unsetenv("SLURM_CLUSTERS");
    unsetenv("SACCT_FORMAT");
    assert_string_equal(reply.out, "%s\n");
    peer_reply_free(&reply);
}

static void answers_in_lines_and_sections(void **state)
{
    char path[600];
    const char *args[] = {temp_join("meta", path, sizeof(path)), NULL};
    struct peer_reply reply;
    char value[64];
    const char *bytes;
    size_t len;

    (void)state;
    temp_write("meta", "a\0b\n@end\t1\n", 11);
    reply = run("val name \"$(printf 'a\\tb\\nc')\"\n"
                "section meta \"$1\"; section gone \"$1.gone\"\n"
                "text_section text \"$(printf 'x\\ny')\"\nval last 7\n"
                "val scratch \"$relay_scratch\"", args);
    assert_true(peer_value(&reply, "name", value, sizeof(value)));
    assert_string_equal(value, "a?b?c");
    bytes = peer_section(&reply, "meta", &len);
    assert_non_null(bytes);
    assert_int_equal(len, 11);
    assert_memory_equal(bytes, "a\0b\n@end\t1\n", 11);
    assert_null(peer_section(&reply, "gone", &len));
    bytes = peer_section(&reply, "text", &len);
    assert_non_null(bytes);
    assert_int_equal(len, 3);
    assert_int_equal(peer_int(&reply, "last", 0), 7);
    assert_true(peer_value(&reply, "scratch", path, sizeof(path)));
    assert_int_not_equal(access(path, F_OK), 0);
    peer_reply_free(&reply);
}

static void expands_paths_and_nothing_else(void **state)
{
    static const struct {
        const char *text;
        const char *path; /* NULL: refused */
    } cases[] = {
        {"/a/$RELAY_T/x", "/a/t u/x"},
        {"/a/${RELAY_T}x", "/a/t ux"},
        {"~/c", "/home/ada/c"},
        {"~", "/home/ada"},
        {"/a~b", "/a~b"},
        {"rel/x", "/base/rel/x"},
        {"./rel", "/base/rel"},
        {"$RELAY_P/x", "/p$RELAY_T%u/x"}, /* a value is not expanded again */
        {"/a%%u%d", "/a%u%d"},
        {"/a b/'\"*", "/a b/'\"*"},
        {"~root/x", NULL},
        {"/a/$RELAY_UNSET", NULL},
        {"/a/${RELAY_T:-x}", NULL},
        {"/a/$(id)", NULL},
        {"/a/$1", NULL},
        {"/a/${RELAY_T", NULL},
        {"/a/$", NULL},
        {"/`id`/x", "/`id`/x"},
    };
    size_t i;

    (void)state;
    setenv("RELAY_T", "t u", 1);
    setenv("RELAY_P", "/p$RELAY_T%u", 1);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *args[] = {cases[i].text, NULL};
        struct peer_reply reply =
            run("HOME=/home/ada\nif expand_path \"$1\" /base\n"
                "then printf %s \"$path\"; else printf '!%s' \"$problem\"; fi",
                args);

        if (cases[i].path != NULL) {
            assert_string_equal(reply.out, cases[i].path);
        } else {
            assert_int_equal(reply.out[0], '!');
            assert_non_null(strstr(reply.out, cases[i].text));
        }
        peer_reply_free(&reply);
    }
    unsetenv("RELAY_T");
    unsetenv("RELAY_P");
}

static void sh_links_generations_as_we_do(void **state)
{
    const char *args[] = {temp.path, NULL};
    struct peer_reply reply =
        run("append_record \"$1\" run 1 'first'; printf %s $?\n"
            "append_record \"$1\" run 1 'second'; printf %s $?\n"
            "append_record \"$1\" run 3 'third'; printf %s $?\n"
            "append_record \"$1\" run 2 'second'; printf '%s ' $?\n"
            "last_generation \"$1\" run; printf '%s ' $generation\n"
            "ln() { command ln \"$@\"; return 1; }\n"
            "append_record \"$1\" run 3 'lied'; printf %s $?\n"
            "ln() { return 0; }\n"
            "append_record \"$1\" run 4 'lied'; printf '%s ' $?\n"
            "cat \"$1/run.1\"; ls -A \"$1\" | grep -c '^[.]tmp'", args);

    (void)state;
    assert_string_equal(reply.out, "0120 2 02 first\n0\n");
    peer_reply_free(&reply);
}

static void hosts_are_checked(void **state)
{
    static const char *const bad[] = {"none", "dash", "blank", "empty",
                                      "data"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct peer peer;
        struct relay_error err = {0};

        assert_int_equal(peer_open(&cfg, bad[i], &peer, &err), -1);
        assert_int_equal(err.code, EX_CONFIG);
        assert_non_null(strstr(err.text, bad[i]));
    }
}

static bool has(const char *const *argv, const char *arg)
{
    for (; *argv != NULL; argv++)
        if (strcmp(*argv, arg) == 0)
            return true;
    return false;
}

static void ssh_is_told_what_holds_everywhere(void **state)
{
    struct peer peer = open_peer("closed");
    const char *argv[64], *small[4];
    size_t n = peer_ssh_argv(&peer, true, argv, 64);

    (void)state;
    assert_null(argv[n]);
    assert_int_equal(argv[0][0], '/');
    assert_string_equal(argv[n - 1], "127.0.0.254");
    assert_true(has(argv, "BatchMode=yes"));
    assert_true(has(argv, "StrictHostKeyChecking=yes"));
    assert_true(has(argv, "ControlPath=none"));
    assert_int_equal(strncmp(peer.control.ciphers, "Ciphers=aes128-gcm@", 19),
                     0);
    assert_true(has(argv, peer.copies.ciphers));
    assert_int_equal(peer_ssh_argv(&peer, true, small, 4), 3);
    peer = open_peer("login");
    (void)peer_ssh_argv(&peer, false, argv, 64); /* a master may come yet */
    assert_false(has(argv, "ControlPath=none"));
}

static int said;

static void count_lines(void *arg, const char *text)
{
    assert_ptr_equal(arg, &said);
    assert_non_null(strstr(text, "trying again in 1 s"));
    said++;
}

static bool answers_ssh(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(22)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers;

    assert_true(fd >= 0);
    assert_int_equal(inet_pton(AF_INET, "127.0.0.254", &to.sin_addr), 1);
    answers = connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;
    close(fd);
    return answers;
}

static void a_closed_port_is_tried_again(void **state)
{
    struct peer peer = open_peer("closed");
    struct peer_reply reply;
    struct relay_error err = {0};

    (void)state;
    if (answers_ssh())
        skip(); /* an sshd on all addresses: no closed port to be had */
    assert_int_equal(peer_script_retry(&peer, "true", NULL, 20000, 1,
                                       count_lines, &said, &reply, &err), -1);
    assert_int_equal(err.code, EX_TEMPFAIL);
    assert_non_null(strstr(err.text, "closed"));
    assert_int_equal(said, 1);
}

static void in_a_job_a_login_peer_needs_the_master(void **state)
{
    struct peer peer = open_peer("login");
    struct peer_reply reply;
    struct relay_error err = {0};

    (void)state;
    setenv("SLURM_JOB_ID", "1", 1);
    assert_int_equal(peer_script(&peer, "true", NULL, 20000, &reply, &err),
                     -1);
    unsetenv("SLURM_JOB_ID");
    assert_int_equal(err.code, EX_TEMPFAIL);
    assert_non_null(strstr(err.text, "ssh -fNM 127.0.0.254"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_arrive_as_they_are),
        cmocka_unit_test(every_exit_is_a_whole_answer),
        cmocka_unit_test(programs_do_not_read_the_script),
        cmocka_unit_test(a_script_that_breaks_off_is_no_answer),
        cmocka_unit_test(slurm_commands_print_what_we_ask),
        cmocka_unit_test(answers_in_lines_and_sections),
        cmocka_unit_test(expands_paths_and_nothing_else),
        cmocka_unit_test(sh_links_generations_as_we_do),
        cmocka_unit_test(hosts_are_checked),
        cmocka_unit_test(ssh_is_told_what_holds_everywhere),
        cmocka_unit_test(a_closed_port_is_tried_again),
        cmocka_unit_test(in_a_job_a_login_peer_needs_the_master),
    };

    return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
