# shellcheck shell=bash
# The interval that is recommended, from a real history of jobs.

# cadence CLUSTER [ARG...]: its JSON.
cadence()
{
    local c=$1
    shift

    on "$c" "$RELAY_PATH/sresume" cadence --json "$@"
}

# json_of EXPRESSION: of the JSON on standard input, as x.
json_of()
{
    /usr/bin/python3 -c '
import json, math, sys
x = json.load(sys.stdin)
print(eval("(" + sys.argv[1] + ")"))' "$1"
}

runs_in_sacct()
{
    (($(as_root "$1" sacct -D -X -n -P -j "$2" -o State | grep -c "$3") > 0))
}

has_run()
{
    (($(as_root "$1" sacct -X -n -P -j "$2" -o ElapsedRaw) > 2))
}

# censored_is CLUSTER N ARG...
censored_is()
{
    local c=$1 n=$2
    shift 2

    [[ $(cadence "$c" "$@" | json_of "x['censored']") == "$n" ]]
}

test_a_preempted_job_is_a_failure()
{
    local job urgent after

    job=$(train iris -o --resume-key="$KEY" -o --requeue -o --nodes=1)
    wait_step iris 50
    urgent=$(submit iris -p urgent --nodes=2 --exclusive --wrap 'sleep 300')
    wait_for 60 'sacct to know the preempted run' \
        runs_in_sacct iris "$job" PREEMPTED
    as_root iris scancel "$job" "$urgent"
    after=$(cadence iris --save-time=0.05 "$KEY")
    equal "$(json_of "x['partition']" <<<"$after")" main
    equal "$(json_of "x['preempted'] >= 1 and x['exposure'] > 0 and
        x['failures'] == x['preempted'] + x['node_failures'] and
        x['jobs'] == x['failures'] + x['censored']" <<<"$after")" True "$after"
    # Daly's polynomial, of the figures that are printed.
    equal "$(json_of "abs(x['interval'] - (math.sqrt(0.1 * x['mtbf']) *
        (1 + math.sqrt(0.025 / x['mtbf']) / 3 + 0.025 / x['mtbf'] / 9)
        - 0.05)) < 1e-6" <<<"$after")" True "$after"
}

test_a_cancelled_job_adds_its_hours_alone()
{
    local before after job

    plant iris 100
    on iris mkdir -p "$(relay_dir iris)"
    before=$(cadence iris --save-time=1 --partition=fast "$KEY" || true)
    job=$(submit iris -p fast --wrap 'sleep 300')
    wait_for 60 'it to have run for some seconds' has_run iris "$job"
    as_root iris scancel "$job"
    wait_for 60 'sacct to know that it was cancelled' \
        runs_in_sacct iris "$job" CANCELLED
    wait_for 30 'it to be counted' censored_is iris \
        $(($(json_of "x['censored']" <<<"$before") + 1)) \
        --save-time=1 --partition=fast "$KEY"
    after=$(cadence iris --save-time=1 --partition=fast "$KEY")
    equal "$(json_of "x['failures']" <<<"$after")" \
        "$(json_of "x['failures']" <<<"$before")" failures
    equal "$(json_of "x['exposure'] > 0" <<<"$after")" True "$after"
}

test_checkpoint_that_takes_longer_than_slurm_waits_is_named()
{
    local job said

    job=$(train iris -o --resume-key="$KEY" -o -p -o main)
    wait_step iris 50
    said=$(on iris "$RELAY_PATH/sresume" cadence --save-time=20 "$KEY")
    [[ $said == *'kills 5 s after it asked (KillWait)'* ]] ||
        fail "KillWait is not named: $said"
    [[ $said == *'has no GraceTime'* ]] || fail "GraceTime is not named: $said"
    said=$(on iris "$RELAY_PATH/sresume" cadence --save-time=4 "$KEY")
    [[ $said != *KillWait* && $said != *GraceTime* ]] ||
        fail "4 s are short enough: $said"
    as_root iris scontrol update PartitionName=main GraceTime=2
    said=$(on iris "$RELAY_PATH/sresume" cadence --save-time=4 "$KEY")
    as_root iris scontrol update PartitionName=main GraceTime=0
    [[ $said == *'2 s (GraceTime)'* ]] || fail "2 s are too short: $said"
    job_is iris "$job" RUNNING || fail 'the job has gone'
}

test_urgent_jobs_are_not_preempted()
{
    train iris -o --resume-key="$KEY" -o -p -o urgent >/dev/null
    wait_step iris 50
    [[ $(on iris "$RELAY_PATH/sresume" cadence --save-time=20 "$KEY") != \
        *GraceTime* ]] || fail 'it cannot be preempted'
}

# The training writes a new file and renames it, so that its birth tells.
test_save_time_is_measured_from_the_files()
{
    local said

    train iris -o --resume-key="$KEY" --state-mb 8 --step-time 0.03 \
        --checkpoint-every 100 >/dev/null
    wait_step iris 300 90
    said=$(cadence iris "$KEY")
    equal "$(json_of "0 < x['save'] < x['now'] and
        x['save_how'].startswith('birth') and 1 < x['rate'] < 40 and
        x['interval_steps'] == round(x['interval'] * x['rate'])
        " <<<"$said")" True "$said"
}

test_without_jobs_nothing_is_recommended()
{
    local rc=0

    plant iris 100
    on iris mkdir -p "$(relay_dir iris)"
    on iris "$RELAY_PATH/sresume" cadence --partition=fast --save-time=3 \
        --since=1s "$KEY" || rc=$?
    equal "$rc" 65 'exit code'
}
