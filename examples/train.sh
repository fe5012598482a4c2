#!/bin/bash
#SBATCH --ntasks=1
#SBATCH --requeue
# A job script for train.py. Arguments are handed on:
#
#   sbatch --resume-key=lab/robots/disc-seed-1 train.sh \
#       --entity lab --project robots --run-name disc-seed-1
#
# Slurm runs a copy of this script, so train.py is looked for in the directory
# that sbatch was called in. exec, so that a signal to the job reaches Python.

exec python3 -u "${SLURM_SUBMIT_DIR:-.}/train.py" "$@"
