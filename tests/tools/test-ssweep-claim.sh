#!/bin/bash
# ssweep claim, finish, release: a worker written in a shell.
# shellcheck source-path=SCRIPTDIR source=sweeplib.sh
. "$(dirname -- "$0")/sweeplib.sh"

a_sweep one 3 'done summary.json json ok == true' 'retries 1'

take one.sweep
check 'claim ends with 0' test "$code" = 0
check 'claim prints one line' test "$(wc -l <"$dir/.out")" = 1
check 'it has index, id, gen, params, args and dir' test "$(field claim.json \
    "all(k in x for k in 'index id gen params args dir'.split())")" = True
check 'args are the arguments' test "$(field claim.json "x['args']")" = \
    "['--x=$x']"
check 'the directory is made' test -d "$cell"
first=$id

run "$SSWEEP" claim one.sweep --owner-pid=$$
second=$(field "$dir/.out" "x['id']")
check 'the next claim is of another cell' test "$first" != "$second"
run "$SSWEEP" claim one.sweep --owner-pid=$$
third=$(field "$dir/.out" "x['id']")
check 'and the third of a third' \
    test "$(printf '%s\n' "$first" "$second" "$third" | sort -u | wc -l)" = 3
run "$SSWEEP" claim one.sweep
is 'nothing to claim now: 1' 1 'nothing to claim now: .*3 running'

run "$SSWEEP" claim one.sweep --cell="$first"
is 'a cell that another runs: 77 and who' 77 "$first is run by"

proof "$cell"
end one.sweep
is 'finish with proof is done' 0 "$first: done"
end one.sweep
is 'the same finish again changes nothing' 0 "$first: done"
check 'one cell is done' test "$(count one.sweep 'done')" = 1
run "$SSWEEP" claim one.sweep --cell="$first"
is 'a done cell is not claimed, and it says what to type' 65 'retry --force'

id=$second gen=1
end one.sweep
is 'finish without proof is a failure that counts' 0 'waiting \(failed\).*ok == true'
check 'its directory is as it was' test -d "${cell%/*}/$second"
take one.sweep
check 'a cell to be tried again comes again' test "$id" = "$second"
check 'at a later generation' test "$gen" = 3
check 'with its failures' test "$(field claim.json "x['failures']")" = 1
end one.sweep --failed=out_of_memory --why='no memory'
is 'a failure too many is final' 0 'failed \(out_of_memory\): no memory'

id=$third gen=1
run "$SSWEEP" release one.sweep "$id" --gen=1 --step=40 --owner-pid=$$
is 'release gives it back' 0 "$third: partial \(released\)"
take one.sweep
check 'what was released comes first' test "$id" = "$third"
check 'with its step' test "$(field claim.json "x['step']")" = 40
end one.sweep --failed=preempted --step=50 --json
check 'finish --json' test "$(field "$dir/.out" \
    "(x['id'], x['state'], x['cause'], x['step'])")" = \
    "('$third', 'partial', 'preempted', 50)"
take one.sweep
check 'preempted counts for nothing' test "$(field claim.json "x['failures']")" = 0
end one.sweep --accept
is 'finish --accept needs no proof' 0 'done \(accepted\)'
run "$SSWEEP" claim one.sweep
is 'everything is finished: 2' 2 'everything is finished: 2 done, 1 failed'

a_sweep two 4
run "$SSWEEP" claim two.sweep --owner-pid=$$ --nonce=worker-1
before=$out
run "$SSWEEP" claim two.sweep --owner-pid=$$ --nonce=worker-1
says 'the same nonce has the same claim' "$before"
run "$SSWEEP" claim two.sweep --owner-pid=$$ --nonce=worker-2
check 'another nonce has another' test "$out" != "$before"
run "$SSWEEP" claim two.sweep --owner-pid=$$ --shard-index=8 --shard-count=9
is 'a shard without cells is finished' 2 'finished'
for ((i = 0; i < 4; i++)); do
    run "$SSWEEP" claim two.sweep --owner-pid=$$ --shard-index=1 \
        --shard-count=2
    ((code == 0)) || break
    field "$dir/.out" "x['index'] % 2"
done >shard
check 'a shard gets its own cells alone' test -z "$(grep -v '^1$' shard)"

# The owner dies: kill -9 of a worker that holds a claim.
a_sweep three 1
bash -c '"$0" claim three.sweep >held.json; exec sleep 600' "$SSWEEP" &
worker=$!
pids+=("$worker")
until_true test -s held.json
run "$SSWEEP" claim three.sweep
is 'a cell of a living owner is not taken over' 1 'nothing to claim'
kill -STOP "$worker"
run "$SSWEEP" claim three.sweep
is 'nor of a stopped one' 1 'nothing to claim'
kill -KILL "$worker"
wait "$worker" 2>/dev/null
pids=()
# shellcheck disable=SC2317 # until_true calls it
taken_over()
{
    take three.sweep && ((code == 0))
}
until_true taken_over
check 'that of a dead one is' test "$code" = 0
check 'it is the same cell' test "$id" = "$(field held.json "x['id']")"
run "$SSWEEP" finish three.sweep "$id" --gen="$(field held.json "x['gen']")"
is 'the dead one can finish nothing any more: 77' 77 'not at claim'
check 'explain shows both claims' test "$("$SSWEEP" explain three.sweep "$id" \
    --json >e.json && field e.json \
    "len([l for l in x['history'] if ' claim ' in l])")" = 2

finish
