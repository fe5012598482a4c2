# shellcheck shell=bash
# Trainings for the tests, on top of lib.sh.

SHARE=${RELAY_CLUSTERS%/*}/share
DONE_SECONDS=60

# begin_test NAME: a key of its own for every test, so that none sees another's
# runs. KEY is lab/robots/NAME.
begin_test()
{
    TEST=${1#test_}
    NAME=${TEST//_/-}
    KEY=lab/robots/$NAME
    local c

    for c in sherlock iris; do
        install -m 755 "$SHARE/train.py" "$SHARE/train.sh" "$(home_of "$c")/"
    done
}

# What a test left is taken away: jobs, checkpoints with our records of them,
# and a configuration it has changed.
end_test()
{
    local c home

    for c in sherlock iris; do
        home=$(home_of "$c")
        cancel_all "$c"
        rm -f "$home"/*.out "$home"/*.sh "$home/.relay.yaml"
        rm -rf "$home/.config/slurm-relay" \
            "$(scratch_of "$c")"/ckpt/*
        on "$c" mkdir "$(scratch_of "$c")/ckpt/_resume"
        rm -f "$RELAY_CLUSTERS/$c/run/off"
        [[ ! -e $(plugstack_of "$c").before ]] ||
            mv "$(plugstack_of "$c").before" "$(plugstack_of "$c")"
        as_root "$c" scontrol update NodeName="$c-n[1-2]" State=RESUME \
            2>/dev/null
    done
    true
}

# For a failed test: what the users' jobs printed and what our logs say.
show_runs()
{
    local c file

    for c in sherlock iris; do
        for file in "$(home_of "$c")"/slurm-*.out \
            "$(scratch_of "$c")"/ckpt/_resume/.relay/*/log; do
            [[ -s $file ]] || continue
            printf -- '--- %s\n' "$file"
            tail -n 25 "$file"
        done
        node_states "$c"
    done
}

# train CLUSTER [-o SBATCH_OPTION]... [-n NAME] [-s SCRIPT] [TRAIN_ARG...]:
# submits a training without our options unless -o says so; prints the job id.
train()
{
    local cluster=$1 opts=() name=$NAME script=train.sh
    shift

    while [[ ${1:-} == -[ons] ]]; do
        case $1 in
        -o) opts+=("$2") ;;
        -n) name=$2 ;;
        -s) script=$2 ;;
        esac
        shift 2
    done
    submit "$cluster" -J "$name" "${opts[@]}" "$script" \
        --entity lab --project robots --run-name "$name" \
        --resume-root "$(scratch_of "$cluster")/ckpt/_resume" \
        --run-root "$(scratch_of "$cluster")/ckpt" \
        --steps 100000 --step-time 0.02 --checkpoint-every 50 "$@"
}

# step_of CLUSTER [KEY]: of the last checkpoint, -1 without one.
step_of()
{
    local step

    step=$(meta "$1" "${2:-$KEY}" last_checkpoint_step)
    echo "${step:--1}"
}

step_is_past()
{
    (($(step_of "$1" "$3") > $2))
}

# wait_step CLUSTER STEP [SECONDS] [KEY]: until a checkpoint is past STEP.
wait_step()
{
    wait_for "${3:-$DONE_SECONDS}" "a checkpoint past step $2 on $1" \
        step_is_past "$1" "$2" "${4:-$KEY}" && return
    echo "it is at $(step_of "$1" "${4:-$KEY}")" >&2
    return 1
}

# relay_dir CLUSTER [KEY]: where our records of the run are.
relay_dir()
{
    echo "$(scratch_of "$1")/ckpt/_resume/.relay/$(run_hash "${2:-$KEY}")"
}

# record CLUSTER SERIES FIELD [KEY]: a field (a.b for inner ones) of the last
# record of a series.
record()
{
    /usr/bin/python3 -c '
import glob, json, sys
files = glob.glob(sys.argv[1] + "/" + sys.argv[2] + ".[0-9]*")
if files:
    last = max(files, key=lambda f: int(f.rsplit(".", 1)[1]))
    value = json.load(open(last))
    for name in sys.argv[3].split("."):
        value = value.get(name) if isinstance(value, dict) else None
    print("" if value is None else value)
' "$(relay_dir "$1" "${4:-$KEY}")" "$2" "$3"
}

record_is()
{
    [[ $(record "$1" "$2" "$3") == "$4" ]]
}

# wait_record CLUSTER SERIES FIELD VALUE [SECONDS]
wait_record()
{
    wait_for "${5:-$DONE_SECONDS}" "$3 of the last $2 record on $1 to be $4" \
        record_is "$1" "$2" "$3" "$4" && return
    echo "it is $(record "$1" "$2" "$3")" >&2
    return 1
}

# expect_exit CLUSTER JOBID CODE [SECONDS]: the job ends with that exit code.
expect_exit()
{
    wait_state "$1" "$2" 'FAILED|COMPLETED|CANCELLED|TIMEOUT' "${4:-60}"
    [[ $(exit_code "$1" "$2") == "$3:0" ]] ||
        fail "job $2 of $1 ended with $(exit_code "$1" "$2"), not $3:0:" \
            "$(job_output "$1" "$2")"
}

# expect_output CLUSTER JOBID REGEX: in the output of a job that has ended.
expect_output()
{
    output_has "$1" "$2" "$3" ||
        fail "job $2 of $1 did not print '$3' but: $(job_output "$1" "$2")"
}

# still_trains CLUSTER JOBID [KEY]: RUNNING, and its checkpoints go on.
still_trains()
{
    local step

    job_is "$1" "$2" RUNNING ||
        fail "job $2 of $1 is $(job_state "$1" "$2"), not RUNNING"
    step=$(step_of "$1" "${3:-$KEY}")
    wait_step "$1" "$step" 30 "${3:-$KEY}"
}

equal()
{
    [[ $1 == "$2" ]] || fail "${3:-value} is '$1', expected '$2'"
}

# plant CLUSTER STEP [KEY]: the state of a training that stands at STEP and is
# not running; the training itself has made it.
plant()
{
    local key=${3:-$KEY} entity project

    IFS=/ read -r entity project _ <<<"$key"
    on "$1" python3 train.py --entity "$entity" --project "$project" \
        --run-name "${key#*/*/}" --steps "$2" \
        --resume-root "$(scratch_of "$1")/ckpt/_resume" \
        --run-root "$(scratch_of "$1")/ckpt" >/dev/null
    edit_meta "$1" "$key" completed=false
}

# edit_meta CLUSTER KEY MEMBER=JSON|MEMBER...: sets members of the run's meta,
# or removes them.
edit_meta()
{
    local file

    file=$(resume_dir "$1" "$2")/resume_meta.json
    on "$1" python3 -c '
import json, sys
with open(sys.argv[1], "r+") as f:
    meta = json.load(f)
    for name, equals, value in (a.partition("=") for a in sys.argv[2:]):
        if equals:
            meta[name] = json.loads(value)
        else:
            del meta[name]
    f.seek(0)
    json.dump(meta, f)
    f.truncate()
' "$file" "${@:3}"
}

# refused CODE REGEX COMMAND...: it ends with that exit code and says why in
# one line of ours, which matches.
refused()
{
    local code=$1 regex=$2 rc=0 said
    shift 2

    said=$("$@" 2>&1) || rc=$?
    ((rc == code)) || fail "${*@Q}: exit code $rc, expected $code: $said"
    [[ $said == 'relay: '* && $said != *[[:cntrl:]]* && $said =~ $regex ]] ||
        fail "${*@Q}: expected one line with '$regex', got: ${said@Q}"
}

plugstack_of()
{
    echo "$RELAY_CLUSTERS/$1/etc/plugstack.conf"
}

# plugin_line CLUSTER optional|required [ARG...]: another line for the plugin,
# until the test ends. Every command, step, prolog and epilog reads it anew.
plugin_line()
{
    local file mode=$2 rest
    file=$(plugstack_of "$1")
    shift 2

    [[ -e $file.before ]] || cp "$file" "$file.before"
    read -r _ rest <"$file.before"
    echo "$mode $rest $*" >"$file.new"
    mv "$file.new" "$file"
}

# expect_no_body CLUSTER JOBID: the word `body` is what the tests' job scripts
# print first.
expect_no_body()
{
    ! output_has "$1" "$2" '^body' ||
        fail "the body of job $2 ran: $(job_output "$1" "$2")"
}
