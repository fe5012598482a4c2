# shellcheck shell=bash
# Reaching the other cluster by ssh: what the user's set-up may be, and what
# can go wrong. liveness_probe asks sherlock about a pending job; only whether
# and how the answer comes matters here.

PROBE=${RELAY_CLUSTERS%/*}/libexec/liveness_probe
[[ -x $PROBE ]] ||
    install -m 755 "${build:?}/tests/unit/liveness_probe" "$PROBE"

# reach VERDICT REGEX [VAR=VALUE...]: asks sherlock from iris about JOB.
reach()
{
    local verdict=$1 why=$2 out
    shift 2

    out=$(on iris "$@" "$PROBE" sherlock "$JOB" 0 '' 2>&1)
    [[ $out == "$verdict"$'\n'* && $out =~ $why ]] && return
    fail "expected $verdict ($why), got: $out"
}

# A job to ask about; copies of what a test changes, put back at its end.
set_up()
{
    JOB=$(submit sherlock --begin=now+1hour --wrap true)
    MINE=$(home_of iris)/.ssh
    THEIRS=$(home_of sherlock)
    cp -p "$MINE/config" "$MINE/config.kept"
    cp -p "$MINE/known_hosts" "$MINE/known_hosts.kept"
    cp -p "$THEIRS/.ssh/authorized_keys" "$THEIRS/.ssh/authorized_keys.kept"
    trap put_back EXIT
}

put_back()
{
    on iris ssh -O exit sherlock 2>/dev/null || true # there may be none
    mv "$MINE/config.kept" "$MINE/config"
    mv "$MINE/known_hosts.kept" "$MINE/known_hosts"
    mv "$THEIRS/.ssh/authorized_keys.kept" "$THEIRS/.ssh/authorized_keys"
    rm -f "$THEIRS/.bashrc"
}

# configure_ssh LINE...: more for iris's ~/.ssh/config, for every host.
configure_ssh()
{
    printf '%s\n' 'Host *' "$@" >>"$MINE/config"
}

no_login()
{
    : >"$THEIRS/.ssh/authorized_keys"
}

open_master()
{
    configure_ssh "ControlPath $MINE/master"
    on iris ssh -fNM sherlock </dev/null >/dev/null 2>&1
    on iris ssh -O check sherlock 2>/dev/null || fail 'no master'
}

test_reach_through_noisy_start_up_files()
{
    set_up
    on sherlock tee .bashrc >/dev/null <<'NOISE'
echo 'Welcome! squeue	answered'
echo '@end	1	0'
echo 'You have mail' >&2
export SQUEUE_FORMAT=%i SLURM_CLUSTERS=elsewhere
alias squeue=false
NOISE
    [[ $(on iris ssh sherlock true 2>&1) == *Welcome*mail* ]] ||
        fail 'there is no noise'
    reach alive PENDING
}

test_reach_with_a_users_own_ssh_settings()
{
    set_up
    configure_ssh 'RemoteCommand tmux new -A' 'RequestTTY yes' \
        'LogLevel QUIET' 'ControlMaster auto' "ControlPath $MINE/auto" \
        'Ciphers aes256-ctr'
    reach alive PENDING
    [[ ! -e $MINE/auto ]] || fail 'a master was left behind'
}

test_reach_refused_says_why()
{
    set_up
    no_login
    reach unknown 'sherlock cannot be reached: .*Permission denied'
    cp "$THEIRS/.ssh/authorized_keys.kept" "$THEIRS/.ssh/authorized_keys"
    : >"$MINE/known_hosts"
    reach unknown 'Host key verification failed'
    [[ ! -s $MINE/known_hosts ]] || fail 'a host key was accepted'
    ssh-keygen -q -t ed25519 -N '' -f "$MINE/other"
    awk -v key="$(cut -d ' ' -f 1,2 "$MINE/other.pub")" '{ print $1, key }' \
        "$MINE/known_hosts.kept" >"$MINE/known_hosts"
    rm "$MINE/other" "$MINE/other.pub"
    reach unknown 'Host key verification failed'
    sed -i 's/Port .*/Port 1/' "$MINE/config"
    reach unknown 'cannot be reached now: .*Connection refused'
}

test_reach_through_the_users_master()
{
    set_up
    open_master
    no_login
    reach alive PENDING
    on iris ssh -O exit sherlock 2>/dev/null
    reach unknown 'Permission denied'
}

test_reach_from_a_job_where_only_the_login_node_may()
{
    set_up
    sed 's/reach: job/reach: login/' \
        "$RELAY_CLUSTERS/iris/etc/relay.yaml" >"$MINE/relay.yaml"
    chmod 644 "$MINE/relay.yaml"
    reach unknown 'type: ssh -fNM sherlock' \
        RELAY_CONFIG="$MINE/relay.yaml" SLURM_JOB_ID=1
    open_master
    reach alive PENDING RELAY_CONFIG="$MINE/relay.yaml" SLURM_JOB_ID=1
    no_login
    reach alive PENDING RELAY_CONFIG="$MINE/relay.yaml" SLURM_JOB_ID=1
    on iris ssh -O exit sherlock 2>/dev/null
    reach unknown 'type: ssh -fNM sherlock' \
        RELAY_CONFIG="$MINE/relay.yaml" SLURM_JOB_ID=1
    rm -f "$MINE/relay.yaml"
}
