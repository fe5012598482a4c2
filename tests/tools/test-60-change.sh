#!/bin/bash
# sresume reset, reopen, unlock, explain: what a person decides.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

elsewhere='"owner": {"cluster": "here", "user": "ada", "job_id": null, "job_raw": null, "submit": 0, "restart": 0, "host": "another-host", "boot_id": "b", "pid": 2, "pid_start": 3, "dir": "/", "name": ""}'

a_state lab/p/r 40
run "$SRESUME" explain lab/p/r
is 'explain: it resumes, and what to type' 0 'sbatch --resume-key=lab/p/r'
run "$SRESUME" reset lab/p/r
is 'reset says where the state is' 0 'aside-'
check 'the state is out of the way' test ! -e "$(state_of lab/p/r)"
aside=$(echo "$root/.relay/$(hash_of lab/p/r)"/aside-*)
check 'and whole' "$SRESUME" verify "$aside"
run "$SRESUME" explain --json lab/p/r
echo "$out" >j
check 'explain: it begins' test "$(field j \
    "(x['outcome'], x['exit'])")" = "('begins', 0)"
run "$SRESUME" run lab/p/r -- true
is 'the next run begins at step 0' 0 'step 0'

a_state lab/p/gone 41
run "$SRESUME" run lab/p/gone -- true
rm -r "$(state_of lab/p/gone)"
run "$SRESUME" run lab/p/gone -- touch began
is 'a state that vanished: 65, never step 0' 65 'reset lab/p/gone'
check 'no body' test ! -e began
run "$SRESUME" explain lab/p/gone
is 'explain says the same' 0 'reset lab/p/gone'
run "$SRESUME" reset lab/p/gone
is 'reset without a state' 0 'no state'
run "$SRESUME" run lab/p/gone -- touch began
is 'then it may begin' 0 'step 0'
check 'with a body' test -e began

run "$SRESUME" reset lab/p/never
is 'reset of a run that is not there: 65' 65 'not in'
check 'and nothing is made for it' \
    test ! -e "$root/.relay/$(hash_of lab/p/never)"

a_state lab/p/c 50 ', "completed": true, "n": 1.0'
run "$SRESUME" explain lab/p/c
is 'explain a completed run' 0 'reopen lab/p/c'
run "$SRESUME" reopen lab/p/c
is 'reopen' 0 'open again'
check 'completed is false, the rest as it was' grep -q \
    '"completed": false, "n": 1.0}' "$(state_of lab/p/c)/resume_meta.json"
run "$SRESUME" run lab/p/c -- true
is 'it trains on' 0 'resumes at step 50'
run "$SRESUME" reopen lab/p/c
is 'not twice' 65 'not completed'

a_state lab/p/u 60
a_record lab/p/u run 1 "\"kind\": \"claim\", \"doing\": \"running\", \"term\": 1, $elsewhere"
run "$SRESUME" run lab/p/u -- touch stolen
is 'an owner nobody can ask about is not taken over' 77 \
    'sresume unlock lab/p/u --gen 1'
check 'nothing ran' test ! -e stolen
run "$SRESUME" explain lab/p/u
is 'explain names the generation' 0 'unlock lab/p/u --gen=1'
run "$SRESUME" unlock lab/p/u
is 'unlock needs the generation' 64 'gen'
run "$SRESUME" unlock lab/p/u --gen=2
is 'unlock of another generation is refused' 77 'generation 1 now'
run "$SRESUME" unlock lab/p/u --gen=1
is 'unlock' 0 'unlocked'
check 'it is recorded with a name' test "$(field \
    "$root/.relay/$(hash_of lab/p/u)/run.2" "(x['kind'], x['by'])")" = \
    "('unlock', '$(id -un)')"
run "$SRESUME" unlock lab/p/u --gen=2
is 'nobody holds it now' 65 'nobody'
run "$SRESUME" run lab/p/u -- true
is 'and it runs' 0 'resumes at step 60'

a_state lab/p/m 70 ', "moved_to": {"cluster": "there", "term": 2, "time": 1}'
a_record lab/p/m run 1 "\"kind\": \"fence\", \"term\": 2, \"moved_to\": {\"cluster\": \"there\", \"job_id\": \"9\", \"root\": \"/r\", \"nonce\": \"n\"}, \"fenced\": null, $elsewhere"
run "$SRESUME" run lab/p/m -- touch stolen
is 'a run that moved does not run here' 77 'handoff-from=there'
run "$SRESUME" reset lab/p/m
is 'nor is it reset' 77 'moved to there'
run "$SRESUME" unlock lab/p/m --gen=1
is 'nor unlocked' 77 'handoff-from=there'
run "$SRESUME" explain lab/p/m
is 'explain says how to get it back' 0 'handoff-from=there SCRIPT'
check 'nothing was stolen' test ! -e stolen

finish
