#!/bin/sh
# One line of ablation.txt: cfg, task, epochs.
cfg=$1 task=$2 epochs=$3
echo "$task with $cfg"
exec python3 "$(dirname -- "$0")/bpe.py" --config "$cfg" --epochs "$epochs"
