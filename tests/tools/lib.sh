# shellcheck shell=bash
# What the tests of the command line use. Each test script sources this, which
# gives it a directory of its own, a cluster named "here" that has no Slurm,
# and its resume_root; each prints "ok - NAME" or "not ok - NAME" lines.
#
#   SRESUME   the program under test

: "${SRESUME:?the sresume to test}"
SRESUME=$(readlink -f -- "$SRESUME")
tests=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/relay-tools.XXXXXX") || exit 73
pids=()
failures=0

clean_up()
{
    local pid

    for pid in "${pids[@]}"; do
        kill -KILL "$pid" 2>/dev/null
    done
    wait 2>/dev/null
    chmod -R u+w "$dir"
    rm -rf -- "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

root=$dir/ckpt/_resume
mkdir -p "$root" "$dir/home"
cat >"$dir/relay.yaml" <<END
cluster: here
clusters:
  here:
    resume_root: $root
    run_root: $dir/ckpt
  there: {ssh: there.invalid, reach: none, resume_root: /there/_resume}
peers: off
END
# Nothing of the machine's own: no Slurm, no configuration, no job.
for name in $(compgen -e); do
    case $name in
        SLURM_* | RELAY_* | SBATCH_*) unset "$name" ;;
    esac
done
export HOME=$dir/home RELAY_CONFIG=$dir/relay.yaml
: >"$dir/slurm.conf" # empty: squeue says so at once
export SLURM_CONF=$dir/slurm.conf LC_ALL=C.UTF-8
cd "$dir" || exit 73

ok()
{
    echo "ok - $1"
}

not_ok()
{
    failures=$((failures + 1))
    echo "not ok - $1"
    shift
    printf '%s\n' "$@" | sed 's/^/#   /'
}

# check NAME COMMAND...: passes when the command does.
check()
{
    local name=$1 said
    shift

    if said=$("$@" 2>&1); then
        ok "$name"
    else
        not_ok "$name" "failed ($?): $*" "$said"
    fi
}

# run COMMAND...: its output is in $out, its errors in $err, its code in $code.
run()
{
    code=0
    "$@" >"$dir/.out" 2>"$dir/.err" </dev/null || code=$?
    out=$(<"$dir/.out") err=$(<"$dir/.err")
}

# is NAME CODE TEXT: the last run ended so, and said so (a regular expression,
# in standard output or error).
is()
{
    if [[ $code -eq $2 && "$out
$err" =~ $3 ]]; then
        ok "$1"
    else
        not_ok "$1" "wanted $2 and '$3', got $code" "$out" "$err"
    fi
}

# says NAME TEXT: standard output of the last run is exactly this.
says()
{
    if [[ $out == "$2" ]]; then
        ok "$1"
    else
        not_ok "$1" "wanted: $2" "got: $out" "$err"
    fi
}

hash_of()
{
    printf %s "$1" | sha1sum | cut -c1-40
}

# state_of KEY: its directory.
state_of()
{
    echo "$root/$(hash_of "$1")"
}

# a_state KEY STEP [MEMBERS]: a whole state, as a training leaves it. MEMBERS
# are more of the meta, with a comma before them.
a_state()
{
    local state

    state=$(state_of "$1")
    mkdir -p "$state"
    python3 "$tests/make_pt.py" "$state/resume_state.pt" "$2"
    printf '{"last_checkpoint_step": %s, "run_name": "%s", "lr": 1.0e-3, "run_dir": "%s"%s}\n' \
        "$2" "${1##*/}" "/scratch/elsewhere/${1##*/}" "${3-}" \
        >"$state/resume_meta.json"
}

# a_record KEY SERIES GEN MEMBERS: a record of ours, written by hand.
a_record()
{
    local records

    records=$root/.relay/$(hash_of "$1")
    mkdir -p "$records"
    printf '{"format": 1, "series": "%s", "gen": %d, "seq": 1, "time": %d, "nonce": "%032d", %s}\n' \
        "$2" "$3" 1700000000 "$3" "$4" >"$records/$2.$3"
}

# field FILE PYTHON: an expression over the JSON in FILE, as x.
field()
{
    python3 -c 'import json, sys; x = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"
}

# until_true COMMAND...: waits for it, 20 s at most.
until_true()
{
    local i

    for ((i = 0; i < 400; i++)); do
        "$@" && return 0
        sleep 0.05
    done
    return 1
}

finish()
{
    exit $((failures > 0))
}
