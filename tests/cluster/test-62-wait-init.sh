# shellcheck shell=bash
# Waiting for a run wherever it goes, and a first configuration.

sresume()
{
    local c=$1
    shift

    on "$c" "$RELAY_PATH/sresume" "$@"
}

# wait_ends CODE REGEX CLUSTER ARG...: sresume wait ends so, and says so.
wait_ends()
{
    local code=$1 regex=$2 c=$3 rc=0 said
    shift 3

    said=$(sresume "$c" wait "$@" 2>&1) || rc=$?
    ((rc == code)) || fail "wait $*: exit code $rc, expected $code: $said"
    [[ $said =~ $regex ]] || fail "wait $*: expected '$regex', got: $said"
}

test_wait_ends_when_the_training_has()
{
    local job

    job=$(train iris -o --resume-key="$KEY" --steps 150)
    wait_ends 0 'completed, step 150' iris --timeout=120s --job="$job" "$KEY"
    wait_ends 0 'step 150' iris --timeout=10s --step=100 "$KEY"
}

test_wait_reports_a_cancelled_job()
{
    local job

    job=$(train iris -o --resume-key="$KEY")
    wait_step iris 50
    as_root iris scancel "$job"
    wait_ends 75 "ended.*nobody runs it.*--resume-key=$KEY" iris \
        --timeout=120s "$KEY"
    wait_state iris "$job" CANCELLED 30
}

test_wait_outlasts_a_requeue()
{
    local job waiter out

    job=$(train iris -o --resume-key="$KEY" -o --requeue --steps 600)
    wait_step iris 100
    out=$(home_of iris)/wait.out
    sresume iris wait --timeout=180s "$KEY" >"$out" 2>&1 &
    waiter=$!
    wait_for 30 'the wait to begin' grep -q running "$out"
    as_root iris scontrol requeue "$job"
    wait_for 60 'the second run' output_has iris "$job" 'Resuming from step'
    kill -0 "$waiter" || fail "the wait has ended: $(<"$out")"
    wait "$waiter" || fail "exit code $?: $(<"$out")"
    grep -q 'completed, step 600' "$out" || fail "it says: $(<"$out")"
}

test_wait_follows_a_run_that_moved()
{
    local src dst

    src=$(train sherlock -o --resume-key="$KEY" --steps 900)
    wait_step sherlock 50
    dst=$(train iris -o --resume-key="$KEY" -o --handoff-from=sherlock \
        --steps 900)
    wait_record iris handoff kind PUBLISHED 90 ||
        record_is iris handoff kind COMMITTED || fail 'no handoff'
    wait_ends 0 'running on iris' sherlock --timeout=60s \
        --for=running,completed "$KEY"
    wait_state iris "$dst" COMPLETED 90
    wait_record iris run kind release 30
    wait_ends 0 'completed on iris, step 900' sherlock --timeout=60s "$KEY"
    wait_ends 0 'completed on iris' sherlock --cluster=iris "$KEY"
    wait_ends 0 'completed, step 900' iris "$KEY"
    equal "$(sresume sherlock wait -q --json "$KEY" | /usr/bin/python3 -c '
import json, sys
x = json.load(sys.stdin)
print(x["cluster"], x["state"], x["reached"])')" 'iris completed True'
    job_is sherlock "$src" RUNNING && fail 'the source runs'
    true
}

test_wait_that_cannot_ask_there_is_told_so()
{
    plant sherlock 100
    edit_meta sherlock "$KEY" \
        'moved_to={"cluster": "mars", "term": 1, "time": 1}'
    wait_ends 78 'lives on mars.*no cluster "mars"' sherlock "$KEY"
}

test_init_writes_what_both_sides_say()
{
    local file rc=0 said

    file=$(home_of iris)/.config/slurm-relay/relay.yaml
    said=$(sresume iris init --ssh=sherlock)
    [[ $said == *'iris, here, as '* && $said == *'sherlock, by ssh sherlock'* &&
        $said == *'partitions main (default), fast, urgent'* ]] ||
        fail "it says: $said"
    grep -q '^    ssh: sherlock$' "$file" || fail "in it: $(<"$file")"
    grep -q "resume_root: .*/sherlock/fs/%u/ckpt/_resume" "$file" ||
        fail "in it: $(<"$file")"
    plant iris 100
    equal "$(on iris env "RELAY_CONFIG=$file" "$RELAY_PATH/sresume" list |
        grep -c "$NAME")" 1 'runs that are found with it'
    sresume iris init --ssh=sherlock >/dev/null 2>&1 || rc=$?
    equal "$rc" 73 'a second time'
}

test_init_finds_roots_that_nobody_configured()
{
    local c said=

    plant sherlock 100
    for c in iris sherlock; do
        mv "$RELAY_CLUSTERS/$c/etc/relay.yaml" "$RELAY_CLUSTERS/$c/etc/away"
    done
    said=$(sresume iris init -n --ssh=sherlock 2>&1) || said="failed: $said"
    for c in iris sherlock; do
        mv "$RELAY_CLUSTERS/$c/etc/away" "$RELAY_CLUSTERS/$c/etc/relay.yaml"
    done
    [[ $said =~ resume_root:\ .*/iris/fs/%u/ckpt/_resume ]] ||
        fail "here: $said"
    [[ $said =~ resume_root:\ .*/sherlock/fs/%u/ckpt/_resume &&
        $said == *'_resume: 1 runs: taken'* ]] || fail "there: $said"
}

test_init_says_why_ssh_was_refused()
{
    local rc=0 said

    said=$(sresume iris init --ssh=nobody@sherlock 2>&1) || rc=$?
    equal "$rc" 69 'exit code'
    [[ $said == *'nobody@sherlock cannot be reached: '*'ermission denied'* ]] ||
        fail "it says: $said"
    [[ ! -e $(home_of iris)/.config/slurm-relay/relay.yaml ]] ||
        fail 'it wrote a file'
}
