# shellcheck shell=bash disable=SC2119 # no arguments are meant
# Where jobs may not log in (reach: login): somebody on the login node goes to
# the source for them. courier_probe is that somebody.

# shellcheck source=tests/cluster/access.sh
. "${BASH_SOURCE[0]%/*}/access.sh"

COURIER=${RELAY_CLUSTERS%/*}/libexec/courier_probe
[[ -x $COURIER ]] ||
    install -m 755 "${build:?}/tests/unit/courier_probe" "$COURIER"

# only_the_login_node [SECONDS]: iris's jobs may not reach sherlock, and wait
# so long for somebody who does.
only_the_login_node()
{
    keep_access
    configure iris <<YAML
clusters: {sherlock: {reach: login}}
handoff: {source_wait: ${1:-120}s, stop_timeout: ${1:-120}s}
YAML
}

# courier: serves the mailbox of KEY until end_courier; sets COURIER_PID.
courier()
{
    on iris "$COURIER" serve sherlock "$KEY" &
    COURIER_PID=$!
}

# The process itself, not the shell that waits for it.
end_courier()
{
    pkill "-${1:-TERM}" -P "$COURIER_PID" -x courier_probe ||
        kill "-${1:-TERM}" "$COURIER_PID"
    wait "$COURIER_PID" || true
}

mailbox_is_empty()
{
    [[ -z $(find "$(relay_dir iris)/courier" -type f ! -name 'here-*') ]]
}

wanted()
{
    [[ $(on iris "$COURIER" wanted "$KEY") == "$1" ]]
}

test_courier_goes_to_the_source_for_a_job()
{
    local dst

    only_the_login_node
    source_trains
    dst=$(hand_over)
    wait_output iris "$dst" "type there: shandoff $KEY --attach" 60
    wait_for 20 'the job to be seen' wanted "$dst"
    untouched "$SRC"
    courier
    goes_through "$dst"
    wait_state sherlock "$SRC" CANCELLED 20
    equal "$(meta sherlock "$KEY" run_dir)" /dev/null/moved-to-iris 'stub'
    wait_for 20 'the mailbox to be empty' mailbox_is_empty
    end_courier
}

# What one was at when it was killed, the next one does.
courier_dies_at()
{
    local dst

    only_the_login_node
    source_trains --state-mb 20
    hold "$1"
    courier
    dst=$(hand_over)
    wait_held "$1"
    end_courier KILL
    wait_output iris "$dst" 'the login node does not answer any more' 60
    let_go "$1"
    courier
    goes_through "$dst"
    expect_output iris "$dst" 'somebody is at the login node again'
    end_courier
}

test_courier_that_dies_while_it_copies_is_followed_by_another()
{
    courier_dies_at copy
}

test_courier_that_dies_while_it_stops_the_source_is_followed_by_another()
{
    courier_dies_at stop
    wait_state sherlock "$SRC" CANCELLED 20
}

test_courier_gone_for_good_leaves_what_the_next_job_goes_on_with()
{
    local dst

    only_the_login_node 10
    source_trains
    hold stop
    courier
    dst=$(hand_over)
    wait_held stop
    hold evidence # which was asked for in the plan, too
    let_go stop
    wait_held evidence
    end_courier KILL
    expect_exit iris "$dst" 75 90
    equal "$(record iris handoff kind)" STOPPING 'the journal'
    let_go evidence
    courier
    dst=$(hand_over)
    goes_through "$dst"
    end_courier
}

test_courier_is_not_there_as_ever()
{
    local dst

    only_the_login_node 5
    source_trains
    dst=$(hand_over)
    expect_exit iris "$dst" 75
    untouched "$SRC"
}

test_courier_is_not_needed_once_the_users_master_is_there()
{
    local dst mine

    only_the_login_node
    mine=$(home_of iris)/.ssh
    source_trains
    dst=$(hand_over)
    wait_output iris "$dst" 'waiting for the login node' 60
    printf '%s\n' 'Host *' "ControlPath $mine/master" >>"$mine/config"
    on iris ssh -fNM sherlock </dev/null >/dev/null 2>&1
    goes_through "$dst"
    on iris ssh -O exit sherlock 2>/dev/null
}

# A cancelled job's errand is not run to its end.
test_courier_drops_what_a_cancelled_job_had_asked()
{
    local dst

    only_the_login_node
    source_trains --state-mb 20
    hold copy
    courier
    dst=$(hand_over)
    wait_held copy
    on iris scancel "$dst"
    wait_state iris "$dst" CANCELLED 30
    wait_for 30 'the errand to end' test ! -e "$(home_of sherlock)/held-copy"
    wait_for 30 'the mailbox to be empty' mailbox_is_empty
    untouched "$SRC"
    let_go copy
    dst=$(hand_over)
    goes_through "$dst"
    end_courier
}

test_courier_of_a_session_ends_with_it()
{
    local pipe pid child

    only_the_login_node
    pipe=$(home_of iris)/session-out
    mkfifo "$pipe.in"
    on iris "$COURIER" start sherlock "$KEY" <"$pipe.in" >"$pipe" &
    exec 7>"$pipe.in"
    wait_for 20 'the courier to begin' grep -q courier= "$pipe"
    child=$(sed -n 's/^courier=//p' "$pipe")
    pid=$(awk '/^PPid:/ { print $2 }' "/proc/$child/status")
    kill -KILL "$pid"
    wait_for 20 'the courier to end' test ! -e "/proc/$child"
    exec 7>&-
    rm -f "$pipe" "$pipe.in"
}
