#!/bin/bash
# sresume wait, without Slurm: what ends a wait, and how.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

here=$(hostname)
boot=$(cat /proc/sys/kernel/random/boot_id)

# claim KEY GEN PID: the lease of a process of this host.
claim()
{
    local start

    start=$(sed 's/.*) //' "/proc/$3/stat" | cut -d ' ' -f 20)
    a_record "$1" run "$2" "\"kind\": \"claim\", \"term\": 1,
        \"key\": \"$1\", \"owner\": {\"cluster\": \"here\", \"host\": \"$here\",
        \"boot_id\": \"$boot\", \"pid\": $3, \"pid_start\": $start,
        \"pid_ns\": $(stat -L -c %i "/proc/$3/ns/pid"),
        \"user\": \"$(id -un)\"}"
}

a_state lab/p/done 500 ', "completed": true'
run "$SRESUME" wait lab/p/done
is 'a completed run is waited for no more' 0 'completed, step 500'
run "$SRESUME" wait --json -q lab/p/done
is '--json' 0 '"state": "completed"'
check 'with where it is, and that it was reached' test \
    "$(field .out "(x['cluster'], x['reached'], x['why'], x['step'])")" = \
    "('here', True, None, 500)"
run "$SRESUME" wait --for=running lab/p/done
is 'a completed run will not run: 75 at once' 75 'is completed at step 500.*reopen'
check 'without a word about that on standard output' \
    test "$(grep -c reopen .out)" = 0

run "$SRESUME" wait lab/p/typo
is 'nothing is known: 75 at once' 75 'nothing is known of lab/p/typo.*--job=ID'
run "$SRESUME" wait --for=finished lab/p/done
is 'an unknown state: 64 and those there are' 64 'new, queued, running'
run "$SRESUME" wait --timeout=soon lab/p/done
is 'a timeout that is none: 64' 64 'timeout=soon'
run "$SRESUME" wait --job=x lab/p/done
is 'a job that is none: 64' 64 "a job's id"
run "$SRESUME" wait --cluster=mars lab/p/done
is 'a cluster that is not configured: 78' 78 'mars'

a_state lab/p/over 70
a_record lab/p/over run 1 '"kind": "release", "term": 1, "key": "lab/p/over", "cause": "timeout", "owner": {"cluster": "here", "job_id": "7"}'
run "$SRESUME" wait over
is 'an ended run: 75 at once, and what to type' 75 \
    'ended \(timeout\) at step 70.*sbatch --resume-key=lab/p/over'
run "$SRESUME" wait --for=ended over
is 'unless that is waited for' 0 'ended'
run "$SRESUME" wait --json over
is 'and why, in JSON' 75 '"why": "lab/p/over ended'
run "$SRESUME" wait --step=70 over
is 'a step that it has' 0 'step 70 of 70'
run "$SRESUME" wait --step=71 over
is 'a step that it has not' 75 'ended'

a_state lab/p/gone 70 ', "moved_to": {"cluster": "there", "term": 2, "time": 1}'
run "$SRESUME" wait gone
is 'it is elsewhere, and that cannot be reached' 78 'lives on there.*reach: none'

# A process that has it and trains on.
sleep 1000 &
trainer=$!
pids+=("$trainer")
a_state lab/p/live 5
claim lab/p/live 1 "$trainer"
run "$SRESUME" wait --timeout=1s live
is 'the end of the time: 75' 75 'is running on here at the end of the time'
"$SRESUME" wait live >live.out 2>live.err &
waiter=$!
pids+=("$waiter")
check 'says what it waits for' until_true grep -q 'running, step 5' live.out
check 'and waits' kill -0 "$waiter"
a_state lab/p/live 9 ', "completed": true'
a_record lab/p/live run 2 '"kind": "release", "term": 1, "cause": "completed", "owner": {"cluster": "here"}'
code=0
wait "$waiter" || code=$?
check 'until it is completed' test "$code" = 0
check 'a line for each change' test \
    "$(cut -d ' ' -f 2 live.out | tr -d ,)" = $'running\ncompleted'

a_state lab/p/killed 5
claim lab/p/killed 1 "$trainer"
"$SRESUME" wait killed >killed.out 2>killed.err &
waiter=$!
pids+=("$waiter")
check 'waits again' until_true grep -q 'running' killed.out
kill -KILL "$trainer"
wait "$trainer" 2>/dev/null
code=0
wait "$waiter" || code=$?
err=$(<killed.err) out=
is 'an owner that died is not waited for' 75 'ended.*nobody runs it'

finish
