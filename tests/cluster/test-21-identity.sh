# shellcheck shell=bash
# Which run a job is, where that run lives, and who may run it.

# shellcheck disable=SC2016
BODY='echo "body ${RELAY_RESUME_KEY-none} at ${RELAY_RESUME_STEP-none}"'

test_run_not_found_or_without_checkpoint()
{
    local src young other early

    src=$(train sherlock)
    young=$(train sherlock -n "$NAME-young" --checkpoint-every 100000)
    wait_step sherlock 0
    wait_output sherlock "$young" '^step: 20/' 30
    other=$(submit iris --resume-key="$KEY-typo" --handoff-from=sherlock \
        --wrap "$BODY")
    early=$(submit iris --resume-key="$KEY-young" --handoff-from=sherlock \
        --wrap "$BODY")
    expect_exit iris "$other" 65
    expect_output iris "$other" "^relay: $KEY-typo is not on sherlock"
    expect_output iris "$other" "^ .*$NAME\\( \\|$\\)"
    expect_exit iris "$early" 65
    expect_output iris "$early" "^relay: .*$KEY-young.* checkpoint"
    expect_no_body iris "$other"
    expect_no_body iris "$early"
    still_trains sherlock "$src"
    job_is sherlock "$young" RUNNING || fail "$(job_state sherlock "$young")"
    nodes_are_up iris || fail "$(node_states iris)"
}

test_run_that_lives_elsewhere()
{
    local job

    plant sherlock 40
    job=$(submit iris --resume-key="$KEY" --wrap "$BODY")
    expect_exit iris "$job" 77 30
    expect_output iris "$job" "^relay: $KEY lives on sherlock at step 40; .*: sbatch --resume-key=$KEY --handoff-from=sherlock"
    expect_no_body iris "$job"
    equal "$(record iris run kind)" '' 'a lease of the refused job'
    # The command that it said.
    job=$(submit iris --resume-key="$KEY" --handoff-from=sherlock \
        --wrap "$BODY")
    wait_output iris "$job" "^body $KEY at 40" 60
}

test_two_targets_for_one_key()
{
    local jobs states src one two

    src=$(train sherlock)
    wait_step sherlock 20
    one=$(train iris -o --hold -o --resume-key="$KEY" \
        -o --handoff-from=sherlock)
    two=$(train iris -o --hold -o --resume-key="$KEY" \
        -o --handoff-from=sherlock)
    on iris scontrol release "$one" "$two"
    wait_for 60 'one of them to resume' either iris "$one" "$two" resumed
    wait_for 60 'the other to be refused' either iris "$one" "$two" refused_77
    jobs=("$one" "$two")
    states=$(job_state iris "$one")/$(job_state iris "$two")
    if [[ $states == RUNNING/FAILED ]]; then jobs=("$two" "$one"); fi
    [[ $states == RUNNING/FAILED || $states == FAILED/RUNNING ]] ||
        fail "they are $states"
    expect_output iris "${jobs[0]}" "^relay: $KEY .*job ${jobs[1]} "
    expect_no_training iris "${jobs[0]}"
    still_trains iris "${jobs[1]}"
    job_is sherlock "$src" CANCELLED || fail "$(job_state sherlock "$src")"
}

# either CLUSTER ONE TWO TEST
either()
{
    "$4" "$1" "$2" || "$4" "$1" "$3"
}

resumed()
{
    output_has "$1" "$2" 'Resuming from step'
}

refused_77()
{
    job_is "$1" "$2" FAILED && [[ $(exit_code "$1" "$2") == 77:0 ]]
}

expect_no_training()
{
    ! output_has "$1" "$2" 'step: [0-9]' || fail "job $2 of $1 trained"
}

test_twin_on_one_cluster()
{
    local one two late

    one=$(train iris -o --hold -o --resume-key="$KEY")
    two=$(train iris -o --hold -o --resume-key="$KEY")
    on iris scontrol release "$one" "$two"
    wait_for 60 'one of them to be refused' either iris "$one" "$two" refused_77
    wait_for 60 'the other to train' either iris "$one" "$two" trains
    [[ $(job_state iris "$one")/$(job_state iris "$two") == @(RUNNING/FAILED|FAILED/RUNNING) ]] ||
        fail "$(job_state iris "$one")/$(job_state iris "$two")"
    # And a third is refused where it is typed.
    if job_is iris "$one" RUNNING; then late=$one; else late=$two; fi
    refused 77 "$KEY does not run twice: job $late " \
        on iris sbatch --resume-key="$KEY" --wrap "$BODY"
}

trains()
{
    output_has "$1" "$2" 'step: [0-9]'
}

test_names_that_share_a_prefix()
{
    local one ten dst

    # Only what they print tells the jobs apart.
    one=$(train sherlock -n "$NAME-seed-1" -o --job-name=training)
    ten=$(train sherlock -n "$NAME-seed-10" -o --job-name=training)
    wait_step sherlock 20 30 "$KEY-seed-1"
    wait_step sherlock 20 30 "$KEY-seed-10"
    dst=$(train iris -n "$NAME-seed-1" -o --resume-key="$KEY-seed-1" \
        -o --handoff-from=sherlock)
    wait_output iris "$dst" 'Resuming from step' 60
    wait_state sherlock "$one" CANCELLED 20
    still_trains sherlock "$ten" "$KEY-seed-10"
    equal "$(meta sherlock "$KEY-seed-10" moved_to)" '' 'moved_to of the other'
}

# The run is found by its name where the key's own hash is not there.
test_name_is_matched_exactly()
{
    local prefix bare

    plant sherlock 40 "$KEY-seed-10"
    plant sherlock 50 "$KEY-bare"
    edit_meta sherlock "$KEY-bare" run_name \
        run_dir="\"/somewhere/$NAME-bare\""
    prefix=$(submit iris --resume-key="other/robots/$NAME-seed-1" \
        --handoff-from=sherlock --wrap "$BODY")
    bare=$(submit iris --resume-key="other/robots/$NAME-bare" \
        --handoff-from=sherlock --wrap "$BODY")
    expect_exit iris "$prefix" 65
    expect_output iris "$prefix" "$NAME-seed-10"
    expect_no_body iris "$prefix"
    wait_output iris "$bare" "^body .* at 50" 60
    equal "$(meta sherlock "$KEY-seed-10" last_checkpoint_step)" 40 \
        'the step of the other'
}

test_two_hashes_with_one_name()
{
    local job key

    for key in "one/robots/$NAME" "two/robots/$NAME"; do
        plant sherlock 40 "$key"
    done
    job=$(submit iris --resume-key="$KEY" --handoff-from=sherlock \
        --wrap "$BODY")
    expect_exit iris "$job" 65
    expect_output iris "$job" "$(run_hash "one/robots/$NAME")"
    expect_output iris "$job" "$(run_hash "two/robots/$NAME")"
    expect_no_body iris "$job"
    # Named by its hash it is one.
    job=$(submit iris --resume-key="$(run_hash "two/robots/$NAME")" \
        --handoff-from=sherlock --wrap "$BODY")
    wait_output iris "$job" "^body $(run_hash "two/robots/$NAME") at 40" 60
}

test_newer_state_here()
{
    local src job

    plant iris 2000
    src=$(train sherlock)
    wait_step sherlock 20
    job=$(submit iris --resume-key="$KEY" --handoff-from=sherlock \
        --wrap "$BODY")
    expect_exit iris "$job" 77 60
    expect_output iris "$job" "^relay: $KEY is newer here: step 2000 .* here, step [0-9]* .* on sherlock"
    expect_no_body iris "$job"
    still_trains sherlock "$src"
    equal "$(step_of iris)" 2000 'the step here'
}
