#!/bin/bash
# sresume doctor: what is well and what is not.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

run "$SRESUME" doctor
is 'each value with its file and line' 0 \
    "clusters\\.here\\.run_root = $dir/ckpt \\($dir/relay.yaml:5\\)"
is 'the file system can link, rename and exchange' 0 \
    "ok +resume_root +$root: "
is 'rsync and its version' 0 'ok +programs +/.*rsync: rsync +version'
is 'Slurm that does not answer is a warning' 0 'warn +slurm'
is 'no plugin: a warning, and what does without it' 0 'warn +plugin.*sresume run'
is 'a peer that is not to be reached is not asked' 0 'info +ssh +there'
check 'nothing is left behind' test -z "$(ls -A "$root")"

run "$SRESUME" doctor --quiet
check '--quiet leaves out what is well' \
    test "$(grep -c '^\(ok\|info\)' <<<"$out")" = 0

run "$SRESUME" doctor --json
echo "$out" >j
check '--json has status, check and text' test "$(field j \
    "sorted({k for f in x for k in f})")" = "['check', 'status', 'text']"

sed 's/run_root/run_rot/' relay.yaml >wrong.yaml
run "$SRESUME" doctor --config=wrong.yaml
is 'an unknown key: FAIL with file, line and column' 1 \
    "FAIL +config +.*wrong\\.yaml:5:[0-9]+"

sed "s|resume_root: $root|resume_root: $dir/relay.yaml|" relay.yaml >wrong.yaml
run "$SRESUME" doctor --config=wrong.yaml
is 'a resume_root that is a file: FAIL' 1 'FAIL +resume_root'

sed 's/reach: none, //; s/there\.invalid/127.0.0.1/' relay.yaml >wrong.yaml
sed -i '1i # a peer that nobody answers for' wrong.yaml
run env HOME="$dir/home" "$SRESUME" doctor --config=wrong.yaml
is 'a peer that does not answer: FAIL, with its name' 1 'FAIL +ssh +there'

a_state lab/p/stuck 34
a_record lab/p/stuck handoff 1 \
    '"kind": "STOPPING", "term": 2, "step": 34, "source": {"cluster": "there", "root": "/r", "hash": "h"}, "owner": {"cluster": "here", "job_id": "1"}'
run "$SRESUME" doctor
is 'a stranded run: FAIL and the command' 1 'FAIL +runs +stuck is STRANDED.*explain stuck'

# The plugin, as far as it can be looked at without Slurm.
if [ -n "${RELAY_SO-}" ] && [ -e "$RELAY_SO" ]; then
    cp "$RELAY_SO" relay.so
    chmod 755 relay.so
    mkdir -p conf.d
    echo "include $dir/conf.d/*.conf" >plugstack.conf
    printf '# ours\noptional %s prolog_deadline=3 helper=%s\n' \
        "$dir/relay.so" "$SRESUME" >conf.d/relay.conf
    run "$SRESUME" doctor
    is 'relay.so is found in an included file, with its Slurm' 1 \
        "plugin +$dir/relay.so for Slurm 2[0-9]\\.[0-9][0-9], optional in $dir/conf.d/relay.conf:2"
    is 'its deadline is looked at' 1 'prolog_deadline=3'

    printf 'optional %s prolog_dedline=3\n' "$dir/relay.so" >conf.d/relay.conf
    run "$SRESUME" doctor
    is 'an argument that is misspelt: FAIL' 1 'FAIL +plugin.*relay\.conf:1: .*prolog_dedline'

    echo 'no plugin' >relay.so
    run "$SRESUME" doctor
    is 'a file that is no plugin: FAIL' 1 'FAIL +plugin +.*relay\.so is not a plugin'

    chmod 777 relay.so
    run "$SRESUME" doctor
    is 'a plugin that others can write: FAIL' 1 'FAIL +plugin +.*can be written by others'

    rm relay.so
    run "$SRESUME" doctor
    is 'a plugin that is not there: FAIL' 1 'FAIL +plugin +.*relay\.so .*No such file'
fi

finish
