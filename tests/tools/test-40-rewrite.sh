#!/bin/bash
# sresume rewrite: run_dir becomes a directory of this cluster.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

key=lab/p/run-1
meta=$(state_of $key)/resume_meta.json

a_state $key 100 ', "loss": 1.50E+00, "big": 12345678901234567890123'
cp "$meta" before
run "$SRESUME" rewrite --dry-run $key
is '--dry-run says what would be done' 0 \
    "would rewrite .*/scratch/elsewhere/run-1 -> $dir/ckpt/run-1"
check '--dry-run changes nothing' cmp before "$meta"
check '--dry-run makes no directory' test ! -e "$dir/ckpt/run-1"

chmod 640 "$meta"
run "$SRESUME" rewrite $key
is 'run_dir goes below the run_root' 0 "-> $dir/ckpt/run-1"
check 'the directory is there' test -d "$dir/ckpt/run-1"
check 'the old file is kept' cmp before "$meta.orig"
sed "s|/scratch/elsewhere/run-1|$dir/ckpt/run-1|" before >want
check 'every other byte is as it was' cmp want "$meta"
check 'the mode is as it was' test "$(stat -c %a "$meta")" = 640

run "$SRESUME" rewrite $key
is 'a second time is fine' 0 "-> $dir/ckpt/run-1"
check 'and keeps the first .orig' cmp before "$meta.orig"

run "$SRESUME" rewrite --run-root=new/root "$(dirname "$meta")"
is '--run-root, of a directory' 0 "-> $dir/new/root/run-1"
check '--run-root makes it' test -d "$dir/new/root/run-1"

run "$SRESUME" rewrite --run-dir="$dir/exact" run-1
check '--run-dir is taken as it is' test "$(field "$meta" \
    'x["run_dir"]')" = "$dir/exact"

cp -r "$(dirname "$meta")" loose
run env -u RELAY_CONFIG "$SRESUME" rewrite --run-dir="$dir/exact2" ./loose
is 'a loose directory needs no configuration with --run-dir' 0 exact2

cp "$meta" before
echo file >blocked
run "$SRESUME" rewrite --run-root="$dir/blocked" $key
is 'a directory that cannot be made: an error' 73 'blocked'
check 'and the meta is untouched' cmp before "$meta"

a_state lab/p/nodir 5
sed -i 's/, "run_dir": "[^"]*"//' "$(state_of lab/p/nodir)/resume_meta.json"
run "$SRESUME" rewrite nodir
is 'no run_dir: says how to add one' 65 'run-dir'

a_state lab/p/stub 5 ', "moved_to": {"cluster": "there", "term": 1, "time": 1}'
run "$SRESUME" rewrite stub
is 'a stub is not rewritten' 65 'moved to there'

a_state lab/p/dots 5
sed -i 's|/scratch/elsewhere/dots|/scratch/..|' "$(state_of lab/p/dots)/resume_meta.json"
run "$SRESUME" rewrite dots
is 'a run_dir that ends in .. is refused' 65 'run_dir'

run "$SRESUME" rewrite --run-root=a --run-dir=b $key
is 'two answers are one too many' 64 'exclude'

finish
