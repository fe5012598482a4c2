/*
 * relay.so: the entry points that Slurm calls, sorted by context.
 *
 * sbatch, salloc, srun (user): init, callback, init_post_opt:  submit.h
 * prolog and epilog (root):    job_prolog, job_epilog:         jobscript.h
 * slurmstepd (root):           init, callback, init_post_opt,
 *                              task_post_fork, task_exit, exit: step.h
 * a task of a step (user):     task_init:                      task.h
 *
 * No hook returns an error: in prolog, epilog and slurmstepd that would drain
 * the node, and where the plugin is optional it would be ignored.
 */
#pragma GCC visibility push(default)
#include "context.h"
SPANK_PLUGIN(relay, 1)
#pragma GCC visibility pop

#include <stdlib.h>
#include <unistd.h>

#include "jobscript.h"
#include "step.h"
#include "submit.h"
#include "task.h"

static struct relay_context context;

/* May be called twice, with different values: the environment's first. What
 * is wrong with a value is said later, by submit_check or a task: an error
 * from here would be Slurm's message and, in slurmstepd, a drained node. */
static int option_given(int val, const char *value, int remote)
{
    (void)remote;
    (void)options_set(&context.options, (enum relay_option)val, value, NULL);
    return 0;
}

static void prepare(int argc, char **argv)
{
    int i;

    if (args_parse(&context.args, argc, argv, &context.inert) == 0)
        context.inert.code = 0;
    for (i = 0; i < OPTION_COUNT; i++) {
        struct spank_option *option = &context.table[i];
        enum relay_option which = (enum relay_option)i;

        /* Slurm's struct is not const, its use is. */
        option->name = (char *)(uintptr_t)option_name(which);
        option->arginfo = (char *)(uintptr_t)option_arginfo(which);
        option->usage = (char *)(uintptr_t)option_usage(which);
        option->has_arg = 1;
        option->val = i;
        option->cb = option_given;
    }
}

int slurm_spank_init(spank_t sp, int argc, char **argv)
{
    spank_context_t where = spank_context();
    int i;

    prepare(argc, argv);
    if (where == S_CTX_SLURMD) {
        if (context.inert.code != 0)
            slurm_error("relay: plugstack.conf: %s; the plugin does nothing",
                        context.inert.text);
        return 0;
    }
    if (where == S_CTX_ALLOCATOR || where == S_CTX_LOCAL)
        submit_init();
    for (i = 0; i < OPTION_COUNT; i++)
        if (spank_option_register(sp, &context.table[i]) != ESPANK_SUCCESS)
            slurm_error("relay: option --%s is taken",
                        context.table[i].name);
    return 0;
}

int slurm_spank_init_post_opt(spank_t sp, int argc, char **argv)
{
    int code;

    (void)argc;
    (void)argv;
    switch (spank_context()) {
    case S_CTX_ALLOCATOR:
    case S_CTX_LOCAL:
        code = submit_check(&context);
        if (code != 0)
            exit(code); /* sbatch's own end: nothing is submitted yet */
        break;
    case S_CTX_REMOTE:
        step_begin(&context, sp);
        break;
    default:
        break;
    }
    return 0;
}

int slurm_spank_task_init(spank_t sp, int argc, char **argv)
{
    int code;

    (void)argc;
    (void)argv;
    if (spank_context() != S_CTX_REMOTE)
        return 0;
    code = task_enter(&context, sp);
    if (code != TASK_GO_ON)
        _exit(code); /* the one way that ends a job, optional or required */
    return 0;
}

int slurm_spank_task_post_fork(spank_t sp, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (spank_context() == S_CTX_REMOTE)
        step_started(&context, sp);
    return 0;
}

int slurm_spank_task_exit(spank_t sp, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (spank_context() == S_CTX_REMOTE)
        step_task_ended(&context, sp);
    return 0;
}

int slurm_spank_exit(spank_t sp, int argc, char **argv)
{
    (void)sp;
    (void)argc;
    (void)argv;
    if (spank_context() == S_CTX_REMOTE)
        step_end(&context);
    return 0;
}

int slurm_spank_job_prolog(spank_t sp, int argc, char **argv)
{
    prepare(argc, argv); /* here slurm_spank_init is not called */
    jobscript_prolog(&context, sp);
    return 0;
}

int slurm_spank_job_epilog(spank_t sp, int argc, char **argv)
{
    prepare(argc, argv);
    jobscript_epilog(&context, sp);
    return 0;
}
