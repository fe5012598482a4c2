#!/bin/bash
# sresume list --all-clusters where only this cluster answers, without Slurm.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

owner='"owner": {"cluster": "here", "user": "ada", "job_id": "71", "job_raw": "71", "submit": 1, "restart": 0, "host": "n1", "boot_id": "b", "pid": 2, "pid_start": 3, "dir": "/", "name": "train"}'

# all_clusters [ARG...]: the listing, as JSON in the file j.
all_clusters()
{
    run "$SRESUME" list --all-clusters --json "$@"
    echo "$out" >j
}

# of NAME MEMBER: of the run of that name, in j.
of()
{
    field j "[r['$2'] for r in x['runs'] if r['name'] == '$1'][0]"
}

run "$SRESUME" list --all-clusters
is 'no runs is an empty table' 0 '^NAME +CLUSTER +STEP +AGE +RATE +ETA +STATE +OWNER'

a_state lab/p/plain 1200 ', "entity": "lab", "project": "p", "total_steps": 9000'
a_state lab/p/done 5000 ', "completed": true'
a_state lab/p/failed 31
a_record lab/p/failed run 1 "\"kind\": \"claim\", \"term\": 1, $owner"
a_record lab/p/failed run 2 \
    "\"kind\": \"release\", \"term\": 1, \"cause\": \"failed\", \"status\": 768, $owner"
a_state lab/p/held 32
a_record lab/p/held run 1 "\"kind\": \"claim\", \"doing\": \"running\", \"term\": 3, $owner"
a_state lab/p/moved 33 ', "moved_to": {"cluster": "there", "term": 2, "time": 1}'
a_record lab/p/moved run 1 \
    "\"kind\": \"fence\", \"term\": 2, \"moved_to\": {\"cluster\": \"there\", \"job_id\": \"9\", \"root\": \"/r\", \"nonce\": \"n\"}, \"fenced\": null, $owner"
a_state lab/p/stuck 34
a_record lab/p/stuck handoff 1 \
    "\"kind\": \"SOURCE_STOPPED\", \"term\": 2, \"step\": 34, \"source\": {\"cluster\": \"there\", \"root\": \"/r\", \"hash\": \"h\"}, $owner"
a_record lab/p/waits run 1 "\"kind\": \"claim\", \"key\": \"lab/p/waits\", \"term\": 1, $owner"
# Eleven records: the last is found by number, not by name.
a_state lab/p/many 36
for i in 1 2 3 4 5 6 7 8 9 10 11; do
    a_record lab/p/many run "$i" "\"kind\": \"reset\", \"term\": $i, $owner"
done

run "$SRESUME" list --json
echo "$out" >plain
all_clusters
check 'every state is the one that list without the option tells' \
    test "$(field j "sorted((r['name'], r['state']) for r in x['runs'])")" = \
    "$(field plain "sorted((r['name'], r['state']) for r in x)")"
check 'so are owner, cause, journal, term and step' \
    test "$(field j "sorted((r['name'], r['owner'], r['cause'], r['journal'], r['term'], r['step']) for r in x['runs'])")" = \
    "$(field plain "sorted((r['name'], r['owner'], r['cause'] if r['state'] in ('failed', 'ended') else None, r['journal'], r['term'], r['step']) for r in x)")"
check 'the key comes from the meta' test "$(of plain key)" = lab/p/plain
check 'the number of steps, too' test "$(of plain total)" = 9000
check 'a run without a state has its key from our records' \
    test "$(of waits key)" = lab/p/waits
check 'the last of eleven records counts' test "$(of many term)" = 11
check 'a run that is here alone is the only copy' \
    test "$(of plain copy)" = only
check 'this cluster answered, its queue did not' test "$(field j \
    "[(c['cluster'], c['answered'], c['queue_answered']) for c in x['clusters']]")" = \
    "[('here', True, False)]"
check 'a cluster with reach: none is not asked' \
    test -z "$(grep -F there.invalid <<<"$out$err")"

run "$SRESUME" list --all-clusters
is 'the table has the cluster' 0 'plain +here +1200 '
is 'it shouts STRANDED' 0 'stuck +here +34 .*STRANDED'
is 'and says where to ask what to do' 0 'sresume explain NAME'
is 'a moved run says where it is' 0 'moved +here +33 .*moved +on there'
is 'a silent queue is said on stderr' 0 'here: squeue did not answer'

run "$SRESUME" list --all-clusters 'f*ed'
check 'a pattern chooses by name' test "$(wc -l <<<"$out")" = 2
is 'the one that fits' 0 '^failed|
failed'
all_clusters lab/p/wai*
check 'a pattern chooses by a key that only our records have' \
    test "$(field j "[r['name'] for r in x['runs']]")" = "['waits']"
all_clusters "$(hash_of lab/p/held)"
check 'a pattern chooses by hash' \
    test "$(field j "[r['name'] for r in x['runs']]")" = "['held']"
all_clusters '[dp][lo][an]*'
check 'a pattern with a set of characters' \
    test "$(field j "[r['name'] for r in x['runs']]")" = "['done', 'plain']"
all_clusters --state=failed
check '--state chooses' \
    test "$(field j "[r['name'] for r in x['runs']]")" = "['failed']"
run "$SRESUME" list --all-clusters --root="$dir/none"
is 'a root that is not there has no runs' 0 '^NAME[^
]*
?$'

# What others may have written.
a_state $'lab/p/evil' 1
sed -i 's/"evil"/"ev\\u001b[31mil \\u00fc:\\nx"/' \
    "$(state_of lab/p/evil)/resume_meta.json"
a_state lab/p/torn 1
printf '{"last_checkpoint_step": 12, "run_n' \
    >"$(state_of lab/p/torn)/resume_meta.json"
a_state lab/p/binary 1
printf 'x\0y\n\377:\n' >"$(state_of lab/p/binary)/resume_meta.json"
a_state lab/p/pipe 1
rm "$(state_of lab/p/pipe)/resume_meta.json"
mkfifo "$(state_of lab/p/pipe)/resume_meta.json"
a_state lab/p/broken 2
a_record lab/p/broken run 1 '"kind": "claim"'
echo '{' >"$root/.relay/$(hash_of lab/p/broken)/run.1"
mkdir "$root/not-a-run" "$root/$(hash_of empty)"
all_clusters
check 'a name may hold anything' test "$(field j \
    "[r['step'] for r in x['runs'] if r['name'] == 'ev\x1b[31mil ü:\nx']")" = \
    '[1]'
check 'a torn meta is listed by its hash' test "$(field j \
    "[r['state'] for r in x['runs'] if r['hash'] == '$(hash_of lab/p/torn)']")" = \
    "['unknown']"
is 'and named on stderr' 0 "$(hash_of lab/p/torn)/resume_meta.json"
is 'one of other bytes, too' 0 "$(hash_of lab/p/binary)/resume_meta.json"
is 'and a record that is torn' 0 "$(hash_of lab/p/broken)/run.1"
check 'the others are listed all the same' test "$(of plain step)" = 1200
run "$SRESUME" list --all-clusters
check 'escapes in a name do not reach the terminal' \
    test "${out//$'\033'/}" = "$out"

# One that cannot be reached is a line on stderr.
sed -i 's/ there: .*/ there: {ssh: there.invalid, resume_root: \/there}/' \
    relay.yaml
all_clusters
is 'a cluster that does not answer is no failure' 0 'sresume: there'
check 'JSON says which one' test "$(field j \
    "[(c['cluster'], c['answered']) for c in x['clusters']]")" = \
    "[('here', True), ('there', False)]"
check 'and the runs here are listed' test "$(of plain step)" = 1200
check 'one line says so' test "$(grep -c '^sresume: there' <<<"$err")" = 1

finish
