# shellcheck shell=bash disable=SC2119 # no arguments are meant
# shandoff: the plan and its gates, the move, and what happens when one or the
# other goes wrong. The trainings are on one GPU each; speed: says 3.9.

# shellcheck source=tests/cluster/shandoff.sh
. "${BASH_SOURCE[0]%/*}/shandoff.sh"

test_shandoff_follows_until_the_proof()
{
    train_there
    on_iris
    shandoff 0 'has resumed here from step ([0-9]+)' "$KEY" --from=sherlock \
        --yes -- "${ARGS[@]}"
    [[ $SAID == *'copied ahead: step '*'the source trains on'* &&
        $SAID == *'GPU-idle gap: '[0-9]*' s'* &&
        $SAID == *'steps recomputed: '[0-9]* &&
        $SAID == *"job $SRC on sherlock"*'1 x rtx2080ti'* ]] ||
        fail "$SAID"
    wait_state sherlock "$SRC" CANCELLED 10
    job_is iris "$(the_job)" RUNNING || fail 'nothing runs'
    equal "$(meta sherlock "$KEY" run_dir)" /dev/null/moved-to-iris 'the stub'
    # Once more: it is here.
    shandoff 0 'resumed here|was submitted for it before' "$KEY" \
        --from=sherlock --yes -- "${ARGS[@]}"
    equal "$(jobs_of iris)" 1 'jobs on iris'
}

test_shandoff_dry_run_changes_nothing()
{
    local before

    train_there
    on_iris
    before=$(find "$(scratch_of iris)/ckpt" | sort)
    shandoff 0 'gain +ok' "$KEY" --from=sherlock --dry-run -- "${ARGS[@]}"
    [[ $SAID == *'break-even 13 min'* && $SAID == *'gpu  '*'3.9'* ]] ||
        fail "$SAID"
    equal "$(find "$(scratch_of iris)/ckpt" | sort)" "$before" 'what is here'
    SAID=$(on iris shandoff "$KEY" --from=sherlock --dry-run --json -- \
        "${ARGS[@]}")
    python3 -c 'import json, sys
x = json.loads(sys.argv[1])
assert x["job"] == sys.argv[2], x["job"]
assert x["speedup"] == 3.9 and x["total_steps"] == 400000, x
assert [g["verdict"] for g in x["gates"] if g["gate"] == "gpu"] == ["pass"]
' "$SAID" "$SRC" || fail "$SAID"
    equal "$(jobs_of iris)" 0 'jobs on iris'
    still_trains sherlock "$SRC"
}

test_shandoff_gates_say_no()
{
    train_there
    on_iris
    shandoff 77 'remaining +NO' "$KEY" --from=sherlock --yes \
        --total-steps=1000 -- "${ARGS[@]}"
    [[ $SAID == *'--override=remaining'* ]] || fail "$SAID"
    shandoff 77 'gpu +NO' "$KEY" --from=sherlock --yes --rate-here=1k/h -- \
        "${ARGS[@]}"
    shandoff 0 'remaining +overruled' "$KEY" --from=sherlock --dry-run \
        --total-steps=1000 --override=remaining,gain -- "${ARGS[@]}"
    shandoff 64 'no such gate' "$KEY" --from=sherlock --override=mood -- \
        "${ARGS[@]}"
    shandoff 64 'nobody can be asked' "$KEY" --from=sherlock -- "${ARGS[@]}"
    still_trains sherlock "$SRC"
    equal "$(jobs_of iris)" 0 'jobs on iris'
}

test_shandoff_counts_slots()
{
    train_there
    on iris mkdir -p .config/slurm-relay
    on iris tee .config/slurm-relay/relay.yaml >/dev/null <<'YAML'
clusters: {iris: {max_jobs: 1, max_gpus: 4}}
YAML
    on_iris
    submit iris -p main --gres=gpu:1 --wrap 'exec sleep 300' >/dev/null
    shandoff 77 'slot +NO' "$KEY" --from=sherlock --yes -- "${ARGS[@]}"
    cancel_all iris
    shandoff 0 'slot +ok' "$KEY" --from=sherlock --dry-run -- "${ARGS[@]}"
}

test_shandoff_by_the_name_alone()
{
    SRC=$(train sherlock -o --gres=gpu:1)
    wait_step sherlock 20
    on_iris
    # Nobody has watched it there: its output tells the rate.
    wait_output sherlock "$SRC" 'step: 100/' 60
    shandoff 0 'has resumed here' "$NAME" --from=sherlock --yes -- "${ARGS[@]}"
    wait_state sherlock "$SRC" CANCELLED 10
    shandoff 65 "nearest there:.*$NAME|moved|has no run" "${NAME}x" \
        --from=sherlock --yes -- "${ARGS[@]}"
}

test_shandoff_of_the_task_of_an_array()
{
    local array

    array=$(train sherlock -o --gres=gpu:1 -o --array=3 \
        -o --resume-key="$KEY" --steps "$STEPS")
    wait_for 60 'a rate' rate_is_known
    on_iris
    shandoff 0 'submitted as job [0-9]+_3' "$KEY" --from=sherlock --yes -- \
        "${ARGS[@]}"
    [[ $(the_job) == *_3 ]] || fail "the job is $(the_job)"
    wait_state sherlock "${array}_3" CANCELLED 10
}

# Killed while it follows, and the same command again.
test_shandoff_that_is_killed_goes_on()
{
    local pid out

    train_there
    on_iris
    out=$(home_of iris)/shandoff.out
    # The job waits, so that the first one is surely killed before the end.
    on iris shandoff "$KEY" --from=sherlock --yes -- --begin=now+10 \
        "${ARGS[@]}" >"$out" 2>&1 &
    pid=$!
    wait_for 60 'the submission' grep -q 'submitted as job' "$out"
    pkill -9 -P "$pid" || kill -9 "$pid"
    wait "$pid" || true
    shandoff 0 'was submitted for it before.*has resumed here' "$KEY" \
        --from=sherlock --yes -- "${ARGS[@]}"
    equal "$(jobs_of iris)" 1 'jobs on iris'
}

test_shandoff_detach_and_attach()
{
    train_there
    on_iris
    shandoff 0 'submitted as job' "$KEY" --from=sherlock --yes --detach -- \
        "${ARGS[@]}"
    shandoff 0 'has resumed here' --attach "$KEY"
    shandoff 65 'is not in|no job was submitted' --attach "lab/robots/other"
}

test_shandoff_of_a_job_that_loads_nothing()
{
    local step

    train_there
    on_iris "$NAME" --ignore-resume --log-every 1 --checkpoint-every 100000
    shandoff 65 'began from step [0-9]+' "$KEY" --from=sherlock --yes -- \
        "${ARGS[@]}"
    wait_for 30 'the job to end' no_jobs iris
    step=$(step_of iris)
    ((step > 100)) || fail "the state here is at $step"
}

test_shandoff_of_a_job_that_ends_at_once()
{
    train_there
    on iris tee short.sh >/dev/null <<'SCRIPT'
#!/bin/bash
echo "PermissionError: [Errno 13] Permission denied: '/scratch'"
SCRIPT
    shandoff 75 'without proof.*Permission denied' "$KEY" --from=sherlock \
        --yes -- -J "$NAME" --gres=gpu:1 short.sh
    [[ $SAID == *'the copy here counts'* ]] || fail "$SAID"
}

test_shandoff_abort_gives_it_back()
{
    train_there
    on_iris
    shandoff 0 'submitted as job' "$KEY" --from=sherlock --yes --detach -- \
        --begin=now+1hour "${ARGS[@]}"
    shandoff 0 '.*' --abort "$KEY"
    wait_for 30 'the job to go' no_jobs iris
    still_trains sherlock "$SRC"
}

test_shandoff_several_by_who_gains_most()
{
    local name

    for name in "$NAME-a" "$NAME-b" "$NAME-c"; do
        train sherlock -n "$name" -o --gres=gpu:1 \
            -o --resume-key="lab/robots/$name" --steps "$STEPS" >/dev/null
    done
    for name in "$NAME-a" "$NAME-b" "$NAME-c"; do
        wait_for 60 'a rate' rate_is_known "lab/robots/$name"
    done
    on iris tee several.sh >/dev/null <<SCRIPT
#!/bin/bash
exec python3 -u train.py --entity lab --project robots \\
    --run-name "\${RELAY_RESUME_KEY##*/}" --steps 100000 --step-time 0.02 \\
    --checkpoint-every 50 --resume-root "$(scratch_of iris)/ckpt/_resume" \\
    --run-root "$(scratch_of iris)/ckpt"
SCRIPT
    shandoff 0 "$NAME-[abc]: moved" --match="$NAME-*" --max=2 \
        --from=sherlock --yes -- --gres=gpu:1 several.sh
    equal "$(grep -c ': moved$' <<<"$SAID")" 2 'runs that moved'
    equal "$(jobs_of iris)" 2 'jobs on iris'
    equal "$(jobs_of sherlock)" 1 'jobs on sherlock'
}
