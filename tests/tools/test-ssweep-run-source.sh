#!/bin/bash
# ssweep run FILE: how the file is read, and shards of it.
# shellcheck source-path=SCRIPTDIR source=sweeplib.sh
. "$(dirname -- "$0")/sweeplib.sh"
unset CUDA_VISIBLE_DEVICES

cat >train.sh <<'END'
#!/bin/sh
echo "$*" >>"$LIST"
echo '{"ok": true}' >"$RELAY_RUN_DIR/summary.json"
END
chmod +x train.sh
export LIST=$dir/list

work()
{
    : >"$LIST"
    run timeout 60 "$SSWEEP" run "$@"
}

# --- a queue file: --start-index, --epochs ---------------------------------
cat >queue.txt <<'END'
# two to begin with
a.yaml seg
b.yaml seg 5
c.yaml seg
d.yaml det 50
END
run "$SSWEEP" run queue.txt --start-index=3 --epochs=7 --dry-run -- ./train.sh
is 'a dry run of a file with options' 0 '^c.*c.yaml seg 7'
check 'and no line before' test "$(grep -c train.sh <<<"$out")" = 2
check 'makes nothing' test ! -e queue.sweep
work queue.txt --start-index=3 --epochs=7 -- ./train.sh
is 'run FILE --start-index --epochs' 0 'nothing is left: 2 done'
check 'runs the lines behind, with these epochs' test "$(sort "$LIST")" = \
    'c.yaml seg 7
d.yaml det 50'
work queue.txt -- ./train.sh
is 'the same again needs no options' 0 'nothing is left: 2 done'
work queue.txt --start-index=1 -- ./train.sh
is 'another start is another sweep' 73 \
    'queue.sweep is there, and was made with --start-index=3 and not 1'
work queue.sweep --epochs=9 -- ./train.sh
is 'so are other epochs, of the directory too' 73 '--epochs=7 and not 9'
work queue.sweep --start-index=0 -- ./train.sh
is '0 is a start index' 73 '--start-index=3 and not 0'
run "$SSWEEP" run queue.txt --epochs=9 --dry-run -- ./train.sh
is 'a dry run says so, too' 73 '--epochs=7 and not 9'
work queue.txt --epochs=0 -- ./train.sh
is 'no epochs are a usage error' 64 'epochs=0'
check 'none of these ran anything' test ! -s "$LIST"

# --- a sweep file: --yaml-floats, --strict-wandb ---------------------------
printf '%s\n' 'program: train.py' 'method: grid' 'name: lr' \
    'parameters:' '  lr: {values: [1e-4]}' >lr.yaml
work lr.yaml --yaml-floats -- ./train.sh
is 'run FILE --yaml-floats' 0 'nothing is left: 1 done'
check 'reads a number' test "$(<"$LIST")" = '--lr=0.0001'
work lr.yaml -- ./train.sh
is 'and is not needed again' 0 'nothing is left: 1 done'
work lr.yaml --strict-wandb -- ./train.sh
is '--strict-wandb of one made without is said' 73 'without --strict-wandb'
printf '#RELAY retries 2\n' >>lr.yaml
work lr.yaml -- ./train.sh
is 'a sweep file that was edited since is refused' 73 'lr.yaml was edited'
run "$SSWEEP" run lr.yaml --dry-run -- ./train.sh
is 'by a dry run, too' 73 'lr.yaml was edited'
mv lr.sweep old.sweep
work lr.yaml --strict-wandb -- ./train.sh
is '--strict-wandb refuses #RELAY lines' 65 'lr.yaml:6.*#RELAY'
check 'and makes nothing' test ! -e lr.sweep

# --- a source that is edited -----------------------------------------------
cat >slow.sh <<'END'
#!/bin/sh
touch "$LIST.begun"
for i in $(seq 400); do [ -e "$LIST.go" ] && break; sleep 0.05; done
exec ./train.sh "$@"
END
chmod +x slow.sh
printf '%s\n' 'a.yaml seg' >edit.txt
: >"$LIST"
"$SSWEEP" run edit.txt -- ./slow.sh >edit.log 2>&1 &
worker=$!
until_true test -e "$LIST.begun"
printf '%s\n' '# a.yaml seg' 'b.yaml seg' >edit.txt # its cell runs
run "$SSWEEP" status edit.sweep
is 'a claimed line that is commented out stays a cell' 0 'cells +2'
is 'and status says so' 0 \
    'warning: .*edit.txt:1: this line was commented out, but its cell'
touch "$LIST.go"
wait "$worker"
check 'its worker goes on, and ends well' test $? = 0
check 'with what was appended, too' test "$(cut -d' ' -f1 "$LIST" | sort |
    tr '\n' ' ')" = 'a.yaml b.yaml '
run "$SSWEEP" claim edit.sweep
is 'for claim, too, all is finished' 2 'finished: 2 done'

printf '%s\n' 'a.yaml seg' 'b.yaml seg' >wrong.txt
"$SSWEEP" create wrong.txt >/dev/null 2>&1
printf '%s\n' 'x.yaml seg' 'b.yaml seg' 'c.yaml seg' >wrong.txt
run "$SSWEEP" claim wrong.sweep --owner-pid=$$
check 'claim hands out the known cells of a file that was edited' \
    test "$code" = 0
is 'and says what is wrong' 0 'warning: .*wrong.txt:1: this line is not'
"$SSWEEP" finish wrong.sweep "$(grep -o '"id":"[ab]"' "$dir/.out" |
    cut -d'"' -f4)" --gen=1 --accept >/dev/null
work wrong.sweep -- ./train.sh
is 'run does these, and ends with 65' 65 'wrong.txt:1.*was not run'
is 'which it counts' 65 'nothing is left: 2 done'
run "$SSWEEP" claim wrong.sweep
is 'then claim, too' 65 'wrong.txt:1'

# --- where cells write -----------------------------------------------------
a_sweep else 2
work else.sweep --out-root=there --max-cells=1 -- ./train.sh
is 'run --out-root' 0 "$dir/there/p/else/"
work else.sweep -- ./train.sh
is 'the next worker needs not be told' 0 "$dir/there/p/else/"
run "$SSWEEP" verify else.sweep
is 'nor verify' 0 '2 of 2 cells are good'
a_sweep env 2
RELAY_OUT_ROOT=$dir/other work env.sweep --max-cells=1 -- ./train.sh
is 'RELAY_OUT_ROOT is kept, too' 0 "$dir/other/p/env/"
check 'for explain' grep -q "$dir/other/p/env/" <("$SSWEEP" explain env.sweep 0)
work env.sweep --out-root=there -- ./train.sh
is 'another is obeyed, and said' 0 "are below $dir/other: .*out-root=$dir/there"
run "$SSWEEP" verify env.sweep --out-root=there
is 'an option is stronger than what is kept' 1 '1 of 2 cells are good'

# --- what is no queue ------------------------------------------------------
mkdir -p jobs/one empty
touch jobs/one/JOB.slurm
work jobs -- ./train.sh
is 'job scripts are not run' 66 'jobs is not a sweep: .*submitted, not run'
work empty -- ./train.sh
is 'nor any directory' 66 'empty is not a sweep: it has no sweep.json'

# --- shards ----------------------------------------------------------------
a_sweep halves 5
work halves.sweep --shard-index=1 --shard-count=2 -- ./train.sh
is 'a shard ends when nothing is left in it' 0 \
    'nothing is left in shard 1 of 2; of the whole sweep: 3 waiting, 2 done'
work halves.sweep --shard-index=1 --shard-count=2 -- ./train.sh
is 'and has nothing left' 0 'nothing is left in shard 1 of 2'
work halves.sweep --shard-index=0 --shard-count=2 -- ./train.sh
is 'the other takes the rest' 0 'of the whole sweep: 5 done'

finish
