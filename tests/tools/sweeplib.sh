# shellcheck shell=bash
# What the tests of ssweep use, besides lib.sh.
#
#   SSWEEP   the program under test (default: beside SRESUME)

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
SSWEEP=$(readlink -f -- "${SSWEEP:-$(dirname -- "$SRESUME")/ssweep}")
unset WANDB_DIR

# a_sweep NAME CELLS [LINE]...: a grid x = 1, 2, ... in NAME.sweep. LINEs are
# #RELAY lines; without one, done is a summary.json whose ok is true.
a_sweep()
{
    local name=$1 cells=$2
    shift 2

    {
        printf 'program: train.py\nmethod: grid\nproject: p\nname: %s\n' \
            "$name"
        printf 'parameters:\n  x: {values: [%s]}\n' "$(seq -s, "$cells")"
        (($#)) || set -- 'done summary.json json ok == true'
        printf '#RELAY %s\n' "$@"
    } >"$name.yaml"
    "$SSWEEP" create "$name.yaml" >/dev/null 2>"$name.warnings"
}

# take SWEEP [OPTION]...: claims a cell: id, gen, cell (its directory) and x
# are what was claimed.
take()
{
    local form='"id":"([^"]*)","gen":([0-9]+),"params":[{]"x": ([0-9]+)[}].*"dir":"([^"]*)"'

    run "$SSWEEP" claim "$@" --owner-pid=$$
    printf '%s' "$out" >claim.json
    id='' gen='' cell='' x=''
    [[ $out =~ $form ]] || return
    # shellcheck disable=SC2034 # for who calls
    id=${BASH_REMATCH[1]} gen=${BASH_REMATCH[2]} x=${BASH_REMATCH[3]} \
        cell=${BASH_REMATCH[4]}
}

# proof DIR: what a training leaves that went well.
proof()
{
    printf '{"ok": true}' >"$1/summary.json"
}

# end SWEEP [OPTION]...: finishes the cell that was taken.
end()
{
    local sweep=$1
    shift
    run "$SSWEEP" finish "$sweep" "$id" --gen="$gen" --owner-pid=$$ "$@"
}

# state SWEEP ID: its state.
state()
{
    "$SSWEEP" explain "$1" "$2" --json >state.json &&
        field state.json "x['state']"
}

# count SWEEP STATE: how many.
count()
{
    "$SSWEEP" status "$1" --json >count.json &&
        field count.json "x['counts']['$2']"
}
