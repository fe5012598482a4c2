# shellcheck shell=bash
# What is known of a job on a real cluster, asked from the other one over ssh
# and from its own. liveness_probe prints the verdict, why, and the facts.

PROBE=${RELAY_CLUSTERS%/*}/libexec/liveness_probe
[[ -x $PROBE ]] ||
    install -m 755 "${build:?}/tests/unit/liveness_probe" "$PROBE"

# probe CLUSTER JOBID [SUBMIT [NONCE [STATEDIR]]]: asked from the other.
probe()
{
    local from=iris

    [[ $1 == sherlock ]] || from=sherlock
    on "$from" "$PROBE" "$1" "$2" "${3:-0}" "${4:-}" "${@:5}"
}

# verdict_is VERDICT WHY-REGEX ARG...: of probe.
verdict_is()
{
    local verdict=$1 why=$2 out
    shift 2

    out=$(probe "$@" 2>&1)
    [[ $out == "$verdict"$'\n'* && $out =~ $why ]] && return
    fail "probe $*: expected $verdict ($why), got: $out"
}

# fact NAME ARG...: a fact of probe.
fact()
{
    local name=$1
    shift

    probe "$@" | sed -n "s/^$name=//p"
}

submit_time()
{
    on "$1" SLURM_TIME_FORMAT=%s squeue -h -r -t all -j "$2" -o %V
}

forgotten()
{
    ! as_root "$1" squeue -h -t all -j "$2" >/dev/null 2>&1
}

test_liveness_of_a_job_that_runs_and_is_cancelled()
{
    local job dir

    dir=$(scratch_of sherlock)/state
    on sherlock mkdir -p "$dir"
    job=$(submit sherlock -J 'my run: "x"' --comment='a | b' \
        --wrap 'exec sleep 600')
    wait_state sherlock "$job" RUNNING 20
    verdict_is alive 'RUNNING' sherlock "$job" 0 '' "$dir"
    equal "$(fact name sherlock "$job")" 'my run: "x"' name
    equal "$(fact comment sherlock "$job")" 'a | b' comment
    equal "$(fact user sherlock "$job")" "$(user_of sherlock)" user
    equal "$(fact workdir sherlock "$job")" "$(home_of sherlock)" workdir
    equal "$(fact stdout sherlock "$job")" \
        "$(home_of sherlock)/slurm-$job.out" stdout
    equal "$(fact requeue sherlock "$job")" 1 requeue
    equal "$(fact submit sherlock "$job")" "$(submit_time sherlock "$job")" \
        submit
    on sherlock scancel "$job"
    wait_state sherlock "$job" CANCELLED 20
    verdict_is dead 'CANCELLED.*no.*processes.*does not change' \
        sherlock "$job" 0 '' "$dir"
    wait_for 60 'squeue to forget it' forgotten sherlock "$job"
    verdict_is dead 'sacct says.*CANCELLED' sherlock "$job" 0 '' "$dir"
    equal "$(fact nodes sherlock "$job")" sherlock-n1 nodes
}

test_liveness_of_completed_failed_and_pending_jobs()
{
    local good bad waiting

    good=$(submit iris --wrap true)
    bad=$(submit iris --wrap 'exit 3')
    waiting=$(submit iris --begin=now+1hour --wrap true)
    wait_state iris "$good" COMPLETED 20
    wait_state iris "$bad" FAILED 20
    verdict_is dead COMPLETED iris "$good"
    verdict_is dead FAILED iris "$bad"
    verdict_is alive PENDING iris "$waiting"
    on iris scancel "$waiting"
    wait_state iris "$waiting" CANCELLED 20
    verdict_is dead CANCELLED iris "$waiting"
}

test_liveness_of_the_earlier_run_of_a_requeued_job()
{
    local job first

    job=$(submit sherlock --requeue --wrap 'exec sleep 600')
    wait_state sherlock "$job" RUNNING 20
    first=$(submit_time sherlock "$job")
    # A submit time is whole seconds: the next run must have another.
    wait_for 5 'another second' is_past "$first"
    on sherlock scontrol requeue "$job"
    wait_state sherlock "$job" 'PENDING|RUNNING' 20
    wait_for 20 'the first run in sacct' first_run_is_known "$job" "$first"
    verdict_is dead 'later run' sherlock "$job" "$first"
    verdict_is alive 'PENDING|RUNNING' sherlock "$job" \
        "$(submit_time sherlock "$job")"
    equal "$(fact restarts sherlock "$job")" 1 restarts
}

is_past()
{
    (($(date +%s) > $1))
}

first_run_is_known()
{
    on sherlock SLURM_TIME_FORMAT=%s sacct -n -P -D -X -j "$1" -o Submit,State |
        grep -qx "$2|REQUEUED"
}

test_liveness_of_array_members()
{
    local array last

    array=$(submit sherlock --array=0-2 --wrap 'exec sleep 600')
    last=${array}_2
    wait_state sherlock "$last" RUNNING 20
    equal "$(fact raw sherlock "$last")" "$array" 'raw id of the last task'
    on sherlock scancel "$last"
    wait_state sherlock "$last" CANCELLED 20
    verdict_is dead CANCELLED sherlock "$last"
    verdict_is alive RUNNING sherlock "${array}_0"
    equal "$(fact members sherlock "$array")" 3 members
    verdict_is unknown 'no proof' sherlock "$array"
    verdict_is unknown 'no proof' sherlock "${array}_7"
}

# An evaluation that an array's member submits inherits its SLURM_ARRAY_*.
test_liveness_knows_itself_in_a_nested_job()
{
    local array out

    out=$(home_of sherlock)/self
    array=$(submit sherlock --array=0-1 --wrap "exec srun $PROBE self")
    wait_state sherlock "${array}_1" COMPLETED 30
    equal "$(job_output sherlock "${array}_1" | cut -d ' ' -f 1)" \
        "${array}_1" 'the last member'
    on sherlock tee submit-nested >/dev/null <<NESTED
#!/bin/sh
sbatch --wait -o $out --wrap '$PROBE self; echo \$SLURM_JOB_ID'
NESTED
    array=$(submit sherlock --array=3 submit-nested)
    wait_state sherlock "${array}_3" COMPLETED 60
    equal "$(sed -n '1s/ .*//p' "$out")" "$(sed -n 2p "$out")" 'the nested job'
    rm -f "$out" "$(home_of sherlock)/submit-nested"
}

test_liveness_of_a_node_that_is_cut_off()
{
    local job pid

    job=$(submit sherlock -p fast --no-requeue --wrap 'exec sleep 600')
    wait_state sherlock "$job" RUNNING 20
    pid=$(job_pid "$job")
    trap 'kill -KILL "$pid"; node_2 start' EXIT
    node_2 stop
    on sherlock scancel "$job"
    wait_state sherlock "$job" 'CANCELLED|NODE_FAIL' 60
    kill -0 "$pid" || fail 'the process was to outlive its slurmd'
    # With a nonce that nobody has, only the node can tell.
    verdict_is unknown 'sherlock-n2.*may train on' sherlock "$job" 0 none
    verdict_is alive 'processes still run' sherlock "$job"
    trap - EXIT
    kill -KILL "$pid"
    node_2 start
    wait_for 30 'sherlock-n2 to be back' nodes_are_up sherlock
    verdict_is unknown 'came back .* after the end' sherlock "$job"
}

node_2()
{
    "${BASH_SOURCE[0]%/*}/clusters" slurmd "$RELAY_CLUSTERS" sherlock-n2 "$1"
}

# find_pid JOBID: of the first process of the user with that job id.
find_pid()
{
    local file

    # shellcheck disable=SC2013 # no blanks in these names
    for file in $(grep -slzxF "SLURM_JOB_ID=$1" /proc/[0-9]*/environ); do
        file=${file%/environ}
        [[ $(stat -c %U "$file") == "$(user_of sherlock)" ]] || continue
        echo "${file#/proc/}"
        return
    done
    return 1
}

# job_pid JOBID: the same, of a job that has only just begun to run, too.
job_pid()
{
    wait_for 20 "a process of job $1" find_pid "$1" && find_pid "$1"
}

# linuxproc does not see a process whose parent has died.
test_liveness_of_a_process_that_outlives_its_job()
{
    local job pid

    # shellcheck disable=SC2016 # expanded in the job
    job=$(submit sherlock --wrap \
        'RELAY_RUN_NONCE=abc123 setsid sh -c "trap : TERM; echo \$\$ >pid
        while :; do sleep 1; done" </dev/null >/dev/null 2>&1 & sleep 600')
    wait_for 20 'the process' test -s "$(home_of sherlock)/pid"
    pid=$(<"$(home_of sherlock)/pid")
    trap 'kill -KILL -- "-$pid"' EXIT
    rm "$(home_of sherlock)/pid"
    on sherlock scancel "$job"
    wait_state sherlock "$job" 'CANCELLED' 60
    kill -0 "$pid" || skip 'this Slurm ends such a process'
    verdict_is alive 'processes still run' sherlock "$job" 0 abc123
    verdict_is alive 'processes still run' sherlock "$job"
    verdict_is dead CANCELLED sherlock "$job" 0 another
    # The other cluster's job of that number is another job.
    if on iris scontrol show job "$job" >/dev/null 2>&1; then
        equal "$(fact processes iris "$job")" 0 'processes of the other'
    fi
    kill -KILL -- "-$pid"
    trap - EXIT
    verdict_is dead CANCELLED sherlock "$job" 0 abc123
}

test_liveness_of_a_state_that_is_still_written()
{
    local job dir writer

    dir=$(scratch_of iris)/written
    on iris mkdir -p "$dir"
    job=$(submit iris --wrap true)
    wait_state iris "$job" COMPLETED 20
    writer=$(submit iris \
        --wrap "while :; do date +%N >$dir/f; sleep 0.2; done")
    wait_for 20 'the writer' test -s "$dir/f"
    verdict_is unknown 'still being changed' iris "$job" 0 '' "$dir"
    on iris scancel "$writer"
    wait_state iris "$writer" CANCELLED 20
    verdict_is dead COMPLETED iris "$job" 0 '' "$dir"
}

test_liveness_when_the_controller_does_not_answer()
{
    local job pid

    job=$(submit sherlock --wrap 'exec sleep 600')
    wait_state sherlock "$job" RUNNING 20
    pid=$(sed -n 's/^\([0-9]*\) .* slurmctld-sherlock$/\1/p' \
        "$RELAY_CLUSTERS/pids" | tail -n 1)
    kill -STOP "$pid"
    trap 'kill -CONT "$pid"' EXIT
    verdict_is unknown 'squeue of sherlock does not answer' sherlock "$job"
    kill -CONT "$pid"
    trap - EXIT
    verdict_is alive RUNNING sherlock "$job"
}
