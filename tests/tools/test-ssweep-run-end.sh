#!/bin/bash
# ssweep run: how cells and workers end, and what is done with what is left.
# shellcheck source-path=SCRIPTDIR source=sweeplib.sh
. "$(dirname -- "$0")/sweeplib.sh"
unset CUDA_VISIBLE_DEVICES WANDB_MODE

work()
{
    run timeout 60 "$SSWEEP" run "$@"
}

# begin SWEEP ARGUMENT...: a run in the background; its pid is in $worker.
begin()
{
    "$SSWEEP" run "$@" >"$dir/worker.log" 2>&1 </dev/null &
    worker=$!
    pids+=("$worker")
}

# ended: the exit code of that run, when it ends.
ended()
{
    code=0
    wait "$worker" || code=$?
    out=$(<"$dir/worker.log") err=''
}

# shellcheck disable=SC2317 # until_true calls it
gone()
{
    ! kill -0 "$1" 2>/dev/null
}

# program NAME: makes NAME.sh of standard input.
program()
{
    { echo '#!/bin/bash'; cat; } >"$1.sh"
    chmod +x "$1.sh"
}

program good <<'END'
echo "run $RELAY_RESUME_STEP"
echo '{"ok": true}' >"$RELAY_RUN_DIR/summary.json"
END
# Leaves a checkpoint; then it runs until it is told to end.
program long <<'END'
trap 'echo told; echo "{\"last_step\": 8}" >"$RELAY_RUN_DIR/resume_meta.json"
    exit 143' TERM
trap 'echo warned; echo "{\"last_step\": 9}" >"$RELAY_RUN_DIR/resume_meta.json"
    exit 0' USR1
echo "{\"last_step\": 7}" >"$RELAY_RUN_DIR/resume_meta.json"
sleep 1000 &
echo $! >grandchild
echo $$ >child
while :; do wait; done
END

# --- signals --------------------------------------------------------------
a_sweep term 2
begin term.sweep -- ./long.sh
check 'a cell runs' until_true test -s child
kill -TERM "$worker"
ended
is 'TERM ends the run as usual' 143 'given back'
check 'the program was told' grep -q told out/p/term/*/stdout.log
check 'and is gone, with all its children' gone "$(<child)"
check 'a child that it forgot, too' until_true gone "$(<grandchild)"
check 'the cell is given back' test "$(count term.sweep partial)" = 1
check 'it cost nothing' test "$("$SSWEEP" status term.sweep --json |
    grep -c '"failures": *[1-9]')" = 0
check 'the last step is known' grep -q '"step": *8' \
    <("$SSWEEP" explain term.sweep "$(basename out/p/term/*)" --json)
work term.sweep --max-cells=1 -- ./good.sh
is 'the next run resumes it first' 0 'resumes at step 8'
check 'and says so to the program' grep -qx 'run 8' out/p/term/*/stdout.log
check 'stdout.log is appended to' grep -q told out/p/term/*/stdout.log

program deaf <<'END'
trap '' TERM
touch "$RELAY_RUN_DIR/here"
echo $$ >child
while :; do sleep 0.1; done
END
rm -f child
a_sweep deaf 1
begin deaf.sweep --grace=1 -- ./deaf.sh
check 'a deaf one runs' until_true test -s child
kill -INT "$worker"
ended
is 'what does not end is killed' 130 'given back: 1 waiting|1 waiting'
check 'it is gone' gone "$(<child)"

rm -f child
a_sweep hup 1
trap '' HUP
begin hup.sweep --grace=1 -- ./deaf.sh
trap - HUP
until_true test -s child
kill -HUP "$worker"
check 'under nohup a HUP is nothing' kill -0 "$(<child)"
kill -TERM "$worker"
ended
is 'but a TERM is' 143 'signal 15'

rm -f child
a_sweep kill9 2
begin kill9.sweep -- ./long.sh
until_true test -s child
kill -KILL "$worker"
wait "$worker" 2>/dev/null
check 'kill -9 of the run leaves no child' until_true gone "$(<child)"
check 'nor a grandchild' until_true gone "$(<grandchild)"
work kill9.sweep -- ./good.sh
is 'another run takes the cell over, and does the rest' 0 '2 done'
check 'from its checkpoint' grep -rqx 'run 7' out/p/kill9

rm -f child
a_sweep usr1 3
begin usr1.sweep -- ./long.sh
until_true test -s child
kill -USR1 "$worker"
ended
is 'after USR1 a program may leave: 75' 75 'is partial.*step 9'
check 'it was passed on' grep -q warned out/p/usr1/*/stdout.log

rm -f child
a_sweep cancel 2
program first <<'END'
[[ -e once ]] && exec ./good.sh
touch once
exec ./long.sh
END
begin cancel.sweep -- ./first.sh
until_true test -s child
"$SSWEEP" cancel cancel.sweep "$(basename out/p/cancel/*)" >/dev/null
ended
is 'a cancelled cell is stopped, the others are run' 0 \
    '1 done, 1 quarantined'

# --- verdicts -------------------------------------------------------------
program buried <<'END'
echo 'epoch 1'
echo 'Traceback (most recent call last):'
echo '  File "train.py", line 3, in <module>'
echo 'ValueError: shapes differ'
echo 'shutting down'
END
a_sweep buried 1 'done summary.json json ok == true' 'retries 0'
work buried.sweep -- ./buried.sh
is 'exit 0 with its error buried in the log fails, and says why' 0 \
    'failed.*ok == true.*ValueError: shapes differ'
a_sweep none 1 'seed 1' 2>/dev/null
work none.sweep -- ./buried.sh
is 'without a contract it is unproven' 0 'unproven.*ValueError: shapes'
work none.sweep -- ./good.sh
is 'and not run again by itself' 0 'nothing is left: 1 unproven'
program refuted <<'END'
echo '{"ok": false}' >"$RELAY_RUN_DIR/summary.json"
END
a_sweep refuted 1
work refuted.sweep -- ./refuted.sh
is 'ok that is not true waits for a person' 0 'quarantined.*ok is not true'
work refuted.sweep -- ./good.sh
is 'it is not run again by itself' 0 '1 quarantined'
"$SSWEEP" retry refuted.sweep --quarantined >/dev/null
work refuted.sweep -- ./good.sh
is 'but on a word' 0 '1 done'
check 'the old summary is kept' grep -q false out/p/refuted/*/summary.json.bak-*

a_sweep before 2
ids=$("$SSWEEP" cells --json before.sweep | sed 's/.*"id": *"\([^"]*\)".*/\1/')
mkdir -p out/p/before/"${ids%%$'\n'*}" out/p/before/"${ids##*$'\n'}"
echo '{"ok": true}' >out/p/before/"${ids%%$'\n'*}"/summary.json
echo '{"ok": false}' >out/p/before/"${ids##*$'\n'}"/summary.json
work before.sweep -- ./good.sh
is 'what was there before counts' 0 '1 done, 1 quarantined'
check 'nothing was run' test -z "$(find out/p/before -name stdout.log)"

run "$SSWEEP" create before.yaml -o again.sweep
work again.sweep -- ./good.sh
is 'and what another sweep of the same did' 0 '1 done, 1 quarantined'
a_sweep force 1
work force.sweep -- ./good.sh
"$SSWEEP" retry --force force.sweep '#0' >/dev/null 2>&1
work force.sweep -- ./good.sh
is 'a done cell that is forced is run again' 0 'begins anew.*1 done'
check 'its log and summary are kept' test "$(find out/p/force -name \
    'stdout.log.bak-*' -o -name 'summary.json.bak-*' | wc -l)" = 2
check 'to W&B it is another run' grep -q 'RUN_ID": ".*-r2"' \
    out/p/force/*/run_metadata.json

# --- failures -------------------------------------------------------------
program bad <<'END'
echo "ModuleNotFoundError: No module named 'torch'" >&2
exit 1
END
a_sweep bad 20 'done exit0' 'retries 0'
work bad.sweep -- ./bad.sh
is 'three failed first minutes stop it: 70' 70 \
    "three times in a row.*No module named 'torch'"
check 'after three cells' test "$(count bad.sweep failed)" = 3
a_sweep missing 5 'done exit0' 'retries 0'
work missing.sweep -- ./nowhere.sh
is 'a program that is not there is such a failure' 70 'No such file'
program one <<'END'
[[ $RELAY_CELL_INDEX == 0 ]] && exit 1
exit 0
END
a_sweep one 4 'done exit0' 'retries 3'
work one.sweep -- ./one.sh
is 'one bad cell does not' 0 '3 done, 1 failed'

touch file
a_sweep nodir 2
work nodir.sweep --out-root=file -- ./good.sh
is 'a cell whose directory cannot be made ends it' 73 'file/.*: Not a directory'
check 'and is given back' test "$(count nodir.sweep waiting)" = 2

program back <<'END'
echo '{"last_step": 2}' >"$RELAY_RUN_DIR/resume_meta.json"
until grep -q 'went back from step 8 to 2' worker.log; do sleep 0.1; done
echo '{"ok": true}' >"$RELAY_RUN_DIR/summary.json"
END
a_sweep back 1
mkdir -p "out/p/back/$("$SSWEEP" cells --json back.sweep |
    sed 's/.*"id": *"\([^"]*\)".*/\1/')"
echo '{"last_step": 8}' >"$(echo out/p/back/*)/resume_meta.json"
begin back.sweep -- ./back.sh
ended
is 'a program that does not resume is told of' 0 'went back from step 8 to 2'

program suicide <<'END'
kill -TERM $$
END
a_sweep suicide 1 'done exit0' 'retries 1'
work suicide.sweep -- ./suicide.sh
is 'a program that ends itself by TERM is not begun for ever' 0 '1 failed'

# --- time -----------------------------------------------------------------
a_sweep time 2
SLURM_JOB_ID=1 SLURM_JOB_END_TIME=$(($(date +%s) + 100)) \
    work time.sweep --min-time=500 -- ./good.sh
is 'too little time for a cell: 75' 75 'time left is too short.*2 waiting'
SLURM_JOB_ID=1 SLURM_JOB_END_TIME=$(($(date +%s) + 5000)) \
    work time.sweep --min-time=500 -- ./good.sh
is 'enough' 0 '2 done'
SLURM_JOB_ID=1 SLURM_JOB_END_TIME=$(($(date +%s) + 100)) \
    work time.sweep --min-time=500 -- ./good.sh
is 'too little time for nothing is nothing left' 0 'nothing is left: 2 done'

rm -f child
a_sweep learnt 2
begin learnt.sweep -- ./long.sh
until_true test -s child
kill -TERM "$worker"
ended
sed -i 's/\("first_checkpoint_seconds": *\)[0-9]*/\1500/' \
    out/p/learnt/*/run_metadata.json
SLURM_JOB_ID=1 SLURM_JOB_END_TIME=$(($(date +%s) + 200)) \
    work learnt.sweep -- ./good.sh
is 'no cell is begun that does not reach a checkpoint' 75 '1 waiting, 1 done'

# --- git ------------------------------------------------------------------
git() { command git -c user.name=a -c user.email=a@b -c init.defaultBranch=main "$@"; }
git init -q upstream && git -C upstream commit -q --allow-empty -m one
git clone -q upstream checkout
a_sweep git 2
work git.sweep --workdir=checkout --max-cells=1 -- "$dir/good.sh"
is 'a checkout that is up to date runs' 0 '1 done'
meta=$(find out/p/git -name run_metadata.json)
commit=$(git -C checkout rev-parse HEAD)
check 'its commit is in run_metadata.json' test \
    "$(field "$meta" "x['git']['commit']")" = "${commit:-none}"
git -C upstream commit -q --allow-empty -m two
work git.sweep --workdir=checkout -- "$dir/good.sh"
is 'one that is behind is refused: 78' 78 'behind origin/.*--allow-behind'
git -C checkout fetch -q
work git.sweep --workdir=checkout -- "$dir/good.sh"
is 'also when it knows, and by how much' 78 'by 1 commit'
work git.sweep --workdir=checkout --allow-behind -- "$dir/good.sh"
is '--allow-behind' 0 '2 done'

# --- W&B, buffered --------------------------------------------------------
mkdir bin
cat >bin/wandb <<'END'
#!/bin/bash
echo "$@" >>"$SENT"
END
chmod +x bin/wandb
export SENT=$dir/sent
program logs <<'END'
[[ $WANDB_MODE == offline ]] || exit 3
mkdir -p "$WANDB_DIR/wandb/offline-run-1-$WANDB_RUN_ID"
n=$(ls "$RELAY_RUN_DIR/wandb" "$RELAY_RUN_DIR/wandb/aside" 2>/dev/null |
    grep -c attempt)
case $n in
    1) kill -TERM $$ ;; # before a checkpoint
    2) echo '{"last_step": 5}' >"$RELAY_RUN_DIR/resume_meta.json"
       kill -TERM $$ ;;
esac
echo '{"ok": true}' >"$RELAY_RUN_DIR/summary.json"
END
a_sweep buffer 1
PATH=$dir/bin:$PATH work buffer.sweep --wandb-buffer -- ./logs.sh
is 'buffered attempts' 0 '1 done'
cell=$(echo out/p/buffer/*)
check 'one that reached no checkpoint is kept aside' \
    test -d "$cell/wandb/aside/attempt-1"
check 'and never sent' sh -c "! grep -q attempt-1/ '$SENT'"
check 'the others are, in order' test "$(grep -o 'attempt-[0-9]*' "$SENT" |
    uniq | tr '\n' ' ')" = 'attempt-2 attempt-3 '
program live <<'END'
mkdir -p "$WANDB_DIR/wandb/offline-run-1-$WANDB_RUN_ID"
echo '{"last_step": 5}' >"$RELAY_RUN_DIR/resume_meta.json"
for i in $(seq 400); do
    grep -q -e --no-mark-synced "$SENT" && break; sleep 0.05
done
echo '{"ok": true}' >"$RELAY_RUN_DIR/summary.json"
END
: >"$SENT"
a_sweep live 1
PATH=$dir/bin:$PATH work live.sweep --wandb-buffer -- ./live.sh
check 'at a checkpoint what there is is sent, and all of it at the end' test \
    "$(sed 's/ [^ ]*offline.*//' "$SENT" | tr '\n' '|')" = \
    'sync --no-mark-synced|sync|'
program own <<'END'
mkdir -p "$WANDB_DIR/wandb/run-20260101_000000-mine"
echo '{"ok": true}' >"$RELAY_RUN_DIR/summary.json"
END
a_sweep own 1
work own.sweep -- ./own.sh
is 'a program with a W&B id of its own is told of' 0 'W&B run mine itself'
a_sweep kept 1
work kept.sweep --wandb-buffer -- ./logs.sh
is 'without the program it is kept, and said' 0 'no program wandb'
finish
