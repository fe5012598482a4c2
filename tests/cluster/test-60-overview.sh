# shellcheck shell=bash disable=SC2119 # no arguments are meant
# sresume list --all-clusters, typed on iris.

# shellcheck source=tests/cluster/access.sh
. "${BASH_SOURCE[0]%/*}/access.sh"

list_all()
{
    on iris sresume list --all-clusters "$@"
}

# of CLUSTER MEMBER [NAME]: of the run of that name there.
of()
{
    list_all --json 2>/dev/null | /usr/bin/python3 -c '
import json, sys
for run in json.load(sys.stdin)["runs"]:
    if run["cluster"] == sys.argv[1] and run["name"] == sys.argv[3]:
        print(run[sys.argv[2]])
' "$1" "$2" "${3:-$NAME}"
}

is()
{
    [[ $(of "$1" "$2" "${4:-$NAME}") == "$3" ]]
}

# wait_is CLUSTER MEMBER VALUE [NAME]
wait_is()
{
    wait_for 60 "$2 of ${4:-$NAME} on $1 to be $3" is "$@" && return
    list_all --json
    return 1
}

# shown CLUSTER MEMBER VALUE [NAME]
shown()
{
    equal "$(of "$1" "$2" "${4:-$NAME}")" "$3" "$2 of ${4:-$NAME} on $1"
}

# in_table REGEX
in_table()
{
    local table

    table=$(list_all 2>&1)
    grep -qE "$1" <<<"$table" || fail "no '$1' in:" "$table"
}

# between LOW MEMBER HIGH [NAME]: of the run on sherlock, as a number.
between()
{
    local value

    value=$(of sherlock "$2" "${4:-$NAME}")
    awk -v v="$value" -v l="$1" -v h="$3" \
        'BEGIN { exit !(v != "" && v + 0 > l && v + 0 <= h) }' ||
        fail "$2 is '$value', not between $1 and $3"
}

test_overview_measures_runs_of_the_other_cluster()
{
    local job

    job=$(train sherlock -o --resume-key="$KEY" --checkpoint-every 100)
    wait_is sherlock rate_from history
    shown sherlock state running
    shown sherlock job "$job"
    shown sherlock key "$KEY"
    shown sherlock copy only
    shown sherlock total 100000
    between 0 rate 50 # a step sleeps 0.02 s
    between 1000 eta 1000000
    in_table "^$NAME +sherlock +[0-9]+ .*/(s|min) .* running +job $job"
    equal "$(list_all --json "no-$NAME" | tr -d ' \n' |
        grep -o '"runs":\[\]')" '"runs":[]' 'another name'
}

# A training that does not use our options has its output alone.
test_overview_measures_by_the_output()
{
    local job

    job=$(train sherlock --log-every 10)
    wait_is sherlock rate_from output
    shown sherlock state running
    shown sherlock job "$job"
    shown sherlock total 100000
    between 0 rate 50
}

test_overview_shows_what_waits()
{
    local job

    plant sherlock 30
    job=$(train sherlock -o --hold)
    shown sherlock state queued
    in_table "^$NAME +sherlock +.* queued +job $job \(JobHeldUser\)"
    # A second job of that name: whose the run is cannot be told.
    train sherlock -o --hold >/dev/null
    shown sherlock job None
}

test_overview_of_a_pair()
{
    train sherlock >/dev/null
    wait_step sherlock 20
    train iris -o --resume-key="$KEY" -o --handoff-from=sherlock >/dev/null
    wait_record iris handoff kind COMMITTED
    wait_is iris state running
    shown iris copy authoritative
    shown sherlock copy other
    shown sherlock state moved
    shown sherlock moved_to iris
    in_table "^$NAME +iris \(authoritative\) "
    [[ $(list_all | grep -A 1 "^$NAME .*authoritative" | tail -n 1) == \
        "$NAME "*sherlock* ]] || fail 'the copies do not stand together'
}

# Copied by hand: nothing but the step tells them apart.
test_overview_of_a_pair_without_records()
{
    plant sherlock 20
    plant iris 40
    shown iris copy authoritative
    shown sherlock copy other
    edit_meta iris "$KEY" last_checkpoint_step=20 last_step=20
    shown iris copy unclear
    in_table "^$NAME +sherlock \(unclear\) "
}

test_overview_shows_a_stale_run()
{
    local pid

    train sherlock -o --resume-key="$KEY" --checkpoint-every 100 >/dev/null
    wait_is sherlock rate_from history
    shown sherlock stale False
    pid=$(training_pid sherlock)
    kill -STOP "$pid"
    wait_is sherlock stale True
    in_table "^$NAME +sherlock .* running, stale "
    kill -CONT "$pid"
    wait_is sherlock stale False
}

test_overview_with_a_cluster_that_cannot_be_reached()
{
    local said

    keep_access
    plant iris 20
    plant sherlock 20
    : >"$(home_of sherlock)/.ssh/authorized_keys"
    said=$(list_all 2>&1) || fail "it failed: $said"
    [[ $said == *$'\n'"sresume: sherlock cannot be reached"* ]] ||
        fail "it does not say who did not answer: $said"
    shown iris step 20
    shown iris copy only
}

# Below the directories that the jobs there work in.
test_overview_with_a_relative_root()
{
    configure iris <<'YAML'
clusters:
  sherlock: {resume_root: checkpoints/_resume}
YAML
    train sherlock >/dev/null
    wait_step sherlock 20
    shown sherlock state running
}

# How fast the GPUs of both clusters are, in THERE and HERE; two at once.
set_up_speeds()
{
    local there here

    there=$(on sherlock sinfo -h -p main -o %G)
    here=$(on iris sinfo -h -p main -o %G)
    [[ $there == gpu:*:* && $here == gpu:*:* ]] ||
        skip "the clusters' nodes have no GPUs"
    THERE=${there#gpu:} HERE=${here#gpu:}
    THERE=${THERE%%:*} HERE=${HERE%%:*}
    configure iris <<YAML
clusters:
  iris: {max_gpus: 2}
speed: {$THERE: 1, $HERE: 4}
handoff: {overhead: 1s, min_remaining: 1s}
YAML
}

no_hint()
{
    local said

    said=$(list_all)
    [[ $said != *shandoff* ]] || fail "$1:" "$said"
}

test_overview_hints_at_what_would_gain()
{
    set_up_speeds
    train sherlock -o --gres=gpu:1 -o --resume-key="$KEY" \
        --checkpoint-every 100 >/dev/null
    wait_is sherlock rate_from history
    shown sherlock gpu "$THERE"
    shown sherlock gpus 1
    in_table "^  shandoff $KEY --from sherlock  # $THERE there, room on $HERE"
    submit iris --gres=gpu:1 --wrap 'exec sleep 300' >/dev/null
    in_table "^  shandoff $KEY --from sherlock "
    submit iris --gres=gpu:1 --hold --wrap true >/dev/null
    no_hint 'both GPUs that are allowed are taken'
}

test_overview_hints_at_what_waits()
{
    set_up_speeds
    plant sherlock 30
    train sherlock -o --gres=gpu:1 -o --hold >/dev/null
    in_table "^  shandoff $KEY --from sherlock --override=running  # it waits"
    edit_meta sherlock "$KEY" completed=true
    no_hint 'it is done'
}
