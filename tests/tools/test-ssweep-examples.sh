#!/bin/bash
# The examples of sweeps, run as they are written.
# shellcheck source-path=SCRIPTDIR source=sweeplib.sh
. "$(dirname -- "$0")/sweeplib.sh"

cp -R "$tests/../../examples/sweeps/." .
printf 'cluster: here\n' >"$dir/relay.yaml"

# proofs DIR: how many cells below it left one.
proofs()
{
    find "$1" -name summary.json -exec grep -l '"ok": true' {} + | wc -l
}

run "$SSWEEP" run bpe.yaml
is 'a W&B sweep file runs to its end' 0 'nothing is left: 8 done'
check 'each cell wrote into its own directory' test \
    "$(proofs out/translation-compression/bpe-n3-n5)" = 8
run "$SSWEEP" verify bpe.sweep
is 'and all of it can be loaded' 0 '8 of 8'

run "$SSWEEP" run toy.csv -- python3 bpe.py
is 'a CSV runs to its end' 0 'nothing is left: 4 done'
check 'its runs are in out/<run_id>/' test -s out/toy-n5-s2/summary.json
check 'False switched the log off' test \
    "$(grep -c epoch out/toy-n3-s1/stdout.log)" = 0

run "$SSWEEP" run ablation.txt -- ./run_one.sh
is 'a queue file runs to its end' 0 'nothing is left: 3 done'
check 'a line without epochs has 20' grep -q 'epoch 20/20' \
    out/ablation/more_merges/stdout.log
cp ablation/short.json ablation/late.json
echo 'ablation/late.json compress 1' >>ablation.txt
run "$SSWEEP" run ablation.txt -- ./run_one.sh
is 'and an appended line runs alone' 0 'cell late .*nothing is left: 4 done'

finish
