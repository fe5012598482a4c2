#!/bin/bash
# shandoff: what is typed, and what --help, shandoff(1) and the completion say.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

shandoff=$(dirname "$SRESUME")/shandoff
man=$tests/../../man/shandoff.1
completion=$tests/../../etc/bash-completion/shandoff

run "$shandoff" --help
is '--help' 0 'Usage: shandoff KEY\|RUN_NAME'
options=$(sed -n 's/^ .*--\([a-z-]*\).*/\1/p' <<<"$out")
check 'there are options' test -n "$options"
for option in $options; do
    check "shandoff(1) has --$option" \
        grep -q -- "\\\\-\\\\-${option//-/\\\\-}" "$man"
    check "completion has --$option" grep -qw -- "--$option" "$completion"
done
for gate in incomplete running gpu remaining gain slot tracker twin nodelist; do
    check "shandoff(1) has the gate $gate" grep -qx "\\.B $gate" "$man"
    check "completion has the gate $gate" grep -qw "$gate" "$completion"
done
run "$shandoff" --version
is '--version' 0 '^shandoff \(slurm-relay\) [0-9]+\.[0-9]+'

run "$shandoff"
is 'nothing typed: 64' 64 '--from=CLUSTER'
run "$shandoff" --from=elsewhere
is 'no key: 64' 64 'KEY or RUN_NAME'
run "$shandoff" lab/p/a --from=elsewhere
is 'no script: 64' 64 'job script is missing'
run "$shandoff" lab/p/a --from=elsewhere --override=gain,mood -- x.sh
is 'no such gate: 64' 64 'mood: there is no such gate'
run "$shandoff" lab/p/a --from=elsewhere --rate-here=fast -- x.sh
is 'a rate that is none: 64' 64 'rate-here=fast: expected steps an hour'
run "$shandoff" lab/p/a --from=elsewhere --refresh=often -- x.sh
is 'a time that is none: 64' 64 'refresh=often'
run "$shandoff" --match='a*' --from=elsewhere:12 -- x.sh
is 'one job for several runs: 64' 64 'with --match no single job'
run "$shandoff" lab/p/a --from=elsewhere --root=/tmp -- x.sh
is 'the job would not know of another root: 64' 64 'root'
run "$shandoff" lab/p/a --attach --abort
is 'two ways at once: 64' 64 'two things'
run "$shandoff" --attach
is 'attach to what: 64' 64 'one KEY'
run "$shandoff" lab/p/a --from=elsewhere -- x.sh
is 'a cluster that is not configured: 78' 78 'elsewhere'
run "$shandoff" --attach lab/p/a
is 'a run that is not known: 65' 65 'is not in'
a_state lab/p/a 10
run "$shandoff" --attach lab/p/a
is 'a run that nobody moved: 65' 65 'no job was submitted for lab/p/a'
check 'nothing was made of it' test ! -e "$root/.relay/$(hash_of lab/p/a)/target.json"

check 'bash can read the completion' bash -n "$completion"
complete_words()
{
    (
        # shellcheck source=/dev/null
        . "$completion"
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        _shandoff
        printf '%s\n' "${COMPREPLY[@]}"
    )
}
check 'completion knows options' \
    test "$(complete_words shandoff --overr)" = --override
check 'completion knows gates' \
    test "$(complete_words shandoff --override twi)" = twin

finish
