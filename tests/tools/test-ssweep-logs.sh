#!/bin/bash
# ssweep logs: what a cell printed.
# shellcheck source-path=SCRIPTDIR source=sweeplib.sh
. "$(dirname -- "$0")/sweeplib.sh"

a_sweep s 3
take s.sweep

run "$SSWEEP" logs s.sweep "$id"
is 'no log yet: 66 and what it is' 66 'stdout.log is not there: .* is running'

printf 'one\ntwo\nthree\n' >"$cell/stdout.log"
run "$SSWEEP" logs s.sweep "$id"
says 'all of it' $'one\ntwo\nthree'
run "$SSWEEP" logs s.sweep "$id" -n 2
says 'the last lines' $'two\nthree'
run "$SSWEEP" logs s.sweep "$id" --lines=0
says 'none of them' ''
run "$SSWEEP" logs s.sweep "$id" -n 9
says 'more lines than there are' $'one\ntwo\nthree'
printf 'no newline' >>"$cell/stdout.log"
run "$SSWEEP" logs s.sweep "$id" -n 2
says 'a last line without its end' $'three\nno newline'
python3 -c 'import sys
for i in range(200000): print("line", i)' >"$cell/stdout.log"
"$SSWEEP" logs s.sweep "$id" -n 70000 >tail.out
check 'a long log is read from its end' \
    cmp -s tail.out <(tail -n 70000 "$cell/stdout.log")

rm "$cell/stdout.log"
"$SSWEEP" logs s.sweep "$id" -f >follow.out 2>follow.err &
follower=$!
pids+=("$follower")
echo 'begun' >"$cell/stdout.log"
check '-f waits for the log' until_true grep -q begun follow.out
echo 'goes on' >>"$cell/stdout.log"
check '-f prints what is added' until_true grep -q 'goes on' follow.out
: >"$cell/stdout.log"
check '-f notices truncation' until_true grep -q truncated follow.err
echo 'short' >>"$cell/stdout.log"
check '-f prints what comes after it' until_true grep -q short follow.out
mv "$cell/stdout.log" "$cell/old.log"
echo 'a new file' >"$cell/stdout.log"
check '-f goes on in a new file' until_true grep -q 'a new file' follow.out
proof "$cell"
echo 'the end' >>"$cell/stdout.log"
end s.sweep
wait "$follower"
check '-f ends when the cell is finished' test $? = 0
pids=()
check '-f has printed all' test "$(tail -n 1 follow.out)" = 'the end'
check '-f printed nothing twice' test "$(sort follow.out | uniq -d)" = ''

finish
