#include "args.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#ifndef RELAY_HELPER_PATH
#define RELAY_HELPER_PATH "/usr/libexec/slurm-relay/relay-job"
#endif

/* A prolog that needs more than this is no prolog. */
#define MAX_DEADLINE 3600

static int parse_path(const char *name, const char *value, char *path,
                      struct relay_error *err)
{
    if (value[0] != '/')
        return relay_fail(err, EX_CONFIG, "%s=%.200s: not an absolute path",
                          name, value);
    if (strlen(value) >= ARGS_PATH_MAX)
        return relay_fail(err, EX_CONFIG, "%s=%.200s...: too long", name,
                          value);
    memcpy(path, value, strlen(value) + 1);
    return 0;
}

static int parse_seconds(const char *name, const char *value,
                         unsigned *seconds, struct relay_error *err)
{
    unsigned long n = 0;

    if (value[0] != '\0' && strlen(value) <= 4 &&
        strspn(value, "0123456789") == strlen(value))
        n = strtoul(value, NULL, 10);
    if (n < 1 || n > MAX_DEADLINE)
        return relay_fail(err, EX_CONFIG,
                          "%s=%.200s: seconds from 1 to %d expected", name,
                          value, MAX_DEADLINE);
    *seconds = (unsigned)n;
    return 0;
}

static int parse_yes_no(const char *name, const char *value, bool *flag,
                        struct relay_error *err)
{
    if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
        return relay_fail(err, EX_CONFIG, "%s=%.200s: yes or no expected",
                          name, value);
    *flag = value[0] == 'y';
    return 0;
}

static int parse_groups(const char *name, const char *value, char *groups,
                        size_t size, struct relay_error *err)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz"
                                  "0123456789._-@\\,";

    if (strlen(value) >= size || strspn(value, allowed) != strlen(value))
        return relay_fail(err, EX_CONFIG,
                          "%s=%.200s: names of groups with commas expected",
                          name, value);
    memcpy(groups, value, strlen(value) + 1);
    return 0;
}

static int parse_one(struct relay_args *args, const char *arg,
                     struct relay_error *err)
{
    const char *value = strchr(arg, '=');
    char name[32];
    size_t len = value != NULL ? (size_t)(value - arg) : 0;

    if (len == 0 || len >= sizeof(name))
        return relay_fail(err, EX_CONFIG, "%.200s: NAME=VALUE expected", arg);
    memcpy(name, arg, len);
    name[len] = '\0';
    value++;
    if (strcmp(name, "config") == 0)
        return parse_path(name, value, args->config, err);
    if (strcmp(name, "helper") == 0)
        return parse_path(name, value, args->helper, err);
    if (strcmp(name, "rundir") == 0)
        return parse_path(name, value, args->rundir, err);
    if (strcmp(name, "prolog_deadline") == 0)
        return parse_seconds(name, value, &args->prolog_deadline, err);
    if (strcmp(name, "epilog_deadline") == 0)
        return parse_seconds(name, value, &args->epilog_deadline, err);
    if (strcmp(name, "network") == 0)
        return parse_yes_no(name, value, &args->network, err);
    if (strcmp(name, "submit_check") == 0)
        return parse_yes_no(name, value, &args->submit_check, err);
    if (strcmp(name, "allow_groups") == 0)
        return parse_groups(name, value, args->allow_groups,
                            sizeof(args->allow_groups), err);
    return relay_fail(err, EX_CONFIG, "unknown argument %s=", name);
}

int args_parse(struct relay_args *args, int argc, char *const *argv,
               struct relay_error *err)
{
    int i;

    memset(args, 0, sizeof(*args));
    snprintf(args->config, ARGS_PATH_MAX, "/etc/slurm/relay.yaml");
    snprintf(args->helper, ARGS_PATH_MAX, "%s", RELAY_HELPER_PATH);
    snprintf(args->rundir, ARGS_PATH_MAX, "/run/slurm-relay");
    args->prolog_deadline = 5;
    args->epilog_deadline = 10;
    args->submit_check = true;
    for (i = 0; i < argc; i++)
        if (parse_one(args, argv[i], err) != 0)
            return -1;
    return 0;
}

static int check_owner(const char *path, struct relay_error *err)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return relay_fail_errno(err, EX_UNAVAILABLE, "%s", path);
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return relay_fail(err, EX_CONFIG, "%s belongs to uid %u, not to root",
                          path, (unsigned)st.st_uid);
    /* A sticky directory (/tmp) lets nobody replace a file of root's. */
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 &&
        !(S_ISDIR(st.st_mode) && (st.st_mode & S_ISVTX) != 0))
        return relay_fail(err, EX_CONFIG,
                          "%s can be written by others than root (chmod go-w)",
                          path);
    return 0;
}

static int check_with_directory(const char *path, struct relay_error *err)
{
    char dir[ARGS_PATH_MAX];
    char *slash;

    if (check_owner(path, err) != 0)
        return -1;
    memcpy(dir, path, strlen(path) + 1);
    slash = strrchr(dir, '/');
    if (slash == dir)
        slash++;
    *slash = '\0';
    return check_owner(dir, err);
}

int args_check_files(const struct relay_args *args, struct relay_error *err)
{
    if (check_with_directory(args->helper, err) != 0)
        return -1;
    if (access(args->config, F_OK) != 0 && errno == ENOENT)
        return 0;
    return check_with_directory(args->config, err);
}

bool args_switched_off(const struct relay_args *args)
{
    char path[ARGS_PATH_MAX + 8];
    struct stat st;

    snprintf(path, sizeof(path), "%s/off", args->rundir);
    return lstat(path, &st) == 0;
}
