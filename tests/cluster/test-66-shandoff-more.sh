# shellcheck shell=bash disable=SC2119 # no arguments are meant
# shandoff: where it does the source's side for the job, what the tracker says,
# and moves that are begun twice, or stay on one cluster.

# shellcheck source=tests/cluster/access.sh
. "${BASH_SOURCE[0]%/*}/access.sh"
# shellcheck source=tests/cluster/shandoff.sh
. "${BASH_SOURCE[0]%/*}/shandoff.sh"

test_shandoff_goes_to_the_source_where_jobs_cannot()
{
    keep_access
    configure iris <<'YAML'
clusters: {sherlock: {reach: login}}
YAML
    train_there
    on_iris
    shandoff 0 'has resumed here' "$KEY" --from=sherlock --yes -- "${ARGS[@]}"
    [[ $SAID == *'keep this running'* && $SAID != *'goes on by itself'* ]] ||
        fail "$SAID"
    wait_state sherlock "$SRC" CANCELLED 10
    # And detached it says what the job will need.
    equal "$(meta sherlock "$KEY" run_dir)" /dev/null/moved-to-iris 'the stub'
}

test_shandoff_detached_says_what_the_job_waits_for()
{
    keep_access
    configure iris <<'YAML'
clusters: {sherlock: {reach: login}}
handoff: {source_wait: 60s}
YAML
    train_there
    on_iris
    shandoff 0 "shandoff --attach $KEY" "$KEY" --from=sherlock --yes \
        --detach -- "${ARGS[@]}"
    shandoff 0 'has resumed here' --attach "$KEY"
}

# --- the tracker ------------------------------------------------------------

# a_tracker: a W&B server, which iris's user has a key for; PORT is its port.
a_tracker()
{
    local home
    home=$(home_of iris)

    SECRET=5ecre7key5ecre7key5ecre7key5ecre7key5ecre7key_x
    mkfifo "$home/hold" "$home/port"
    exec 8<>"$home/hold"
    SERVER_KEY=$SECRET python3 "$TESTS/../tools/wandb_server.py" <&8 8>&- \
        >"$home/port" &
    SERVER=$!
    trap end_tracker EXIT
    read -r PORT <"$home/port"
    on iris mkdir -p .config/wandb
    on iris tee .config/wandb/settings >/dev/null <<EOF
[default]
base_url = http://127.0.0.1:$PORT
EOF
    on iris tee .netrc >/dev/null <<EOF
machine 127.0.0.1:$PORT login user password $SECRET
EOF
    on iris chmod 600 .netrc
}

stop_tracker()
{
    kill "$SERVER"
    wait "$SERVER" || true
}

end_tracker()
{
    local home
    home=$(home_of iris)

    kill "$SERVER" 2>/dev/null || true
    exec 8>&-
    rm -rf "$home/hold" "$home/port" "$home/.netrc" "$home/.config/wandb"
}

# tracker PATH TEXT: sends it to the server, and prints the answer.
tracker()
{
    python3 -c '
import sys, urllib.request
print(urllib.request.urlopen("http://127.0.0.1:%s%s" % tuple(sys.argv[1:3]),
                             sys.argv[3].encode()).read().decode())
' "$PORT" "$1" "$2"
}

was_asked()
{
    (($(tracker /show 'len(log)') > 0))
}

test_shandoff_asks_the_tracker()
{
    local all args

    a_tracker
    train_there
    on_iris
    tracker /order "[{\"runs\": [{\"name\": \"abcd1234\", \"quiet\": 60,
        \"displayName\": \"$NAME\", \"state\": \"finished\"}]}]" >/dev/null
    shandoff 77 'tracker +NO .*1 finished run' "$KEY" --from=sherlock --yes \
        -- "${ARGS[@]}"
    all=$SAID
    shandoff 0 'tracker +ok +the tracker was not asked' "$KEY" \
        --from=sherlock --dry-run --no-tracker -- "${ARGS[@]}"
    # It is asked while others can see how this was started.
    tracker /order '[{"clear": true,
        "faults": [{"op": "", "hang": true}]}]' >/dev/null
    shandoff_begins "$KEY" --from=sherlock --dry-run -- "${ARGS[@]}"
    wait_for 60 'the question' was_asked
    # No grep for it here: that would have it in its own arguments.
    args=$(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' |
        grep -v -e SERVER_KEY)
    [[ $args == *--dry-run* ]] || fail 'it has ended before its answer'
    [[ $args != *"$SECRET"* ]] ||
        fail 'the key is in the arguments of a process'
    stop_tracker
    shandoff_ends 0
    [[ $SAID =~ tracker\ +note\ .*could\ not\ be\ asked ]] || fail "$SAID"
    [[ $all$SAID != *"$SECRET"* ]] || fail 'the key is in what was printed'
    ! grep -r -q -e "$SECRET" "$(scratch_of iris)" "$OUT" ||
        fail 'the key is in a file'
    still_trains sherlock "$SRC"
}

# --- begun again, and elsewhere ----------------------------------------------

test_shandoff_copies_again_while_the_job_waits()
{
    local staged

    train_there
    on_iris
    shandoff_begins "$KEY" --from=sherlock --yes --refresh=1s -- --hold \
        "${ARGS[@]}"
    says 'submitted as job'
    says 'copied again: step [0-9]+'
    staged=$(find "$(relay_dir iris)" -maxdepth 1 -name 'staging-*.offer' |
        wc -l)
    equal "$staged" 1 'copies on offer'
    as_root iris scontrol release "$(the_job)"
    shandoff_ends 0
    [[ $SAID == *'has resumed here'* ]] || fail "$SAID"
    [[ -z $(find "$(relay_dir iris)" -name '*.offer') ]] ||
        fail 'a copy is on offer still'
}

test_shandoff_takes_the_arguments_of_a_profile()
{
    configure iris <<'YAML'
clusters:
  iris:
    submit: [-p, main]
    profiles: {small: {submit: [--gres=gpu:1, --nice=7], max_jobs: 3}}
YAML
    train_there
    on_iris
    ARGS=("${ARGS[@]/--gres=gpu:1/--exclusive}")
    shandoff 78 'small' "$KEY" --from=sherlock --to=large --yes -- "${ARGS[@]}"
    shandoff 0 'submitted as job' "$KEY" --from=sherlock --to=small --yes \
        --detach -- --hold "${ARGS[@]}"
    [[ $SAID == *'-p main --gres=gpu:1 --nice=7'* ]] || fail "$SAID"
    equal "$(job_field iris "$(the_job)" Nice)" 7 'what the profile says'
    # It would hold the room of a checkpoint there.
    [[ -z $(find "$(relay_dir sherlock)" -name 'snap-*') ]] ||
        fail 'the snapshot is left on the source'
}

test_shandoff_from_one_partition_to_another()
{
    local first second

    on_iris
    first=$(submit iris -p main --resume-key="$KEY" "${ARGS[@]}")
    wait_step iris 100
    shandoff 77 'gpu +NO' "$KEY" --from=iris --yes -- -p urgent "${ARGS[@]}"
    shandoff 0 'has resumed here' "$KEY" --from=iris --yes \
        --override=gpu,remaining,gain -- -p urgent "${ARGS[@]}"
    wait_state iris "$first" CANCELLED 20
    second=$(the_job)
    wait_record iris handoff kind COMMITTED
    # The same again is that move; from its job it moves on.
    shandoff 0 "job $second was submitted for it before" "$KEY" --from=iris \
        --yes -- -p urgent "${ARGS[@]}"
    shandoff 0 'has resumed here' "$KEY" "--from=iris:$second" --yes \
        --override=gpu,remaining,gain -- -p main "${ARGS[@]}"
    wait_state iris "$second" CANCELLED 20
    equal "$(jobs_of iris)" 1 'jobs on iris'
}

test_shandoff_of_a_completed_run()
{
    plant sherlock 100
    edit_meta sherlock "$KEY" completed=true
    on_iris
    shandoff 77 'incomplete +NO' "$KEY" --from=sherlock --yes -- "${ARGS[@]}"
    shandoff 0 'is complete at step 100' "$KEY" --from=sherlock --yes \
        --override=incomplete,running,gpu,remaining,gain -- "${ARGS[@]}"
    equal "$(meta iris "$KEY" completed)" True 'completed here'
}

# Killed between sbatch's answer and its own record of it: only what it meant
# to do is written. Another job has the same comment.
test_shandoff_finds_the_job_that_it_did_not_record()
{
    local job other

    train_there
    on_iris
    other=$(submit iris --comment=mine --hold --wrap true)
    shandoff 0 'submitted as job' "$KEY" --from=sherlock --yes --detach -- \
        --comment=mine "${ARGS[@]}"
    job=$(on iris python3 - "$(relay_dir iris)/target.json" <<'PYTHON'
import json, sys
with open(sys.argv[1]) as f:
    target = json.load(f)
print(target["job_id"])
target["job_id"] = None
with open(sys.argv[1], "w") as f:
    json.dump(target, f)
PYTHON
    )
    [[ $job != "$other" ]] || fail "the job is $job"
    shandoff 0 "job $job was submitted for it before.*has resumed here" \
        "$KEY" --from=sherlock --yes -- --comment=mine "${ARGS[@]}"
    equal "$(jobs_of iris)" 2 'jobs on iris'
}

# Killed while it copied, with its journal open: the plan of the next one does
# not go on writing into that.
test_shandoff_after_a_job_that_was_killed_goes_on()
{
    local first

    keep_access
    train_there
    on_iris
    shandoff 0 'submitted as job' "$KEY" --from=sherlock --yes --detach -- \
        --hold "${ARGS[@]}"
    first=$(the_job)
    hold snapshot
    as_root iris scontrol release "$first"
    wait_held snapshot
    pkill -KILL -u "$(user_of iris)" -x relay-job
    on iris scancel "$first"
    wait_for 30 'the job to go' no_jobs iris
    let_go snapshot
    equal "$(record iris handoff kind)" OPEN 'the journal'
    shandoff 0 'has resumed here' "$KEY" --from=sherlock --yes -- "${ARGS[@]}"
    wait_state sherlock "$SRC" CANCELLED 10
}

test_shandoff_aborts_a_job_that_has_begun_nothing()
{
    train_there
    on_iris
    keep_access
    configure iris <<'YAML'
clusters: {sherlock: {reach: login}}
YAML
    shandoff 0 'submitted as job' "$KEY" --from=sherlock --yes --detach -- \
        "${ARGS[@]}"
    wait_state iris "$(the_job)" RUNNING 30
    SAID=$(on iris shandoff --abort --json "$KEY" 2>/dev/null)
    python3 -c 'import json, sys
assert json.loads(sys.argv[1])["end"] == "aborted"' "$SAID" || fail "$SAID"
    wait_for 30 'the job to go' no_jobs iris
    still_trains sherlock "$SRC"
}

test_shandoff_of_several_prints_one_document()
{
    train_there
    on_iris
    SAID=$(on iris shandoff --match="$NAME*" --from=sherlock --yes --json \
        --detach -- "${ARGS[@]}" 2>/dev/null)
    python3 -c 'import json, sys
x, = json.loads(sys.argv[1])
assert x["moves"] and x["exit"] == 0 and x["end"]["end"] == "submitted", x
assert x["end"]["job"] == sys.argv[2], x' "$SAID" "$(the_job)" ||
        fail "$SAID"
}
