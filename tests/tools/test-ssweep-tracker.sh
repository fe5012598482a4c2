#!/bin/bash
# ssweep run on two clusters, each with a copy of the sweep, and a server that
# answers as W&B does between them.
# shellcheck source-path=SCRIPTDIR source=sweeplib.sh
. "$(dirname -- "$0")/sweeplib.sh"
unset CUDA_VISIBLE_DEVICES WANDB_MODE WANDB_PROJECT WANDB_ENTITY

export SERVER_KEY=0123456789abcdef0123456789abcdef01234567
coproc SERVER { exec python3 "$tests/wandb_server.py" 2>/dev/null; }
# shellcheck disable=SC2154 # coproc sets it
pids+=("$SERVER_PID")
read -r port <&"${SERVER[0]}"
export WANDB_API_KEY=$SERVER_KEY WANDB_BASE_URL=http://127.0.0.1:$port \
    NO_PROXY=127.0.0.1 LIST=$dir/list

# Two clusters that cannot reach each other.
for c in east west; do
    mkdir -p "$c/ckpt"
    cat >"$c.yaml" <<END
cluster: $c
clusters:
  east: {ssh: east.invalid, resume_root: $dir/east/ckpt/_resume}
  west: {ssh: west.invalid, resume_root: $dir/west/ckpt/_resume}
END
done

# ask PATH TEXT: what the server says.
ask()
{
    python3 -c 'import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], sys.argv[2].encode()).read().decode())
' "http://127.0.0.1:$port$1" "$2"
}

# A training, and what the W&B SDK does for it: its run is running, with the
# tags of its environment, then finished.
cat >train.sh <<'END'
#!/bin/bash
tell()
{
    curl -fsS --noproxy '*' -d "[{\"runs\": [{\"name\": \"$WANDB_RUN_ID\",
        \"state\": \"$1\", \"quiet\": 1, \"tags\": [\"${WANDB_TAGS//,/\",\"}\"]}]}]" \
        "$WANDB_BASE_URL/order"
}
[[ -n $SDK ]] && tell running
echo "${PWD##*/} $RELAY_CELL_INDEX" >>"$LIST"
sleep "${PAUSE:-0}"
[[ -n $SDK ]] && tell finished
echo '{"ok": true}' >"$RELAY_RUN_DIR/summary.json"
END
chmod +x train.sh
export SDK=1

# copies NAME CELLS: a copy of the sweep in east and one in west.
copies()
{
    local c

    a_sweep "$1" "$2"
    for c in east west; do
        cp "$1.yaml" "$c/"
        (cd "$c" && "$SSWEEP" create "$1.yaml" >/dev/null 2>&1)
    done
    rm -r "$1.sweep"
    : >"$LIST"
    ask /order '[{"clear": true}]' >/dev/null
}

# work CLUSTER SWEEP [OPTION]...
work()
{
    local c=$1 sweep=$2
    shift 2

    cd "$dir/$c" || exit
    RELAY_CONFIG=$dir/$c.yaml run timeout 120 "$SSWEEP" run "$sweep.sweep" \
        "$@" -- "$dir/train.sh"
    cd "$dir" || exit
    cat .out .err >>all-output
}

# said NAME TEXT: in what the last worker printed.
said()
{
    check "$1" grep -qF -e "$2" .out .err
}

# The W&B ids of the cells that the server has.
run_ids()
{
    ask /show "' '.join(runs)"
}

# --- cell by cell ---------------------------------------------------------
copies grid 4
work east grid --tracker-claim --max-cells=2
is 'one cluster runs two cells' 0 '2 done'
work west grid --tracker-claim
is 'the other the rest' 0 'nothing is left: 4 done'
said 'and says what was done there' 'finished on east'
check 'each once' test "$(cut -d ' ' -f 2 "$LIST" | sort | xargs)" = '0 1 2 3'
check 'two on each' test "$(grep -c east "$LIST")" = 2
check 'the tag of the claim went to the program' test \
    "$(ask /show "sum(any(t.startswith('slurmclaim:') for t in r['tags']) for r in runs.values())")" = 4
work east grid --tracker-claim
is 'which learns of it when it works again' 0 'nothing is left: 4 done'

# --- both at once ---------------------------------------------------------
copies race 8
for c in east west; do
    (cd "$c" && PAUSE=0.3 RELAY_CONFIG=$dir/$c.yaml timeout 120 "$SSWEEP" run \
        race.sweep --tracker-claim -- "$dir/train.sh") >"$c.out" 2>&1 &
    pids+=($!)
done
wait "${pids[-1]}" "${pids[-2]}"
check 'at once: each cell runs once' test \
    "$(cut -d ' ' -f 2 "$LIST" | sort | xargs)" = '0 1 2 3 4 5 6 7'
check 'on either cluster' test "$(cut -d ' ' -f 1 "$LIST" | sort -u | wc -l)" = 2

# --- held there -----------------------------------------------------------
copies held 1
work east held --tracker-claim
id=$(run_ids)
held()
{
    copies held$((++n)) 1
    ask /order "[{\"runs\": [{\"name\": \"$id\", $1}]}]" >/dev/null
    work east "held$n" "${@:2}"
}
n=0
tag='"tags": ["slurmclaim:west/4711/0123456789abcdef"]'
held "\"state\": \"running\", \"quiet\": 1, $tag" --tracker-claim
is 'a cell that is alive elsewhere is left alone' 0 'others hold the rest'
said 'which is said' 'is given back: it is running on west, says W&B'
check 'it was not run' test ! -s "$LIST"
held "\"state\": \"pending\", $tag" --tracker-claim
is 'a claim whose job cannot be asked about is not taken over' 0 \
    'is given back'
check 'it was not run' test ! -s "$LIST"
held "\"state\": \"failed\", \"quiet\": 900, $tag" --tracker-claim
is 'a cell that was begun there is not begun anew' 75 'cannot be brought here'
check 'it was not run' test ! -s "$LIST"
work east "held$n" --tracker-claim
is 'nor by the next worker' 75 'cannot be brought here'
check 'it was not run' test ! -s "$LIST"
held "\"state\": \"killed\", \"quiet\": 900, $tag" --tracker-claim
is 'nor is one that was killed there' 0 'it was killed on west'
check 'it was not run' test ! -s "$LIST"
mine='"tags": ["slurmclaim:east/12/fedcba9876543210"]'
theirs="{\"runs\": [{\"name\": \"$id\", \"state\": \"pending\", $tag}]}"
copies fast 1
ask /order "[{\"runs\": [{\"name\": \"$id\", \"state\": \"failed\", $mine}],
    \"faults\": [{\"op\": \"Run\", \"skip\": 1, \"then\": $theirs}]}]" >/dev/null
work east fast --tracker-claim
said 'one of ours that another cluster takes over first is left to it' \
    'is given back: job 4711 on west has it'
check 'it was not run' test ! -s "$LIST"
copies late 1
ask /order "[{\"runs\": [{\"name\": \"$id\", \"state\": \"running\", $mine}],
    \"faults\": [{\"op\": \"Run\", \"then\": $theirs}]}]" >/dev/null
work east late --tracker-claim
said 'also when it was before we told that ours is dead' \
    "is another claim's now: job 4711 on west has it"
check 'it was not run' test ! -s "$LIST"
check 'and theirs not called dead' test \
    "$(ask /show "runs['$id']['state']")" = pending
copies gone 1
ask /order "[{\"deleted\": [\"$id\"]}]" >/dev/null
work east gone --tracker-claim
said 'an id that was deleted waits for a person' 'waits for a person'
check 'it was not run' test ! -s "$LIST"
check 'and is held back' test "$(cd east && count gone.sweep quarantined)" = 1

# --- looked up only -------------------------------------------------------
copies look 1
ask /order "[{\"runs\": [{\"name\": \"$id\", \"state\": \"finished\",
    \"quiet\": 9, $tag}]}]" >/dev/null
work east look
is 'what was finished elsewhere is done without a claim, too' 0 '1 done'
check 'it was not run' test ! -s "$LIST"
copies nolook 1
ask /order "[{\"runs\": [{\"name\": \"$id\", \"state\": \"finished\",
    \"quiet\": 9, $tag}]}]" >/dev/null
work east nolook --no-tracker
check 'without a tracker it is' test -s "$LIST"

# --- answers that get lost, servers that are gone -------------------------
copies lost 2
ask /order '[{"faults": [{"op": "UpsertBucket", "status": 500, "late": true}]}]' \
    >/dev/null
work east lost --tracker-claim
work east lost --tracker-claim
check 'a lost answer costs no cell twice' test \
    "$(cut -d ' ' -f 2 "$LIST" | sort | uniq -d)" = ''
copies away 1
export WANDB_BASE_URL=http://127.0.0.1:1
SDK='' work east away --tracker-claim
check 'a tracker out of reach: claims are refused' test \
    "$code" = 75 -o "$code" = 69
said 'with the way round' '--tracker-optional'
check 'nothing was run' test ! -s "$LIST"
SDK='' work east away --tracker-claim --tracker-optional
is 'which goes on' 0 '1 done'
said 'and warns' 'warning: the tracker cannot be asked'
copies away2 1 2>/dev/null
SDK='' work east away2
is 'to look only is a warning' 0 '1 done'
unset WANDB_API_KEY
work east away --tracker-claim
is 'no key' 78 'no W&B key'
work east away --tracker-claim --no-tracker
is 'contradictions' 64 'goes with neither'
check 'the key is nowhere' sh -c "! grep -rqs $SERVER_KEY all-output east west"
finish
