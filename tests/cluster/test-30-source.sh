# shellcheck shell=bash disable=SC2119 # no arguments are meant
# A source that cannot be had: the job says why, and the source trains on.

# shellcheck source=tests/cluster/access.sh
. "${BASH_SOURCE[0]%/*}/access.sh"

test_handoff_with_unknown_host_key()
{
    local dst

    keep_access
    source_trains
    : >"$(home_of iris)/.ssh/known_hosts"
    dst=$(hand_over)
    expect_exit iris "$dst" 69
    expect_output iris "$dst" 'sherlock .*Host key verification failed'
    untouched "$SRC"
}

test_handoff_with_refused_authentication()
{
    local dst

    keep_access
    source_trains
    : >"$(home_of sherlock)/.ssh/authorized_keys"
    dst=$(hand_over)
    expect_exit iris "$dst" 69
    expect_output iris "$dst" 'sherlock .*Permission denied'
    untouched "$SRC"
}

test_handoff_without_rsync_there()
{
    local bin dst

    keep_access
    source_trains
    bin=$(command_first sherlock)
    on sherlock tee "$bin/rsync" >/dev/null <<'STUB'
#!/bin/sh
echo 'rsync: only on the data mover' >&2
exit 127
STUB
    chmod 755 "$bin/rsync"
    dst=$(hand_over)
    expect_exit iris "$dst" 69
    expect_output iris "$dst" 'rsync is missing on sherlock'
    untouched "$SRC"
}

# What sshd puts into PATH is less than what a login shell has.
test_handoff_with_rsync_outside_of_path()
{
    local bin dst

    keep_access
    source_trains
    bin=$(command_first sherlock)
    on sherlock ln -s /bin/bash "$bin/bash"
    on sherlock tee .bashrc >/dev/null <<<"PATH=$bin"
    dst=$(hand_over)
    goes_through "$dst"
}

test_handoff_from_a_source_that_stays_unreachable()
{
    local dst

    configure iris <<<'handoff: {source_wait: 3s}'
    source_trains
    trap 'sshd start' EXIT
    sshd stop
    dst=$(hand_over)
    expect_exit iris "$dst" 75
    expect_output iris "$dst" 'sherlock cannot be reached now.*trying again'
    untouched "$SRC"
}

test_handoff_from_a_source_that_comes_back()
{
    local dst

    source_trains
    trap 'sshd start' EXIT
    sshd stop
    dst=$(hand_over)
    wait_output iris "$dst" 'trying again' 30
    sshd start
    trap - EXIT
    goes_through "$dst"
    wait_state sherlock "$SRC" CANCELLED 10
}

# The network goes away in the middle of the copy and comes back.
test_handoff_over_a_connection_that_breaks()
{
    local dst

    keep_access
    trap 'sshd start; put_access_back' EXIT
    source_trains --state-mb 40
    slow_copies 8000000
    dst=$(hand_over)
    wait_copying
    sshd stop
    end_sessions
    wait_output iris "$dst" 'again in' 30
    rm "$(home_of sherlock)/rate"
    sshd start
    trap put_access_back EXIT
    goes_through "$dst"
}

# Those of sherlock's user: they outlive the daemon.
end_sessions()
{
    local proc

    for proc in /proc/[0-9]*; do
        [[ $(stat -c %U "$proc" 2>/dev/null) == "$(user_of sherlock)" &&
            $(tr '\0' ' ' <"$proc/cmdline") == sshd:* ]] || continue
        kill "${proc#/proc/}"
    done
}

# loses_source_at WHAT: the connection breaks while somebody is at the door for
# that, and for a while there is no other. The handoff goes on.
loses_source_at()
{
    local dst

    keep_access
    trap 'sshd start; put_access_back' EXIT
    source_trains
    hold "$1"
    dst=$(hand_over)
    wait_held "$1"
    sshd stop
    wait_for 10 'nobody at the door' door_is_free "$1"
    let_go "$1"
    sshd start
    trap put_access_back EXIT
    goes_through "$dst"
    wait_state sherlock "$SRC" CANCELLED 10
}

door_is_free()
{
    end_sessions
    [[ ! -e $(home_of sherlock)/held-$1 ]]
}

test_handoff_that_loses_the_source_at_the_snapshot()
{
    loses_source_at snapshot
}

test_handoff_that_loses_the_source_at_the_stop()
{
    loses_source_at stop
}

test_handoff_that_loses_the_source_at_the_move()
{
    loses_source_at supersede
}

test_handoff_that_loses_the_source_at_the_digest()
{
    loses_source_at digest
}

# only_login: jobs cannot log in to sherlock; who has the key can, on iris's
# login node, and leave a master behind.
only_login()
{
    local ssh
    ssh=$(home_of iris)/.ssh

    keep_access
    trap 'close_master; put_access_back' EXIT
    configure iris <<YAML
clusters: {sherlock: {reach: login}}
handoff: {source_wait: ${1:-4s}}
YAML
    mv "$ssh/id_ed25519" "$ssh/second_factor"
    sed -i 's|^ *IdentityFile.*|    ControlPath '"$ssh"'/master|' \
        "$ssh/config"
}

open_master()
{
    on iris ssh -fNM -i .ssh/second_factor sherlock </dev/null >/dev/null 2>&1
    on iris ssh -O check sherlock 2>/dev/null || fail 'no master'
}

close_master()
{
    on iris ssh -O exit sherlock 2>/dev/null || true # there may be none
}

test_handoff_through_the_users_master()
{
    local dst

    only_login
    open_master
    source_trains
    dst=$(hand_over)
    goes_through "$dst"
    wait_state sherlock "$SRC" CANCELLED 10
}

# What a job says that may not log in itself.
WHAT_TO_TYPE='type there: shandoff .* --attach (or, on this host: ssh -fNM sherlock)'

test_handoff_without_a_master_says_what_to_type()
{
    local dst

    only_login
    source_trains
    dst=$(hand_over)
    expect_exit iris "$dst" 75
    expect_output iris "$dst" "$WHAT_TO_TYPE"
    untouched "$SRC"
}

test_handoff_waits_for_a_master()
{
    local dst

    only_login 60s
    source_trains
    dst=$(hand_over)
    wait_output iris "$dst" "$WHAT_TO_TYPE" 30
    open_master
    goes_through "$dst"
}

test_handoff_whose_master_expires()
{
    local dst

    only_login
    slow_copies 8000000
    open_master
    source_trains --state-mb 40
    dst=$(hand_over)
    wait_copying
    close_master
    expect_exit iris "$dst" 75
    expect_output iris "$dst" "$WHAT_TO_TYPE"
    untouched "$SRC"
}

test_handoff_of_another_trainings_job()
{
    local other dst start

    source_trains
    other=$(train sherlock -n "$NAME-2")
    wait_step sherlock 20 30 "$KEY-2"
    FROM=sherlock:$other
    dst=$(hand_over)
    expect_exit iris "$dst" 65
    expect_output iris "$dst" "called $NAME-2,.*script does: .*train.py"
    start=$(job_field sherlock "$other" StartTime)
    expect_output iris "$dst" "since ${start%T*}"
    untouched "$SRC"
    still_trains sherlock "$other" "$KEY-2"
}
