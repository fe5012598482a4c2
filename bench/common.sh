# shellcheck shell=bash
# What the benchmarks share: two clusters (tests/cluster), a machine at rest,
# figures of several rounds. Sourced after `set -u` by bench/handoff and
# bench/copy, which set `build` and `calm_seconds`.

: "${build=}" "${calm_seconds=0}"
top=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")

die()
{
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# need_number OPTION VALUE
need_number()
{
    [[ $2 =~ ^[1-9][0-9]*$ ]] || die "$1: expected a number, got '$2'"
}

# need_link OPTION VALUE
need_link()
{
    [[ $2 =~ ^[0-9]+,[0-9]+$ ]] || die "$1: expected MBIT,RTT_MS, got '$2'"
}

# calm SECONDS: waits that long for a load average below 1, and says so when
# it does not come: figures of a busy machine are the machine's.
calm()
{
    local end=$((SECONDS + $1)) load

    while read -r load _ </proc/loadavg && [[ $load != 0.* ]]; do
        if ((SECONDS >= end)); then
            echo "warning: the load average is $load: this machine is busy," \
                "do not believe the figures"
            return
        fi
        sleep 5
    done
}

describe_machine()
{
    local model

    model=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)
    echo "machine  $(nproc) x ${model:-$(uname -m)}," \
        "$(awk '/^MemTotal/ { printf "%.0f GB", $2 / 1e6 }' /proc/meminfo)," \
        "$(stat -f -c %T "$dir") below $dir"
    echo "software $(on iris sbatch --version), $(rsync --version | sed -n \
        '1s/  */ /gp' | cut -d ' ' -f 1,3), $(ssh -V 2>&1 | cut -d , -f 1)"
    echo "load     $(cut -d ' ' -f 1-3 /proc/loadavg)"
    echo
}

# begin: installs the build, starts the clusters, gives a key and NAME. All is
# taken down at exit.
begin()
{
    local file

    ((EUID == 0)) || die 'must run as root (it starts two Slurm clusters)'
    for file in relay.so relay-job sresume shandoff; do
        [[ -f $build/$file ]] || die "$build/$file is not there: build first"
    done
    ! grep -q -- '-fsanitize' "$build/config.status" 2>/dev/null ||
        die "$build is a build with sanitizers: they are what would be measured"
    dir=$(mktemp -d /tmp/relay.XXXXXX) || exit 73
    trap 'exit 130' INT TERM HUP
    trap finish EXIT
    chmod 755 "$dir"
    install -d -m 755 "$dir"/{bin,libexec,lib,share} &&
        install -m 755 "$build/relay.so" "$dir/lib/" &&
        install -m 755 "$build/relay-job" "$dir/libexec/" &&
        install -m 755 "$build/sresume" "$build/shandoff" "$dir/bin/" &&
        install -m 755 "$top"/examples/train.{py,sh} "$dir/share/" || exit 73
    export RELAY_CLUSTERS=$dir/c RELAY_PATH=$dir/bin
    export RELAY_PLUGIN=$dir/lib/relay.so RELAY_HELPER=$dir/libexec/relay-job
    : "${RELAY_INSTANCE:=$("$top/tests/cluster/clusters" free)}"
    export RELAY_INSTANCE
    calm "$calm_seconds"
    "$top/tests/cluster/clusters" up "$RELAY_CLUSTERS" || exit 71
    # shellcheck source=tests/cluster/lib.sh
    . "$top/tests/cluster/lib.sh"
    # shellcheck source=tests/cluster/training.sh
    . "$top/tests/cluster/training.sh"
    begin_test bench
    describe_machine
}

# shellcheck disable=SC2317 # called by a trap
finish()
{
    local status=$?

    trap '' INT TERM HUP
    if ((status != 0)); then
        echo "ended with $status; the jobs' output:" >&2
        [[ -z ${KEY:-} ]] || show_runs >&2
    fi
    [[ -z ${link_pid:-} ]] || kill "$link_pid"
    "$top/tests/cluster/clusters" down "$RELAY_CLUSTERS" >/dev/null
    rm -rf -- "$dir"
}

# slow_link MBIT RTT_MS: between the clusters, for all ssh commands of both
# ways.
slow_link()
{
    local config host port
    config=$(home_of iris)/.ssh/config

    host=$(sed -n 's/^ *HostName //p' "$config")
    port=$(sed -n 's/^ *Port //p' "$config")
    "$top/bench/link" "$host" $((port + 1)) "$host" "$port" "$1" "$2" &
    link_pid=$!
    sed -i -e "s/^ *Port .*/    Port $((port + 1))/" \
        -e "\$a\    HostKeyAlias [$host]:$port" "$config"
    wait_for 10 'the link' on iris ssh sherlock true || return
    echo "link     $1 Mbit/s, round trip $2 ms"
    echo
}

now()
{
    echo "${EPOCHREALTIME/,/.}"
}

# plant_state MB: on sherlock, a run that stands at step 100 with a state of
# that size, written by the training itself; kept beside, to begin every round
# with the same.
plant_state()
{
    local root
    root=$(scratch_of sherlock)/ckpt

    rm -rf -- "$dir/planted" "$(resume_dir sherlock "$KEY")" \
        "$(relay_dir sherlock)"
    on sherlock python3 train.py --entity lab --project robots \
        --run-name "$NAME" --steps 100 --state-mb "$1" \
        --resume-root "$root/_resume" --run-root "$root" >/dev/null || return
    edit_meta sherlock "$KEY" completed=false
    cp -a -- "$(resume_dir sherlock "$KEY")" "$dir/planted"
    run_dir=$(meta sherlock "$KEY" run_dir)
    run_dir=${run_dir##*/}
}

# reset_state: both clusters as plant_state left them, disks at rest. A hard
# link is enough of a copy: the training renames a new file into place.
reset_state()
{
    local c

    for c in sherlock iris; do
        rm -rf -- "$(resume_dir "$c" "$KEY")" "$(relay_dir "$c")"
        rm -rf -- "$(scratch_of "$c")/ckpt/$run_dir"
    done
    rm -f -- "$(home_of sherlock)"/*.out "$(home_of iris)"/*.out
    cp -al -- "$dir/planted" "$(resume_dir sherlock "$KEY")"
    sync
}

# figure ARM WHAT UNIT VALUE: remembers it for `table`.
figure()
{
    (IFS='|' && echo "$*") >>"$dir/figures"
}

# table [ARM...]: prints what was remembered, side by side, and forgets it.
table()
{
    python3 "$top/bench/table.py" "$dir/figures" "$@"
    rm -f -- "$dir/figures"
}
