# shellcheck shell=bash
# What a test on the two clusters uses. Sourced after `clusters up`, with
#
#   RELAY_CLUSTERS   the directory of the clusters
#
# CLUSTER is sherlock or iris. Nothing here sleeps for a fixed time: whatever
# happens on a cluster is waited for, with a deadline.

: "${RELAY_CLUSTERS:?the directory given to clusters up}"
# shellcheck source=/dev/null
. "$RELAY_CLUSTERS/settings"

user_of()
{
    local var=CLUSTER_USER_$1

    echo "${!var:?no cluster $1}"
}

home_of()
{
    echo "$RELAY_CLUSTERS/$1/home/$(user_of "$1")"
}

# scratch_of CLUSTER: its user's file system, which the other user cannot enter.
scratch_of()
{
    echo "$RELAY_CLUSTERS/$1/fs/$(user_of "$1")"
}

conf_of()
{
    echo "$RELAY_CLUSTERS/$1/etc/slurm.conf"
}

# on CLUSTER [VAR=VALUE...] COMMAND...: as that cluster's user, in the home,
# with the environment a login would have and nothing else.
on()
{
    local cluster=$1 user home
    shift

    user=$(user_of "$cluster") home=$(home_of "$cluster")
    env -i -C "$home" PATH="$CLUSTER_PATH" HOME="$home" USER="$user" \
        LOGNAME="$user" SHELL=/bin/bash LANG=C.UTF-8 TERM=dumb \
        SLURM_CONF="$(conf_of "$cluster")" \
        setpriv --reuid="$user" --regid="$user" --init-groups -- env "$@"
}

# as_root CLUSTER COMMAND...: as that cluster's administrator.
as_root()
{
    local cluster=$1
    shift

    env -i PATH="$CLUSTER_PATH" HOME=/root USER=root LANG=C.UTF-8 \
        SLURM_CONF="$(conf_of "$cluster")" "$@"
}

# submit CLUSTER [VAR=VALUE...] [ARG...] of sbatch: prints the job's id; what
# sbatch says on stderr passes through.
submit()
{
    local cluster=$1 env=() id
    shift

    while [[ ${1:-} =~ ^[A-Za-z_]+= ]]; do
        env+=("$1")
        shift
    done
    id=$(on "$cluster" "${env[@]}" sbatch --parsable "$@") || return
    echo "${id%%;*}"
}

# job_state CLUSTER JOBID: Slurm's word for it, from squeue while the controller
# knows the job and from sacct afterwards; nothing when neither does.
job_state()
{
    local state

    state=$(as_root "$1" squeue -h -t all -j "$2" -o %T 2>/dev/null)
    [[ -n $state ]] || state=$(as_root "$1" sacct -X -n -P -j "$2" -o State)
    # sacct says "CANCELLED by 1000".
    state=${state%%$'\n'*}
    echo "${state%% *}"
}

# job_field CLUSTER JOBID FIELD: of scontrol show job, such as Restarts.
job_field()
{
    as_root "$1" scontrol -o show job "$2" 2>/dev/null |
        tr ' ' '\n' | sed -n "s/^$3=//p" | head -n 1
}

# exit_code CLUSTER JOBID: STATUS:SIGNAL.
exit_code()
{
    local code

    # The database hears of it later than the controller.
    code=$(job_field "$1" "$2" ExitCode)
    echo "${code:-$(as_root "$1" sacct -X -n -P -j "$2" -o ExitCode |
        head -n 1)}"
}

# wait_for SECONDS DESCRIPTION COMMAND...: until COMMAND succeeds.
wait_for()
{
    local seconds=$1 what=$2 end
    shift 2

    end=$((${EPOCHREALTIME/./} + seconds * 1000000))
    until "$@" >/dev/null 2>&1; do
        if ((${EPOCHREALTIME/./} > end)); then
            echo "waited $seconds s for $what" >&2
            return 1
        fi
        sleep 0.1
    done
}

# wait_state CLUSTER JOBID STATE[|STATE...] SECONDS
wait_state()
{
    wait_for "$4" "job $2 of $1 to be $3" job_is "$1" "$2" "$3" && return
    echo "it is $(job_state "$1" "$2"); its output ends:" >&2
    job_output "$1" "$2" 2>/dev/null | tail -n 15 >&2
    return 1
}

job_is()
{
    [[ "|$3|" == *"|$(job_state "$1" "$2")|"* ]]
}

# job_output CLUSTER JOBID: what it wrote, to the default file in its user's
# home when the controller has forgotten the job.
job_output()
{
    local file

    file=$(job_field "$1" "$2" StdOut)
    cat -- "${file:-$(home_of "$1")/slurm-$2.out}"
}

output_has()
{
    job_output "$1" "$2" | grep -q -e "$3"
}

# wait_output CLUSTER JOBID REGEX SECONDS
wait_output()
{
    wait_for "$4" "job $2 of $1 to print '$3'" output_has "$1" "$2" "$3" &&
        return
    echo "its output ends:" >&2
    job_output "$1" "$2" 2>/dev/null | tail -n 15 >&2
    return 1
}

# node_states CLUSTER: a line per node, such as "iris-n1 idle none".
node_states()
{
    as_root "$1" sinfo -h -N -p main -o '%N %T %E' | sort -u
}

nodes_are_up()
{
    ! node_states "$1" | grep -qE ' (down|drain|fail|unk)|\*'
}

# run_hash KEY: the name of its resume directory.
run_hash()
{
    printf '%s' "$1" | sha1sum | cut -d ' ' -f 1
}

# resume_dir CLUSTER KEY
resume_dir()
{
    echo "$(scratch_of "$1")/ckpt/_resume/$(run_hash "$2")"
}

# meta CLUSTER KEY FIELD: a field of the run's resume_meta.json there.
meta()
{
    /usr/bin/python3 -c '
import json, sys
with open(sys.argv[1]) as f:
    print(json.load(f).get(sys.argv[2], ""))
' "$(resume_dir "$1" "$2")/resume_meta.json" "$3" 2>/dev/null
}

# cancel_all CLUSTER: ends whatever a test left there and waits until it has.
cancel_all()
{
    local c=$1

    as_root "$c" scancel --quiet --full --user="$(user_of "$c")"
    wait_for 30 "the jobs of $c to end" no_jobs "$c"
}

no_jobs()
{
    [[ -z $(as_root "$1" squeue -h) ]]
}

# skip REASON: ends the test, which cannot run here.
skip()
{
    echo "$*"
    exit "${SKIPPED:?set by run}"
}

# fail TEXT: ends the test, with the ends of the daemons' logs before.
fail()
{
    local log

    {
        for log in "$RELAY_CLUSTERS"/{sherlock,iris}/log/*.log; do
            printf -- '--- %s\n' "${log#"$RELAY_CLUSTERS"/}"
            tail -n 30 "$log"
        done
        echo "FAIL: $*"
    } >&2
    exit 1
}
