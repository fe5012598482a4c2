/* ssweep serve: the home of a sweep answers a worker on another cluster. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "file.h"
#include "jsonfile.h"
#include "ssweep_session.h"
#include "sweep/home_answer.h"
#include "sweep/home_wire.h"

static struct json_object *read_request(struct relay_error *err)
{
    size_t len;
    char *text = file_read_fd(STDIN_FILENO, "the request", WIRE_MAX, &len,
                              err);
    struct json_object *request =
        text != NULL ? json_parse(text, len, "the request", err) : NULL;

    free(text);
    return request;
}

static struct json_object *answer(const char *path, struct relay_error *err)
{
    struct json_object *request = read_request(err);
    struct json_object *reply = NULL;
    struct config cfg = {0};
    struct sweep sweep;
    int rc = request != NULL ? config_load(NULL, NULL, &cfg, err) : -1;

    memset(&sweep, 0, sizeof(sweep));
    sweep.fd = -1;
    if (rc == 0 && sweep_open(path, &sweep, err) == 0)
        reply = home_answer(&sweep, &cfg, request);
    sweep_close(&sweep);
    config_free(&cfg);
    json_object_put(request);
    return reply;
}

int ssweep_serve(int argc, char **argv)
{
    static const struct cli_option options[] = {{.name = NULL}};
    static const struct cli_spec spec = {
        SSWEEP, "serve", "SWEEP",
        "Answers a worker on another cluster (`ssweep run ssh://...`), which\n"
        "starts it here over ssh: a request on standard input, one JSON\n"
        "object, is answered on standard output. Not for people.",
        options, 1, 1};
    struct relay_error err = {0};
    struct json_object *reply;
    char **args;
    int nargs, code;

    if (cli_parse(&spec, argc, argv, &args, &nargs, &code) != 0)
        return code;
    reply = answer(args[0], &err);
    if (reply == NULL)
        reply = home_answer_error(&err);
    code = printf("%s\n", json_object_to_json_string_ext(
                              reply, JSON_C_TO_STRING_PLAIN |
                                         JSON_C_TO_STRING_NOSLASHESCAPE)) < 0 ||
                   fflush(stdout) != 0
               ? EX_IOERR : 0;
    json_object_put(reply);
    return code;
}
