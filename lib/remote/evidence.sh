# shellcheck shell=sh
# What this cluster knows of one run of a job (liveness.c judges it).
#
#   $1  job id as Slurm's commands take it, or "" for a process outside Slurm
#   $2  nonce of the run, or ""
#   $3  state directory, or ""
#   $4  submit time of the run that is asked about, 0: the latest
#   $5  host that the run was on, or ""
#
# Nothing here changes anything. A command that does not answer is not taken
# for an answer.

id=$1 nonce=$2 state_dir=$3 want=$4 host=$5
sep=$(printf '\037')

limited()
{
    if command -v timeout >/dev/null 2>&1; then
        timeout -k 5 "$@"
    else
        shift
        "$@"
    fi
}

is_number()
{
    case $1 in
    '' | *[!0-9]*) return 1 ;;
    esac
}

# number NAME TEXT: a line only when it is one ("Unknown" and "N/A" are not).
number()
{
    ! is_number "$2" || val "$1" "$2"
}

# --- squeue ---------------------------------------------------------------

# Free text comes last, since it may hold anything; only the line that begins
# with our id is read.
ask_squeue()
{
    answer=$(limited 20 squeue -h -a -r -t all -j "$id" -o \
        "%i$sep%A$sep%T$sep%u$sep%P$sep%V$sep%S$sep%e$sep%N$sep%Z$sep%o$sep%j$sep%k" \
        2>&1)
    squeue_status=$?
    case $squeue_status/$answer in
    0/*) val squeue answered ;;
    *'Invalid job id'*) val squeue invalid ;;
    124/*) val squeue_error 'it did not answer within 20 s' ;;
    *) val squeue_error "$answer" ;;
    esac
    [ "$squeue_status" -eq 0 ] || answer=
    members=0
    while IFS=$sep read -r q_id q_raw q_state q_user q_partition q_submit \
        q_start q_end q_nodes q_dir q_command q_name q_comment; do
        case $q_id in
        "$id") queue_row && return 0 ;;
        "$id"_*) members=$((members + 1)) ;;
        esac
    done <<ROWS
$answer
ROWS
    val members "$members"
    q_state='' q_raw='' q_submit='' q_end='' q_nodes=''
}

queue_row()
{
    val state "$q_state"
    val raw "$q_raw"
    val user "$q_user"
    val partition "$q_partition"
    number submit "$q_submit"
    number start "$q_start"
    number end "$q_end"
    val workdir "$q_dir"
    [ "$q_command" = '(null)' ] || val script "$q_command"
    val name "$q_name"
    [ "$q_comment" = '(null)' ] || val comment "$q_comment"
    show_job
}

# What squeue does not say in every version.
show_job()
{
    shown=$(limited 20 scontrol show job -o "$id" 2>/dev/null | tr '\n' ' ')
    number requeue "$(printf %s "$shown" |
        sed -n 's/.* Requeue=\([01]\) Restarts=.*/\1/p')"
    number restarts "$(printf %s "$shown" |
        sed -n 's/.* Restarts=\([0-9]*\) BatchFlag=.*/\1/p')"
    val stdout "$(printf %s "$shown" | sed -n \
        -e 's/.* StdOut=//' -e 't cut' -e d -e :cut \
        -e 's/ [A-Z][A-Za-z:/]*=.*//' -e 's/ *$//p')"
}

runs_now()
{
    case $q_state in
    '' | COMPLETING | COMPLETED | CANCELLED | FAILED | TIMEOUT | DEADLINE | \
        OUT_OF_MEMORY | NODE_FAIL | PREEMPTED | BOOT_FAIL) return 1 ;;
    esac
    [ "$want" = 0 ] || [ "$want" = "$q_submit" ]
}

# --- sacct ----------------------------------------------------------------

sacct_rows()
{
    limited 30 sacct -D -X -P -n --noconvert --delimiter="$sep" -S "$1" \
        -j "$id" -o JobID,JobIDRaw,State,Submit,Start,End,NodeList,User,JobName
}

# Its window begins at midnight unless told; each requeue is a row (-D).
ask_sacct()
{
    a_state='' a_submit=0 a_end='' a_nodes='' later=''
    answer=$(sacct_rows 1970-01-01 2>/dev/null) ||
        answer=$(sacct_rows now-30days 2>/dev/null) || return 0
    val sacct answered
    while IFS=$sep read -r r_id r_raw r_state r_submit r_start r_end r_nodes \
        r_user r_name; do
        if [ "$r_id" != "$id" ] || ! is_number "$r_submit"; then
            continue
        elif [ "$want" != 0 ] && [ "$r_submit" -gt "$want" ]; then
            later=$r_submit
        elif [ "$want" = 0 ] && [ "$r_submit" -ge "$a_submit" ] ||
            [ "$r_submit" = "$want" ]; then
            a_raw=$r_raw a_state=${r_state%% *} a_submit=$r_submit
            a_start=$r_start a_end=$r_end a_nodes=$r_nodes
            a_user=$r_user a_name=$r_name
        fi
    done <<ROWS
$answer
ROWS
    number later "$later"
    [ -z "$a_state" ] || sacct_row
}

sacct_row()
{
    [ "$a_nodes" != 'None assigned' ] || a_nodes=
    val sacct_state "$a_state"
    val sacct_raw "$a_raw"
    val sacct_submit "$a_submit"
    number sacct_start "$a_start"
    number sacct_end "$a_end"
    val sacct_user "$a_user"
    val sacct_name "$a_name"
}

# --- nodes ----------------------------------------------------------------

# Prints the first node of the lines of `scontrol show node -o` that cannot be
# trusted, and why. A node that is down, or does not answer, may train on. One
# whose slurmd was started after the end may have been cut off at the end: when
# it came back it told slurmctld what runs on it, and what belongs to no job is
# ended then. That is given its time, unless the node was booted since.
# first_bad_node END NOW
first_bad_node()
{
    awk -v end="$1" -v now="$2" -v settle=60 '
        function field(name,    i) {
            for (i = 1; i <= NF; i++)
                if (index($i, name "=") == 1)
                    return substr($i, length(name) + 2)
            return ""
        }
        function bad(why) { print field("NodeName") " " why; found = 1; exit }
        {
            n = split(field("State"), flags, "+")
            down = off = 0
            for (i = 1; i <= n; i++) {
                if (flags[i] ~ /^(DOWN|NOT_RESPONDING|UNKNOWN|ERROR)[^A-Z_]*$/)
                    down = 1
                if (flags[i] ~ /[*]/)
                    down = 1
                if (flags[i] == "POWERED_DOWN" || flags[i] ~ /~$/)
                    off = 1
            }
            if (off)
                next
            if (down)
                bad("is " field("State"))
            booted = field("BootTime")
            started = field("SlurmdStartTime")
            if (started !~ /^[0-9]+$/)
                bad("has not said when its slurmd was started")
            if (end > 0 && started + 0 > end + 0 && now - started < settle &&
                !(booted ~ /^[0-9]+$/ && booted + 0 > end + 0))
                bad("came back " (now - started) " s ago, after the end: it " \
                    "has " settle " s to end what it still ran")
        }
        END { if (!found && NR == 0) print "no node" }'
}

check_nodes()
{
    nodes=$1 end=$2
    val nodes "$nodes"
    if lines=$(limited 20 scontrol show node -o "$nodes" 2>&1); then
        bad=$(printf '%s\n' "$lines" | first_bad_node "$end" "$(date +%s)")
        [ -z "$bad" ] || val bad_node "$bad"
    else
        val bad_node "$nodes: scontrol says: $lines"
    fi
}

ask_nodes()
{
    if [ -n "$a_state" ]; then
        [ -z "$a_nodes" ] || check_nodes "$a_nodes" "$(end_of_run)"
        val nodes_known 1
    elif [ -n "$q_state" ] && { [ "$want" = 0 ] || [ "$want" = "$q_submit" ]; }
    then
        [ -z "$q_nodes" ] || check_nodes "$q_nodes" "$(end_of_run)"
        val nodes_known 1
    elif [ -n "$host" ] &&
        limited 20 scontrol show node -o "$host" >/dev/null 2>&1; then
        check_nodes "$host" "$want"
        val nodes_known 1
    fi
}

# The database may not have heard of the end yet.
end_of_run()
{
    if is_number "$a_end"; then
        echo "$a_end"
    elif is_number "$q_end"; then
        echo "$q_end"
    else
        echo "$want"
    fi
}

# --- processes ------------------------------------------------------------

parent_of()
{
    sed -n 's/^PPid:[^0-9]*//p' "/proc/$1/status" 2>/dev/null
}

# Is process $1 this script, or what started it?
is_ours()
{
    ours=$$
    while is_number "$ours" && [ "$ours" -gt 1 ]; do
        [ "$ours" != "$1" ] || return 0
        ours=$(parent_of "$ours")
    done
    return 1
}

has_variable()
{
    grep -qzxF -e "$2" "/proc/$1/environ" 2>/dev/null
}

# Two clusters may share a host, and then job ids.
of_this_cluster()
{
    grep -qz '^SLURM_CLUSTER_NAME=' "/proc/$1/environ" 2>/dev/null || return 0
    [ -n "$cluster_name" ] || cluster_name=$(limited 20 scontrol show config |
        sed -n 's/^ClusterName *= *//p')
    has_variable "$1" "SLURM_CLUSTER_NAME=$cluster_name"
}

belongs()
{
    [ -n "$nonce" ] && return 0
    of_this_cluster "$1" || return 1
    case $raw/$id in
    /*_*) has_variable "$1" "SLURM_ARRAY_TASK_ID=${id#*_}" ;;
    esac
}

# Counts the user's own processes with the nonce, or of the job.
count_processes()
{
    raw=${q_raw:-$a_raw} cluster_name=
    if [ -n "$nonce" ]; then
        mark=RELAY_RUN_NONCE=$nonce
    elif [ -n "$raw" ]; then
        mark=SLURM_JOB_ID=$raw
    else
        case $id in
        '') return 0 ;;
        *_*) mark=SLURM_ARRAY_JOB_ID=${id%_*} ;;
        *) mark=SLURM_JOB_ID=$id ;;
        esac
    fi
    printf 'a\0b\0' | grep -qzxF -e b 2>/dev/null || return 0
    count=0
    for environ in $(limited 20 grep -lzxF -e "$mark" \
        /proc/[0-9]*/environ 2>/dev/null); do
        pid=${environ#/proc/}
        pid=${pid%/environ}
        [ -O "/proc/$pid" ] || continue
        if is_ours "$pid" || ! belongs "$pid"; then
            continue
        fi
        count=$((count + 1))
        [ "$count" -gt 1 ] || val process "$pid"
    done
    val processes "$count"
}

# --- the state directory --------------------------------------------------

# Opening a file makes an NFS client ask the server for its attributes.
fingerprint()
{
    if [ ! -d "$1" ]; then
        echo absent
        return
    fi
    find "$1" -type f -exec head -q -c 0 {} + >/dev/null 2>&1
    find "$1" -exec stat -c '%n %i %s %y' {} + 2>/dev/null | sort | cksum |
        tr ' ' '-'
}

q_state='' q_raw='' q_submit='' q_end='' q_nodes='' a_state='' a_raw=''
a_nodes='' a_end=''
val host "$(uname -n)"
if [ -n "$id" ]; then
    ask_squeue
    if ! runs_now; then
        ask_sacct
        ask_nodes
    fi
fi
count_processes
[ -z "$state_dir" ] || val fingerprint "$(fingerprint "$state_dir")"
