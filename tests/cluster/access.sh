# shellcheck shell=bash disable=SC2034 # SRC is for the tests
# How a cluster's user is let in, changed for a test and put back at its end.
# For tests of the handoff from sherlock to iris; keep_access comes first.

TESTS=${BASH_SOURCE[0]%/*}

keep_access()
{
    local c

    for c in sherlock iris; do
        cp -a "$(home_of "$c")/.ssh" "$(home_of "$c")/.ssh.kept"
    done
    trap put_access_back EXIT
}

put_access_back()
{
    local c home

    for c in sherlock iris; do
        home=$(home_of "$c")
        rm -rf "$home/.bashrc" "${home:?}/bin" "$home/doorman" "$home/rate" \
            "$home"/hold-* "$home"/held-* "$home/.ssh"
        mv "$home/.ssh.kept" "$home/.ssh"
    done
}

# configure CLUSTER: the user's own relay.yaml, from standard input.
configure()
{
    on "$1" mkdir -p .config/slurm-relay
    on "$1" tee .config/slurm-relay/relay.yaml >/dev/null
}

# hand_over [ARG...]: as `train`, on iris, from sherlock.
hand_over()
{
    train iris -o --resume-key="$KEY" -o --handoff-from="${FROM:-sherlock}" \
        "$@"
}

# source_trains [ARG...]: as `train`, on sherlock, past its first checkpoint;
# sets SRC, its job.
source_trains()
{
    SRC=$(train sherlock "$@")
    wait_step sherlock 20
}

# goes_through JOB: it resumes on iris what sherlock had, and goes on.
goes_through()
{
    wait_output iris "$1" 'Resuming from step [1-9]' 60
    wait_record iris handoff kind COMMITTED
}

# untouched JOB: the source trains on as if nothing had been asked.
untouched()
{
    still_trains sherlock "$1"
    equal "$(job_field sherlock "$1" Requeue)" 1 'Requeue on the source'
    [[ $(record sherlock run kind) != fence ]] || fail 'the source is fenced'
    [[ -e $(resume_dir sherlock "$KEY")/resume_state.pt ]] ||
        fail 'the source has lost its state'
}

# training_pid CLUSTER: of the test's training there.
training_pid()
{
    local proc

    for proc in /proc/[0-9]*; do
        [[ $(stat -c %U "$proc" 2>/dev/null) == "$(user_of "$1")" &&
            $(tr '\0' ' ' <"$proc/cmdline") == python3*"--run-name $NAME "* ]] ||
            continue
        echo "${proc#/proc/}"
        return
    done
    fail "no training on $1"
}

# command_first CLUSTER: DIR for commands that its user finds before others,
# by ssh too.
command_first()
{
    on "$1" mkdir -p bin
    # bash reads it for what sshd runs.
    on "$1" tee .bashrc >/dev/null <<<"PATH=\$HOME/bin:\$PATH"
    echo "$(home_of "$1")/bin"
}

# hold WHAT: from now on whoever comes to sherlock for WHAT (copy, or a script
# of lib/remote) has to wait; wait_held WHAT: until somebody does; let_go WHAT.
hold()
{
    put_doorman
    on sherlock touch "hold-$1"
}

wait_held()
{
    wait_for 60 "somebody at the door for $1" \
        test -e "$(home_of sherlock)/held-$1" && return
    show_runs
    return 1
}

let_go()
{
    rm -f "$(home_of sherlock)/hold-$1"
}

# slow_copies BYTES_A_SECOND: of whatever is copied from sherlock.
slow_copies()
{
    put_doorman
    on sherlock tee rate >/dev/null <<<"$1"
}

# wait_copying: until some of it has come to iris.
wait_copying()
{
    wait_for 30 'a copy to begin' some_has_come
}

some_has_come()
{
    local kb

    kb=$(du -sk "$(relay_dir iris)" | cut -f 1)
    ((kb > 2000))
}

put_doorman()
{
    local home
    home=$(home_of sherlock)

    [[ ! -e $home/doorman ]] || return 0
    install -m 755 "$TESTS/doorman" "$home/doorman"
    sed -i "s|^|command=\"$home/doorman\" |" "$home/.ssh/authorized_keys"
}

# sshd stop|start: that of sherlock.
sshd()
{
    "$TESTS/clusters" sshd "$RELAY_CLUSTERS" sherlock "$1"
}
