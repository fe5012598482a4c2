#include "tempdir.h"

#include "peer.h"

static struct peer_reply reply_of(const char *text, size_t len)
{
    struct peer_reply reply = {.out = malloc(len + 1), .len = len};

    assert_non_null(reply.out);
    memcpy(reply.out, text, len);
    reply.out[len] = '\0';
    return reply;
}

static void reads_lines_and_sections(void **state)
{
    static const char text[] = "step\t1200\nnoise\nname\ta b\t c\n"
                               "@meta\t11\nstep\t7\n\0\nx\n\n"
                               "step\t8\nneg\t-4\n";
    struct peer_reply reply = reply_of(text, sizeof(text) - 1);
    const char *bytes;
    char value[64];
    size_t len;

    (void)state;
    assert_int_equal(peer_int(&reply, "step", -1), 1200);
    assert_int_equal(peer_int(&reply, "neg", 0), -4);
    assert_int_equal(peer_int(&reply, "name", 5), 5);
    assert_int_equal(peer_int(&reply, "ste", 5), 5);
    assert_true(peer_value(&reply, "name", value, sizeof(value)));
    assert_string_equal(value, "a b\t c");
    assert_true(peer_value(&reply, "name", value, 3));
    assert_string_equal(value, "a ");
    assert_false(peer_value(&reply, "meta", value, sizeof(value)));
    bytes = peer_section(&reply, "meta", &len);
    assert_non_null(bytes);
    assert_int_equal(len, 11);
    assert_memory_equal(bytes, "step\t7\n\0\nx\n", 11);
    assert_null(peer_section(&reply, "step", &len));
    peer_reply_free(&reply);
}

static void collect(void *arg, const char *value, size_t len)
{
    char *text = arg;

    snprintf(text + strlen(text), 64 - strlen(text), "[%.*s]", (int)len,
             value);
}

static void each_in_order(void **state)
{
    static const char text[] = "f\t1\ng\t2\n@f\t3\na\nb\nf\t\n";
    struct peer_reply reply = reply_of(text, sizeof(text) - 1);
    char all[64] = "";

    (void)state;
    peer_each(&reply, "f", collect, all);
    assert_string_equal(all, "[1][a\nb][]");
    peer_reply_free(&reply);
}

/* What a broken section hides is not taken for lines. */
static void a_cut_section_ends_the_reply(void **state)
{
    static const char *const texts[] = {
        "a\t1\n@s\t99\nb\t2\n",  "a\t1\n@s\t-1\nb\t2\n",
        "a\t1\n@s\t1x\nb\t2\n",  "a\t1\n@s\t\nb\t2\n",
        "a\t1\n@s\t99999999999999999999\nb\t2\n",
    };
    size_t i, len;

    (void)state;
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct peer_reply reply = reply_of(texts[i], strlen(texts[i]));

        assert_int_equal(peer_int(&reply, "a", 0), 1);
        assert_int_equal(peer_int(&reply, "b", 0), 0);
        assert_null(peer_section(&reply, "s", &len));
        peer_reply_free(&reply);
    }
}

static void tells_what_time_heals(void **state)
{
    static const struct {
        const char *text;
        bool permanent;
        const char *line;
    } cases[] = {
        {"ada@h: Permission denied (publickey,password).\r\n", true,
         "ada@h: Permission denied (publickey,password)."},
        {"@@@ REMOTE HOST IDENTIFICATION HAS CHANGED! @@@\n"
         "Host key verification failed.\r\n", true,
         "Host key verification failed."},
        {"No ED25519 host key is known for h and you have requested strict "
         "checking.\nHost key verification failed.\n", true,
         "Host key verification failed."},
        {"ssh: Could not resolve hostname h: Name or service not known\r\n",
         true, "ssh: Could not resolve hostname h: Name or service not known"},
        {"ssh: Could not resolve hostname h: Temporary failure in name "
         "resolution\n", false,
         "ssh: Could not resolve hostname h: Temporary failure in name "
         "resolution"},
        {"ssh: connect to host h port 22: Connection refused\r\n", false,
         "ssh: connect to host h port 22: Connection refused"},
        {"ssh: connect to host h port 22: Connection timed out\n", false,
         "ssh: connect to host h port 22: Connection timed out"},
        {"ssh: connect to host h port 22: No route to host\n", false,
         "ssh: connect to host h port 22: No route to host"},
        {"kex_exchange_identification: read: Connection reset by peer\n",
         false, "kex_exchange_identification: read: Connection reset by peer"},
        {"Connection closed by 10.0.0.1 port 22\n", false,
         "Connection closed by 10.0.0.1 port 22"},
        /* A start-up file's complaint is not ssh's. */
        {"cat: /x: Permission denied\nConnection closed by h\n", false,
         "Connection closed by h"},
        {"command-line: line 0: Bad configuration option: x\n", true,
         "command-line: line 0: Bad configuration option: x"},
        {"a\033[31mb\n", false, "a?[31mb"},
        {"", false, ""},
    };
    size_t i;
    char line[256];

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool permanent = peer_permanent(cases[i].text, line, sizeof(line));

        assert_string_equal(line, cases[i].line);
        assert_int_equal(permanent, cases[i].permanent);
    }
}

static void quotes_for_sh(void **state)
{
    char *text = peer_quote("it's $HOME `x` \\");

    (void)state;
    assert_string_equal(text, "'it'\\''s $HOME `x` \\'");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_lines_and_sections),
        cmocka_unit_test(each_in_order),
        cmocka_unit_test(a_cut_section_ends_the_reply),
        cmocka_unit_test(tells_what_time_heals),
        cmocka_unit_test(quotes_for_sh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
