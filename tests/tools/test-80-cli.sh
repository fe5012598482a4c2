#!/bin/bash
# What every command has, and what the documents say of it.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

man=$tests/../../man/sresume.1
completion=$tests/../../etc/bash-completion/sresume

run "$SRESUME" --help
is '--help lists the commands' 0 'doctor'
commands=$(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' <<<"$out")
check 'there are commands' test -n "$commands"

for command in $commands; do
    run "$SRESUME" "$command" --help
    is "$command --help" 0 "Usage: sresume $command"
    run "$SRESUME" "$command" --no-such-option
    is "$command refuses an unknown option" 64 "no-such-option"
    check "sresume(1) has $command" grep -q "^\\.SS sresume $command" "$man"
    check "completion has $command" grep -qw "$command" "$completion"
    while read -r option; do
        check "sresume(1) has --$option of $command" \
            grep -q -- "\\\\-\\\\-${option//-/\\\\-}" "$man"
    done < <("$SRESUME" "$command" --help | sed -n 's/^ .*--\([a-z-]*\).*/\1/p')
done

run "$SRESUME" --version
is '--version' 0 '^sresume \(slurm-relay\) [0-9]+\.[0-9]+'
run "$SRESUME"
is 'no command: 64' 64 'which command'
run "$SRESUME" frobnicate
is 'an unknown command: 64' 64 'frobnicate'
run "$SRESUME" show
is 'a missing argument: 64 and the usage' 64 'Usage: sresume show'
run "$SRESUME" show a b
is 'one too many: 64' 64 'one argument too many'
run "$SRESUME" unlock lab/p/x --gen=x
is 'a number that is none: 64' 64 'number'
run "$SRESUME" list --config=/no/such/file
is 'a configuration that is not there: 78' 78 '/no/such/file'

"$SRESUME" --help >/dev/full 2>err.full
check 'output that cannot be written is an error' test $? = 74

check 'bash can read the completion' bash -n "$completion"
# shellcheck source=/dev/null
complete_words()
{
    (
        . "$completion"
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        _sresume
        printf '%s\n' "${COMPREPLY[@]}"
    )
}
a_state lab/p/train-a 1
PATH=$(dirname "$SRESUME"):$PATH
check 'completion knows commands' \
    test "$(complete_words sresume ver)" = verify
check 'completion knows the runs' \
    test "$(complete_words sresume show tr)" = train-a
check 'completion knows options' \
    test "$(complete_words sresume rewrite --dry)" = --dry-run

for page in "$tests"/../../man/*.[0-9]; do
    name=$(basename "$page")
    check "$name begins with its name" grep -q "^\\.TH" "$page"
    if command -v man >/dev/null; then
        check "$name is clean roff" test -z \
            "$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 \
                man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)"
    fi
done

finish
