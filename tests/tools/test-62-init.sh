#!/bin/bash
# sresume init, on a machine that is one cluster and reaches no other.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

unset RELAY_CONFIG SCRATCH GROUP_SCRATCH
mkdir "$dir/etc" # of a site that has no relay.yaml
export SLURM_CONF=$dir/etc/slurm.conf
echo 'ClusterName=Mars # of the tests' >"$SLURM_CONF"
file=$HOME/.config/slurm-relay/relay.yaml
mkdir -p "$HOME/proj/_resume/not-a-run" work
cd work || exit 73

# a_run DIR KEY: a run's resume directory below DIR.
a_run()
{
    mkdir -p "$1/$(hash_of "$2")"
    echo '{"last_checkpoint_step": 5, "run_name": "x"}' \
        >"$1/$(hash_of "$2")/resume_meta.json"
}

run "$SRESUME" init --dry-run
is 'a directory named _resume is found' 0 'resume_root: ~/proj/_resume'
is 'and its parent' 0 'run_root: ~/proj'
is 'the cluster has the name that slurm.conf says' 0 '  mars:'
check 'nothing is written' test ! -e "$file"

a_run states a
a_run states b
a_run "$HOME/proj/_resume" a
run "$SRESUME" init -n
is 'the one with most runs, by its runs alone' 0 "resume_root: $dir/work/states"
is 'and why' 0 "states: 2 runs, the most: taken"
is 'the other one is named' 0 '# or: ~/proj/_resume \(runs: 1\)'

export GROUP_SCRATCH=$dir/scratch
for key in a b c; do
    a_run "$dir/scratch/$(id -un)/ckpt/_resume" "$key"
done
run "$SRESUME" init -n
# shellcheck disable=SC2016 # it is to be found so
is 'a path is spelled with variables' 0 \
    'resume_root: \$GROUP_SCRATCH/%u/ckpt/_resume'

run "$SRESUME" init --ssh=nowhere.invalid
is 'a host that is none: 69, and what to look at' 69 \
    'nowhere.invalid cannot be reached.*ssh -o BatchMode=yes'
check 'nothing is written then' test ! -e "$file"
run "$SRESUME" init --ssh=-oProxyCommand=x
is 'an option is no host: 64' 64 'ssh=-oProxyCommand=x'

run "$SRESUME" init
is 'it is written' 0 "written +$file"
check 'for the user alone' test "$(stat -c %a "$file")" = 600
run "$SRESUME" list
is 'and every command reads it' 0 'x'
before=$(<"$file")
run "$SRESUME" init
is 'a file that is there is not replaced: 73' 73 'is there already.*--force'
# shellcheck disable=SC2016
is 'what it could say is printed' 73 'resume_root: \$GROUP_SCRATCH'
check 'it is as it was' test "$(<"$file")" = "$before"
echo 'peers: off' >"$file"
run "$SRESUME" init --force
is '--force replaces it' 0 'kept +.*relay.yaml.bak-'
check 'and keeps the old one' test "$(cat "$file".bak-*)" = 'peers: off'
check 'nothing else is left there' test "$(find "${file%/*}" -type f | wc -l)" = 2

printf 'clusters:\n  mars: {resume_root: /old/_resume, run_root: /old/runs}\n' \
    >"$file"
run "$SRESUME" init --force
is 'two of a second are both kept' 0 'kept'
check 'each of them' test "$(find "${file%/*}" -name '*.bak-*' | wc -l)" = 2
is 'what was configured stays' 0 '/old/_resume: configured'
check 'run_root, too' grep -q 'run_root: /old/runs' "$file"

: >"$SLURM_CONF"
run "$SRESUME" init -n
is 'a machine of no cluster: 78' 78 'ClusterName'

finish
