#include "fuzz.h"

#include "move/batchlines.h"
#include "move/gres.h"
#include "move/request.h"
#include "move/sbatchopt.h"

enum { MOST_WORDS = 64 };

/* Lines up to an empty one are a command line, the rest is a script. */
static int split(char *text, char **argv, char **script)
{
    int argc = 0;

    while (*text != '\0' && *text != '\n' && argc < MOST_WORDS) {
        size_t len = strcspn(text, "\n");
        char end = text[len];

        text[len] = '\0';
        argv[argc++] = text;
        text += len + (end != '\0');
    }
    *script = text;
    return argc;
}

static void check_script(const char *script)
{
    struct words words = {0};
    struct relay_error err;
    size_t i;

    if (batchlines_read(script, "fuzz", &words, &err) == 0) {
        for (i = 0; i < words.n; i++)
            HOLDS(words.word[i][0] != '\0');
    }
    words_free(&words);
}

static void check_gpus(const char *text)
{
    char types[64];
    int bare;

    for (bare = 0; bare < 2; bare++) {
        int64_t n = gres_gpus(text, bare != 0);

        HOLDS(n >= 0 && n <= 1000000);
        HOLDS(gres_types(text, bare != 0, types, sizeof(types)) != 0 ||
              strlen(types) < sizeof(types));
    }
}

/* The script is where the reading of options says, whatever else there is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    char *argv[MOST_WORDS], *script;
    int argc = split(text, argv, &script);
    struct sbatch_words words = {.argv = argv, .argc = argc};
    struct sbatch_found found;
    struct relay_error err;
    struct request req;
    int at = 0, rc;

    while ((rc = sbatch_next(&words, &found, &err)) == 1) {
        HOLDS(words.at >= at && words.at <= argc);
        at = words.at;
        if (found.value != NULL)
            check_gpus(found.value);
    }
    argc = rc == 0 ? words.at : argc; /* no file is read for a script */
    if (rc == 0 && argc > 0 && request_read(argv, argc, &req, &err) == 0) {
        HOLDS(req.script == NULL && req.script_at == argc);
        HOLDS(req.nodes >= 1 && req.gpus >= 0);
    }
    check_script(script);
    free(text);
    return 0;
}
