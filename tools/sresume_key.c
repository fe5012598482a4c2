/* sresume key, sresume digest: identity and digests, for scripts. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "digest.h"
#include "manifest.h"
#include "slurmenv.h"
#include "sresume.h"

int sresume_key(int argc, char **argv)
{
    bool json = false;
    const struct cli_option options[] = {
        {"json", '\0', CLI_FLAG, &json, NULL, "print an object"},
        {.name = NULL},
    };
    const struct cli_spec spec = {
        SRESUME, "key", "[OPTION]... KEY",
        "Prints the hash that KEY becomes: the name of its resume directory.\n"
        "%a and %A are expanded inside an array job.",
        options, 1, 1};
    struct relay_error err = {0};
    char key[KEY_MAX + 1];
    char hash[41];
    struct json_object *obj;
    const char *name;
    char **args;
    int nargs, code;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    if (key_check(args[0], &err) != 0 ||
        key_expand(args[0], slurmenv("SLURM_ARRAY_JOB_ID"),
                   slurmenv("SLURM_ARRAY_TASK_ID"), key, sizeof(key),
                   &err) != 0 ||
        digest_key(key, hash, &err) != 0)
        return cli_fail(SRESUME, &err);
    if (!json) {
        printf("%s\n", hash);
        return 0;
    }
    name = key_run_name(key);
    obj = json_object_new_object();
    json_object_object_add(obj, "key",
                           key_is_hash(key) ? NULL
                                            : json_object_new_string(key));
    json_object_object_add(obj, "name",
                           name != NULL ? json_object_new_string(name) : NULL);
    json_object_object_add(obj, "hash", json_object_new_string(hash));
    return cli_json(obj);
}

int sresume_digest(int argc, char **argv)
{
    static const struct cli_option options[] = {{.name = NULL}};
    const struct cli_spec spec = {
        SRESUME, "digest", "DIR",
        "Prints SHA256, two spaces and the relative path of every file below\n"
        "DIR, sorted, as sha256sum does. A handoff runs it on the other\n"
        "cluster. Symlinks and special files are an error.",
        options, 1, 1};
    struct relay_error err = {0};
    struct manifest files = {0};
    char **args;
    int nargs, code;
    size_t i;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    if (manifest_of_dir(AT_FDCWD, args[0], 1, &files, &err) != 0)
        code = cli_fail(SRESUME, &err);
    for (i = 0; code == 0 && i < files.n; i++) {
        if (strchr(files.files[i].path, '\n') != NULL) {
            relay_fail(&err, EX_DATAERR, "%s: a name has a newline: rename "
                                         "that file", args[0]);
            code = cli_fail(SRESUME, &err);
        } else {
            printf("%s  %s\n", files.files[i].sha256, files.files[i].path);
        }
    }
    manifest_free(&files);
    return code;
}
