#!/bin/bash
# sresume run: the gate, the body and its end, without Slurm.
# shellcheck disable=SC2016,SC2317 # bodies, called by others
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

key=lab/p/train
state=$(state_of $key)

last()
{
    run "$SRESUME" list --json
    echo "$out" >j
    field j "[r['$1'] for r in x if r['hash'] == '$(hash_of $key)'][0]"
}

# started FILE: a body that says so by FILE, and then waits for TERM.
wait_body='trap "exit 7" TERM; : >started; while :; do sleep 0.05; done'

run "$SRESUME" run $key -- bash -c 'env | grep ^RELAY_ | sort; exit 3'
is 'the command ends as it does by itself' 3 "RELAY_RESUME_KEY=$key"
is 'it is told the hash' 3 "RELAY_RESUME_HASH=$(hash_of $key)"
is 'and where the state is' 3 "RELAY_RESUME_DIR=$state"
check 'without state there is no step' \
    test "${out//RELAY_RESUME_STEP/}" = "$out"
check 'exit 3 is failed' test "$(last cause)" = failed

a_state $key 250
run "$SRESUME" run $key -- bash -c 'echo "step $RELAY_RESUME_STEP"; kill -USR1 $$'
is 'a command that dies by a signal: 128 and the signal' 138 'step 250'
is 'the user is told the step' 138 'resumes at step 250'

run "$SRESUME" run --root="$root" train -- true
is 'a run name is enough' 0 'resumes at step 250'
run "$SRESUME" explain train
is 'by its name it is known by its key' 0 "resume-key=$key"
run "$SRESUME" show $key
is 'exit 0 without proof is never completed' 0 'ended +exited'

rm -f started
"$SRESUME" run $key -- bash -c "$wait_body" >first 2>&1 &
first=$!
pids+=("$first")
check 'the body runs' until_true test -e started
run "$SRESUME" run $key -- touch second
is 'a second one is refused' 77 'does not run twice'
check 'and its body never ran' test ! -e second
check 'list says running' test "$(last state)" = running
gen=$(last generation)
run "$SRESUME" reset $key
is 'reset is refused while it runs' 77 'alive'
run "$SRESUME" rewrite $key
is 'rewrite, too' 77 'alive'
run "$SRESUME" unlock $key --gen="$gen"
is 'unlock, too' 77 'alive'
run "$SRESUME" explain $key
is 'explain: a job submitted now ends with 77' 0 'ends with 77'
is 'explain: and why' 0 'alive'
kill -TERM "$first"
wait "$first"
code=$? out=$(<first) err=
is 'TERM reaches the body, whose exit code counts' 7 'resumes at step 250'
check 'the lease is released' test "$(last lease)" = release

rm -f started
"$SRESUME" run $key -- bash -c 'trap "echo usr2 >got" USR2; : >started
    until [ -e got ]; do sleep 0.05; done' >/dev/null 2>&1 &
first=$!
pids+=("$first")
until_true test -e started
kill -USR2 "$first"
check 'USR2 reaches the body' until_true test -e got
wait "$first"

rm -f started
"$SRESUME" run $key -- bash -c ': >started; echo $$ >body; exec sleep 300' \
    >/dev/null 2>&1 &
first=$!
pids+=("$first")
until_true test -e started
kill -KILL "$first"
wait "$first" 2>/dev/null
gone()
{
    ! kill -0 "$(<body)" 2>/dev/null
}
check 'the body does not outlive a killed sresume' until_true gone
check 'a holder that died without a word has ended' test "$(last state)" = ended
run "$SRESUME" run $key -- true
is 'and the run goes on' 0 'resumes at step 250'

run "$SRESUME" run $key -- bash -c "'$SRESUME' run $key -- echo inner"
is 'the same run inside itself just runs its command' 0 'inner'

run "$SRESUME" run $key -- "$dir/no such program"
is 'a command that is not there: 127' 127 'no such program'

a_state $key 300 ', "completed": true'
run "$SRESUME" run $key -- touch third
is 'a completed run ends at once with 0' 0 'complete at step 300'
check 'its body does not run' test ! -e third
check 'list says completed' test "$(last state)" = completed

run "$SRESUME" run $key
is 'no command: 64' 64 'which command'
run "$SRESUME" run -- true
is 'no key: 64' 64 'missing'
run "$SRESUME" run ../x/y/z -- true
is 'a key that is a path: refused' 64 "\"\\.\\.\""
run "$SRESUME" run --handoff-from=nowhere a/b/c -- true
is 'a handoff from a cluster that is not configured: 78' 78 'nowhere'

a_state lab/p/broken 9
truncate -s 3000 "$(state_of lab/p/broken)/resume_state.pt"
run "$SRESUME" run lab/p/broken -- touch fourth
is 'a broken state: 65' 65 'broken'
check 'and no body' test ! -e fourth

finish
