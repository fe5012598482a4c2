#include "gpus.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "slurmenv.h"

/* An index, a UUID ("GPU-8f..."), or a MIG device ("MIG-8f...", and the old
 * "MIG-GPU-8f.../1/0"). */
static bool is_device(const char *word)
{
    if (isdigit((unsigned char)word[0]))
        return word[strspn(word, "0123456789")] == '\0';
    if (strncmp(word, "GPU-", 4) != 0 && strncmp(word, "MIG-", 4) != 0)
        return false;
    return word[4] != '\0' &&
           word[4 + strspn(word + 4, "0123456789abcdefghijklmnopqrstuvwxyz"
                                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ-/")] == '\0';
}

static bool has_word(const struct words *w, const char *word)
{
    size_t i;

    for (i = 0; i < w->n; i++) {
        if (strcmp(w->word[i], word) == 0)
            return true;
    }
    return false;
}

int gpus_parse(const char *text, const char *name, struct words *out,
               struct relay_error *err)
{
    char word[128];
    size_t len;

    if (text == NULL || text[0] == '\0' || strcmp(text, "NoDevFiles") == 0)
        return 0;
    for (;; text += len + 1) {
        const char *at = text + strspn(text, " ");
        size_t n;

        len = strcspn(text, ",");
        n = len - (size_t)(at - text);
        while (n > 0 && at[n - 1] == ' ')
            n--;
        snprintf(word, sizeof(word), "%.*s", (int)n, at);
        if (strcmp(word, "-1") == 0)
            return 0;
        if (!is_device(word))
            return relay_fail(err, EX_USAGE,
                              "%s: \"%s\" is no device: write indices, GPU-"
                              "or MIG-UUIDs, with commas between", name, word);
        if (has_word(out, word))
            return relay_fail(err, EX_USAGE, "%s: device %s stands there "
                                             "twice", name, word);
        if (words_add(out, word, err) != 0)
            return -1;
        if (text[len] == '\0')
            return 0;
    }
}

int64_t gpus_tasks_on(const char *list, int64_t node)
{
    while (list != NULL && isdigit((unsigned char)*list)) {
        char *end;
        int64_t tasks = strtoll(list, &end, 10);
        int64_t nodes = 1;

        if (strncmp(end, "(x", 2) == 0) {
            nodes = strtoll(end + 2, &end, 10);
            end += *end == ')' ? 1 : 0;
        }
        if (node < nodes)
            return tasks;
        node -= nodes;
        list = *end == ',' ? end + 1 : NULL;
    }
    return 0;
}

void gpus_local_task(int64_t *task, int64_t *tasks)
{
    const char *local = slurmenv("SLURM_LOCALID");
    const char *node = slurmenv("SLURM_NODEID");
    const char *list = slurmenv("SLURM_STEP_TASKS_PER_NODE");

    *task = 0;
    *tasks = 1;
    /* The batch script has a SLURM_LOCALID too, but is alone. */
    if (local == NULL || node == NULL || list == NULL)
        return;
    *tasks = gpus_tasks_on(list, strtoll(node, NULL, 10));
    *task = strtoll(local, NULL, 10);
    if (*task < 0 || *task >= *tasks) {
        *task = 0;
        *tasks = 1;
    }
}

int gpus_share(const struct words *all, int64_t task, int64_t tasks,
               struct words *share, struct relay_error *err)
{
    size_t i;

    if (all->n > 0 && (int64_t)all->n < tasks)
        return words_add(share, all->word[(size_t)task % all->n], err);
    for (i = (size_t)task; i < all->n; i += (size_t)tasks) {
        if (words_add(share, all->word[i], err) != 0)
            return -1;
    }
    return 0;
}

char *gpus_of_slot(const struct words *all, int64_t slot, int64_t per)
{
    struct text list = {0};
    int64_t n = (int64_t)all->n;
    int64_t i;

    if (n == 0)
        return NULL;
    for (i = 0; i < per && i < n; i++)
        text_printf(&list, "%s%s", i > 0 ? "," : "",
                    all->word[(slot * per + i) % n]);
    if (list.failed)
        text_free(&list);
    return list.s;
}
