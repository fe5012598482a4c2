# shellcheck shell=bash
# What sbatch, srun and salloc say, and what they refuse, before there is a
# job.

# What a job script prints of its identity.
# shellcheck disable=SC2016
BODY='echo "body ${RELAY_RESUME_KEY-none} at ${RELAY_RESUME_STEP-none}"'

# Everything below a cluster's resume_root, with times.
state_of()
{
    find "$(scratch_of "$1")/ckpt/_resume" -printf '%p %s %T@\n' | sort
}

checkpoints_of()
{
    find "$(scratch_of "$1")/ckpt/_resume" -type f ! -path '*/.relay/*' \
        -printf '%p %s %T@\n' | sort
}

jobs_of()
{
    as_root "$1" squeue -h -t all -o %i | sort
}

test_malformed_options_are_refused_at_submission()
{
    local bad state jobs long

    printf -v long '%0600d' 0
    state=$(state_of iris) jobs=$(jobs_of iris)
    for bad in '' lab lab/robots lab//run /lab/robots/run lab/robots/ \
        ../../etc lab/../../etc lab/robots/../../x lab/robots/./x \
        -lab/robots/x "lab/robots/$long" \
        $'lab/robots/a\nb' $'lab/robots/\e[31mred' $'lab/robots/a\x7f' \
        lab/robots/run-%j lab/robots/run-%; do
        refused 64 'resume-key' on iris sbatch --resume-key="$bad" --wrap "$BODY"
    done
    for bad in '' '-oProxyCommand=x' sherlock: sherlock:4711x \
        'sherlock:4711;reboot' sherlock:1:2 'sher lock' ../sherlock \
        $'sherlock\n' "$long"; do
        refused 64 'handoff-from' on iris sbatch --resume-key="$KEY" \
            --handoff-from="$bad" --wrap "$BODY"
    done
    refused 64 'resume-key' on iris srun --resume-key=../../etc true
    refused 64 'resume-key' on iris salloc --resume-key=../../etc true
    refused 64 'handoff-from needs --resume-key' \
        on iris sbatch --handoff-from=sherlock --wrap "$BODY"
    equal "$(state_of iris)" "$state" 'what is in resume_root'
    equal "$(jobs_of iris)" "$jobs" 'the list of jobs'
}

test_unknown_cluster_is_refused()
{
    local job state

    refused 78 'no cluster "mars"' on iris sbatch --resume-key="$KEY" \
        --handoff-from=mars --wrap "$BODY"
    # Without the check at submission it is the job that finds out.
    plant iris 40
    state=$(checkpoints_of iris)
    plugin_line iris optional submit_check=no
    job=$(submit iris --resume-key="$KEY" --handoff-from=mars --wrap "$BODY")
    expect_exit iris "$job" 78 30
    expect_output iris "$job" '^relay: .*mars'
    expect_no_body iris "$job"
    equal "$(checkpoints_of iris)" "$state" 'the state here'
    equal "$(record iris run gen)" '' 'a lease'
    nodes_are_up iris || fail "$(node_states iris)"
}

test_last_option_wins_and_option_over_environment()
{
    local twice twin both script

    twice=$(submit iris --resume-key=lab/robots/not-this \
        --resume-key="$KEY-twice" --wrap "$BODY")
    both=$(submit iris SBATCH_RESUME_KEY=lab/robots/not-this \
        --resume-key="$KEY-both" --wrap "$BODY")
    twin=$(submit iris SBATCH_RESUME_KEY="$KEY-twin" --wrap "$BODY")
    on iris tee script.sh >/dev/null <<SCRIPT
#!/bin/sh
#SBATCH --resume-key=lab/robots/not-this
$BODY
SCRIPT
    script=$(submit iris --resume-key="$KEY-script" script.sh)
    wait_output iris "$twice" "^body $KEY-twice at none" 30
    wait_output iris "$twin" "^body $KEY-twin at none" 30
    wait_output iris "$both" "^body $KEY-both at none" 30
    wait_output iris "$script" "^body $KEY-script at none" 30
    rm "$(home_of iris)/script.sh"
}

test_options_are_judged_after_the_last_one()
{
    local job

    # A bad value that a good one replaces is no reason to refuse.
    job=$(submit iris SBATCH_RESUME_KEY=../../etc --resume-key=also/bad \
        --resume-key="$KEY" --wrap "$BODY")
    wait_output iris "$job" "^body $KEY at none" 30
    refused 64 'resume-key' on iris sbatch --resume-key="$KEY" \
        --resume-key=../../etc --wrap "$BODY"
    refused 64 'resume-key' on iris SBATCH_RESUME_KEY=../../etc \
        sbatch --wrap "$BODY"
    refused 64 'resume-key' on iris SRUN_RESUME_KEY=../../etc srun true
    refused 64 'resume-key' on iris SALLOC_RESUME_KEY=../../etc salloc true
    refused 78 mars on iris SBATCH_HANDOFF_FROM=mars SBATCH_RESUME_KEY="$KEY" \
        sbatch --wrap "$BODY"
}

test_twins_of_srun_and_salloc()
{
    local out

    out=$(on iris SRUN_RESUME_KEY="$KEY-srun" srun sh -c "$BODY" 2>/dev/null)
    equal "$out" "body $KEY-srun at none" 'with SRUN_RESUME_KEY'
    out=$(on iris SRUN_RESUME_KEY=lab/robots/not-this \
        srun --resume-key="$KEY-option" sh -c "$BODY" 2>/dev/null)
    equal "$out" "body $KEY-option at none" 'with the option too'
    out=$(on iris SALLOC_RESUME_KEY="$KEY-salloc" salloc -Q \
        srun sh -c "$BODY" 2>/dev/null)
    equal "$out" "body $KEY-salloc at none" 'with SALLOC_RESUME_KEY'
    # Each command has its own.
    out=$(on iris SBATCH_RESUME_KEY=../../etc SALLOC_RESUME_KEY=../../etc \
        srun sh -c "$BODY" 2>/dev/null)
    equal "$out" 'body none at none' "with others' twins"
}

test_completed_key()
{
    local job

    plant iris 40
    edit_meta iris "$KEY" completed=true
    refused 65 "is complete at step 40; .*sresume reopen $KEY" \
        on iris sbatch --resume-key="$KEY" --wrap "$BODY"
    # Where it became complete after the submission, the job ends well.
    plugin_line iris optional submit_check=no
    job=$(submit iris --resume-key="$KEY" --wrap "$BODY")
    expect_exit iris "$job" 0 30
    equal "$(job_state iris "$job")" COMPLETED 'the job'
    expect_output iris "$job" "$KEY is complete at step 40"
    expect_no_body iris "$job"
}

test_submission_says_where_it_resumes()
{
    local said

    plant iris 40
    said=$(on iris sbatch --hold --resume-key="$KEY" --wrap "$BODY" \
        2>&1 >/dev/null)
    [[ $said =~ ^"relay: $KEY ("[0-9a-f]{8}") resumes at step 40, saved "[0-9] ]] ||
        fail "$said"
    said=$(on iris sbatch --hold --resume-key="$KEY-0" --wrap "$BODY" \
        2>&1 >/dev/null)
    [[ $said =~ ^"relay: $KEY-0 ("[0-9a-f]{8}") is new here; nearest: ".*"$NAME" ]] ||
        fail "$said"
}
