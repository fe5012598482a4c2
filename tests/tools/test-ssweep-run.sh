#!/bin/bash
# ssweep run and exec: what a cell gets, where it runs, which cells are run.
# shellcheck source-path=SCRIPTDIR source=sweeplib.sh
. "$(dirname -- "$0")/sweeplib.sh"
unset CUDA_VISIBLE_DEVICES WANDB_MODE

# A training that leaves its words, environment and proof.
cat >train.sh <<'END'
#!/bin/bash
printf '%s\n' "$@" >"$RELAY_RUN_DIR/words"
env >"$RELAY_RUN_DIR/env"
pwd >"$RELAY_RUN_DIR/pwd"
echo "hello from $RELAY_CELL_INDEX"
echo "$RELAY_CELL_INDEX $CUDA_VISIBLE_DEVICES" >>"$LIST"
[[ -z $ALONE ]] || { touch "$ALONE/$RELAY_CELL_INDEX"
    for i in $(seq 400); do
        [[ $(ls "$ALONE" | wc -l) -ge $CROWD ]] && break; sleep 0.05; done; }
echo '{"ok": true}' >"$RELAY_RUN_DIR/summary.json"
END
chmod +x train.sh
export LIST=$dir/list ALONE='' CROWD=0
: >"$LIST"

work()
{
    run timeout 60 "$SSWEEP" run "$@"
}

# of INDEX SWEEP FILE: a file in the directory of the cell of that index.
of()
{
    echo "$dir/out/p/$2/$("$SSWEEP" cells --json "$2.sweep" |
        sed -n "$(($1 + 1))p" | sed 's/.*"id": *"\([^"]*\)".*/\1/')/$3"
}

# --- a grid ---------------------------------------------------------------
# shellcheck disable=SC2016 # no shell is to expand it
printf '%s\n' 'program: train.py' 'method: grid' 'project: p' 'name: grid' \
    'parameters:' '  lr: {values: [1.0e-5, 0.5]}' \
    '  tag: {values: ["a b", "it'"'"'s $HOME"]}' >grid.yaml
run "$SSWEEP" run grid.yaml --dry-run
is 'a dry run prints what would run' 0 'python train.py --lr=1e-05'
check 'and makes nothing' test ! -e grid.sweep -a ! -e out
work grid.yaml -- ./train.sh first
is 'run makes the sweep and runs all of it' 0 'nothing is left: 4 done'
check 'each cell ran once' test "$(cut -d' ' -f1 "$LIST" | sort | tr '\n' ' ')" \
    = '0 1 2 3 '
check 'COMMAND, then the arguments, word by word' test \
    "$(<"$(of 1 grid words)")" = "first
--lr=1e-05
--tag=it's \$HOME"
check 'the output is in stdout.log' test "$(<"$(of 1 grid stdout.log)")" = \
    'hello from 1'
work grid.yaml -- ./train.sh
is 'a second run finds nothing left' 0 'nothing is left: 4 done'
check 'and runs nothing' test "$(wc -l <"$LIST")" = 4

# --- what a cell finds ----------------------------------------------------
env_of=$(of 1 grid env)
has()
{
    check "the environment has $1" grep -qE "^$1" "$env_of"
}
has "RELAY_SWEEP=$dir/grid.sweep$"
has 'RELAY_CELL_ID=[0-9a-f]{16}$'
has 'RELAY_CELL_INDEX=1$'
has "RELAY_CELL_ARGS=--lr=1e-05 .*it"
has 'RELAY_CELL_JSON=/.*params.json$'
has "RELAY_RUN_DIR=$dir/out/p/grid/"
has 'RELAY_RESUME_KEY=[a-z]+/p/[0-9a-f]{16}$'
has "RELAY_RESUME_DIR=$root/[0-9a-f]{40}$"
has 'WANDB_RUN_ID=[a-z0-9-]{8,64}$'
has 'WANDB_RESUME=allow$'
has 'WANDB_RUN_GROUP=grid$'
has 'WANDB_PROJECT=p$'
has 'RELAY_SET=.*WANDB_RUN_ID.*RELAY_SET'
check 'no step is promised without a state' \
    sh -c "! grep -q '^RELAY_RESUME_STEP=' '$env_of'"
check 'RELAY_CELL_ARGS is quoted for a shell' test "$(eval "set -- $(sed -n \
    's/^RELAY_CELL_ARGS=//p' "$env_of")"; printf '%s|' "$@")" = \
    "--lr=1e-05|--tag=it's \$HOME|"
check 'RELAY_CELL_JSON holds the parameters' test "$(field "$(of 1 grid \
    .relay/params.json)" "x['lr'] == 1e-5 and x['tag']")" = "it's \$HOME"
if python3 -c 'import yaml' 2>/dev/null; then
    check 'PyYAML reads the parameters of W&B back' python3 - \
        "$(of 1 grid .relay/wandb-params.yaml)" <<'END'
import sys, yaml
x = yaml.safe_load(open(sys.argv[1]))
assert x["wandb_version"] == 1 and x["lr"] == {"value": 1e-5}, x
assert x["tag"] == {"value": "it's $HOME"}, x
END
else
    echo 'skip - PyYAML is not installed'
fi

# --- run_metadata.json ----------------------------------------------------
meta=$(of 1 grid run_metadata.json)
says_meta()
{
    check "run_metadata.json: $1" test "$(field "$meta" "$2")" = True
}
says_meta 'argv as run' "x['argv'] == ['./train.sh', 'first', '--lr=1e-05', \"--tag=it's \$HOME\"]"
says_meta 'parameters, host, times' "x['params']['lr'] == 1e-5 and x['host'] != '' and x['started'] <= x['ended']"
says_meta 'the end' "x['state'] == 'done' and x['exit_status'] == 0"
a_sweep secret 1
WANDB_API_KEY=hush MY_TOKEN=hush RELAY_PASSWORD=hush \
    WANDB_BASE_URL=https://u:hush@x/ work secret.sweep -- ./train.sh
check 'the program has the secrets' grep -q hush "$(of 0 secret env)"
check 'run_metadata.json has none' sh -c \
    "! grep -q hush '$(of 0 secret run_metadata.json)'"

# --- CSV and queue files --------------------------------------------------
printf 'run_id,lr,wandb_log\na-1,0.1,False\na-2,0.2,True\n' >rows.csv
work rows.csv
is 'a CSV needs a COMMAND' 64 'which program'
work rows.csv -- ./train.sh
is 'the rows of a CSV are run' 0 '2 done'
check 'with --k=v, Python literals as such' test \
    "$(grep -c -e '--wandb_log=False' out/a-1/words)" = 1
printf 'run_id\nA_b\na-b\na.long.one.with.dots\n' >ids.csv
RELAY_SET='OUTER WANDB_RUN_ID' work ids.csv -- ./train.sh
check 'ids that are none for W&B become such, and stay different' test \
    "$(sed -n 's/^WANDB_RUN_ID=//p' out/A_b/env out/a-b/env out/a.*/env |
        grep -xE '[a-z0-9-]{8,64}' | sort -u | wc -l)" = 3
check 'RELAY_SET keeps what it named before' grep -q \
    '^RELAY_SET=OUTER WANDB_RUN_ID RELAY_SWEEP' out/A_b/env
printf 'conf/a.yaml seg\n# conf/x.yaml seg\nconf/b.yaml det 5\n' >q.txt
work q.txt -- ./train.sh
is 'the lines of a queue file are run' 0 '2 done'
check 'as cfg, task and epochs' test \
    "$(find out -name words -path '*/b/*' -exec cat {} +)" = 'conf/b.yaml
det
5'
printf 'conf/c.yaml seg 1\n' >>q.txt
work q.txt -- ./train.sh
is 'an appended line is run, the others are not' 0 '3 done'

cat >append.sh <<'END'
#!/bin/bash
[[ $1 != conf/l1.yaml ]] || echo 'conf/l2.yaml seg' >>live.txt
exec ./train.sh "$@"
END
chmod +x append.sh
echo 'conf/l1.yaml seg' >live.txt
work live.txt -- ./append.sh
is 'what is appended while the last cell runs is run' 0 '2 done'

# --- which cells ----------------------------------------------------------
a_sweep some 6
: >"$LIST"
work some.sweep --max-cells=2 -- ./train.sh
is '--max-cells' 0 'max-cells is reached: 4 waiting, 2 done'
a_sweep shard 6
: >"$LIST"
work shard.sweep --shard-index=1 --shard-count=3 -- ./train.sh
check 'a shard is every third cell' test \
    "$(cut -d' ' -f1 "$LIST" | sort | tr '\n' ' ')" = '1 4 '
work shard.sweep --shard-index=0 --shard-count=3 -- ./train.sh
work shard.sweep --shard-index=2 --shard-count=3 -- ./train.sh
check 'the shards together are all, each once' test \
    "$(cut -d' ' -f1 "$LIST" | sort | tr '\n' ' ')" = '0 1 2 3 4 5 '
work shard.sweep --shard-index=3 --shard-count=3 -- ./train.sh
is 'a shard that there is not' 64 'shard-index'

# --- eight at once --------------------------------------------------------
printf '%s\n' 'program: t' 'method: grid' 'project: p' 'name: eight' \
    'parameters: {x: {min: 1, max: 40, distribution: int_uniform}}' \
    >eight.yaml
: >"$LIST"
eight=()
for i in 1 2 3 4 5 6 7 8; do
    timeout 60 "$SSWEEP" run eight.yaml -- ./train.sh >"eight.$i" 2>&1 &
    eight+=($!)
done
bad=0
for i in "${eight[@]}"; do
    wait "$i" || bad=$((bad + 1))
done
check 'eight runs make one sweep' test "$bad" = 0 -a -d eight.sweep
check 'and run each of 40 cells once' test \
    "$(cut -d' ' -f1 "$LIST" | sort -n | uniq | wc -l) $(wc -l <"$LIST")" = \
    '40 40'

# --- GPUs -----------------------------------------------------------------
gpus='0,1,GPU-8f0e6b2a-1c5d,MIG-3c2b-77aa'
a_sweep gpus 4
: >"$LIST"
mkdir crowd
ALONE=$dir/crowd CROWD=4 CUDA_VISIBLE_DEVICES=$gpus work gpus.sweep -- ./train.sh
is 'a slot for each GPU' 0 '4 done'
check 'each with one of its own' test \
    "$(cut -d' ' -f2 "$LIST" | sort | tr '\n' ' ')" = \
    '0 1 GPU-8f0e6b2a-1c5d MIG-3c2b-77aa '
a_sweep gpus2 4
: >"$LIST"
rm -rf crowd; mkdir crowd
ALONE=$dir/crowd CROWD=2 work gpus2.sweep --cuda-devices=5,7 -- ./train.sh
check '--cuda-devices' test \
    "$(cut -d' ' -f2 "$LIST" | sort -u | tr '\n' ' ')" = '5 7 '
a_sweep task 2
: >"$LIST"
SLURM_LOCALID=1 SLURM_NODEID=0 SLURM_STEP_TASKS_PER_NODE='2(x3)' \
    CUDA_VISIBLE_DEVICES=0,1 work task.sweep -- ./train.sh
check 'a task of two has its share' test \
    "$(cut -d' ' -f2 "$LIST" | sort -u)" = 1
CUDA_VISIBLE_DEVICES=0,x work task.sweep -- ./train.sh
is 'what is no device' 64 '"x" is no device'
a_sweep plain 2
rm -rf crowd; mkdir crowd
ALONE=$dir/crowd CROWD=2 work plain.sweep --slots=2 -- ./train.sh
is 'slots without GPUs' 0 '2 done'

# --- W&B, places ----------------------------------------------------------
a_sweep nowandb 1
WANDB_MODE=online work nowandb.sweep --no-wandb --wandb-group=mine \
    --cluster=here --workdir=out --out-root=elsewhere -- "$dir/train.sh"
env_of=$(find elsewhere -name env)
check '--out-root' test -n "$env_of"
check '--no-wandb reaches the program' grep -qx 'WANDB_MODE=disabled' "$env_of"
check '--wandb-group does' grep -qx 'WANDB_RUN_GROUP=mine' "$env_of"
check 'the cluster is a tag' grep -qx 'WANDB_TAGS=here' "$env_of"
check '--workdir' test "$(<"$(find elsewhere -name pwd)")" = "$dir/out"
work nowandb.sweep --workdir=nowhere -- ./train.sh
is 'a working directory that there is not' 66 'nowhere'

# --- exec -----------------------------------------------------------------
run "$SSWEEP" exec -- echo
is 'exec outside of a cell' 64 'RELAY_CELL_ID'
run "$SSWEEP" exec --cell=grid.sweep:#1 -- printf '%s|'
says 'exec adds the arguments exactly' "--lr=1e-05|--tag=it's \$HOME|"
a_sweep inner 1
# shellcheck disable=SC2016 # of the inner shell
work inner.sweep -- sh -c '"$0" exec -- printf "%s|" >"$RELAY_RUN_DIR/x"
    echo "{\"ok\": true}" >"$RELAY_RUN_DIR/summary.json"' "$SSWEEP"
is 'exec inside a cell' 0 '1 done'
check 'has its arguments' test "$(<"$(of 0 inner x)")" = '--x=1|'
finish
