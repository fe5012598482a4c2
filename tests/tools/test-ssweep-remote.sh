#!/bin/bash
# ssweep run ssh://CLUSTER/PATH: the queue is asked by scripts. The cluster is
# this one, which is asked by the same scripts without ssh.
# shellcheck source-path=SCRIPTDIR source=sweeplib.sh
. "$(dirname -- "$0")/sweeplib.sh"
unset CUDA_VISIBLE_DEVICES WANDB_MODE

# What the scripts find: ssweep, whose answers get lost while there is a file
# "lose" that names the request. Where it stands the script dies.
mkdir bin
cat >bin/ssweep <<END
#!/bin/bash
request=\$(cat)
echo "\$request" >>"$dir/requests"
if [[ -s $dir/lose && \$request == *"\\"op\\":\\"\$(<"$dir/lose")\\""* ]]; then
    rm "$dir/lose"
    "$SSWEEP" "\$@" <<<"\$request" >"$dir/lost"
    kill -KILL \$PPID
fi
exec "$SSWEEP" "\$@" <<<"\$request"
END
chmod +x bin/ssweep
export RELAY_TOOLS=$dir/bin XDG_CACHE_HOME=$dir/cache LIST=$dir/list

cat >train.sh <<'END'
#!/bin/bash
echo "$RELAY_CELL_INDEX ${RELAY_RESUME_STEP-fresh}" >>"$LIST"
echo '{"last_checkpoint_step": 7}' >"$RELAY_RUN_DIR/resume_meta.json"
[[ -z $HANG ]] || exec sleep 300
echo '{"ok": true}' >"$RELAY_RUN_DIR/summary.json"
END
chmod +x train.sh
: >"$LIST"

# work SWEEP [OPTION]...: a worker of ssh://here/SWEEP.
work()
{
    local sweep=$1
    shift

    run timeout 120 "$SSWEEP" run "ssh://here$dir/$sweep" --out-root=there \
        "$@" -- "$dir/train.sh"
}

requests()
{
    grep -c "\"op\":\"$1\"" requests
}

# --- cells ----------------------------------------------------------------
a_sweep grid 4
work grid.sweep --slots=2
is 'a worker of another cluster runs all cells' 0 'nothing is left: 4 done'
check 'each once' test "$(sort "$LIST" | xargs)" = \
    '0 fresh 1 fresh 2 fresh 3 fresh'
check 'in directories of that worker' test \
    "$(find there -name summary.json | wc -l)" = 4
check 'the queue at home knows' test "$(count grid.sweep 'done')" = 4
"$SSWEEP" explain grid.sweep '#0' >explained
check 'and who it was' grep -q "gen 1  claim by process" explained
copy=$(dirname "$(find cache -name copy_of)")
check 'the copy of the sweep is in the cache' test -s "$copy/sweep.json"
run "$SSWEEP" run "$copy" -- ./train.sh
is 'a copy has no queue of its own' 64 "copy that a worker made"
work grid.sweep
is 'a second worker finds nothing left' 0 'nothing is left: 4 done'

# --- answers that get lost ------------------------------------------------
for op in claim end; do
    : >"$LIST"
    a_sweep "lost$op" 2
    echo "$op" >lose
    work "lost$op.sweep"
    is "an answer to '$op' gets lost" 0 'nothing is left: 2 done'
    check 'that it was asked for again' test ! -e lose -a -s lost
    check 'each cell ran once' test "$(wc -l <"$LIST")" = 2
    "$SSWEEP" explain "lost$op.sweep" '#0' >explained
    check 'and was claimed once' grep -q '^ *gen 2  done' explained
done

# --- stops ----------------------------------------------------------------
a_sweep stop 1
HANG=1 "$SSWEEP" run "ssh://here$dir/stop.sweep" --out-root=there \
    --grace=1 -- ./train.sh >stop.out 2>&1 &
pids+=($!)
worker=$!
check 'a cell runs' until_true grep -q 'begins' stop.out
check 'the home knows its step' until_true grep -q '"news":true' requests
run "$SSWEEP" cancel stop.sweep '#0'
is 'it is asked to stop' 0 ''
check 'and does' until_true grep -q 'somebody asks for its stop' stop.out
wait "$worker"
check 'it is held back' test "$(count stop.sweep quarantined)" = 1

a_sweep term 1
HANG=1 "$SSWEEP" run "ssh://here$dir/term.sweep" --out-root=there \
    --grace=1 -- ./train.sh >term.out 2>&1 &
pids+=($!)
worker=$!
check 'a cell runs' until_true grep -q 'begins' term.out
kill -TERM "$worker"
wait "$worker"
check 'a worker that is ended says so' test $? = 143
check 'and gives its cell back' test "$(count term.sweep partial)" = 1
: >"$LIST"
work term.sweep
check 'it goes on from its step' grep -qx '0 7' "$LIST"

# --- a worker that is killed ----------------------------------------------
a_sweep killed 1
HANG=1 "$SSWEEP" run "ssh://here$dir/killed.sweep" --out-root=there \
    -- ./train.sh >killed.out 2>&1 &
pids+=($!)
worker=$!
check 'a cell runs' until_true grep -q 'begins' killed.out
kill -KILL "$worker"
wait "$worker" 2>/dev/null
work killed.sweep
is 'its cell goes to the next worker' 0 'nothing is left: 1 done'

# --- growth ---------------------------------------------------------------
printf '#RELAY done exit0\nx\n1\n2\n' >rows.csv
"$SSWEEP" create rows.csv >/dev/null
: >"$LIST"
work rows.sweep
is 'the rows of a file' 0 'nothing is left: 2 done'
printf '3\n' >>rows.csv
work rows.sweep
is 'and one that was appended at home' 0 'nothing is left: 3 done'
check 'it ran' grep -q '^2 ' "$LIST"
printf '#RELAY done exit0\nx\n1\n5\n3\n' >rows.csv
work rows.sweep
is 'a row that was changed at home is refused' 65 'rows.csv:4'

# --- what is refused ------------------------------------------------------
work nowhere.sweep
is 'no sweep there' 66 'cannot find the sweep'
a_sweep where 1
run "$SSWEEP" run "ssh://here$dir/where.sweep" -- ./train.sh
is 'nobody says where cells are' 78 'out-root=DIR'
run "$SSWEEP" run ssh://here -- ./train.sh
is 'no path' 64 'ssh://CLUSTER/PATH'
run "$SSWEEP" run "ssh://there/x.sweep" --out-root=there -- ./train.sh
is 'a cluster that is not to be reached' 78 'reach: none'
run "$SSWEEP" run "ssh://here$dir/grid.sweep" --dry-run
is 'a dry run looks at sweeps of this cluster' 64 'type it where'
if ! (PATH=/usr/local/bin:/usr/bin:/bin && command -v ssweep) >/dev/null; then
    mkdir empty
    RELAY_TOOLS=$dir/empty work grid.sweep
    is 'no ssweep there' 69 'there is no ssweep there'
fi
for request in '' '{}' '{"format":1,"op":"dance"}' \
    '{"format":1,"op":"claim","nonce":"x"}' \
    '{"format":1,"op":"end","claim":{"index":-1}}'; do
    "$SSWEEP" serve grid.sweep <<<"$request" >answer
    check "an odd request is answered: $request" grep -q '"error"' answer
done
finish
