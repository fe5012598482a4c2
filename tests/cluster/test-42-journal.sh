# shellcheck shell=bash
# Handoffs that did not go straight on: what the journal says decides, and
# nobody is stuck with it.

# Resumes, and makes no checkpoint for a long time: never committed.
slow_target()
{
    local cluster=$1 source=$2

    train "$cluster" -o --resume-key="$KEY" -o --handoff-from="$source" \
        --step-time 5
}

test_published_run_moves_back_and_here_again()
{
    local dst step

    train sherlock -o --resume-key="$KEY" >/dev/null
    wait_step sherlock 50
    dst=$(slow_target iris sherlock)
    wait_output iris "$dst" 'Resuming from step' 60
    equal "$(record iris handoff kind)" PUBLISHED 'the journal'
    train sherlock -o --resume-key="$KEY" -o --handoff-from=iris >/dev/null
    wait_record sherlock handoff kind COMMITTED 90
    dst=$(train iris -o --resume-key="$KEY" -o --handoff-from=sherlock)
    wait_record iris handoff kind COMMITTED 90
    step=$(job_output iris "$dst" |
        sed -n 's/^Resuming from step \([0-9]*\).*/\1/p')
    ((step > 50)) || fail "resumed from step '$step'"
    equal "$(record iris run term)" 4 term
}

# A record of the journal as an attempt of job $1 leaves it that was killed
# before its stop reached the source.
write_stopping()
{
    on iris mkdir -p "$(relay_dir iris)"
    on iris /usr/bin/python3 - "$(relay_dir iris)" "$1" \
        "$(scratch_of sherlock)/ckpt/_resume" "$(run_hash "$KEY")" <<'PYTHON'
import json, sys
relay, job, root, run = sys.argv[1:]
nonce = "0123456789abcdef" * 2
with open(relay + "/handoff.1", "x") as f:
    json.dump({"format": 1, "series": "handoff", "gen": 1, "seq": 1,
               "kind": "STOPPING", "time": 1, "nonce": nonce, "term": 2,
               "step": 50, "opened_by": nonce, "stopping_at": 1,
               "owner": {"cluster": "iris", "job_id": job, "job_raw": job},
               "source": {"cluster": "sherlock", "root": root, "hash": run,
                          "step": 50, "shared": False}}, f)
PYTHON
}

test_stop_that_never_reached_the_source_begins_anew()
{
    local src old dst

    src=$(train sherlock)
    wait_step sherlock 20
    old=$(submit iris --wrap true)
    wait_state iris "$old" COMPLETED 20
    write_stopping "$old"
    dst=$(train iris -o --resume-key="$KEY")
    wait_output iris "$dst" 'Resuming from step' 60
    expect_output iris "$dst" 'had not stopped the run there'
    expect_output iris "$dst" 'staged and verified while sherlock trains'
    wait_state sherlock "$src" CANCELLED 10
    wait_record iris handoff kind COMMITTED
}

# The key's entity is another than the training's own.
test_run_that_was_found_by_its_name_is_requeued()
{
    local dst before

    train sherlock >/dev/null
    wait_step sherlock 20
    dst=$(train iris -o --resume-key="other/robots/$NAME" \
        -o --handoff-from=sherlock -o --requeue)
    wait_record iris handoff kind COMMITTED 90
    expect_output iris "$dst" 'found by its run name'
    before=$(step_of iris)
    on iris scontrol requeue "$dst"
    wait_for 60 'the job to run again' runs_again iris "$dst"
    wait_step iris "$before" 60
    nodes_are_up iris || fail "$(node_states iris)"
}

runs_again()
{
    job_is "$1" "$2" RUNNING && (($(job_field "$1" "$2" Restarts) > 0))
}

test_run_outside_slurm_is_not_taken()
{
    local dst pid

    on sherlock sresume run "$KEY" -- ./train.sh \
        --entity lab --project robots --run-name "$NAME" \
        --resume-root "$(scratch_of sherlock)/ckpt/_resume" \
        --run-root "$(scratch_of sherlock)/ckpt" \
        --steps 100000 --step-time 0.02 --checkpoint-every 50 \
        >outside.out 2>&1 &
    wait_step sherlock 20
    pid=$(record sherlock run owner.pid)
    dst=$(train iris -o --resume-key="$KEY" -o --handoff-from=sherlock)
    expect_exit iris "$dst" 77
    expect_output iris "$dst" 'is run outside Slurm'
    equal "$(record sherlock run kind)" claim "the source's lease"
    wait_step sherlock "$(step_of sherlock)" 30
    kill "$pid"
    wait
    rm outside.out
    # It has released the lease: now there is nothing in the way.
    dst=$(train iris -o --resume-key="$KEY" -o --handoff-from=sherlock)
    wait_output iris "$dst" 'Resuming from step' 60
}

# Begun on both before either has a checkpoint.
test_run_that_was_just_begun_elsewhere_is_not_begun_here()
{
    local src dst

    src=$(submit sherlock -J "$NAME" --resume-key="$KEY" --wrap 'sleep 1000')
    wait_record sherlock run kind claim 30
    dst=$(submit iris -J "$NAME" --resume-key="$KEY" --wrap 'echo body')
    expect_exit iris "$dst" 77
    expect_output iris "$dst" "job $src on sherlock has begun it"
    expect_no_body iris "$dst"
    on sherlock scancel "$src"
    wait_record sherlock run kind release 30
    dst=$(submit iris -J "$NAME" --resume-key="$KEY" --wrap 'echo body')
    wait_output iris "$dst" body 30
}
