#include "jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"

static int by_id(const void *a, const void *b)
{
    const struct job_entry *x = a;
    const struct job_entry *y = b;

    return strcmp(x->id, y->id);
}

static int add_line(char *line, struct job_list *list, size_t *room)
{
    char *state = strchr(line, '|');
    char *name = state != NULL ? strchr(state + 1, '|') : NULL;
    struct job_entry *job;

    if (name == NULL)
        return 0;
    *state++ = '\0';
    *name++ = '\0';
    if (list->n == *room) {
        size_t more = *room == 0 ? 64 : *room * 2;

        job = realloc(list->jobs, more * sizeof(*job));
        if (job == NULL)
            return -1;
        list->jobs = job;
        *room = more;
    }
    job = &list->jobs[list->n];
    snprintf(job->id, sizeof(job->id), "%s", line);
    snprintf(job->state, sizeof(job->state), "%s", state);
    job->name = strdup(name);
    if (job->name == NULL)
        return -1;
    list->n++;
    return 0;
}

int jobs_parse(char *text, struct job_list *list)
{
    size_t room = 0;
    char *end;

    memset(list, 0, sizeof(*list));
    for (; *text != '\0'; text = end) {
        end = text + strcspn(text, "\n");
        if (*end != '\0')
            *end++ = '\0';
        if (add_line(text, list, &room) != 0) {
            jobs_free(list);
            return -1;
        }
    }
    if (list->n > 0)
        qsort(list->jobs, list->n, sizeof(*list->jobs), by_id);
    return 0;
}

void jobs_list(struct job_list *list, int deadline_ms)
{
    /* -r: one line for each array member, named ID_TASK; the name is last
     * because it alone may hold a '|'. */
    char squeue[256];
    const char *argv[] = {squeue, "--me", "-h", "-r", "-o", "%i|%T|%j", NULL};
    struct process_spec spec = {.argv = argv, .deadline_ms = deadline_ms};
    struct process_result res;

    memset(list, 0, sizeof(*list));
    if (process_find("squeue", squeue, sizeof(squeue), NULL) != 0)
        return;
    if (process_run(&spec, &res, NULL) == 0 && process_ok(&res) &&
        jobs_parse(res.out, list) == 0)
        list->answered = true;
    process_free(&res);
}

void jobs_free(struct job_list *list)
{
    size_t i;

    for (i = 0; i < list->n; i++)
        free(list->jobs[i].name);
    free(list->jobs);
    memset(list, 0, sizeof(*list));
}

const struct job_entry *jobs_find(const struct job_list *list, const char *id)
{
    struct job_entry want;

    if (list->n == 0)
        return NULL;
    snprintf(want.id, sizeof(want.id), "%s", id);
    return bsearch(&want, list->jobs, list->n, sizeof(want), by_id);
}

const struct job_entry *jobs_named(const struct job_list *list,
                                   const char *name)
{
    const struct job_entry *found = NULL;
    size_t i;

    for (i = 0; i < list->n; i++) {
        if (strcmp(list->jobs[i].name, name) != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = &list->jobs[i];
    }
    return found;
}
