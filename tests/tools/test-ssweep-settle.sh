#!/bin/bash
# ssweep retry, accept, cancel: a person's word.
# shellcheck source-path=SCRIPTDIR source=sweeplib.sh
. "$(dirname -- "$0")/sweeplib.sh"

a_sweep s 6 'retries 0'

take s.sweep
failed=$id failed_dir=$cell
echo 'first try' >"$cell/stdout.log"
end s.sweep --failed=failed --why='no such file'
check 'without retries a failure is final' test "$(state s.sweep "$id")" = failed
take s.sweep
unproven=$id
end s.sweep
is 'without a contract and proof it is unproven' 0 'unproven \(exited\)'
take s.sweep
good=$id
proof "$cell"
echo 'went well' >"$cell/stdout.log"
end s.sweep
is 'proof is enough without a contract' 0 ': done'
take s.sweep
wrong=$id
echo '{"ok": false}' >"$cell/summary.json"
end s.sweep
is 'what says no itself waits for a person' 0 'quarantined \(refuted\)'

run "$SSWEEP" retry s.sweep
is 'retry of nothing: 64' 64 'which cells'
run "$SSWEEP" retry s.sweep "$unproven"
is 'retry of an unproven one needs --force' 65 'unproven.*--force'
run "$SSWEEP" retry s.sweep "$good"
is 'and that of a done one, too' 65 'done.*--force'
run "$SSWEEP" retry s.sweep --failed
is 'retry --failed' 0 "^$failed: waiting"
check 'nothing is moved without --force' \
    test "$(cat "$failed_dir/stdout.log")" = 'first try'
check 'the others stay' test "$(state s.sweep "$wrong")" = quarantined
run "$SSWEEP" retry s.sweep --quarantined
is 'retry --quarantined' 0 "^$wrong: waiting"

good_dir=$(field state.json "x['dir']")
"$SSWEEP" explain s.sweep "$good" --json >state.json
good_dir=$(field state.json "x['dir']")
echo '{"last_checkpoint_step": 7}' >"$good_dir/resume_meta.json"
run "$SSWEEP" retry s.sweep "$good" --force
is 'retry --force of a done one' 0 "$good: (waiting|partial)"
is 'and says that its state is still there' 0 'sresume reset'
check 'stdout.log is moved aside' \
    test "$(cat "$good_dir"/stdout.log.bak-*)" = 'went well'
check 'so is summary.json' test -s "$(echo "$good_dir"/summary.json.bak-*)"
check 'and is gone' test ! -e "$good_dir/summary.json"
check 'names of old files have the time of UTC in them' \
    test "$(find "$good_dir" -name '*.bak-*' | sed 's/.*bak-//' |
        grep -cE '^20[0-9]{6}T[0-9]{6}Z$')" = 2

run "$SSWEEP" accept s.sweep
is 'accept of nothing: 64' 64 'which cells'
run "$SSWEEP" accept s.sweep "$failed" "$unproven"
is 'accept goes on behind one that it is not for' 65 "$unproven: done"
is 'and says which that is' 65 "$failed is waiting"
run "$SSWEEP" accept s.sweep --unproven
is 'accept --unproven of none is nothing' 0 ''
check 'explain knows who said so' test -n "$("$SSWEEP" explain s.sweep \
    "$unproven" | grep 'accepted: said by')"

take s.sweep
run "$SSWEEP" retry s.sweep "$id" --force
is 'retry of a running one: 77' 77 'is running.*ssweep cancel'
run "$SSWEEP" cancel s.sweep "$id"
is 'cancel of a running one asks its worker' 0 'asked to stop'
check 'that runs on until it listens' test "$(state s.sweep "$id")" = running
end s.sweep --failed=cancelled
is 'it may end as cancelled' 0 'cancelled'

run "$SSWEEP" cancel s.sweep "$unproven"
is 'cancel of a done one: 65' 65 "$unproven is done: there is nothing to cancel"

a_sweep h 3
run "$SSWEEP" cancel h.sweep '#1'
is 'cancel of a waiting one holds it back' 0 'quarantined.*ssweep retry'
for ((i = 0; i < 3; i++)); do
    take h.sweep
    ((code == 0)) && field claim.json "x['index']"
done >claimed
check 'then nobody claims it' test "$(sort claimed | tr '\n' ' ')" = '0 2 '
run "$SSWEEP" retry h.sweep '#1'
is 'until it is let go' 0 ': waiting'
take h.sweep
check 'then it is claimed' test "$(field claim.json "x['index']")" = 1

finish
