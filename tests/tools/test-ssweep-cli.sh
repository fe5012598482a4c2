#!/bin/bash
# What every command of ssweep has, and what the documents say of it.
# shellcheck source-path=SCRIPTDIR source=sweeplib.sh
. "$(dirname -- "$0")/sweeplib.sh"

man=$tests/../../man/ssweep.1
completion=$tests/../../etc/bash-completion/ssweep

run "$SSWEEP" --help
is '--help lists the commands' 0 'verify'
commands=$(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' <<<"$out")
check 'there are commands' test -n "$commands"
for command in create cells status explain claim finish release retry accept \
    exec logs cancel wait verify run; do
    check "$command is one of them" grep -qx "$command" <<<"$commands"
done

# The page without fonts and backslashes.
sed 's/\\f.//g; s/\\//g' "$man" >page

# section COMMAND: what the page says of it.
section()
{
    sed -n "/^\.SS ssweep $1 /,/^\.S[SH] /p" page | sed '1!{/^\.S[SH]/d}'
}

for command in $commands; do
    run "$SSWEEP" "$command" --help
    is "$command --help" 0 "Usage: ssweep $command"
    mapfile -t options < <(
        sed -n 's/^  [-, a-z]\{4\}--\([a-z-]*\).*/\1/p' <<<"$out")
    run "$SSWEEP" "$command" --no-such-option
    is "$command refuses an unknown option" 64 'no-such-option'
    section "$command" >of-it
    check "ssweep(1) has $command" test -s of-it
    check "completion has $command" grep -qw "$command" "$completion"
    for option in "${options[@]}"; do
        # Those of several commands stand before them, or with the first.
        case $command:$option in
            *:help | *:version | *:out-root | cells:*) where=page ;;
            *) where=of-it ;;
        esac
        check "ssweep(1) has --$option of $command" grep -q -- \
            "--$option" "$where"
        [ "$option" = version ] || check "completion has --$option" \
            grep -qw -- "--$option" "$completion"
    done
    # And the other way: the page names no option that there is not.
    while read -r option; do
        check "$command has --$option of the page" \
            grep -qx -- "$option" <(printf '%s\n' "${options[@]}")
    done < <(sed -n '1p; /^\.TP/{n;p}' of-it |
        grep -o -- '--[a-z][a-z-]*' | sed 's/^--//' | sort -u)
done

run "$SSWEEP" --version
is '--version' 0 '^ssweep \(slurm-relay\) [0-9]+\.[0-9]+'
run "$SSWEEP"
is 'no command: 64' 64 'which command'
run "$SSWEEP" frobnicate
is 'an unknown command: 64' 64 'frobnicate'
run "$SSWEEP" status
is 'a missing argument: 64 and the usage' 64 'Usage: ssweep status'
run "$SSWEEP" status a b
is 'one too many: 64' 64 'one argument too many'
run "$SSWEEP" finish a b --gen=x
is 'a number that is none: 64' 64 'number'
"$SSWEEP" --help >/dev/full 2>err.full
check 'output that cannot be written is an error' test $? = 74

# JSON keys that the page promises are there.
a_sweep s 2
take s.sweep
proof "$cell"
end s.sweep
take s.sweep
# has WORDS FILE: every key is in the page and in the object.
same_keys()
{
    local command=$1 key

    for key in $(field "$2" "' '.join(x)"); do
        check "ssweep(1) names $key of $command --json" \
            grep -qw -- "$key" "$man"
    done
}
for command in status verify; do
    "$SSWEEP" "$command" s.sweep --json >j.json
    same_keys "$command" j.json
done
"$SSWEEP" explain s.sweep "$id" --json >j.json
same_keys explain j.json
same_keys claim claim.json

check 'bash can read the completion' bash -n "$completion"
# shellcheck source=/dev/null
complete_words()
{
    (
        . "$completion"
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        _ssweep
        printf '%s\n' "${COMPREPLY[@]}"
    )
}
PATH=$(dirname "$SSWEEP"):$PATH
check 'completion knows commands' \
    test "$(complete_words ssweep expl)" = explain
check 'completion knows sweeps' \
    test "$(complete_words ssweep status s.sw)" = 's.sweep
s.sweep/'
check 'completion knows cells' \
    test "$(complete_words ssweep explain s.sweep "${id:0:6}")" = "$id"
check 'completion prefers cells of which there is something to say' \
    test "$(complete_words ssweep logs s.sweep '')" = "$id"
check 'completion knows options' \
    test "$(complete_words ssweep retry --quar)" = --quarantined

finish
