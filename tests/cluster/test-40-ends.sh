# shellcheck shell=bash
# How a run ends: each ending is recorded as what it was, and nothing is
# called done because a process exited 0.

# cause CLUSTER: why the run ended, as a person is told (asks Slurm).
cause()
{
    on "$1" sresume show "$KEY" --json |
        /usr/bin/python3 -c 'import json, sys
print(json.load(sys.stdin).get("cause") or "")'
}

cause_is()
{
    [[ $(cause "$1") == "$2" ]]
}

expect_cause()
{
    wait_record "$1" run kind release 30
    wait_for 20 "the cause of the end to be $2" cause_is "$1" "$2" ||
        fail "the cause is '$(cause "$1")', expected $2"
    [[ $(meta "$1" "$KEY" completed) != True ]] || fail 'completed: true'
}

test_scancel_is_cancelled()
{
    local job

    job=$(train iris -o --resume-key="$KEY")
    wait_step iris 0
    on iris scancel "$job"
    wait_state iris "$job" CANCELLED 20
    expect_cause iris cancelled
}

test_exit_3_is_failed()
{
    local job

    job=$(submit iris -J "$NAME" --resume-key="$KEY" --wrap 'exit 3')
    wait_state iris "$job" FAILED 20
    expect_cause iris failed
}

test_time_limit_is_timeout()
{
    local job

    # The shortest limit that Slurm knows is a minute; an administrator can
    # end it earlier once the job runs.
    job=$(train iris -o --resume-key="$KEY" -o --time=5)
    wait_step iris 0
    as_root iris scontrol update JobId="$job" EndTime="$(date -d '+1 sec' +%FT%T)"
    wait_state iris "$job" TIMEOUT 100
    expect_cause iris timeout
}

test_trapped_term_is_cancelled()
{
    local job

    job=$(submit iris -J "$NAME" --resume-key="$KEY" \
        --wrap 'trap "exit 0" TERM; echo trapping; while :; do sleep 0.1; done')
    wait_output iris "$job" trapping 20
    on iris scancel --batch --signal=TERM "$job"
    on iris scancel "$job"
    wait_state iris "$job" 'CANCELLED|COMPLETED' 20
    wait_record iris run kind release 30
    [[ $(cause iris) != completed ]] || fail 'called completed'
    equal "$(record iris run cause)" unresolved 'the epilog'"'"'s cause'
}

test_exit_0_without_proof_is_not_completed()
{
    local job

    job=$(submit iris -J "$NAME" --resume-key="$KEY" --wrap true)
    wait_state iris "$job" COMPLETED 20
    wait_record iris run kind release 30
    [[ $(cause iris) != completed ]] || fail 'called completed'
}

test_completed_run_does_not_run_again()
{
    local job

    job=$(train iris -o --resume-key="$KEY" --steps 60)
    wait_state iris "$job" COMPLETED 30
    wait_record iris run cause completed 30
    ! train iris -o --resume-key="$KEY" 2>refused ||
        fail 'a completed key was accepted'
    grep -q 'is complete at step 60' refused || fail "$(cat refused)"
    rm refused
}

test_requeued_run_goes_on()
{
    local job step

    job=$(train iris -o --resume-key="$KEY" -o --requeue)
    wait_step iris 60
    on iris scontrol requeue "$job"
    wait_for 60 'the job to run again' requeued_runs iris "$job"
    wait_output iris "$job" 'Resuming from step' 30
    step=$(job_output iris "$job" | sed -n 's/^Resuming from step //p' | tail -1)
    ((${step%% *} >= 50)) || fail "resumed from '$step'"
    wait_step iris "${step%% *}"
    nodes_are_up iris || fail "$(node_states iris)"
}

requeued_runs()
{
    job_is "$1" "$2" RUNNING && (($(job_field "$1" "$2" Restarts) > 0))
}

# The epilog of the first run comes when the second has begun: what the first
# one's epilog runs is run then, with what that run had on the node.
test_late_epilog_touches_nothing()
{
    local job dir nonce before

    job=$(train iris -o --resume-key="$KEY" -o --requeue)
    wait_step iris 0
    nonce=$(record iris run nonce)
    dir=$(home_of iris)/old-job-dir
    cp -a "$(echo "$RELAY_CLUSTERS/iris/run/$job."*/user)" "$dir"
    on iris scontrol requeue "$job"
    wait_for 60 'the job to run again' requeued_runs iris "$job"
    wait_step iris "$(step_of iris)"
    before=$(record iris run gen)
    on iris "$HELPER_AT_UP" stage-out --config "$RELAY_CLUSTERS/iris/etc/relay.yaml" \
        --job-dir "$dir" --nonce "$nonce" --status 15 --deadline 5
    rm -r "$dir"
    equal "$(record iris run gen)" "$before" 'the last generation'
    equal "$(record iris run kind)" claim 'the last record'
    still_trains iris "$job"
}

test_lost_state_is_put_back()
{
    local job step

    job=$(train iris -o --resume-key="$KEY")
    wait_step iris 100
    on iris scancel "$job"
    wait_record iris run kind release 30
    step=$(step_of iris)
    job=$(train iris -o --resume-key="$KEY" --ignore-resume)
    wait_state iris "$job" CANCELLED 60
    expect_output iris "$job" "went back to step .*, though its state was at step $step"
    wait_for 30 "step $step to be back" step_is iris "$step"
    job=$(train iris -o --resume-key="$KEY")
    wait_output iris "$job" "Resuming from step $step" 30
}

step_is()
{
    [[ $(step_of "$1") == "$2" ]]
}

test_target_that_loads_nothing_is_stopped()
{
    local dst step

    train sherlock >/dev/null
    wait_step sherlock 200
    dst=$(train iris -o --resume-key="$KEY" -o --handoff-from=sherlock \
        --ignore-resume)
    wait_state iris "$dst" CANCELLED 90
    expect_output iris "$dst" 'the training did not load it'
    wait_record iris run kind release 30
    step=$(record iris handoff step)
    wait_for 30 "the handed-over step $step to be back" step_is iris "$step"
}

test_source_that_finished_comes_as_completed()
{
    local src dst

    src=$(train sherlock --steps 60)
    wait_state sherlock "$src" COMPLETED 30
    dst=$(train iris -o --resume-key="$KEY" -o --handoff-from=sherlock)
    wait_state iris "$dst" COMPLETED 60
    expect_output iris "$dst" 'is complete at step 60'
    ! output_has iris "$dst" 'Starting at step' || fail 'the body ran'
    equal "$(meta iris "$KEY" completed)" True completed
}

test_there_and_back()
{
    local dst back step

    train sherlock -o --resume-key="$KEY" >/dev/null
    wait_step sherlock 50
    dst=$(train iris -o --resume-key="$KEY" -o --handoff-from=sherlock)
    wait_record iris handoff kind COMMITTED 90
    back=$(train sherlock -o --resume-key="$KEY" -o --handoff-from=iris)
    wait_record sherlock handoff kind COMMITTED 90
    wait_state iris "$dst" CANCELLED 10
    step=$(job_output sherlock "$back" |
        sed -n 's/^Resuming from step \([0-9]*\).*/\1/p')
    wait_step sherlock "$step"
    equal "$(record sherlock run term)" 3 term
}

test_requeued_target_does_not_steal_back()
{
    local dst

    train sherlock -o --resume-key="$KEY" >/dev/null
    wait_step sherlock 50
    dst=$(train iris -o --resume-key="$KEY" -o --handoff-from=sherlock \
        -o --requeue)
    wait_record iris handoff kind COMMITTED 90
    on iris scontrol requeuehold "$dst"
    wait_record iris run kind release 30
    train sherlock -o --resume-key="$KEY" -o --handoff-from=iris >/dev/null
    wait_record sherlock handoff kind COMMITTED 90
    on iris scontrol update JobId="$dst" Requeue=0
    on iris scontrol release "$dst"
    expect_exit iris "$dst" 77
    expect_output iris "$dst" 'moved to sherlock'
}
