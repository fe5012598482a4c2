# shellcheck shell=bash disable=SC2034 # ARGS, SRC and SAID are for the tests
# For tests of shandoff, from sherlock to iris.

# Hours of them, at a rate that is measured over seconds.
STEPS=400000

# What the training is given on iris, behind the job script.
on_iris()
{
    ARGS=(-J "${1:-$NAME}" --gres=gpu:1 train.sh --entity lab
        --project robots --run-name "${1:-$NAME}"
        --resume-root "$(scratch_of iris)/ckpt/_resume"
        --run-root "$(scratch_of iris)/ckpt" --steps "$STEPS"
        --step-time 0.02 --checkpoint-every 50 "${@:2}")
}

# A training that has been watched for long enough that its rate is known.
train_there()
{
    SRC=$(train sherlock -o --gres=gpu:1 -o --resume-key="$KEY" \
        --steps "$STEPS" "$@")
    wait_for 60 'a rate' rate_is_known
}

rate_is_known()
{
    (($(cat "$(relay_dir sherlock "${1:-$KEY}")"/history/*.jsonl |
        grep -c '"progress"') >= 3))
}

# shandoff CODE REGEX ARG...: its exit code, and what it prints.
shandoff()
{
    local code=$1 regex=$2 rc=0
    shift 2

    SAID=$(on iris timeout 120 shandoff "$@" 2>&1) || rc=$?
    ((rc == code)) || fail "shandoff ${*@Q}: $rc, expected $code: $SAID"
    [[ $SAID =~ $regex ]] ||
        fail "shandoff ${*@Q}: expected '$regex', got: $SAID"
}

jobs_of()
{
    as_root "$1" squeue -h -r -o %i | wc -l
}

the_job()
{
    as_root iris squeue -h -r -o %i | head -n 1
}

# shandoff_begins ARG...: in the background, into $OUT; shandoff_ends CODE.
shandoff_begins()
{
    OUT=$(home_of iris)/shandoff.out
    on iris timeout 120 shandoff "$@" >"$OUT" 2>&1 &
    SHANDOFF=$!
}

shandoff_ends()
{
    local rc=0

    wait "$SHANDOFF" || rc=$?
    SAID=$(<"$OUT")
    ((rc == $1)) || fail "shandoff: $rc, expected $1: $SAID"
}

# says REGEX: what it has printed so far.
says()
{
    wait_for 60 "shandoff to say '$1'" grep -qE -e "$1" "$OUT" && return
    cat "$OUT" >&2
    return 1
}
