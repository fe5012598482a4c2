# shellcheck shell=sh disable=SC2034,SC2154
# One request to the home of a sweep.   $1 the sweep, unexpanded  $2 the
# request, or `copy`: then $3 version and $4 name of its source are sent
# Answer: `problem` when it could not be asked at all; `code` and sections
# answer and errors of what was; or sections source and ids. After common.sh.

find_ssweep()
{
    program=$(command -v ssweep) && return
    # What a login would find: modules, ~/.profile.
    program=$("${SHELL:-/bin/sh}" -l -c 'command -v ssweep' 2>/dev/null |
        tail -n 1)
    [ -x "$program" ]
}

copy()
{
    section source "$1/source/$2/$3" && section ids "$1/source/$2/ids" ||
        val problem "$1/source/$2 cannot be read"
}

main()
{
    if ! expand_path "$1"; then
        val problem "$problem"
    elif [ "$2" = copy ]; then
        copy "$path" "$3" "$4"
    elif ! find_ssweep; then
        val missing ssweep
    elif ! scratch; then
        val problem 'no temporary directory can be made'
    else
        printf '%s\n' "$2" | "$program" serve "$path" \
            >"$relay_scratch/answer" 2>"$relay_scratch/errors"
        val code $?
        section answer "$relay_scratch/answer"
        section errors "$relay_scratch/errors"
    fi
}

main "$@"
