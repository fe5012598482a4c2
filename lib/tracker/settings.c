#include "settings.h"

#include <ctype.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"

#define MAX_FILE ((size_t)1 << 20)
#define DEFAULT_URL "https://api.wandb.ai"
enum { SHORTEST_KEY = 40, LONGEST_KEY = 4096 };

/* --- one value of a settings file ----------------------------------------- */

static const char *past_blanks(const char *s)
{
    while (*s == ' ' || *s == '\t' || *s == '\r')
        s++;
    return s;
}

static size_t trimmed(const char *s, size_t len)
{
    while (len > 0 && isspace((unsigned char)s[len - 1]))
        len--;
    return len;
}

/* ConfigParser's interpolation, of which only %% can be in such a value. */
static char *unescaped(const char *s, size_t len)
{
    char *out = malloc(len + 1);
    size_t i, n = 0;

    for (i = 0; out != NULL && i < len; i++) {
        if (s[i] == '%' && i + 1 < len && s[i + 1] == '%')
            i++;
        out[n++] = s[i];
    }
    if (out != NULL)
        out[n] = '\0';
    return out;
}

char *settings_value(const char *text, const char *name)
{
    bool in_default = false;
    char *value = NULL;

    while (*text != '\0') {
        const char *line = text;
        size_t len = strcspn(line, "\n");
        size_t key = strcspn(line, "=:\n");

        text += len + (line[len] == '\n');
        if (line[0] == '[')
            in_default = len >= 9 && strncmp(line, "[default]", 9) == 0;
        if (!in_default || key >= len || strchr("#;[ \t\r", line[0]) != NULL ||
            trimmed(line, key) != strlen(name) ||
            strncasecmp(line, name, strlen(name)) != 0)
            continue;
        line = past_blanks(line + key + 1);
        free(value);
        value = unescaped(line, trimmed(line, (size_t)(text - line)));
    }
    if (value != NULL && value[0] == '\0') {
        free(value);
        value = NULL;
    }
    return value;
}

/* --- where things are ----------------------------------------------------- */

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

static const char *home(void)
{
    const char *dir = environment("HOME");
    struct passwd *pw;

    if (dir != NULL)
        return dir;
    pw = getpwuid(geteuid());
    return pw != NULL && pw->pw_dir != NULL ? pw->pw_dir : "/";
}

/* A leading ~/ is the home. */
static void put_path(struct text *path, const char *s)
{
    if (s[0] == '~' && (s[1] == '/' || s[1] == '\0')) {
        text_add(path, home());
        s++;
    }
    text_add(path, s);
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* The text of a file whose last component may be a link; NULL: none. */
static char *read_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    char *text;

    if (fd < 0)
        return NULL;
    text = file_read_fd(fd, path, MAX_FILE, NULL, NULL);
    close(fd);
    return text;
}

static void wipe(char *s)
{
    if (s != NULL)
        explicit_bzero(s, strlen(s));
    free(s);
}

static char *global_settings(void)
{
    const char *dir = environment("WANDB_CONFIG_DIR");
    struct text path = {0};
    char *text;

    put_path(&path, dir != NULL ? dir : "~/.config/wandb");
    text_add(&path, "/settings");
    text = read_file(text_str(&path));
    text_free(&path);
    return text;
}

static char *local_settings(const char *workdir)
{
    const char *dir = environment("WANDB_DIR");
    struct text path = {0};
    size_t len;
    char *text;

    put_path(&path, dir != NULL ? dir : workdir != NULL ? workdir : ".");
    len = path.len;
    text_add(&path, "/.wandb");
    if (!is_there(text_str(&path)) && path.len > len) {
        path.len = len;
        text_add(&path, "/wandb");
    }
    text_add(&path, "/settings");
    text = read_file(text_str(&path));
    text_free(&path);
    return text;
}

/* --- checks --------------------------------------------------------------- */

static bool is_wandb_cloud(const char *host)
{
    size_t len = strlen(host);

    return strcasecmp(host, "wandb.ai") == 0 ||
           (len > 9 && strcasecmp(host + len - 9, ".wandb.ai") == 0);
}

const char *settings_check_url(const char *url, struct text *host)
{
    bool secure = strncasecmp(url, "https://", 8) == 0;
    const char *at;
    const char *s;

    text_clear(host);
    if (!secure && strncasecmp(url, "http://", 7) != 0)
        return "it does not begin with https:// or http://";
    at = url + (secure ? 8 : 7);
    for (s = at; *s != '\0'; s++) {
        if ((unsigned char)*s <= ' ' || *s == 0x7f)
            return "it has a blank or a control character";
    }
    text_add_len(host, at, strcspn(at, "/?#"));
    if (host->failed || host->len == 0)
        return "it has no host";
    if (strchr(host->s, '@') != NULL)
        return "it has a user: the key belongs into WANDB_API_KEY or netrc";
    if (at[strcspn(at, "?#")] != '\0')
        return "it has a query";
    if (!is_wandb_cloud(host->s))
        return NULL;
    if (!secure)
        return "wandb.ai is asked by https only";
    return strstr(host->s, "api.") != NULL
               ? NULL
               : "W&B's API is at https://api.wandb.ai";
}

static bool is_word(const char *s, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if (!isalnum((unsigned char)s[i]) && s[i] != '_' && s[i] != '-')
            return false;
    }
    return len > 0;
}

/* x.y.z */
static bool is_token(const char *key)
{
    size_t a = strcspn(key, ".");
    size_t b = key[a] != '\0' ? strcspn(key + a + 1, ".") : 0;
    const char *last = b > 0 && key[a + 1 + b] == '.' ? key + a + b + 2 : "";

    return is_word(key, a) && is_word(key + a + 1, b) &&
           is_word(last, strlen(last));
}

const char *settings_check_key(const char *key)
{
    const char *dash = strchr(key, '-');
    const char *secret = dash != NULL ? dash + 1 : key;

    if (key[0] == '\0')
        return "it is empty";
    if (strlen(key) > LONGEST_KEY)
        return "it is longer than any key";
    if (isspace((unsigned char)key[0]) ||
        isspace((unsigned char)key[strlen(key) - 1]))
        return "it begins or ends with a blank";
    if (is_token(key))
        return NULL;
    if (!is_word(secret, strlen(secret)) ||
        (dash != NULL && dash != key && !is_word(key, (size_t)(dash - key))))
        return "it has other characters than A-Z a-z 0-9 _ -";
    if (strlen(secret) < SHORTEST_KEY)
        return "it is shorter than the 40 characters of a key";
    return NULL;
}

/* --- all of it ------------------------------------------------------------ */

/* Copies the first that is there: 0, or -1 when memory is out. */
static int choose(char **slot, const char *a, const char *b, const char *c)
{
    const char *value = a != NULL && a[0] != '\0' ? a : b != NULL ? b : c;

    *slot = value != NULL ? strdup(value) : NULL;
    return value == NULL || *slot != NULL ? 0 : -1;
}

/* code, environment, local file, global file. */
static int find_value(char **slot, const char *given, const char *variable,
                      const char *name, const char *local, const char *global)
{
    char *l = local != NULL ? settings_value(local, name) : NULL;
    char *g = global != NULL ? settings_value(global, name) : NULL;
    const char *e = environment(variable);
    int rc = choose(slot, given, e != NULL ? e : l, g);

    free(l);
    free(g);
    return rc;
}

static int find_key(struct tracker_settings *s, struct relay_error *err);

static int find_server(struct tracker_settings *s, struct relay_error *err)
{
    struct text host = {0};
    size_t len = strlen(s->base_url);
    const char *why;

    while (len > 0 && s->base_url[len - 1] == '/')
        s->base_url[--len] = '\0';
    why = settings_check_url(s->base_url, &host);
    if (why == NULL)
        s->host = strdup(text_str(&host));
    text_free(&host);
    if (why != NULL)
        return relay_fail(err, EX_CONFIG, "the address of W&B (WANDB_BASE_URL "
                                          "or base_url in a settings file) is "
                                          "wrong: %s", why);
    if (s->host == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    return 0;
}

static int find_timeout(struct tracker_settings *s, struct relay_error *err)
{
    const char *text = environment("WANDB_HTTP_TIMEOUT");
    char *end = NULL;
    double seconds;

    if (text == NULL)
        return 0;
    seconds = strtod(text, &end);
    if (*end != '\0' || !(seconds > 0 && seconds <= 86400))
        return relay_fail(err, EX_CONFIG, "WANDB_HTTP_TIMEOUT is no number of "
                                          "seconds: %.40s", text);
    s->timeout_ms = (int64_t)(seconds * 1000);
    return 0;
}

int settings_find(const char *entity, const char *project, const char *workdir,
                  struct tracker_settings *s, struct relay_error *err)
{
    char *local, *global;
    int rc;

    memset(s, 0, sizeof(*s));
    local = local_settings(workdir);
    global = global_settings();
    rc = find_value(&s->base_url, NULL, "WANDB_BASE_URL", "base_url", local,
                    global);
    rc |= find_value(&s->entity, entity, "WANDB_ENTITY", "entity", local,
                     global);
    rc |= find_value(&s->project, project, "WANDB_PROJECT", "project", local,
                     global);
    rc |= find_value(&s->mode, NULL, "WANDB_MODE", "mode", local, global);
    rc |= choose(&s->username, environment("WANDB_USERNAME"), NULL, NULL);
    rc |= choose(&s->email, environment("WANDB_USER_EMAIL"), NULL, NULL);
    if (s->base_url == NULL)
        s->base_url = strdup(DEFAULT_URL);
    free(local);
    free(global);
    if (rc != 0 || s->base_url == NULL)
        return relay_fail(err, EX_OSERR, "out of memory");
    return find_server(s, err) != 0 || find_timeout(s, err) != 0 ||
                   find_key(s, err) != 0
               ? -1
               : 0;
}

static void netrc_path(struct text *path)
{
    const char *named = environment("NETRC");

    put_path(path, named != NULL ? named : "~/.netrc");
    if (named != NULL || is_there(text_str(path)))
        return;
    text_clear(path);
    put_path(path, "~/_netrc");
}

/* 0 also when there is none. */
static int find_key(struct tracker_settings *s, struct relay_error *err)
{
    const char *key = environment("WANDB_API_KEY");
    struct text path = {0};
    bool by_default = false;
    const char *why;
    char *text;

    if (key != NULL) {
        s->key = strdup(key);
        text_add(&path, "WANDB_API_KEY");
    } else {
        netrc_path(&path);
        text = read_file(text_str(&path));
        if (text != NULL)
            s->key = netrc_password(text, s->host, &by_default);
        wipe(text);
    }
    s->key_from = strdup(text_str(&path));
    text_free(&path);
    if (s->key_from == NULL || (key != NULL && s->key == NULL))
        return relay_fail(err, EX_OSERR, "out of memory");
    why = s->key != NULL ? settings_check_key(s->key) : NULL;
    if (why == NULL)
        return 0;
    wipe(s->key);
    s->key = NULL;
    /* netrc's default entry is for everything: it need not be a key. */
    return by_default ? 0
                      : relay_fail(err, EX_CONFIG,
                                   "the W&B key in %.200s is none: %s",
                                   s->key_from, why);
}

void settings_free(struct tracker_settings *s)
{
    free(s->base_url);
    free(s->host);
    free(s->entity);
    free(s->project);
    free(s->mode);
    free(s->username);
    free(s->email);
    wipe(s->key);
    free(s->key_from);
    memset(s, 0, sizeof(*s));
}
