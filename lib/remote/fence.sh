# shellcheck shell=sh disable=SC2034,SC2154
# Functions of the scripts that write lease records and change jobs, put
# before them.

# put TEXT NAME VALUE: TEXT with the string "@NAME@" (quotes included)
# replaced by VALUE, in $text. Without it TEXT stays.
put()
{
    text=$1
    put_mark="\"@$2@\""
    case $text in
    *"$put_mark"*) text=${text%%"$put_mark"*}$3${text#*"$put_mark"} ;;
    esac
}

# keep FILE TEXT: replaces FILE atomically and durably.
keep()
{
    printf '%s\n' "$2" >"$1.new" && sync_file "$1.new" &&
        mv -f -- "$1.new" "$1" && sync_file "${1%/*}"
}

# is_record FILE KIND NONCE: whether that record is in FILE.
is_record()
{
    grep -q "\"kind\": *\"$2\"" "$1" 2>/dev/null &&
        grep -q "^[^{]*{[^{]*\"nonce\": *\"$3\"" "$1"
}

# job_state ID: its state by squeue; GONE for an id that Slurm does not know
# (any more); empty when Slurm does not answer.
job_state()
{
    if state_text=$(squeue -h -t all -j "$1" -o %T 2>&1); then
        [ -n "$state_text" ] || state_text=GONE
    else
        case $state_text in
        *'Invalid job id'*) state_text=GONE ;;
        *) state_text= ;;
        esac
    fi
    printf '%s\n' "$state_text" | head -n 1
}

# has_ended STATE: whether a job of that state runs no more (or soon will).
has_ended()
{
    case $1 in
    GONE | COMPLET* | CANCELLED | FAILED | TIMEOUT | PREEMPTED | NODE_FAIL | \
        BOOT_FAIL | DEADLINE | OUT_OF_MEMORY | REVOKED) return 0 ;;
    esac
    return 1
}

# job_requeue ID: its Requeue value, 0 or 1; empty when it cannot be had.
job_requeue()
{
    scontrol -o show job "$1" 2>/dev/null |
        sed -n 's/.* Requeue=\([01]\) .*/\1/p' | head -n 1
}

# A call of stop.sh may be at work still, its connection lost: it counts in
# the file $alive. While it does, its result is waited for.
wait_for_other()
{
    while [ -f "$alive" ]; do
        seen=$(cat -- "$alive" 2>/dev/null)
        sleep 4
        [ "$(cat -- "$alive" 2>/dev/null)" != "$seen" ] || break
    done
}

# lift_fence DIR GEN JOB REQUEUE FOLLOWERS TEXT: undoes what a fence (of
# generation GEN) did to jobs, and links the reinstate record. Idempotent. On
# failure 1, and $problem says why.
lift_fence()
{
    if [ -n "$3" ] && [ "$4" = 1 ]; then
        scontrol update JobId="$3" Requeue=1 >/dev/null 2>&1
    fi
    last_generation "$1" run
    # Behind the fence stands, after a first call, our own record.
    if [ "$generation" -eq "$2" ]; then
        put "$6" GEN "$(($2 + 1))"
        put "$text" FENCED_GEN "$2"
        append_record "$1" run "$(($2 + 1))" "$text"
        last_generation "$1" run
    fi
    if [ "$generation" -le "$2" ] ||
        ! grep -q '"kind": *"reinstate"' "$1/run.$(($2 + 1))"; then
        problem="the fence (generation $2) could not be lifted"
        return 1
    fi
    for follower in $5; do
        scontrol release "$follower" >/dev/null 2>&1
    done
    return 0
}
