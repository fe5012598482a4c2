# shellcheck shell=bash
# Processes of the clusters: started in the background, recorded in DIR/pids by
# pid and start time, ended by these and never by name. Sourced by `clusters`.

# The start time of a process in clock ticks: with the pid it is a name that
# cannot be reused.
started_at()
{
    local -a stat

    read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
    # The command name may hold blanks and parentheses: cut after the last.
    read -ra stat <<<"${stat##*) }"
    echo "${stat[19]}"
}

# start LOGFILE NAME [VAR=VALUE...] COMMAND...: in the background, recorded in
# DIR/pids. The working directory marks what it starts (see end_leftovers).
start()
{
    local log=$1 name=$2 pid
    shift 2

    setsid env -i -C "$DIR/cores" PATH="$SEARCH_PATH" LANG=C.UTF-8 "$@" \
        </dev/null >>"$log" 2>&1 &
    pid=$!
    disown
    echo "$pid $(started_at $pid) $name" >>"$DIR/pids"
}

# is_running PID START
is_running()
{
    [[ $(started_at "$1") == "$2" ]] &&
        ! grep -qs '^State:.Z' "/proc/$1/status"
}

# wait_until SECONDS WHAT COMMAND...: polls.
wait_until()
{
    local seconds=$1 what=$2 end
    shift 2

    end=$((${EPOCHREALTIME/./} + seconds * 1000000))
    until "$@" >/dev/null 2>&1; do
        if ((${EPOCHREALTIME/./} > end)); then
            echo "clusters: waited $seconds s for $what" >&2
            return 1
        fi
        sleep 0.05
    done
}

listens_at()
{
    (: <"/dev/tcp/$1/$2")
}

# end_pids SIGNAL "PID START"...: TERM (or the signal), then KILL after 5 s.
end_pids()
{
    local signal=$1 entry end
    shift

    for entry; do
        # shellcheck disable=SC2086 # two words
        is_running $entry && kill -s "$signal" "${entry% *}" 2>/dev/null
    done
    end=$((${EPOCHREALTIME/./} + 5000000))
    for entry; do
        # shellcheck disable=SC2086
        while is_running $entry; do
            if ((${EPOCHREALTIME/./} > end)); then
                kill -s KILL "${entry% *}" 2>/dev/null
            fi
            sleep 0.02
        done
    done
}

# end_named SIGNAL PATTERN: recorded processes whose name matches.
end_named()
{
    local pid start name found=()

    [[ -f $DIR/pids ]] || return 0
    while read -r pid start name; do
        # shellcheck disable=SC2053 # a pattern
        [[ $name == $2 ]] && found+=("$pid $start")
    done <"$DIR/pids"
    ((${#found[@]} == 0)) || end_pids "$1" "${found[@]}"
}

# What jobs left behind: slurmstepd and its like have the daemons' working
# directory, and whatever runs as one of our users is ours.
end_leftovers()
{
    local proc pid uid ours=" ${UID_OF[*]} " found=()

    for proc in /proc/[0-9]*; do
        pid=${proc#/proc/}
        uid=$(stat -c %u "$proc" 2>/dev/null) || continue
        [[ $ours == *" $uid "* ]] ||
            [[ $(readlink "$proc/cwd") == "$DIR/cores" ]] || continue
        is_recorded "$pid" || found+=("$pid $(started_at "$pid")")
    done
    ((${#found[@]} == 0)) || end_pids KILL "${found[@]}"
}

is_recorded()
{
    grep -q "^$1 " "$DIR/pids"
}
