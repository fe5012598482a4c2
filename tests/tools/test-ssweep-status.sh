#!/bin/bash
# ssweep status, explain, wait: looking.
# shellcheck source-path=SCRIPTDIR source=sweeplib.sh
. "$(dirname -- "$0")/sweeplib.sh"

a_sweep s 10 'retries 0'

run "$SSWEEP" status s.sweep
is 'a fresh sweep waits' 0 'waiting +10 +100\.0'
is 'and nobody works on it' 0 'left +nobody works on it'
check 'no table of cells without anything to say' \
    test -z "$(grep INDEX <<<"$out")"

for ((i = 0; i < 3; i++)); do
    take s.sweep
    proof "$cell"
    end s.sweep
done
take s.sweep
failed=$id
end s.sweep --failed=failed --why='CUDA out of memory'
take s.sweep
running=$id
echo '{"last_checkpoint_step": 1200}' >"$cell/resume_meta.json"

run "$SSWEEP" status s.sweep
is 'done cells are counted, with per cent' 0 'done +3 +30\.0'
is 'a running one is listed with its step and its owner' 0 \
    "$running +running +1200 .*process $$ of"
is 'a failed one with why' 0 "$failed +failed .*failed: CUDA out of memory"
check 'done and waiting ones are not listed' \
    test "$(sed '1,/INDEX/d' <<<"$out" | wc -l)" = 2
check 'no colours where there is no terminal' \
    test "${out//$'\033'/}" = "$out"

run "$SSWEEP" status s.sweep --json
echo "$out" >j
check 'status --json has its keys' test "$(field j \
    "all(k in x for k in 'sweep directory source created cells withdrawn counts left mean_seconds eta_seconds noted more'.split())")" = True
check 'counts add up' test "$(field j "sum(x['counts'].values())")" = 10
check 'left is what is not finished' test "$(field j "x['left']")" = 6
check 'the running one comes first' test "$(field j "x['noted'][0]['id']")" = \
    "$running"
check 'with its step' test "$(field j "x['noted'][0]['step']")" = 1200

run "$SSWEEP" explain s.sweep "${failed:0:8}"
is 'explain by the beginning of an id' 0 "cell +$failed"
is 'explain: why' 0 'why +CUDA out of memory'
is 'explain: parameters' 0 'x = [0-9]'
is 'explain: the command line' 0 'python train.py --x='
is 'explain: history' 0 'gen 1 +claim by process'
is 'explain: what to type' 0 "type +ssweep retry .*$failed"
run "$SSWEEP" explain s.sweep "$running"
is 'explain of a running one has the evidence' 0 'its owner is alive'
run "$SSWEEP" explain s.sweep 9 --json
echo "$out" >j
check 'explain by index' test "$(field j "(x['index'], x['params'])")" = \
    "(9, {'x': 10})"
check 'the hash is that of sresume' test "$(field j "x['hash']")" = \
    "$("$SRESUME" key "$(field j "x['key']")")"

a_sweep many 120 'retries 0'
for ((i = 0; i < 45; i++)); do
    take many.sweep
    end many.sweep --failed=failed --why="error $i"
done
run "$SSWEEP" status many.sweep
is 'a long list is cut' 0 'and 5 more: --all'
run "$SSWEEP" status many.sweep --all
check '--all is all' test "$(grep -c ' failed: error ' <<<"$out")" = 45

run "$SSWEEP" wait s.sweep --timeout=1
is 'wait says that nobody works on it' 75 'nobody works on it|1 running'
is 'wait gives up: 75' 75 '6 waiting|5 waiting, 1 running'
run "$SSWEEP" status s.sweep --watch=x
is 'an odd interval: 64' 64 'watch=x'

a_sweep w 2
"$SSWEEP" wait w.sweep >wait.out 2>&1 &
pids+=($!)
"$SSWEEP" status w.sweep --watch=1 >watch.out 2>&1 &
pids+=($!)
"$SSWEEP" status w.sweep --watch=1 --json >watch.json 2>&1 &
pids+=($!)
until_true test -s wait.out -a -s watch.out -a -s watch.json
take w.sweep
proof "$cell"
end w.sweep
take w.sweep
until_true grep -q '1 running' wait.out
end w.sweep --accept
for job in "${pids[@]}"; do
    wait "$job"
    check 'wait and --watch end with 0 when all are done' test $? = 0
done
pids=()
check 'wait told of each change' test "$(wc -l <wait.out)" -ge 3
check 'lines of a log have the time' grep -Eq \
    '^[0-9]{4}-[0-9-]+T[0-9:]+Z .*2 done' watch.out
check 'no terminal, no escapes' test -z "$(grep $'\033' watch.out)"
check '--watch --json prints an object a line' python3 -c 'import json
for line in open("watch.json"): json.loads(line)'

run script -qec "TERM=xterm '$SSWEEP' status w.sweep --watch=1" /dev/null
is 'a terminal is drawn anew' 0 $'\033\\[H.*done'
is 'with a bar' 0 '\[#{40}\] 100'
run script -qec "TERM=xterm NO_COLOR=1 '$SSWEEP' status w.sweep" /dev/null
check 'no colours on a terminal with NO_COLOR' \
    test "${out//$'\033'/}" = "$out"

a_sweep u 1 'retries 0'
take u.sweep
end u.sweep
run "$SSWEEP" wait u.sweep -q
is 'wait ends with 1 when not all is done' 1 ''
says 'and says nothing with -q' ''

# A queue file that grows and shrinks while it is looked at.
printf 'a.yaml recon 5\nb.yaml recon\n' >q.txt
"$SSWEEP" create q.txt >/dev/null 2>&1
echo 'c.yaml seg 7' >>q.txt
check 'status sees an appended line' test "$(count q.sweep waiting)" = 3
sed -i 's/^b/# b/' q.txt
run "$SSWEEP" status q.sweep
is 'a line commented out is no cell any more' 0 'cells +2 .1 lines are none'
run "$SSWEEP" explain q.sweep '#1'
is 'explain says so' 0 'state +withdrawn'

# A worker that is no more.
a_sweep lost 1
sleep 600 &
worker=$!
"$SSWEEP" claim lost.sweep --owner-pid=$worker >/dev/null
kill -KILL $worker
wait $worker 2>/dev/null
run "$SSWEEP" status lost.sweep
is 'status says that the worker has ended' 0 'running.*which has ended'
run "$SSWEEP" wait lost.sweep --timeout=1
is 'and so does wait' 75 'running cell has ended.*ssweep run'

finish
