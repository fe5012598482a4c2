/*
 * A SPANK plugin that does nothing in the places where relay.so does
 * something: what Slurm itself takes to load any plugin with these hooks
 * (bench/launch).
 */
#include <slurm/spank.h>

SPANK_PLUGIN(empty, 1)

static int nothing(spank_t sp, int argc, char **argv)
{
    (void)sp;
    (void)argc;
    (void)argv;
    return 0;
}

int slurm_spank_init(spank_t sp, int argc, char **argv)
{
    return nothing(sp, argc, argv);
}

int slurm_spank_init_post_opt(spank_t sp, int argc, char **argv)
{
    return nothing(sp, argc, argv);
}

int slurm_spank_task_init(spank_t sp, int argc, char **argv)
{
    return nothing(sp, argc, argv);
}

int slurm_spank_task_post_fork(spank_t sp, int argc, char **argv)
{
    return nothing(sp, argc, argv);
}

int slurm_spank_task_exit(spank_t sp, int argc, char **argv)
{
    return nothing(sp, argc, argv);
}

int slurm_spank_exit(spank_t sp, int argc, char **argv)
{
    return nothing(sp, argc, argv);
}

int slurm_spank_job_prolog(spank_t sp, int argc, char **argv)
{
    return nothing(sp, argc, argv);
}

int slurm_spank_job_epilog(spank_t sp, int argc, char **argv)
{
    return nothing(sp, argc, argv);
}
