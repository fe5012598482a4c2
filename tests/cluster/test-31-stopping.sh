# shellcheck shell=bash disable=SC2119 # no arguments are meant
# Stopping the source: refused, not provable, cut off; and what a job there
# finds afterwards.

# shellcheck source=tests/cluster/access.sh
. "${BASH_SOURCE[0]%/*}/access.sh"

# resume_only: the key alone, without a word of where it comes from.
resume_only()
{
    train iris -o --resume-key="$KEY"
}

# journal_is STATE: that of the handoff to iris.
journal_is()
{
    equal "$(record iris handoff kind)" "$1" 'state of the journal'
}

# nothing_taken: the target has nothing that a training could begin from.
nothing_taken()
{
    [[ ! -e $(resume_dir iris "$KEY") ]] || fail 'the target has a state'
}

# --- refused --------------------------------------------------------------

refuse_scancel()
{
    local bin

    keep_access
    bin=$(command_first sherlock)
    on sherlock tee "$bin/scancel" >/dev/null <<'REFUSAL'
#!/bin/sh
echo "scancel: error: Kill job error on job id $1: Access/permission denied" >&2
exit 1
REFUSAL
    chmod 755 "$bin/scancel"
}

# refused_and_undone JOB
refused_and_undone()
{
    expect_exit iris "$1" 75
    expect_output iris "$1" 'scancel.*refused.*Access/permission denied.*undone'
    journal_is ABORTED
    nothing_taken
    equal "$(record sherlock run kind)" reinstate 'lease on the source'
    equal "$(record sherlock run owner.job_id)" "$SRC" 'owner on the source'
    untouched "$SRC"
}

test_handoff_whose_scancel_is_refused()
{
    local dst

    refuse_scancel
    source_trains -o --resume-key="$KEY"
    dst=$(hand_over)
    refused_and_undone "$dst"
    rm "$(home_of sherlock)/bin/scancel"
    dst=$(hand_over)
    goes_through "$dst"
}

test_handoff_whose_scancel_is_refused_without_a_lease()
{
    local dst

    refuse_scancel
    source_trains
    dst=$(hand_over)
    refused_and_undone "$dst"
}

# --- not provably dead ----------------------------------------------------

# The script's shell dies of TERM, its Python neither of that nor, since Slurm
# does not see it any more, of what comes after.
test_handoff_of_a_process_that_outlives_its_job()
{
    local dst step pid

    configure iris <<<'handoff: {stop_timeout: 5s}'
    on sherlock tee loose.sh >/dev/null <<'SCRIPT'
#!/bin/bash
python3 -u "$SLURM_SUBMIT_DIR/train.py" "$@"
SCRIPT
    source_trains -s loose.sh --ignore-term
    pid=$(training_pid sherlock)
    trap 'kill -KILL "$pid"' EXIT
    dst=$(hand_over)
    expect_exit iris "$dst" 75
    expect_output iris "$dst" 'not provably dead.*processes still run'
    job_is sherlock "$SRC" CANCELLED || fail "job is not cancelled"
    journal_is STOPPING
    nothing_taken
    equal "$(record sherlock run kind)" fence 'lease on the source'
    step=$(step_of sherlock)
    wait_step sherlock "$step" 10
    kill -KILL "$pid"
    trap - EXIT
    step=$(step_of sherlock)
    dst=$(resume_only)
    goes_through "$dst"
    expect_output iris "$dst" "Resuming from step $step"
}

# Its node is cut off from Slurm and not from its files. When it is back, it is
# given a minute to end what it still ran: what the next attempt waits for.
test_handoff_from_a_node_that_is_cut_off()
{
    local dst step

    configure iris <<<'handoff: {stop_timeout: 4s}'
    trap node_back EXIT
    source_trains -o --partition=fast
    "$TESTS/clusters" slurmd "$RELAY_CLUSTERS" sherlock-n2 stop
    dst=$(hand_over)
    expect_exit iris "$dst" 75
    expect_output iris "$dst" 'not provably dead.*the fence stays'
    journal_is STOPPING
    nothing_taken
    equal "$(record sherlock run kind)" fence 'lease on the source'
    step=$(step_of sherlock)
    wait_step sherlock "$step" 10
    node_back
    trap - EXIT
    configure iris <<<'handoff: {stop_timeout: 100s}'
    dst=$(resume_only)
    wait_output iris "$dst" 'Resuming from step' 100
    goes_through "$dst"
}

node_back()
{
    "$TESTS/clusters" slurmd "$RELAY_CLUSTERS" sherlock-n2 start
    wait_for 30 'sherlock-n2 to be back' nodes_are_up sherlock
}

# --- arrays ---------------------------------------------------------------

# array_trains [SBATCH_OPTION...]: eight trainings; sets ARRAY.
array_trains()
{
    local i scratch
    scratch=$(scratch_of sherlock)

    on sherlock tee array.sh >/dev/null <<'SCRIPT'
#!/bin/bash
#SBATCH --array=0-7
exec python3 -u train.py --run-name "$SLURM_JOB_NAME-$SLURM_ARRAY_TASK_ID" "$@"
SCRIPT
    ARRAY=$(submit sherlock -J "$NAME" "$@" array.sh --entity lab \
        --project robots --resume-root "$scratch/ckpt/_resume" \
        --run-root "$scratch/ckpt" --steps 100000 --step-time 0.05 \
        --checkpoint-every 20)
    for i in {0..7}; do
        wait_step sherlock 0 60 "$KEY-$i"
    done
}

# others_train_on: all but task 7.
others_train_on()
{
    local i

    wait_state sherlock "${ARRAY}_7" CANCELLED 20
    for i in {0..6}; do
        still_trains sherlock "${ARRAY}_$i" "${KEY%-7}-$i"
    done
}

# The job id of the last task is the array's own.
test_handoff_of_the_last_task_of_an_array()
{
    local dst

    array_trains "--resume-key=$KEY-%a"
    KEY=$KEY-7 NAME=$NAME-7 FROM=sherlock:${ARRAY}_7
    dst=$(hand_over)
    goes_through "$dst"
    others_train_on
}

test_handoff_of_a_task_that_is_found_by_its_log()
{
    local dst

    array_trains
    KEY=$KEY-7 NAME=$NAME-7
    dst=$(hand_over)
    goes_through "$dst"
    others_train_on
}

# --- afterwards, on the source ---------------------------------------------

test_handed_over_run_is_a_stub_for_other_jobs()
{
    local dst late stub

    source_trains
    dst=$(hand_over)
    goes_through "$dst"
    stub=$(sha256sum "$(resume_dir sherlock "$KEY")"/*)
    late=$(train sherlock)
    wait_state sherlock "$late" FAILED 20
    ! output_has sherlock "$late" 'Starting at' || fail 'it began at step 0'
    expect_output sherlock "$late" '/dev/null/moved-to-iris'
    equal "$(sha256sum "$(resume_dir sherlock "$KEY")"/*)" "$stub" 'the stub'
    still_trains iris "$dst"
}

test_handed_over_run_is_refused_to_a_new_submission()
{
    local dst said

    source_trains -o --resume-key="$KEY"
    dst=$(hand_over)
    goes_through "$dst"
    ! said=$(train sherlock -o --resume-key="$KEY" 2>&1) ||
        fail "job $said was accepted"
    [[ $said == *"moved to iris (job $dst)"*--handoff-from=iris* ]] ||
        fail "it was told: $said"
}

# It waited in the queue when the run was moved: held, and not let in later.
test_handed_over_run_is_refused_to_a_waiting_job()
{
    local dst late

    source_trains -o --resume-key="$KEY"
    late=$(train sherlock -o --resume-key="$KEY" \
        -o --dependency="afterany:$SRC")
    dst=$(hand_over)
    goes_through "$dst"
    wait_state sherlock "$late" PENDING 10
    [[ $(job_field sherlock "$late" Reason) == JobHeld* ]] ||
        fail "it waits for $(job_field sherlock "$late" Reason)"
    on sherlock scontrol release "$late"
    expect_exit sherlock "$late" 77
    expect_output sherlock "$late" "moved to iris;.*--handoff-from=iris"
    still_trains iris "$dst"
}

test_handed_over_run_is_refused_to_the_requeued_job()
{
    local dst

    source_trains -o --resume-key="$KEY"
    kill -KILL "$(training_pid sherlock)"
    wait_state sherlock "$SRC" FAILED 20
    dst=$(hand_over)
    wait_output iris "$dst" 'Resuming from step' 60
    as_root sherlock scontrol requeue "$SRC"
    wait_for 20 'the second run' requeued "$SRC"
    expect_exit sherlock "$SRC" 77
    expect_output sherlock "$SRC" "moved to iris;.*--handoff-from=iris"
    still_trains iris "$dst"
}

requeued()
{
    [[ $(job_field sherlock "$1" Restarts) == 1 ]] &&
        ! job_is sherlock "$1" PENDING
}

# --- cut off ---------------------------------------------------------------

by_scancel()
{
    on iris scancel "$1"
    wait_state iris "$1" CANCELLED 20
}

by_sigkill()
{
    kill -KILL "$(helper_pid)"
    wait_state iris "$1" FAILED 20
}

# helper_pid: of the helper that works for the target job.
helper_pid()
{
    local proc

    for proc in /proc/[0-9]*; do
        [[ $(stat -c %U "$proc" 2>/dev/null) == "$(user_of iris)" &&
            $(tr '\0' ' ' <"$proc/cmdline") == */relay-job\ stage-in\ * ]] ||
            continue
        echo "${proc#/proc/}"
        return
    done
    fail 'no helper'
}

# cut_off CUT STATE [ARG...]: somebody is held, the journal is at STATE; the
# target is ended there.
cut_off()
{
    wait_held "$3"
    journal_is "$2"
    "$1" "$DST"
    let_go "$3"
}

# Before the source was asked to stop: it does not notice, and the key alone is
# told where the run is.
cut_off_early()
{
    hold snapshot
    DST=$(hand_over)
    cut_off "$1" OPEN snapshot
    untouched "$SRC"
    DST=$(resume_only)
    expect_exit iris "$DST" 77
    expect_output iris "$DST" '--handoff-from=sherlock'
    hold stop
    DST=$(hand_over)
    cut_off "$1" STOPPING stop
    untouched "$SRC"
}

# From here on the key alone is enough. CUT COMMAND: which of the two goes on.
cut_off_when_fenced()
{
    hold stop
    DST=$("$2")
    wait_held stop
    hold evidence
    let_go stop
    cut_off "$1" STOPPING evidence
    equal "$(record sherlock run kind)" fence 'lease on the source'
    wait_state sherlock "$SRC" CANCELLED 10
}

cut_off_in_the_copy()
{
    hold copy
    DST=$(resume_only)
    cut_off "$1" SOURCE_STOPPED copy
    nothing_taken
}

test_handoff_cut_off_by_scancel()
{
    keep_access
    source_trains
    cut_off_early by_scancel
    cut_off_when_fenced by_scancel resume_only
    hold digest
    DST=$(hand_over)
    cut_off by_scancel SOURCE_STOPPED digest
    cut_off_in_the_copy by_scancel
    hold drop
    DST=$(resume_only)
    cut_off by_scancel PUBLISHED drop
    DST=$(hand_over)
    goes_through "$DST"
}

# Ended between the word that something is being published and the swap, or
# after it: what lies about may be a state of the user's, and is kept.
test_handoff_cut_off_before_the_swap()
{
    local final nonce

    keep_access
    source_trains
    cut_off_when_fenced by_scancel hand_over
    cut_off_in_the_copy by_sigkill
    final=$(echo "$(relay_dir iris)"/final-*)
    nonce=${final##*-}
    on iris tee "$(relay_dir iris)/publish-$nonce.json" >/dev/null \
        <<<"{\"format\": 1, \"copy\": \"final-$nonce\"}"
    DST=$(resume_only)
    goes_through "$DST"
    [[ -d $(relay_dir iris)/kept-$nonce ]] || fail 'it was not kept'
}

test_handoff_cut_off_by_sigkill()
{
    keep_access
    source_trains
    cut_off_when_fenced by_sigkill hand_over
    cut_off_in_the_copy by_sigkill
    hold drop
    DST=$(resume_only)
    cut_off by_sigkill PUBLISHED drop
    DST=$(resume_only)
    goes_through "$DST"
    wait_output iris "$DST" 'steps recomputed [0-9]' 10
}
