# shellcheck shell=bash
# What a training prints tells the watcher before its next checkpoint does.

has_event()
{
    cat "$(relay_dir "$1")/history/"*.jsonl | grep -q "\"event\":\"$2\""
}

test_output_is_proof_of_resume()
{
    plant iris 100
    train iris -o --resume-key="$KEY" --checkpoint-every 100000 >/dev/null
    wait_for 30 'proof of resume' has_event iris resumed
    equal "$(step_of iris)" 100 'the checkpoint'
}

test_output_that_names_an_earlier_step_is_only_said()
{
    local job

    plant iris 500
    job=$(train iris -o --resume-key="$KEY" --checkpoint-every 100000 \
        --ignore-resume)
    wait_output iris "$job" 'did the training load it' 30
    job_is iris "$job" RUNNING || fail "it is $(job_state iris "$job")"
}

test_log_step_stops_a_training_that_went_back()
{
    local job

    plant iris 500
    echo 'log_step: "^step: ([0-9]+)/"' | on iris tee .relay.yaml >/dev/null
    job=$(train iris -o --resume-key="$KEY" --checkpoint-every 100000 \
        --ignore-resume)
    wait_state iris "$job" CANCELLED 60
    expect_output iris "$job" 'though its state was at step 500'
    wait_record iris run kind release 30
    equal "$(step_of iris)" 500 'the checkpoint'
}

# The contract, not the training's own word, says what is done.
test_contract_decides_what_is_completed()
{
    local job

    echo 'done: [exit0, metrics.jsonl nonempty, step >= 60]' |
        on iris tee .relay.yaml >/dev/null
    job=$(train iris -o --resume-key="$KEY" --steps 60)
    wait_state iris "$job" COMPLETED 30
    wait_record iris run cause completed 30
}

test_contract_that_is_broken_is_not_completed()
{
    local job

    echo 'done: [exit0, report.html exists]' |
        on iris tee .relay.yaml >/dev/null
    job=$(train iris -o --resume-key="$KEY" --steps 60)
    wait_state iris "$job" COMPLETED 30
    wait_record iris run kind release 30
    [[ $(record iris run cause) != completed ]] || fail 'called completed'
}

# What the source holds is then not what the run was at.
test_state_that_was_lost_at_the_source_is_not_taken()
{
    local dst

    plant sherlock 100
    on sherlock mkdir -p "$(relay_dir sherlock)"
    on sherlock touch "$(relay_dir sherlock)/restore-$(printf '0%.0s' {1..32})"
    dst=$(train iris -o --resume-key="$KEY" -o --handoff-from=sherlock)
    expect_exit iris "$dst" 75
    expect_output iris "$dst" 'had not loaded its state'
    equal "$(step_of sherlock)" 100 'the checkpoint there'
    equal "$(record sherlock run kind)" '' 'the lease there'
}
