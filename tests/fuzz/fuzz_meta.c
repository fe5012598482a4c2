#include "fuzz.h"

#include "meta.h"
#include "meta_scan.h"

static char from[] = "/scratch";
static char to[] = "/iris";
static const struct path_map map = {from, to};

static void splice_and_look(const struct meta *meta)
{
    const char *value = "\"/new/\\\"dir\"";
    struct relay_error err;
    struct meta again;
    size_t len = 0, back_len = 0;
    char *out = meta_splice(meta->text, meta->len, "run_dir", value, &len,
                            &err);
    char *back;

    HOLDS(out != NULL);
    HOLDS(meta_parse(out, len, "spliced", &again, &err) == 0);
    HOLDS(again.run_dir != NULL && strcmp(again.run_dir, "/new/\"dir") == 0);
    HOLDS(again.step == meta->step && again.completed == meta->completed);
    meta_free(&again);
    back = meta_remove(out, len, "run_dir", &back_len, &err);
    HOLDS(back != NULL && back_len <= len);
    HOLDS(meta_parse(back, back_len, "removed", &again, &err) == 0);
    HOLDS(again.run_dir == NULL && again.step == meta->step);
    meta_free(&again);
    free(back);
    free(out);
}

static void localise_and_look(const struct meta *meta)
{
    struct relay_error err;
    struct meta again;
    char *dir = NULL;
    size_t len = 0;
    char *out = meta_localise(meta, "/root", &map, 1, &dir, &len, &err);

    if (out == NULL)
        return;
    HOLDS(meta_parse(out, len, "localised", &again, &err) == 0);
    HOLDS(again.step == meta->step && again.moved_to == NULL);
    if (dir != NULL)
        HOLDS(strncmp(dir, "/root/", 6) == 0 || strncmp(dir, "/iris", 5) == 0);
    meta_free(&again);
    free(out);
    free(dir);
}

/* What is scanned can be spliced, and nothing else changes its meaning. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct relay_error err;
    struct meta meta;
    struct scan scan;
    char *text = fuzz_text(data, size);
    char *quoted = meta_quote(text);
    size_t room = strlen(quoted) + 8;
    char *object = malloc(room);
    size_t len;
    char *back;

    /* Any bytes survive being quoted and read again. */
    HOLDS(object != NULL);
    len = (size_t)snprintf(object, room, "{\"a\":%s}", quoted);
    HOLDS(scan_text(object, len, "quoted", &scan, &err) == 0);
    back = scan_string(&scan, scan.members[0].value, NULL);
    HOLDS(back != NULL && strcmp(back, text) == 0);
    scan_free(&scan);
    free(back);
    free(object);
    free(quoted);
    free(text);
    if (meta_parse((const char *)data, size, "fuzz", &meta, &err) != 0)
        return 0;
    HOLDS(meta.len == size && memcmp(meta.text, data, size) == 0);
    (void)meta_name(&meta);
    splice_and_look(&meta);
    localise_and_look(&meta);
    meta_free(&meta);
    return 0;
}
