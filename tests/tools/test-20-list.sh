#!/bin/bash
# sresume list and show: the states of runs.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

owner='"owner": {"cluster": "here", "user": "ada", "job_id": "71", "job_raw": "71", "submit": 1, "restart": 0, "host": "n1", "boot_id": "b", "pid": 2, "pid_start": 3, "dir": "/", "name": "train"}'

state()
{
    field j "[r['state'] for r in x if r['name'] == '$1'][0]"
}

run "$SRESUME" list
is 'no runs is an empty table' 0 'NAME +STEP'

a_state lab/p/plain 1200
a_state lab/p/done 5000 ', "completed": true'
a_state lab/p/cancelled 30
a_record lab/p/cancelled run 1 "\"kind\": \"claim\", \"term\": 1, $owner"
a_record lab/p/cancelled run 2 \
    "\"kind\": \"release\", \"term\": 1, \"cause\": \"cancelled\", \"status\": 15, $owner"
a_state lab/p/failed 31
a_record lab/p/failed run 1 \
    "\"kind\": \"release\", \"term\": 1, \"cause\": \"failed\", \"status\": 768, $owner"
a_state lab/p/held 32
a_record lab/p/held run 1 "\"kind\": \"claim\", \"doing\": \"running\", \"term\": 1, $owner"
a_state lab/p/moved 33 ', "moved_to": {"cluster": "there", "term": 2, "time": 1}'
a_record lab/p/moved run 1 \
    "\"kind\": \"fence\", \"term\": 2, \"moved_to\": {\"cluster\": \"there\", \"job_id\": \"9\", \"root\": \"/r\", \"nonce\": \"n\"}, \"fenced\": null, $owner"
a_state lab/p/stuck 34
a_record lab/p/stuck handoff 1 \
    "\"kind\": \"SOURCE_STOPPED\", \"term\": 2, \"step\": 34, \"source\": {\"cluster\": \"there\", \"root\": \"/r\", \"hash\": \"h\"}, $owner"
a_state lab/p/again 35
a_record lab/p/again run 1 "\"kind\": \"reset\", \"term\": 1, $owner"

run "$SRESUME" list --json
echo "$out" >j
check 'a training that knows nothing of us is unknown' \
    test "$(state plain)" = unknown
check 'completed is completed' test "$(state 'done')" = completed
check 'a cancelled job is ended' test "$(state cancelled)" = ended
check 'a failed one failed' test "$(state failed)" = failed
check 'without squeue nobody knows whether a holder runs' \
    test "$(state held)" = unknown
check 'a stub is moved' test "$(state moved)" = moved
check 'a handoff that nobody goes on with is stranded' \
    test "$(state stuck)" = stranded
check 'a reset run is new' test "$(state again)" = new
check 'list --json has steps and causes' test "$(field j \
    "[(r['step'], r['cause']) for r in x if r['name'] == 'cancelled']")" = \
    "[(30, 'cancelled')]"

run "$SRESUME" list
is 'the table shouts STRANDED' 0 'stuck +34 .*STRANDED'
is 'and says what to do about it' 0 'sresume explain'
is 'a moved run says where it is' 0 'moved +33 .*moved +on there'
check 'no colours where there is no terminal' \
    test "${out//$'\033'/}" = "$out"
check 'the states stand below STATE' test "$(awk '
    match($0, /STATE|unknown|STRANDED/) { print RSTART }
' <<<"$out" | sort -u | wc -l)" = 1

run script -qec "NO_COLOR=1 '$SRESUME' list" /dev/null
check 'no colours on a terminal with NO_COLOR' \
    test "${out//$'\033'/}" = "$out"

run "$SRESUME" list 'c*ed'
check 'a pattern chooses' test "$(wc -l <<<"$out")" = 2
run "$SRESUME" list --state=failed --json
echo "$out" >j
check '--state chooses' test "$(field j "[r['name'] for r in x]")" = "['failed']"

a_state $'lab/p/evil' 1
sed -i 's/"evil"/"ev\\u001b[31mil"/' "$(state_of lab/p/evil)/resume_meta.json"
run "$SRESUME" list
check 'escapes in a name do not reach the terminal' \
    test "${out//$'\033'/}" = "$out"

a_record lab/p/plain run 1 '"kind": "claim"'
echo '{' >"$root/.relay/$(hash_of lab/p/plain)/run.1"
run "$SRESUME" list
is 'a broken record is named, and the others are listed' 0 'run\.1.*'
is 'the run of a broken record is unknown' 0 'plain +1200 .*unknown'
run "$SRESUME" show plain
is 'show says which record is broken' 65 'run\.1'

run "$SRESUME" show cancelled
is 'show by run name: step' 0 'step +30, saved'
is 'show: how it ended' 0 'ended +cancelled'
run "$SRESUME" show "$(hash_of lab/p/failed | cut -c1-10)" --json
echo "$out" >j
check 'show by the beginning of the hash' test "$(field j "x['name']")" = failed
check 'show --json has the directory' \
    test "$(field j "x['directory']")" = "$(state_of lab/p/failed)"

a_record lab/p/waits run 1 "\"kind\": \"claim\", \"key\": \"lab/p/waits\", \"term\": 1, $owner"
run "$SRESUME" list
is 'a run without a state has its name from our records' 0 'waits +- +- '
run "$SRESUME" show waits
is 'and is found by it' 0 'key +lab/p/waits'

run "$SRESUME" show lab/p/cancelle
is 'a run that is not there: 65 and the nearest' 65 'cancelled'
run "$SRESUME" show cancelle
is 'a name that is not there, too' 65 'cancelled'

a_state lab/q/failed 77
run "$SRESUME" show failed
is 'a name that two runs have: 65 and both' 65 "$(hash_of lab/q/failed | cut -c1-8)"
run "$SRESUME" show lab/q/failed
is 'the key tells them apart' 0 'step +77'

run "$SRESUME" list --root="$dir/none"
is 'a root that is not there is empty' 0 'NAME'

many=$dir/many
mkdir "$many"
python3 - "$many" <<'END'
import hashlib, os, sys
for i in range(10000):
    d = os.path.join(sys.argv[1], hashlib.sha1(b"%d" % i).hexdigest())
    os.mkdir(d)
    with open(os.path.join(d, "resume_meta.json"), "w") as f:
        f.write('{"last_checkpoint_step": %d, "run_name": "r%05d"}' % (i, i))
END
run "$SRESUME" list --root="$many"
check '10,000 runs are listed' test "$(wc -l <<<"$out")" = 10001

finish
