# shellcheck shell=bash disable=SC2119 # no arguments are meant
# A run is given back to where it was coming from. abort_probe calls it on the
# cluster that the run was moving to.

# shellcheck source=tests/cluster/access.sh
. "${BASH_SOURCE[0]%/*}/access.sh"

ABORT=${RELAY_CLUSTERS%/*}/libexec/abort_probe
[[ -x $ABORT ]] ||
    install -m 755 "${build:?}/tests/unit/abort_probe" "$ABORT"

# give_back [CODE]: ends with that code; SAID is what it said.
give_back()
{
    local rc=0

    SAID=$(on iris "$ABORT" "$KEY" 2>&1) || rc=$?
    equal "$rc" "${1:-0}" "exit code ($SAID)"
}

said()
{
    [[ $SAID == *$1* ]] || fail "it did not say '$1' but: $SAID"
}

# cut_off_at WHAT: a give_back that is killed when it comes to sherlock for WHAT.
cut_off_at()
{
    local pid

    hold "$1"
    on iris "$ABORT" "$KEY" >/dev/null 2>&1 &
    pid=$!
    wait_held "$1"
    pkill -KILL -u "$(user_of iris)" -x abort_probe
    wait "$pid" || true
    let_go "$1"
}

# The source is as if nothing had been: state, lease, jobs.
source_has_it()
{
    equal "$(record sherlock run kind)" reinstate 'the lease there'
    [[ -e $(resume_dir sherlock "$KEY")/resume_state.pt ]] ||
        fail 'the source has no state'
    [[ -z $(meta sherlock "$KEY" moved_to) ]] || fail 'a stub is there'
    equal "$(record iris handoff kind)" ABORTED 'the journal'
    equal "$(record iris handoff abort.done)" True 'the abort'
}

# trains_again_there: the command that was said works.
trains_again_there()
{
    local job step

    said "sbatch --resume-key=$KEY JOBSCRIPT"
    step=$(step_of sherlock)
    job=$(train sherlock -o --resume-key="$KEY")
    wait_output sherlock "$job" "Resuming from step $step" 60
    wait_step sherlock "$step"
}

# A target that does not come to its next checkpoint.
slow_target()
{
    hand_over --step-time 5
}

published()
{
    DST=$(slow_target)
    wait_output iris "$DST" 'Resuming from step' 60
    equal "$(record iris handoff kind)" PUBLISHED 'the journal'
}

test_abort_before_the_source_was_touched()
{
    local dst

    keep_access
    source_trains
    hold copy
    dst=$(hand_over)
    wait_held copy
    give_back
    let_go copy
    said "nothing was stopped there"
    wait_state iris "$dst" CANCELLED 30
    untouched "$SRC"
    equal "$(record iris handoff abort.done)" True 'the abort'
    [[ -z $(find "$(relay_dir iris)" -name 'staging-*' -o -name 'final-*') ]] ||
        fail 'copies are left'
    [[ -z $(find "$(relay_dir sherlock)" -name 'snap-*') ]] ||
        fail 'a snapshot is left'
    give_back
    said 'was given up'
    goes_through "$(hand_over)"
}

test_abort_while_the_source_is_being_stopped()
{
    local dst

    keep_access
    source_trains
    hold stop
    dst=$(hand_over)
    wait_held stop
    hold evidence # which was asked for in the plan, too
    let_go stop
    wait_held evidence
    let_go evidence
    give_back
    wait_state iris "$dst" CANCELLED 30
    wait_state sherlock "$SRC" CANCELLED 30
    source_has_it
    trains_again_there
}

# The fence had not reached the source: it must not come later.
test_abort_before_the_stop_has_come_to_the_source()
{
    local dst

    keep_access
    source_trains
    hold stop
    dst=$(hand_over)
    wait_held stop
    give_back
    let_go stop
    said "trains on as job $SRC"
    wait_state iris "$dst" CANCELLED 30
    untouched "$SRC"
    equal "$(record iris handoff abort.done)" True 'the abort'
}

test_abort_of_a_published_run()
{
    local mine

    keep_access
    source_trains
    published
    give_back
    wait_state iris "$DST" CANCELLED 30
    source_has_it
    equal "$(record iris run moved_to.cluster)" sherlock 'the lease here'
    equal "$(meta iris "$KEY" run_dir)" /dev/null/moved-to-sherlock 'stub here'
    mine=$(echo "$(relay_dir iris)"/superseded-*/resume_state.pt)
    [[ -e $mine ]] || fail 'what was published is not kept'
    trains_again_there
    # And the way is open as it was before.
    goes_through "$(hand_over)"
}

test_abort_that_is_cut_off_is_called_again()
{
    keep_access
    source_trains
    published
    cut_off_at reinstate
    equal "$(record iris handoff abort.done)" False 'the abort'
    refused 77 'moved to sherlock' \
        on iris sbatch --resume-key="$KEY" --wrap true
    give_back
    source_has_it
    trains_again_there
}

test_abort_after_the_commit_is_refused()
{
    keep_access
    source_trains
    DST=$(hand_over)
    goes_through "$DST"
    give_back 77
    said "--handoff-from=iris"
    still_trains iris "$DST"
}

test_abort_with_the_source_out_of_reach_is_refused()
{
    keep_access
    source_trains
    published
    : >"$(home_of sherlock)/.ssh/authorized_keys"
    give_back 69
    said 'nothing was changed'
    equal "$(record iris handoff kind)" PUBLISHED 'the journal'
    job_is iris "$DST" RUNNING || fail 'the target was cancelled'
}

test_abort_where_slurm_does_not_answer_is_refused()
{
    keep_access
    source_trains
    published
    trap 'rm -f "$RELAY_PATH/squeue"; put_access_back' EXIT
    printf '%s\n' '#!/bin/sh' \
        'echo "slurm_load_jobs error: Unable to contact slurm controller" >&2' \
        'exit 1' >"$RELAY_PATH/squeue"
    chmod 755 "$RELAY_PATH/squeue"
    SAID=$(on iris RELAY_TOOLS="$RELAY_PATH" "$ABORT" "$KEY" 2>&1) &&
        fail "it went on: $SAID"
    rm -f "$RELAY_PATH/squeue"
    said 'nothing was changed'
    equal "$(record iris handoff kind)" PUBLISHED 'the journal'
}

test_abort_of_a_move_between_partitions()
{
    local src dst

    src=$(train iris -o --resume-key="$KEY")
    wait_step iris 20
    dst=$(train iris -o --resume-key="$KEY" -o --handoff-from=iris -o --partition=fast \
        --step-time 5)
    wait_output iris "$dst" 'Resuming from step' 60
    equal "$(record iris handoff kind)" PUBLISHED 'the journal'
    give_back
    wait_state iris "$src" CANCELLED 30
    wait_state iris "$dst" CANCELLED 30
    equal "$(record iris run kind)" reinstate 'the lease'
    dst=$(train iris -o --resume-key="$KEY")
    wait_output iris "$dst" 'Resuming from step [1-9]' 60
    still_trains iris "$dst"
    # Called again it ends nobody.
    give_back
    still_trains iris "$dst"
}

test_abort_of_nothing_says_so()
{
    give_back
    said 'there is nothing to give back'
}
