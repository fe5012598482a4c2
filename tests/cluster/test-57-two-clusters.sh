# shellcheck shell=bash
# shellcheck disable=SC2016 # what the jobs expand
# One sweep, worked on from both clusters: its queue is on sherlock.
# shellcheck source=tests/cluster/access.sh
. "${BASH_SOURCE[0]%/*}/access.sh"

# home_sweep CELLS: a sweep on sherlock, and cell.sh on both, which trains a
# cell; prints the sweep's path.
home_sweep()
{
    local dir c
    dir=$(scratch_of sherlock)/ckpt

    printf '%s\n' "name: $NAME" 'entity: lab' 'project: robots' \
        'method: grid' "parameters: {width: {values: [$(seq -s, "$1")]}}" |
        on sherlock tee "$dir/$NAME.yaml" >/dev/null
    on sherlock ssweep create "$dir/$NAME.yaml" -o "$dir/$NAME.sweep"
    for c in sherlock iris; do
        on "$c" tee cell.sh >/dev/null <<'SCRIPT'
#!/bin/bash
echo "$RELAY_CELL_INDEX ${RELAY_RESUME_STEP-none}" >>"$HOME/ran"
exec python3 -u "$HOME/train.py" --entity lab --project robots \
    --run-name "$RELAY_CELL_ID" --resume-root "${RELAY_RESUME_DIR%/*}" \
    --run-root "${RELAY_RESUME_DIR%/_resume/*}" --steps "${STEPS:-60}" \
    --checkpoint-every 20 --step-time "${STEP_TIME:-0.02}"
SCRIPT
        on "$c" chmod +x cell.sh
        rm -f "$(home_of "$c")/ran"
    done
}

# worker CLUSTER [VAR=VALUE]... [OPTION]...: a job that works on it.
worker()
{
    local c=$1 env=() sweep
    shift

    while [[ ${1-} =~ ^[A-Z_]+= ]]; do
        env+=("$1")
        shift
    done
    sweep=$(scratch_of sherlock)/ckpt/$NAME.sweep
    [[ $c == sherlock ]] ||
        sweep="ssh://sherlock$sweep --out-root=$(scratch_of "$c")/ckpt/out"
    submit "$c" "${env[@]}" --job-name="$NAME" --wrap \
        "exec ssweep run $sweep $* -- ./cell.sh"
}

# kill_worker CLUSTER: at once, so that it can give nothing back.
kill_worker()
{
    kill -KILL "$(pgrep -u "$(user_of "$1")" -x ssweep)"
    wait_for 60 'the job to end' no_jobs "$1"
}

ran()
{
    cat "$(home_of "$1")/ran" 2>/dev/null
}

has_run()
{
    [[ -n $(ran "$1") ]]
}

sweep_there()
{
    echo "$(scratch_of sherlock)/ckpt/$NAME.sweep"
}

cells_are()
{
    [[ $(on sherlock ssweep status --json "$(sweep_there)" |
        /usr/bin/python3 -c '
import json, sys
print(json.load(sys.stdin)["counts"][sys.argv[1]])' "$1") == "$2" ]]
}

# cell_key: the key of the first cell.
cell_key()
{
    echo "lab/robots/$(on sherlock ssweep cells --json "$(sweep_there)" |
        sed -n '1s/.*"id": *"\([^"]*\)".*/\1/p')"
}

# resumed CLUSTER STEP: what ran there last began at STEP or later.
resumed()
{
    local step

    step=$(ran "$1" | tail -n 1)
    step=${step#* }
    [[ $step != none ]] || step=-1
    ((step >= $2)) ||
        fail "on $1 it began at $step, and had reached $2"
}

explained()
{
    on sherlock ssweep explain "$(sweep_there)" '#0'
}

test_a_worker_on_each()
{
    local here there verified

    home_sweep 8
    there=$(worker iris STEP_TIME=0.05)
    wait_for 60 'a cell on iris' has_run iris
    here=$(worker sherlock)
    expect_exit sherlock "$here" 0 120
    expect_exit iris "$there" 0 120
    cells_are 'done' 8 || fail "$(on sherlock ssweep status "$(sweep_there)")"
    equal "$({ ran sherlock; ran iris; } | sort | xargs)" \
        '0 none 1 none 2 none 3 none 4 none 5 none 6 none 7 none' \
        'what ran on both'
    has_run sherlock || fail 'nothing ran on sherlock'
    verified=$(on sherlock ssweep verify "$(sweep_there)") &&
        fail 'what is not here was verified'
    equal "$(grep -c "its directory is on iris" <<<"$verified")" \
        "$(ran iris | wc -l)" 'the cells that are on iris'
}

test_killed_there_and_back()
{
    local key job step

    home_sweep 1
    key=$(cell_key)
    job=$(worker iris STEPS=100000)
    wait_step iris 60 60 "$key"
    kill_worker iris
    step=$(step_of iris "$key")
    job=$(worker sherlock STEPS=100000)
    wait_for 90 'the cell on sherlock' has_run sherlock
    resumed sherlock "$step"
    wait_step sherlock $((step + 40)) 60 "$key"
    kill_worker sherlock
    step=$(step_of sherlock "$key")
    job=$(worker iris STEPS=$((step + 60)))
    expect_exit iris "$job" 0 120
    resumed iris "$step"
    cells_are 'done' 1 || fail "$(explained)"
    explained | grep -q "gen 1  claim by job .* on iris" ||
        fail "$(explained)"
}

test_preempted_goes_on_there()
{
    local key job step

    home_sweep 1
    key=$(cell_key)
    job=$(worker sherlock STEPS=100000)
    wait_step sherlock 40 60 "$key"
    as_root sherlock scancel "$job"
    wait_for 60 'the cell to be given back' cells_are partial 1
    step=$(step_of sherlock "$key")
    job=$(worker iris STEPS=$((step + 60)))
    expect_exit iris "$job" 0 120
    expect_output iris "$job" 'files came from sherlock'
    resumed iris "$step"
    cells_are 'done' 1 || fail "$(explained)"
}

test_answer_lost_with_the_connection()
{
    local bin job

    keep_access
    home_sweep 2
    bin=$(command_first sherlock)
    on sherlock tee "$bin/ssweep" >/dev/null <<'SCRIPT'
#!/bin/bash
request=$(cat)
if [[ $request == *'"op":"claim"'* ]] && mkdir "$HOME/lost" 2>/dev/null; then
    "$RELAY_PATH/ssweep" "$@" <<<"$request" >"$HOME/lost/answer"
    pid=$PPID
    until [[ $(</proc/"$pid"/comm) == sshd* ]]; do
        pid=$(sed -n 's/^PPid:\t//p' /proc/"$pid"/status)
    done
    kill -KILL "$pid"
    sleep 60
fi
exec "$RELAY_PATH/ssweep" "$@" <<<"$request"
SCRIPT
    sed -i "s|\$RELAY_PATH|$RELAY_PATH|g" "$bin/ssweep"
    chmod 755 "$bin/ssweep"
    job=$(worker iris)
    expect_exit iris "$job" 0 120
    grep -q '"claim"' "$(home_of sherlock)/lost/answer" ||
        fail 'no answer was lost'
    rm -r "$(home_of sherlock)/lost"
    equal "$(ran iris | sort | xargs)" '0 none 1 none' 'what ran'
    cells_are 'done' 2 || fail "$(on sherlock ssweep status "$(sweep_there)")"
    ! on sherlock ssweep explain "$(sweep_there)" '#0' | grep -q 'gen 3' ||
        fail 'it was claimed twice'
}

# on_another_host: what is recorded of owners names another host than the one
# that all nodes of these clusters are on, where their processes would tell.
on_another_host()
{
    on sherlock /usr/bin/python3 -c '
import glob, socket, sys
host = b"\"host\":\"" + socket.gethostname().encode() + b"\""
for name in glob.glob(sys.argv[1] + "/records/*") + glob.glob(
        sys.argv[1] + "/ledgers/*[0-9a-f]"):
    with open(name, "r+b") as f:
        text = f.read().replace(b"\": \"", b"\":\"")
        if host in text:
            text = text.replace(host, host[:8] + b"x" * (len(host) - 9) + b"\"")
            f.seek(0)
            f.write(text)
            f.truncate()
' "$(sweep_there)"
}

# shut and let_in: nobody on sherlock can ask iris.
shut()
{
    mv "$(home_of iris)/.ssh/authorized_keys" "$(home_of iris)/.ssh/shut"
}

let_in()
{
    mv "$(home_of iris)/.ssh/shut" "$(home_of iris)/.ssh/authorized_keys"
}

test_death_is_told_by_its_own_cluster()
{
    local key job step

    keep_access
    home_sweep 1
    key=$(cell_key)
    worker iris STEPS=100000
    wait_step iris 40 60 "$key"
    kill_worker iris
    on_another_host
    step=$(step_of iris "$key")
    shut
    job=$(worker sherlock)
    expect_exit sherlock "$job" 0 120
    expect_output sherlock "$job" 'others hold the rest'
    ! has_run sherlock || fail 'a cell of unknown fate was run'
    let_in
    job=$(worker sherlock STEPS=$((step + 60)))
    expect_exit sherlock "$job" 0 120
    resumed sherlock "$step"
}

# The home cannot ask about a job of iris, but who works there can.
test_death_is_told_by_a_worker_there()
{
    local key job step

    keep_access
    home_sweep 1
    key=$(cell_key)
    worker iris STEPS=100000
    wait_step iris 40 60 "$key"
    kill_worker iris
    on_another_host
    step=$(step_of iris "$key")
    shut
    job=$(worker iris STEPS=$((step + 60)))
    expect_exit iris "$job" 0 120
    resumed iris "$step"
    cells_are 'done' 1 || fail "$(explained)"
}

test_state_out_of_reach()
{
    local key job step

    keep_access
    home_sweep 1
    key=$(cell_key)
    job=$(worker iris STEPS=100000)
    wait_step iris 40 60 "$key"
    shut
    as_root iris scancel "$job"
    wait_for 60 'the cell to be given back' cells_are partial 1
    step=$(step_of iris "$key")
    job=$(worker sherlock)
    expect_exit sherlock "$job" 75 120
    expect_output sherlock "$job" 'is given back: its state on iris'
    ! has_run sherlock || fail 'it was begun without its state'
    let_in
    job=$(worker sherlock STEPS=$((step + 60)))
    expect_exit sherlock "$job" 0 120
    resumed sherlock "$step"
}

# own_copy CLUSTER: a copy of the sweep there.
own_copy()
{
    local dir
    dir=$(scratch_of "$1")/ckpt

    on sherlock cat "$(scratch_of sherlock)/ckpt/$NAME.yaml" |
        on "$1" tee "$dir/$NAME.yaml" >/dev/null
    on "$1" ssweep create "$dir/$NAME.yaml" -o "$dir/$NAME.sweep"
}

# works_alone CLUSTER [OPTION]...: a job that works on that copy.
works_alone()
{
    local c=$1
    shift

    submit "$c" --job-name="$NAME" --wrap "exec ssweep run \
        $(scratch_of "$c")/ckpt/$NAME.sweep $* -- ./cell.sh"
}

test_overlapping_shards_are_refused()
{
    local job

    home_sweep 4
    own_copy iris
    expect_exit sherlock \
        "$(works_alone sherlock --shard-index=0 --shard-count=2)" 0 90
    job=$(works_alone iris)
    expect_exit iris "$job" 77 60
    expect_output iris "$job" 'sherlock has a copy of this sweep.*shard 0 of 2'
    expect_output iris "$job" 'ssh://sherlock/.*--shard-index'
    expect_exit iris "$(works_alone iris --shard-index=2 --shard-count=4)" 77 60
    ! has_run iris || fail 'a cell was run all the same'
    expect_exit iris "$(works_alone iris --shard-index=1 --shard-count=2)" 0 90
    equal "$({ ran sherlock; ran iris; } | sort | xargs)" \
        '0 none 1 none 2 none 3 none' 'what ran on both'
    # A copy that is gone is no matter any more; one that cannot be seen is
    # warned of.
    on sherlock rm -r "$(sweep_there)"
    expect_exit iris "$(works_alone iris --max-cells=1)" 0 90
    keep_access
    rm "$(home_of sherlock)/.ssh/authorized_keys"
    job=$(works_alone iris)
    expect_exit iris "$job" 0 90
    expect_output iris "$job" 'warning: whether sherlock works on a copy'
}

# server: W&B for both; sets URL. It ends with us.
server()
{
    export SERVER_KEY=0123456789abcdef0123456789abcdef01234567
    coproc SERVER { exec python3 "$TESTS/../tools/wandb_server.py"; }
    read -r port <&"${SERVER[0]}"
    URL=http://127.0.0.1:$port
    TRACKED=(WANDB_BASE_URL="$URL" WANDB_API_KEY="$SERVER_KEY"
        NO_PROXY=127.0.0.1)
}

ask()
{
    /usr/bin/python3 -c 'import sys, urllib.request
print(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
    sys.argv[1], sys.argv[2].encode()).read().decode())' "$URL$1" "$2"
}

# tracked_cells: cell.sh on both, which tells W&B what its SDK would.
tracked_cells()
{
    local c

    for c in sherlock iris; do
        on "$c" tee cell.sh >/dev/null <<'SCRIPT'
#!/bin/bash
tell()
{
    python3 -c 'import json, os, sys, urllib.request
run = {"name": os.environ["WANDB_RUN_ID"], "state": sys.argv[1], "quiet": 1,
       "tags": os.environ["WANDB_TAGS"].split(",")}
urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
    os.environ["WANDB_BASE_URL"] + "/order",
    json.dumps([{"runs": [run]}]).encode())' "$1"
}
echo "$RELAY_CELL_INDEX ${RELAY_RESUME_STEP-none}" >>"$HOME/ran"
tell running
python3 -u "$HOME/train.py" --entity lab --project robots \
    --run-name "$RELAY_CELL_ID" --resume-root "${RELAY_RESUME_DIR%/*}" \
    --run-root "${RELAY_RESUME_DIR%/_resume/*}" --steps "${STEPS:-60}" \
    --checkpoint-every 20 --step-time 0.02 && tell finished
SCRIPT
        on "$c" chmod +x cell.sh
    done
}

# tracked CLUSTER [VAR=VALUE]...: a job that works on that cluster's copy.
tracked()
{
    local c=$1
    shift

    submit "$c" "${TRACKED[@]}" "$@" --job-name="$NAME" --wrap "ssweep run \
        $(scratch_of "$c")/ckpt/$NAME.sweep --tracker-claim -- ./cell.sh"
}

test_tracker_between_copies()
{
    local here there

    server
    home_sweep 6
    own_copy iris
    tracked_cells
    here=$(tracked sherlock)
    there=$(tracked iris)
    expect_exit sherlock "$here" 0 120
    expect_exit iris "$there" 0 120
    equal "$({ ran sherlock; ran iris; } | sort | xargs)" \
        '0 none 1 none 2 none 3 none 4 none 5 none' 'what ran on both'
    expect_exit sherlock "$(tracked sherlock)" 0 120
    cells_are 'done' 6 || fail "$(on sherlock ssweep status "$(sweep_there)")"
}

test_tracker_hands_a_dead_claim_over()
{
    local key job id step

    server
    home_sweep 1
    own_copy iris
    tracked_cells
    key=$(cell_key)
    job=$(tracked iris STEPS=100000)
    wait_step iris 40 60 "$key"
    expect_exit sherlock "$(tracked sherlock)" 0 60
    ! has_run sherlock || fail 'it ran on both'
    kill_worker iris
    step=$(step_of iris "$key")
    # What W&B says five minutes after the last it heard.
    id=$(ask /show "list(runs)[0]")
    ask /order "[{\"runs\": [{\"name\": \"$id\", \"state\": \"crashed\",
        \"tags\": [\"slurmclaim:iris/$job/0123456789abcdef\"],
        \"quiet\": 400}]}]"
    job=$(tracked sherlock STEPS=$((step + 60)))
    expect_exit sherlock "$job" 0 120
    expect_output sherlock "$job" 'files came from iris'
    resumed sherlock "$step"
    equal "$(ask /show "runs['$id']['state']")" finished 'the run in W&B'
}
