#include "tempdir.h"

#include <errno.h>
#include <pwd.h>
#include <sysexits.h>

#include "config.h"
#include "config_read.h"
#include "config_value.h"
#include "file.h"

/* No file of this machine and no variable of this shell may matter. */
static int clean_setup(void **state)
{
    static const char *const unset[] = {"RELAY_CONFIG", "SLURM_CLUSTER_NAME",
                                        "ENTITY"};
    char path[600];
    size_t i;

    if (temp_setup(state) != 0)
        return -1;
    for (i = 0; i < sizeof(unset) / sizeof(unset[0]); i++)
        unsetenv(unset[i]);
    setenv("HOME", temp_join("home", path, sizeof(path)), 1);
    setenv("SLURM_CONF", temp_join("etc/slurm.conf", path, sizeof(path)), 1);
    temp_join("home/.config/slurm-relay", path, sizeof(path));
    if (file_make_dirs(path, 0755, NULL) != 0)
        return -1;
    if (mkdirat(temp.fd, "etc", 0755) != 0)
        return -1;
    return mkdirat(temp.fd, "work", 0755);
}

/* The files of the test before must not speak in this one. */
static int clear_files(void **state)
{
    static const char *const files[] = {
        "etc/relay.yaml", "etc/slurm.conf", "work/.relay.yaml", "alone.yaml",
        "home/.config/slurm-relay/relay.yaml"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        unlinkat(temp.fd, files[i], 0);
    unsetenv("RELAY_CONFIG");
    unsetenv("SLURM_CLUSTER_NAME");
    return 0;
}

static int load(struct config *cfg, struct relay_error *err)
{
    char work[600];

    return config_load(NULL, temp_join("work", work, sizeof(work)), cfg, err);
}

static void read_ok(const char *text, struct config *cfg)
{
    struct relay_error err = {0};

    config_defaults(cfg);
    if (config_read(text, strlen(text), "f.yaml", cfg, &err) != 0)
        fail_msg("%s", err.text);
}

static void defaults_without_files(void **state)
{
    struct relay_error err = {0};
    struct config cfg;

    (void)state;
    assert_int_equal(load(&cfg, &err), 0);
    assert_null(cfg.cluster);
    assert_int_equal(cfg.min_remaining, 1800);
    assert_int_equal(cfg.overhead, 600);
    assert_int_equal(cfg.stop_timeout, 120);
    assert_int_equal(cfg.source_wait, 600);
    assert_int_equal(cfg.peers, PEERS_WARN);
    assert_int_equal(cfg.copy_run_dir, COPY_NONE);
    assert_int_equal(cfg.tracker, TRACKER_AUTO);
    assert_int_equal(cfg.takeover_quiet, 0);
    assert_null(cfg.checkpoint_signal);
    assert_null(config_find(&cfg, NULL, &err));
    assert_int_equal(err.code, EX_CONFIG);
    config_free(&cfg);
}

static void reads_every_key(void **state)
{
    struct config cfg;

    (void)state;
    read_ok("cluster: iris\n"
            "clusters:\n"
            "  iris:\n"
            "    resume_root: ./checkpoints/_resume\n"
            "    submit: [-p, iris-hi, -t, \"18:00:00\"]\n"
            "    max_gpus: 6\n"
            "  sherlock: {ssh: ada@sherlock, data: dtn, reach: login,\n"
            "    run_root: $GROUP_SCRATCH/%u, out_root: /o,\n"
            "    copy_with: srun -p xfer}\n"
            "speed: {RTX2080Ti: 1, A100: 1.5}\n"
            "path_map: {/scratch/lab: /iris/lab}\n"
            "handoff: {min_remaining: 1h30m, overhead: 90, stop_timeout: 2m,\n"
            "  source_wait: 1d, checkpoint_signal: SIGUSR1,\n"
            "  copy_run_dir: small}\n"
            "sync: {to: sherlock}\n"
            "peers: require\n"
            "tracker: wandb\n"
            "takeover_quiet: 2h\n"
            "log_step: 'step ([0-9]+)'\n"
            "done: [exit0, step >= 10]\n", &cfg);
    assert_string_equal(cfg.cluster, "iris");
    assert_int_equal(cfg.nclusters, 2);
    assert_string_equal(cfg.clusters[0].resume_root, "./checkpoints/_resume");
    assert_int_equal(cfg.clusters[0].nsubmit, 4);
    assert_string_equal(cfg.clusters[0].submit[3], "18:00:00");
    assert_int_equal(cfg.clusters[0].max_gpus, 6);
    assert_int_equal(cfg.clusters[0].reach, REACH_JOB);
    assert_null(cfg.clusters[0].ssh);
    assert_string_equal(cfg.clusters[1].ssh, "ada@sherlock");
    assert_string_equal(cfg.clusters[1].data, "dtn");
    assert_int_equal(cfg.clusters[1].reach, REACH_LOGIN);
    assert_string_equal(cfg.clusters[1].run_root, "$GROUP_SCRATCH/%u");
    assert_string_equal(cfg.clusters[1].out_root, "/o");
    assert_string_equal(cfg.clusters[1].copy_with, "srun -p xfer");
    assert_int_equal(cfg.nspeed, 2);
    assert_string_equal(cfg.speed[1].gpu, "A100");
    assert_true(cfg.speed[1].factor > 1.49 && cfg.speed[1].factor < 1.51);
    assert_int_equal(cfg.npath_map, 1);
    assert_string_equal(cfg.path_map[0].to, "/iris/lab");
    assert_int_equal(cfg.min_remaining, 5400);
    assert_int_equal(cfg.overhead, 90);
    assert_int_equal(cfg.source_wait, 86400);
    assert_string_equal(cfg.checkpoint_signal, "USR1");
    assert_int_equal(cfg.copy_run_dir, COPY_SMALL);
    assert_string_equal(cfg.sync_to, "sherlock");
    assert_int_equal(cfg.peers, PEERS_REQUIRE);
    assert_int_equal(cfg.tracker, TRACKER_WANDB);
    assert_int_equal(cfg.takeover_quiet, 7200);
    assert_string_equal(cfg.log_step, "step ([0-9]+)");
    assert_int_equal(cfg.ndone, 2);
    assert_string_equal(cfg.done[1], "step >= 10");
    config_free(&cfg);
}

static void says_where_it_is_wrong(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } cases[] = {
        {"clustr: x\n", "f.yaml:1:1: unknown key clustr"},
        {"handoff:\n  overhead: 1\n  speed: 2\n",
         "f.yaml:3:3: unknown key handoff.speed"},
        {"clusters:\n  a: {ssh: h, root: x}\n",
         "f.yaml:2:15: unknown key clusters.a.root"},
        {"peers: maybe\n", "f.yaml:1:8: peers: \"maybe\" is not one of: warn"},
        {"handoff: {overhead: soon}\n", "f.yaml:1:21: handoff.overhead"},
        {"handoff: [1]\n", "f.yaml:1:10: handoff must be a mapping"},
        {"done: exit0\n", "f.yaml:1:7: done must be a list"},
        {"done: [[a]]\n", "f.yaml:1:8: done must be a single value"},
        {"done: [exit0,\n  m.pt loads twice]\n",
         "f.yaml:2:3: done: \"m.pt loads twice\""},
        {"cluster: [a]\n", "f.yaml:1:10: cluster must be a single value"},
        {"cluster: -x\n", "f.yaml:1:10: cluster: \"-x\" is not the name"},
        {"clusters: {a/b: {}}\n", "f.yaml:1:12: clusters: \"a/b\""},
        {"clusters: {a: {ssh: -oProxyCommand=x}}\n", "f.yaml:1:21: "},
        {"clusters: {a: {ssh: \"h;id\"}}\n", "f.yaml:1:21: "},
        {"clusters: {a: {copy_with: -x}}\n", "begins with '-'"},
        {"clusters: {a: {max_gpus: -1}}\n", "f.yaml:1:26: "},
        {"speed: {A100: 0}\n", "f.yaml:1:15: speed.A100"},
        {"speed: {A100: fast}\n", "f.yaml:1:15: speed.A100"},
        {"path_map: {a: /b}\n", "f.yaml:1:12: path_map: \"a\" is not"},
        {"path_map: {/a: b}\n", "f.yaml:1:16: path_map: \"b\" is not"},
        {"log_step: 'no group'\n", "f.yaml:1:11: log_step"},
        {"log_step: '(open'\n", "f.yaml:1:11: log_step"},
        {"handoff: {checkpoint_signal: KILL}\n", "f.yaml:1:30: "},
        {"peers: warn\npeers: off\n", "f.yaml:2:1: \"peers\" is there twice"},
        {"a: b: c\n", "f.yaml:1:5: "},
        {"- a\n", "f.yaml:1:1: the file must be a mapping"},
        {"peers: warn\n---\npeers: off\n", "second document"},
        {"? {a: b}\n: c\n", "a key must be a single value"},
        {"sync: {to: \"a\\nb\"}\n", "f.yaml:1:12: sync.to has a control"},
        {"sync: {to: \"a\\0b\"}\n", "f.yaml:1:12: sync.to has a control"},
        {"cluster: \xff\n", "f.yaml: byte "},
        {"&a [*a]\n", "f.yaml:1:1: "},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct relay_error err = {0};
        struct config cfg;
        int rc;

        config_defaults(&cfg);
        rc = config_read(cases[i].text, strlen(cases[i].text), "f.yaml", &cfg,
                         &err);
        if (rc == 0 || strstr(err.text, cases[i].want) == NULL)
            print_error("%s -> %d \"%s\", not \"%s\"\n", cases[i].text, rc,
                        err.text, cases[i].want);
        assert_int_equal(rc, -1);
        assert_int_equal(err.code, EX_CONFIG);
        assert_non_null(strstr(err.text, cases[i].want));
        config_free(&cfg);
    }
}

static void empty_sections_say_nothing(void **state)
{
    struct config cfg;

    (void)state;
    read_ok("handoff:\nclusters:\n  iris:\nspeed:\nsync:\n  to:\n", &cfg);
    assert_int_equal(cfg.overhead, 600);
    assert_int_equal(cfg.nclusters, 1);
    assert_null(cfg.sync_to);
    config_free(&cfg);
    read_ok("", &cfg);
    config_free(&cfg);
    read_ok("# nothing\n", &cfg);
    config_free(&cfg);
}

static const struct config_origin *origin(const struct config *cfg,
                                          const char *key)
{
    size_t i;

    for (i = 0; i < cfg->norigins; i++) {
        if (strcmp(cfg->origins[i].key, key) == 0)
            return &cfg->origins[i];
    }
    return NULL;
}

static void later_files_win_key_by_key(void **state)
{
    struct relay_error err = {0};
    const struct config_origin *o;
    const struct config_cluster *iris;
    struct config cfg;

    (void)state;
    temp_text("etc/relay.yaml",
              "cluster: iris\npeers: off\nhandoff: {overhead: 1m}\n"
              "done: [exit0, a exists]\nspeed: {A: 1, B: 2}\n"
              "clusters: {iris: {resume_root: /s, run_root: /r}}\n");
    temp_text("home/.config/slurm-relay/relay.yaml",
              "clusters: {iris: {resume_root: /u}, other: {ssh: o}}\n"
              "handoff: {stop_timeout: 5s}\nspeed: {B: 3}\n");
    temp_text("work/.relay.yaml", "# mine\ndone: [c exists]\npeers: require\n");
    assert_int_equal(load(&cfg, &err), 0);
    assert_int_equal(cfg.peers, PEERS_REQUIRE);
    assert_int_equal(cfg.overhead, 60);
    assert_int_equal(cfg.stop_timeout, 5);
    assert_int_equal(cfg.ndone, 1);
    assert_string_equal(cfg.done[0], "c exists");
    assert_int_equal(cfg.nspeed, 2);
    assert_true(cfg.speed[1].factor > 2.9);
    iris = config_find(&cfg, "iris", &err);
    assert_non_null(iris);
    assert_string_equal(iris->resume_root, "/u");
    assert_string_equal(iris->run_root, "/r");
    assert_null(config_find(&cfg, "nowhere", &err));
    assert_int_equal(err.code, EX_CONFIG);
    assert_non_null(strstr(err.text, "iris, other"));
    o = origin(&cfg, "peers");
    assert_non_null(o);
    assert_string_equal(o->value, "require");
    assert_int_equal(o->line, 3);
    assert_non_null(strstr(o->file, "/work/.relay.yaml"));
    o = origin(&cfg, "clusters.iris.run_root");
    assert_non_null(strstr(o->file, "/etc/relay.yaml"));
    o = origin(&cfg, "done");
    assert_string_equal(o->value, "[c exists]");
    config_free(&cfg);
}

static void relay_config_stands_alone(void **state)
{
    struct relay_error err = {0};
    struct config cfg;
    char path[600];

    (void)state;
    temp_text("etc/relay.yaml", "peers: off\n");
    temp_text("alone.yaml", "cluster: alone\n");
    setenv("RELAY_CONFIG", temp_join("alone.yaml", path, sizeof(path)), 1);
    assert_int_equal(load(&cfg, &err), 0);
    assert_string_equal(cfg.cluster, "alone");
    assert_int_equal(cfg.peers, PEERS_WARN);
    config_free(&cfg);
    setenv("RELAY_CONFIG", temp_join("missing.yaml", path, sizeof(path)), 1);
    assert_int_equal(load(&cfg, &err), -1);
    assert_int_equal(err.code, EX_CONFIG);
    assert_non_null(strstr(err.text, "missing.yaml"));
}

static void follows_a_linked_dotfile(void **state)
{
    struct relay_error err = {0};
    struct config cfg;

    (void)state;
    temp_text("alone.yaml", "cluster: linked\n");
    assert_int_equal(symlinkat("../alone.yaml", temp.fd, "work/.relay.yaml"),
                     0);
    assert_int_equal(load(&cfg, &err), 0);
    assert_string_equal(cfg.cluster, "linked");
    config_free(&cfg);
}

static void root_trusts_only_roots_file(void **state)
{
    struct relay_error err = {0};
    struct config cfg;

    (void)state;
    if (geteuid() != 0)
        skip();
    temp_text("etc/relay.yaml", "peers: off\n");
    assert_int_equal(fchmodat(temp.fd, "etc/relay.yaml", 0664, 0), 0);
    assert_int_equal(load(&cfg, &err), -1);
    assert_int_equal(err.code, EX_CONFIG);
    assert_int_equal(fchmodat(temp.fd, "etc/relay.yaml", 0644, 0), 0);
    assert_int_equal(fchownat(temp.fd, "etc/relay.yaml", 65534, 65534, 0), 0);
    assert_int_equal(load(&cfg, &err), -1);
    assert_non_null(strstr(err.text, "etc/relay.yaml"));
    assert_int_equal(fchownat(temp.fd, "etc/relay.yaml", 0, 0, 0), 0);
    assert_int_equal(load(&cfg, &err), 0);
    config_free(&cfg);
}

static void finds_the_clusters_name(void **state)
{
    struct relay_error err = {0};
    struct config cfg;

    (void)state;
    temp_text("etc/slurm.conf", "# ClusterName=no\nSlurmctldHost=h\n"
                                " clustername = Iris # ours\nClusterNames=x\n");
    assert_int_equal(load(&cfg, &err), 0);
    assert_string_equal(cfg.cluster, "iris");
    config_free(&cfg);
    setenv("SLURM_CLUSTER_NAME", "sherlock", 1);
    assert_int_equal(load(&cfg, &err), 0);
    assert_string_equal(cfg.cluster, "sherlock");
    config_free(&cfg);
    temp_text("etc/relay.yaml", "cluster: third\n");
    assert_int_equal(load(&cfg, &err), 0);
    assert_string_equal(cfg.cluster, "third");
    config_free(&cfg);
    clear_files(NULL);
    setenv("SLURM_CLUSTER_NAME", "../up", 1);
    assert_int_equal(load(&cfg, &err), -1);
    assert_int_equal(err.code, EX_CONFIG);
}

static void assert_path(const char *text, const char *want)
{
    const struct config_names names = {"ada", "lab", "robots", "/home/ada/w"};
    struct relay_error err = {0};
    struct config cfg = {0};
    char *path = config_path(&cfg, text, &names, &err);

    if (want == NULL) {
        assert_null(path);
        assert_int_equal(err.code, EX_CONFIG);
        return;
    }
    if (path == NULL)
        fail_msg("%s", err.text);
    assert_string_equal(path, want);
    free(path);
}

static void expands_paths(void **state)
{
    char home[600], want[700];

    (void)state;
    setenv("RELAY_TEST_DIR", "/s/%u", 1);
    unsetenv("RELAY_TEST_NONE");
    temp_join("home", home, sizeof(home));
    assert_path("/a/%u/%e/%p/100%%", "/a/ada/lab/robots/100%");
    assert_path("./checkpoints/_resume", "/home/ada/w/checkpoints/_resume");
    assert_path(".", "/home/ada/w");
    assert_path("/a//b/./c/", "/a/b/c");
    assert_path("/", "/");
    assert_path("../x", "/home/ada/w/../x");
    /* What a variable holds is not expanded again. */
    assert_path("$RELAY_TEST_DIR/x", "/s/%u/x");
    assert_path("${RELAY_TEST_DIR}x", "/s/%ux");
    assert_path("~", home);
    snprintf(want, sizeof(want), "%s/c", home);
    assert_path("~/c", want);
    assert_path("/a/~", "/a/~");
    assert_path("$RELAY_TEST_NONE/x", NULL);
    assert_path("${RELAY_TEST_DIR", NULL);
    assert_path("/a/$", NULL);
    assert_path("/a/%x", NULL);
    assert_path("/a/%", NULL);
    assert_path("~bob/x", NULL);
    assert_path("", NULL);
}

static void a_path_error_names_the_line(void **state)
{
    const struct config_names names = {.user = "ada", .workdir = "/w"};
    struct relay_error err = {0};
    struct config cfg;

    (void)state;
    read_ok("clusters:\n  iris:\n    resume_root: /x/%e\n", &cfg);
    assert_null(config_path(&cfg, cfg.clusters[0].resume_root, &names, &err));
    assert_non_null(
        strstr(err.text, "f.yaml:3: clusters.iris.resume_root"));
    config_free(&cfg);
}

static void refuses_endless_paths(void **state)
{
    const struct config_names names = {.user = "ada", .workdir = "/w"};
    struct relay_error err = {0};
    struct config cfg = {0};
    char *text = malloc(9001);

    (void)state;
    memset(text, 'a', 9000);
    text[9000] = '\0';
    assert_null(config_path(&cfg, text, &names, &err));
    assert_int_equal(err.code, EX_CONFIG);
    assert_null(config_path_for_peer(text, &names, &err));
    free(text);
}

static void leaves_a_peers_path_to_the_peer(void **state)
{
    struct config_names names = {.entity = "lab", .project = "p"};
    struct relay_error err = {0};
    char *path = config_path_for_peer("$SCRATCH/%u/%e/~", &names, &err);

    (void)state;
    assert_string_equal(path, "$SCRATCH/%u/lab/~");
    free(path);
    names.user = "ada";
    path = config_path_for_peer("%u/%p/%%", &names, &err);
    assert_string_equal(path, "ada/p/%");
    free(path);
    names.entity = NULL;
    assert_null(config_path_for_peer("%e", &names, &err));
    assert_int_equal(err.code, EX_CONFIG);
}

static void path_map_knows_the_user(void **state)
{
    struct relay_error err = {0};
    struct passwd *pw = getpwuid(geteuid());
    struct config cfg;
    char want[300];

    (void)state;
    assert_non_null(pw);
    temp_text("work/.relay.yaml", "path_map: {/old/%u: /new/%u}\n");
    assert_int_equal(load(&cfg, &err), 0);
    snprintf(want, sizeof(want), "/new/%s", pw->pw_name);
    assert_string_equal(cfg.path_map[0].to, want);
    config_free(&cfg);
}

static void measures_time(void **state)
{
    static const char *const bad[] = {"", "m", "1x", "1.5h", "-1", "1 h",
                                      "99999999999999999999", "11000d", "1m ",
                                      "5000d5000d"};
    const char *why = NULL;
    int64_t s = 0;
    size_t i;

    (void)state;
    assert_int_equal(value_duration("0", &s, &why), 0);
    assert_int_equal(s, 0);
    assert_int_equal(value_duration("90", &s, &why), 0);
    assert_int_equal(s, 90);
    assert_int_equal(value_duration("2h30m5s", &s, &why), 0);
    assert_int_equal(s, 9005);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (value_duration(bad[i], &s, &why) == 0)
            print_error("accepted: \"%s\"\n", bad[i]);
        assert_int_equal(value_duration(bad[i], &s, &why), -1);
    }
}

/* Takes the # off every sample of etc/relay.yaml: a line that begins with #
 * with more or less than one space behind it. */
static char *samples(const char *text)
{
    char *out = calloc(1, strlen(text) + 1);
    size_t used = 0;

    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        bool prose = len == 1 || (text[1] == ' ' && text[2] != ' ');

        if (text[0] == '#' && !prose) {
            memcpy(out + used, text + 1, len - 1);
            used += len - 1;
        }
        out[used++] = '\n';
        text += len + (text[len] == '\n');
    }
    return out;
}

static void documents_every_key(void **state)
{
    static const char *const keys[] = {
        "cluster", "clusters.iris.resume_root", "clusters.iris.run_root",
        "clusters.iris.out_root", "clusters.iris.submit",
        "clusters.iris.max_gpus", "clusters.sherlock.ssh",
        "clusters.sherlock.data", "clusters.sherlock.reach",
        "clusters.sherlock.copy_with", "speed.A100",
        "path_map./scratch/groups/lab/data", "handoff.min_remaining",
        "handoff.overhead", "handoff.checkpoint_signal",
        "handoff.stop_timeout", "handoff.source_wait", "handoff.copy_run_dir",
        "sync.to", "peers", "tracker", "takeover_quiet", "log_step", "done"};
    const char *src = getenv("srcdir") != NULL ? getenv("srcdir") : ".";
    struct relay_error err = {0};
    struct config cfg, fresh;
    char path[600];
    char *text, *sample;
    size_t i;

    (void)state;
    snprintf(path, sizeof(path), "%s/etc/relay.yaml", src);
    text = file_read(AT_FDCWD, path, 100000, NULL, &err);
    if (text == NULL)
        fail_msg("%s", err.text);
    read_ok(text, &cfg);
    assert_int_equal(cfg.norigins, 0);
    config_free(&cfg);
    sample = samples(text);
    read_ok(sample, &cfg);
    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (origin(&cfg, keys[i]) == NULL)
            fail_msg("%s is not in etc/relay.yaml", keys[i]);
    }
    /* Samples of what has a default are that default. */
    config_defaults(&fresh);
    assert_int_equal(cfg.min_remaining, fresh.min_remaining);
    assert_int_equal(cfg.overhead, fresh.overhead);
    assert_int_equal(cfg.stop_timeout, fresh.stop_timeout);
    assert_int_equal(cfg.source_wait, fresh.source_wait);
    assert_int_equal(cfg.peers, fresh.peers);
    assert_int_equal(cfg.tracker, fresh.tracker);
    assert_int_equal(cfg.copy_run_dir, fresh.copy_run_dir);
    config_free(&cfg);
    free(sample);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(defaults_without_files, clear_files),
        cmocka_unit_test(reads_every_key),
        cmocka_unit_test(says_where_it_is_wrong),
        cmocka_unit_test(empty_sections_say_nothing),
        cmocka_unit_test_setup(later_files_win_key_by_key, clear_files),
        cmocka_unit_test_setup(relay_config_stands_alone, clear_files),
        cmocka_unit_test_setup(follows_a_linked_dotfile, clear_files),
        cmocka_unit_test_setup(root_trusts_only_roots_file, clear_files),
        cmocka_unit_test_setup(finds_the_clusters_name, clear_files),
        cmocka_unit_test(expands_paths),
        cmocka_unit_test(a_path_error_names_the_line),
        cmocka_unit_test(refuses_endless_paths),
        cmocka_unit_test(leaves_a_peers_path_to_the_peer),
        cmocka_unit_test_setup(path_map_knows_the_user, clear_files),
        cmocka_unit_test(measures_time),
        cmocka_unit_test(documents_every_key),
    };

    return cmocka_run_group_tests(tests, clean_setup, temp_teardown);
}
