/*
 * What W&B's own client would be told here: server, project and key, from the
 * environment, the settings files and netrc. No network.
 */
#ifndef RELAY_TRACKER_SETTINGS_H
#define RELAY_TRACKER_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "text.h"

struct tracker_settings {
    char *base_url; /* without a slash at the end */
    char *host;     /* of base_url, with the port when it has one */
    char *entity;   /* NULL: not said */
    char *project;  /* NULL: not said */
    char *mode;     /* NULL: not said; "offline", ... */
    char *username; /* WANDB_USERNAME, WANDB_USER_EMAIL; NULL */
    char *email;
    int64_t timeout_ms; /* of one request; 0: not said */
    char *key;          /* NULL: none found. Never in a text. */
    char *key_from;     /* "WANDB_API_KEY", or the path of the netrc file */
};

/* entity and project (may be NULL) go before what is found; workdir is where
 * ./wandb/settings is looked for. A key is looked for last: no key is no
 * error. 0, or -1 with EX_CONFIG or EX_OSERR. Free in both cases. */
int settings_find(const char *entity, const char *project, const char *workdir,
                  struct tracker_settings *s, struct relay_error *err);

/* Overwrites the key before it is freed. */
void settings_free(struct tracker_settings *s);

/* "https://HOST[:PORT][/PATH]" is a server that a key may be sent to: its
 * host[:port] into host. NULL, or what is wrong with it. */
const char *settings_check_url(const char *url, struct text *host);

/* NULL, or why this is no API key (a sentence without the key). */
const char *settings_check_key(const char *key);

/* `name = value` of section [default] in the text of a settings file;
 * malloc'd, NULL: it does not say. */
char *settings_value(const char *text, const char *name);

/* The password of machine HOST in the text of a netrc file, else of its
 * default entry (*by_default says so); malloc'd, NULL: neither. */
char *netrc_password(const char *text, const char *host, bool *by_default);

#endif
