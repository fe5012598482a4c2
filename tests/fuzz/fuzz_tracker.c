#include "fuzz.h"

#include "jsonfile.h"
#include "tracker/graphql.h"
#include "tracker/reply.h"
#include "tracker/settings.h"
#include "tracker/tag.h"

/* By the first byte: an answer of the tracker, the head of one, or a file
 * with settings. Nothing of them is trusted. */

static void look_at_run(const struct tracker_run *run)
{
    const char *s;

    HOLDS(run->exists && run->id != NULL);
    HOLDS(run->age >= -1 && run->quiet >= -1);
    HOLDS((run->cluster != NULL) == (run->nonce != NULL));
    HOLDS(!run->finished || run->life == TRACKER_DEAD);
    for (s = run->id; *s != '\0'; s++)
        HOLDS((unsigned char)*s >= ' ' && *s != 0x7f);
    json_object_put(tag_replace(run, "slurmclaim:a/b/0123456789abcdef"));
}

static void answer(const char *text, size_t len)
{
    struct json_object *root = json_parse(text, len, "fuzz", NULL);
    struct json_object *data = json_get(root, "data");
    char message[64];
    struct page page;
    bool inserted;
    size_t i;

    gql_error_text(root, message, sizeof(message));
    HOLDS(strlen(message) < sizeof(message));
    HOLDS(strpbrk(message, "\033\n\r\x7f") == NULL);
    (void)reply_upsert(data, &inserted);
    HOLDS(reply_page(data, 2000000000, &page) == 0);
    HOLDS(!page.more || page.cursor != NULL);
    for (i = 0; i < page.runs.n; i++)
        look_at_run(&page.runs.runs[i]);
    page_free(&page);
    json_object_put(root);
}

static void head(const char *text)
{
    struct http_reply reply = {.end = HTTP_ANSWERED, .status = 429,
                               .retry_after = -1, .remaining = -1,
                               .reset = -1, .date = -1};

    while (*text != '\0') {
        size_t len = strcspn(text, "\n");

        http_head_line(text, len, 1000, &reply);
        text += len + (text[len] == '\n');
    }
    HOLDS(gql_backoff(&reply, 3, 1) >= 0);
}

static void file(const char *text)
{
    struct text host = {0};
    bool by_default;
    char *value = settings_value(text, "base_url");

    if (value != NULL && settings_check_url(value, &host) == NULL)
        HOLDS(host.len > 0 && strchr(host.s, '@') == NULL);
    free(value);
    text_free(&host);
    value = netrc_password(text, "api.wandb.ai", &by_default);
    if (value != NULL && settings_check_key(value) == NULL)
        HOLDS(strpbrk(value, " \r\n:") == NULL);
    free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (size == 0)
        return 0;
    text = fuzz_text(data + 1, size - 1);
    if (data[0] == 'h')
        head(text);
    else if (data[0] == 'f')
        file(text);
    else
        answer(text, strlen(text));
    free(text);
    return 0;
}
