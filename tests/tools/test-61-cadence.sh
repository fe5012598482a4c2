#!/bin/bash
# sresume cadence where there is no Slurm: what it refuses, and how.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

a_state lab/p/a 5
run "$SRESUME" cadence lab/p/a
is 'without accounting: 69, and why' 69 'how jobs ended is not known here: sacct'
run "$SRESUME" cadence lab/p/none
is 'a run that is none: 65' 65 'lab/p/none .* is not in'
run "$SRESUME" cadence --since=never lab/p/a
is 'a time that is none: 64' 64 'since=never'
run "$SRESUME" cadence --save-time=0 lab/p/a
is 'a checkpoint that takes no time: 64' 64 'save-time=0: seconds'
run "$SRESUME" cadence --save-time=2x lab/p/a
is 'a save time that is none: 64' 64 'save-time=2x'
run "$SRESUME" cadence --confidence=100 lab/p/a
is 'certainty cannot be had: 64' 64 'confidence=100: 50 to 99'
for save in 12.5 90s 2m; do
    run "$SRESUME" cadence --save-time=$save lab/p/a
    is "a save time of $save is taken" 69 'sacct'
done
run "$SRESUME" cadence
is 'all runs: the same' 69 'sacct'

finish
