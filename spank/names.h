/* Names that Slurm's plugin interface gives the options' values. */
#ifndef RELAY_SPANK_NAMES_H
#define RELAY_SPANK_NAMES_H

/* The name in SPANK_PLUGIN(); it is part of the variables' names below. */
#define NAMES_PLUGIN relay

/* In the environment of the submitting command and of the step's launch. */
#define NAMES_OPTION "_SLURM_SPANK_OPTION_relay_"
/* In the job's environment; a submission reads it as if it were typed. */
#define NAMES_EXPORTED "SLURM_SPANK__SLURM_SPANK_OPTION_relay_"

/* The environment twins, after Slurm's own pattern. */
#define NAMES_TWIN_SBATCH "SBATCH_"
#define NAMES_TWIN_SALLOC "SALLOC_"
#define NAMES_TWIN_SRUN "SRUN_"

#define NAMES_MAX 128

#endif
