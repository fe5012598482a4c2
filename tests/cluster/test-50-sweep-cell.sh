# shellcheck shell=bash
# shellcheck disable=SC2016 # what the jobs expand
# --sweep-cell: jobs that run the cells of a sweep, each cell once.

# sweep CLUSTER CELLS [LINE...]: a sweep of that many cells, made where the
# checkpoints are; prints its path. LINEs go into the source.
sweep()
{
    local cluster=$1 cells=$2 dir
    shift 2
    dir=$(scratch_of "$cluster")/ckpt

    {
        echo "name: $NAME"
        echo 'entity: lab'
        echo 'project: robots'
        echo 'method: grid'
        (($# == 0)) || printf '%s\n' "$@"
        echo 'parameters:'
        echo '  width: {values: [8, 16]}'
        echo "  seed: {values: [$(seq -s, 1 $((cells / 2)))]}"
    } | on "$cluster" tee "$dir/$NAME.yaml" >/dev/null
    on "$cluster" ssweep create "$dir/$NAME.yaml" -o "$dir/$NAME.sweep"
    cell_script "$cluster"
}

# cell.sh trains the cell that it is given; $STEPS steps (default 60).
cell_script()
{
    on "$1" tee cell.sh >/dev/null <<'SCRIPT'
#!/bin/bash
echo "body $RELAY_CELL_INDEX $RELAY_CELL_ID at ${RELAY_RESUME_STEP-none}"
echo "args $RELAY_CELL_ARGS"
exec python3 -u train.py --entity lab --project robots \
    --run-name "$RELAY_CELL_ID" --resume-root "${RELAY_RESUME_DIR%/*}" \
    --run-root "${RELAY_RESUME_DIR%/_resume/*}" --steps "${STEPS:-60}" \
    --checkpoint-every 20 --step-time 0.02
SCRIPT
}

# cell_of SWEEP_PATH INDEX CLUSTER: its id.
cell_of()
{
    on "$3" ssweep cells --json "$1" |
        /usr/bin/python3 -c '
import json, sys
for line in sys.stdin:
    cell = json.loads(line)
    if cell["index"] == int(sys.argv[1]):
        print(cell["id"])
' "$2"
}

# counts CLUSTER SWEEP STATE: how many cells are in it.
counts()
{
    on "$1" ssweep status --json "$2" |
        /usr/bin/python3 -c '
import json, sys
print(json.load(sys.stdin)["counts"][sys.argv[1]])' "$3"
}

counts_are()
{
    [[ $(counts "$1" "$2" "$3") == "$4" ]]
}

# wait_counts CLUSTER SWEEP STATE NUMBER [SECONDS]
wait_counts()
{
    wait_for "${5:-30}" "$4 $3 cells" counts_are "$@" && return
    on "$1" ssweep status "$2" >&2
    return 1
}

# explain_has CLUSTER SWEEP CELL REGEX
explain_has()
{
    on "$1" ssweep explain "$2" "$3" | grep -q -e "$4" ||
        fail "ssweep explain: $(on "$1" ssweep explain "$2" "$3")"
}

# bodies CLUSTER PREFIX: "index id" of every body that ran, from the outputs.
bodies()
{
    sed -n 's/^body \([0-9]* [^ ]*\) .*/\1/p' "$(home_of "$1")"/"$2"*.out
}

test_array_runs_each_cell_once()
{
    local sweep array out

    sweep=$(sweep iris 4)
    array=$(submit iris --array=0-4 --sweep-cell="$sweep" \
        --output=array-%a.out cell.sh)
    wait_counts iris "$sweep" 'done' 4 120
    for task in 0 1 2 3 4; do
        wait_state iris "${array}_$task" COMPLETED 60
    done
    out=$(bodies iris array- | sort)
    equal "$(wc -l <<<"$out")" 4 'the number of bodies'
    equal "$(cut -d ' ' -f 1 <<<"$out" | sort -u | xargs)" '0 1 2 3' \
        'the cells that ran'
    # One task found nothing and says so.
    out=$(grep -l '^body' "$(home_of iris)"/array-*.out | wc -l)
    equal "$out" 4 'the tasks that ran a body'
    out=$(grep -h "^relay: sweep $NAME has no cell for this job" \
        "$(home_of iris)"/array-*.out)
    [[ $out == *'surplus'* ]] || fail "no task is surplus: $out"
    nodes_are_up iris || fail "$(node_states iris)"
}

test_many_tasks_at_once()
{
    local sweep array ran

    sweep=$(sweep iris 40 '#RELAY done ran.txt nonempty')
    array=$(submit iris --array=0-47 --sweep-cell="$sweep" \
        --output=array-%a.out --wrap 'echo body $RELAY_CELL_ID at
            echo "$SLURM_ARRAY_TASK_ID" >>"$RELAY_RUN_DIR/ran.txt"')
    wait_counts iris "$sweep" 'done' 40 120
    wait_for 60 'the array to end' no_jobs iris
    wait_for 30 'sacct to know the ends' sacct_counts iris "$array" \
        '48 COMPLETED' || true # what it says instead is told below
    equal "$(sacct_ends iris "$array")" '48 COMPLETED' 'the ends of its tasks'
    ran=$(cat "$(scratch_of iris)/ckpt/out/robots/$NAME"/*/ran.txt | wc -l)
    equal "$ran" 40 'the bodies that ran'
    equal "$(grep -l 'is surplus and ends' "$(home_of iris)"/array-*.out |
        wc -l)" 8 'the surplus'
}

# sacct_ends CLUSTER ARRAY: how its tasks ended, such as "48 COMPLETED".
sacct_ends()
{
    as_root "$1" sacct -X -n -P -j "$2" -o State | sort | uniq -c | xargs
}

sacct_counts()
{
    [[ $(sacct_ends "$1" "$2") == "$3" ]]
}

# What was appended to a queue file is a cell like any.
test_cells_that_were_appended()
{
    local dir sweep job

    dir=$(scratch_of iris)/ckpt
    sweep=$dir/$NAME.sweep
    printf '%s\n' '#RELAY done ran.txt nonempty' 'one.yaml train' |
        on iris tee "$dir/$NAME.txt" >/dev/null
    on iris ssweep create "$dir/$NAME.txt" -o "$sweep" >/dev/null
    on iris tee queue.sh >/dev/null <<'SCRIPT'
#!/bin/bash
echo "body $RELAY_CELL_ID"
ssweep exec -- echo >"$RELAY_RUN_DIR/ran.txt"
SCRIPT
    job=$(submit iris --sweep-cell="$sweep" queue.sh)
    expect_exit iris "$job" 0
    expect_output iris "$job" '^body one$'
    wait_counts iris "$sweep" 'done' 1
    echo 'two.yaml train 5' | on iris tee -a "$dir/$NAME.txt" >/dev/null
    job=$(submit iris --sweep-cell="$sweep" queue.sh)
    expect_exit iris "$job" 0
    expect_output iris "$job" '^body two$'
    wait_counts iris "$sweep" 'done' 2
}

test_named_cells()
{
    local sweep id one two three

    sweep=$(sweep iris 4)
    id=$(cell_of "$sweep" 2 iris)
    one=$(submit iris --sweep-cell="$sweep:$id" cell.sh)
    two=$(submit iris --sweep-cell="$sweep:#3" cell.sh)
    # Relative to the job's directory, as every path.
    three=$(submit iris --chdir=checkpoints --sweep-cell="$NAME.sweep:#0" \
        --output=three.out --wrap 'echo "body $RELAY_CELL_INDEX"; exit 3')
    expect_exit iris "$one" 0
    expect_output iris "$one" "^body 2 $id at none"
    expect_output iris "$one" '^args --seed=2 --width=8$'
    expect_exit iris "$two" 0
    expect_output iris "$two" '^body 3 '
    expect_exit iris "$three" 3
    on iris ssweep logs "$sweep" 3 | grep -q '^body 3 ' ||
        fail 'ssweep logs does not find the output of the job'
    wait_counts iris "$sweep" 'done' 2
    # Named by what a job may be told, it is what the state is kept under.
    equal "$(meta iris "lab/robots/$id" completed)" True 'completed'
}

test_cell_of_the_array_task()
{
    local sweep array

    sweep=$(sweep iris 4)
    array=$(submit iris --array=1,3,7 --sweep-cell="$sweep:%a" \
        --output=array-%a.out cell.sh)
    wait_counts iris "$sweep" 'done' 2 90
    for task in 1 3 7; do
        wait_state iris "${array}_$task" COMPLETED 60
    done
    equal "$(bodies iris array- | cut -d ' ' -f 1 | sort | xargs)" '1 3' \
        'the cells that ran'
    grep -q "^relay: .*there is none for array task 7, which is surplus" \
        "$(home_of iris)/array-7.out" ||
        fail "$(<"$(home_of iris)/array-7.out")"
}

test_refused_at_submission()
{
    local sweep job

    sweep=$(sweep iris 2)
    refused 64 'nothing.sweep' \
        on iris sbatch --sweep-cell=nothing.sweep cell.sh
    refused 64 'cell' on iris sbatch --sweep-cell="$sweep:0123456789abcdef" \
        cell.sh
    refused 64 'exclude each other' on iris sbatch --sweep-cell="$sweep" \
        --resume-key="$KEY" cell.sh
    refused 64 'needs one cell' on iris sbatch --sweep-cell="$sweep" \
        --handoff-from=sherlock cell.sh
    refused 78 'mars' on iris sbatch --array=0-1 --sweep-cell="$sweep:%a" \
        --handoff-from=mars cell.sh
    refused 64 '%j' on iris sbatch --sweep-cell="$sweep:%j" cell.sh
    job=$(submit iris --sweep-cell="$sweep:#1" cell.sh)
    expect_exit iris "$job" 0
    wait_counts iris "$sweep" 'done' 1
    refused 65 'is done; to run it again: ssweep retry' \
        on iris sbatch --sweep-cell="$sweep:#1" cell.sh
    # What is left is said, on stderr alone.
    [[ $(on iris sbatch --hold --sweep-cell="$sweep" cell.sh 2>&1 >/dev/null) \
        == "relay: sweep $NAME: 1 cell waits, 0 run, 1 of 2 is done" ]] ||
        fail 'the line at submission'
    cancel_all iris
    job=$(submit iris --sweep-cell="$sweep" cell.sh)
    expect_exit iris "$job" 0
    wait_counts iris "$sweep" 'done' 2
    refused 65 'has nothing left to run' \
        on iris sbatch --sweep-cell="$sweep" cell.sh
}

test_one_cell_for_two_jobs()
{
    local sweep one two

    sweep=$(sweep iris 2)
    one=$(submit iris STEPS=100000 --sweep-cell="$sweep:#0" cell.sh)
    wait_output iris "$one" '^step: ' 30
    refused 77 "runs already.*job $one " \
        on iris sbatch --sweep-cell="$sweep:#0" cell.sh
    # In the job it is refused as well.
    plugin_line iris optional submit_check=no
    two=$(submit iris --sweep-cell="$sweep:#0" cell.sh)
    expect_exit iris "$two" 77 30
    expect_output iris "$two" "^relay: .*job $one of "
    expect_no_body iris "$two"
    job_is iris "$one" RUNNING || fail "it is $(job_state iris "$one")"
    equal "$(counts iris "$sweep" running)" 1 'running cells'
}

test_cancelled_cell_is_resumed_by_the_next_job()
{
    local sweep one two id step

    sweep=$(sweep iris 2)
    one=$(submit iris STEPS=100000 --sweep-cell="$sweep" cell.sh)
    wait_output iris "$one" '^step: 60/' 60
    id=$(job_output iris "$one" | sed -n 's/^body [0-9]* \([^ ]*\) .*/\1/p')
    on iris scancel "$one"
    wait_counts iris "$sweep" partial 1 30
    explain_has iris "$sweep" "$id" unresolved
    step=$(step_of iris "lab/robots/$id")
    ((step >= 40)) || fail "the checkpoint is at $step"
    # Cells that were begun come first.
    two=$(submit iris STEPS=$((step + 100)) --sweep-cell="$sweep" cell.sh)
    wait_output iris "$two" "^body [0-9]* $id at $step" 60
    expect_output iris "$two" "^relay: lab/robots/$id .* resumes at step $step"
    expect_exit iris "$two" 0
    wait_counts iris "$sweep" 'done' 1
    equal "$(counts iris "$sweep" failed)" 0 'failed cells'
}

test_failed_bodies_are_counted()
{
    local sweep one

    sweep=$(sweep iris 2 '#RELAY retries 1')
    one=$(submit iris --sweep-cell="$sweep:#1" \
        --wrap 'echo body; echo "ValueError: no data"; exit 3')
    expect_exit iris "$one" 3
    wait_counts iris "$sweep" waiting 2
    explain_has iris "$sweep" '#1' 'ValueError: no data'
    one=$(submit iris --sweep-cell="$sweep:#1" \
        --wrap 'echo body; echo "KeyError: other"; exit 3')
    expect_exit iris "$one" 3
    wait_counts iris "$sweep" failed 1
    refused 65 'is failed' on iris sbatch --sweep-cell="$sweep:#1" cell.sh
}

test_exit_0_without_proof_is_unproven()
{
    local sweep job

    sweep=$(sweep iris 2)
    job=$(submit iris --sweep-cell="$sweep:#0" --wrap 'echo body')
    expect_exit iris "$job" 0
    wait_counts iris "$sweep" unproven 1
    # It was its own end: it stays so.
    wait_for 20 'sacct to know the end' sacct_says iris "$job" COMPLETED
    job=$(submit iris --sweep-cell="$sweep:#1" --wrap 'echo body')
    expect_exit iris "$job" 0
    wait_counts iris "$sweep" unproven 2
    refused 65 'is unproven' on iris sbatch --sweep-cell="$sweep:#0" cell.sh
    # Where the source says what is done, that counts.
    rm -rf "$sweep"
    sweep=$(sweep iris 2 '#RELAY done result.txt nonempty')
    job=$(submit iris --sweep-cell="$sweep:#0" \
        --wrap 'echo body; echo 1 >"$RELAY_RUN_DIR/result.txt"')
    expect_exit iris "$job" 0
    wait_counts iris "$sweep" 'done' 1
}

test_environment_of_a_cell()
{
    local sweep id out job nested

    sweep=$(sweep iris 2)
    id=$(cell_of "$sweep" 1 iris)
    on iris tee env.sh >/dev/null <<'SCRIPT'
#!/bin/bash
echo body
env | grep -E '^(RELAY|WANDB)_' | sort
cat "$RELAY_CELL_JSON"
touch "$RELAY_RUN_DIR/here"
ssweep exec -- printf 'word %s\n'
echo "nested $(sbatch --parsable --wrap 'env | grep -E "^(RELAY|WANDB)_"; echo nothing else')"
exec srun -N1 -n1 sh -c 'echo "step $RELAY_CELL_ID"'
SCRIPT
    # As inside of an agent's run, where wandb.init would drop our identity.
    job=$(submit iris WANDB_SWEEP_ID=theirs WANDB_PROJECT=robots \
        --sweep-cell="$sweep:$id" --export=ALL env.sh)
    expect_exit iris "$job" 0
    out=$(job_output iris "$job")
    # No W&B id has an underscore.
    for line in "RELAY_SWEEP=$sweep" "RELAY_CELL_ID=$id" RELAY_CELL_INDEX=1 \
        "RELAY_CELL_ARGS=--seed=1 --width=16" \
        "RELAY_RESUME_KEY=lab/robots/$id" "WANDB_RUN_ID=${id//_/-}" \
        WANDB_RESUME=allow "WANDB_RUN_GROUP=$NAME" WANDB_ENTITY=lab \
        "step $id" '{"seed": 1, "width": 16}' 'word --width=16'; do
        grep -qFx -e "$line" <<<"$out" || fail "no line '$line' in: $out"
    done
    [[ $out != *WANDB_SWEEP_ID* ]] || fail "WANDB_SWEEP_ID is set: $out"
    [[ -e $(sed -n 's/^RELAY_RUN_DIR=//p' <<<"$out")/here ]] ||
        fail 'RELAY_RUN_DIR'
    nested=$(sed -n 's/^nested //p' <<<"$out")
    expect_exit iris "$nested" 0
    equal "$(job_output iris "$nested")" 'nothing else' 'the nested environment'
    on iris rm env.sh
}

test_without_the_user_s_environment()
{
    local sweep job

    sweep=$(sweep iris 2)
    job=$(submit iris --export=NONE --sweep-cell="$sweep:#1" --wrap \
        'echo "body $RELAY_CELL_INDEX"; exit 3')
    expect_exit iris "$job" 3
    expect_output iris "$job" '^body 1$'
    job=$(submit iris SBATCH_SWEEP_CELL="$sweep:#0" --wrap \
        'echo "body $RELAY_CELL_INDEX"; exit 3')
    expect_exit iris "$job" 3
    expect_output iris "$job" '^body 0$'
}

test_requeued_job_keeps_its_cell()
{
    local sweep job id

    sweep=$(sweep iris 8)
    job=$(submit iris STEPS=100000 --requeue --open-mode=append \
        --sweep-cell="$sweep" cell.sh)
    wait_output iris "$job" '^step: 60/' 60
    id=$(job_output iris "$job" | sed -n 's/^body [0-9]* \([^ ]*\) .*/\1/p')
    on iris scontrol requeue "$job"
    wait_output iris "$job" "^body [0-9]* $id at [4-9][0-9]" 90
    equal "$(counts iris "$sweep" running)" 1 'running cells'
    equal "$(counts iris "$sweep" waiting)" 7 'waiting cells'
}

gate_is_empty()
{
    [[ ! -e $1/gate || -z $(ls "$1/gate") ]]
}

test_steps_of_one_job_share_the_cell()
{
    local sweep out

    sweep=$(sweep iris 4)
    # On the first node, on the other one, and on both.
    out=$(on iris salloc -Q -N2 --sweep-cell="$sweep" sh -c '
        show="echo body \$RELAY_CELL_ID \$RELAY_RUN_NONCE"
        srun -N1 -n1 -w iris-n1 sh -c "$show"
        srun -N1 -n1 -w iris-n2 sh -c "$show"
        srun -N2 -n2 sh -c "$show"' \
        2>"$RELAY_CLUSTERS/said") || fail "$(<"$RELAY_CLUSTERS/said")"
    equal "$(wc -l <<<"$out")" 4 'the number of bodies'
    equal "$(sort -u <<<"$out" | wc -l)" 1 "the cells of one job in: $out"
    wait_counts iris "$sweep" running 0
    equal "$(counts iris "$sweep" waiting)" 3 'waiting cells'
    # Both nodes of a first step.
    out=$(on iris srun -N2 --sweep-cell="$sweep:#0" sh -c \
        'echo "$RELAY_CELL_ID $RELAY_RUN_NONCE"' 2>/dev/null) || true
    equal "$(sort -u <<<"$out" | wc -l)" 1 "the cells of one step in: $out"
    # The epilog takes it away, after the step's command has ended.
    wait_for 20 'an empty gate/' gate_is_empty "$sweep" ||
        fail "what is left in gate/: $(ls "$sweep/gate")"
}

# The first step of all was on another node.
test_step_on_another_node_goes_with_the_job()
{
    local out

    plant iris 40
    out=$(on iris salloc -Q -N2 --resume-key="$KEY" sh -c '
        srun -N1 -n1 -w iris-n1 sh -c "echo body \$RELAY_RESUME_STEP \$RELAY_RUN_NONCE"
        srun -N1 -n1 -w iris-n2 sh -c "echo body \$RELAY_RESUME_STEP \$RELAY_RUN_NONCE"' \
        2>"$RELAY_CLUSTERS/said") || fail "$(<"$RELAY_CLUSTERS/said")"
    equal "$(wc -l <<<"$out")" 2 'the number of bodies'
    equal "$(sort -u <<<"$out" | wc -l)" 1 "the runs in: $out"
    wait_record iris run kind release 30
}

test_cell_that_is_asked_to_stop()
{
    local sweep job

    sweep=$(sweep iris 2)
    job=$(submit iris STEPS=100000 --sweep-cell="$sweep:#0" cell.sh)
    wait_output iris "$job" '^step: 40/' 60
    on iris ssweep cancel "$sweep" '#0'
    wait_state iris "$job" CANCELLED 30
    wait_counts iris "$sweep" running 0
    explain_has iris "$sweep" '#0' cancelled
}

test_cancelled_while_it_is_staged_in()
{
    local sweep id old job

    sweep=$(sweep iris 2)
    id=$(cell_of "$sweep" 0 iris)
    # A job that has the cell's run by its key, and ignores SIGTERM: stage-in
    # waits for its end.
    old=$(submit iris --resume-key="lab/robots/$id" --wrap 'trap "" TERM
        echo body; while :; do sleep 0.1; done')
    wait_output iris "$old" '^body' 30
    on iris scancel "$old"
    wait_for 10 'the old job to be COMPLETING' is_completing iris "$old"
    job=$(submit iris --sweep-cell="$sweep:#0" cell.sh)
    wait_output iris "$job" "waiting for job $old to end" 20
    equal "$(counts iris "$sweep" running)" 1 'running cells'
    on iris scancel "$job"
    wait_state iris "$job" CANCELLED 30
    wait_counts iris "$sweep" waiting 2
    expect_no_body iris "$job"
    explain_has iris "$sweep" '#0' cancelled
}

# Slurm's kill is told from an end of the body's own where it can be.
test_requeued_body_that_exits_0_is_not_judged()
{
    local sweep job

    sweep=$(sweep iris 2)
    job=$(submit iris --requeue --open-mode=append --sweep-cell="$sweep:#0" \
        --wrap 'trap "exit 0" TERM
            echo "body $RELAY_CELL_INDEX ${SLURM_RESTART_COUNT:-0}"
            while :; do sleep 0.1; done')
    wait_output iris "$job" '^body 0 0' 30
    on iris scontrol requeue "$job"
    wait_output iris "$job" '^body 0 1' 90
    on iris ssweep explain "$sweep" '#0' | grep -q requeued ||
        fail "$(on iris ssweep explain "$sweep" '#0')"
    equal "$(counts iris "$sweep" unproven)" 0 'unproven cells'
}

# The epilog cannot tell; the next job can, and the cell waits again.
test_cancelled_body_that_exits_0_runs_again()
{
    local sweep old new

    sweep=$(sweep iris 2)
    old=$(submit iris --sweep-cell="$sweep:#0" \
        --wrap 'trap "exit 0" TERM; echo body; while :; do sleep 0.1; done')
    wait_output iris "$old" '^body' 30
    on iris scancel "$old"
    wait_counts iris "$sweep" unproven 1
    wait_for 20 'sacct to know the end' sacct_says iris "$old" CANCELLED
    new=$(submit iris --sweep-cell="$sweep:#0" cell.sh)
    expect_exit iris "$new" 0
    expect_output iris "$new" '^body 0 '
    wait_counts iris "$sweep" 'done' 1
}

sacct_says()
{
    [[ $(as_root "$1" sacct -X -n -P -j "$2" -o State) == "$3"* ]]
}

# What a job left that died before anybody could judge it.
test_evidence_that_was_never_judged()
{
    local sweep job dir

    sweep=$(sweep iris 2)
    job=$(submit iris STEPS=100000 --sweep-cell="$sweep:#0" cell.sh)
    wait_output iris "$job" '^step: 40/' 60
    dir=$(scratch_of iris)/ckpt/out/robots/$NAME/$(cell_of "$sweep" 0 iris)
    grep -q '"attempt": 1' "$dir/run_metadata.json" ||
        fail "$(<"$dir/run_metadata.json")"
    on iris scancel "$job"
    wait_counts iris "$sweep" running 0
    grep -q '"cause": "unresolved"' "$dir/run_metadata.json" ||
        fail "$(<"$dir/run_metadata.json")"
    # Before the sweep there was a run of this name.
    dir=${dir%/*}/$(cell_of "$sweep" 1 iris)
    on iris mkdir -p "$dir"
    on iris sh -c "echo '{\"ok\": true}' >'$dir/summary.json'"
    job=$(submit iris --sweep-cell="$sweep:#1" cell.sh)
    expect_exit iris "$job" 0
    expect_output iris "$job" 'is done, by what an earlier attempt left'
    expect_no_body iris "$job"
    wait_counts iris "$sweep" 'done' 1
}

test_job_that_is_ending_is_waited_for()
{
    local sweep old new

    sweep=$(sweep iris 2)
    # Its process ignores SIGTERM, so it is COMPLETING until SIGKILL.
    old=$(submit iris --sweep-cell="$sweep:#0" --wrap 'trap "" TERM
        echo body; while :; do sleep 0.1; done')
    wait_output iris "$old" '^body' 30
    on iris scancel "$old"
    wait_for 10 'the old job to be COMPLETING' is_completing iris "$old"
    new=$(submit iris --sweep-cell="$sweep:#0" cell.sh)
    expect_exit iris "$new" 0
    expect_output iris "$new" "waiting for job $old to end"
    expect_output iris "$new" '^body 0 '
    wait_counts iris "$sweep" 'done' 1
}

is_completing()
{
    [[ $(as_root "$1" squeue -h -t all -j "$2" -o %T) == COMPLETING ]]
}

test_cell_is_handed_over()
{
    local there here src job id step

    there=$(sweep sherlock 2)
    here=$(sweep iris 2)
    id=$(cell_of "$here" 0 iris)
    src=$(submit sherlock STEPS=100000 --sweep-cell="$there:#0" cell.sh)
    wait_output sherlock "$src" '^step: 60/' 60
    job=$(submit iris STEPS=100000 --sweep-cell="$here:#0" \
        --handoff-from=sherlock cell.sh)
    wait_output iris "$job" "^body 0 $id at [0-9]" 90
    step=$(job_output iris "$job" | sed -n "s/^body 0 $id at //p")
    ((step >= 40)) || fail "it goes on at $step"
    wait_state sherlock "$src" CANCELLED 30
    equal "$(counts iris "$here" running)" 1 'running cells here'
    # There it is not run again, and is no obstacle for the others.
    wait_counts sherlock "$there" partial 1
    job=$(submit sherlock --sweep-cell="$there" cell.sh)
    expect_exit sherlock "$job" 77
    expect_output sherlock "$job" "moved to iris"
    wait_counts sherlock "$there" quarantined 1
    job=$(submit sherlock --sweep-cell="$there" cell.sh)
    expect_exit sherlock "$job" 0
    expect_output sherlock "$job" '^body 1 '
}

# Its epilog did nothing: the cell is taken over when its job is dead.
test_cell_of_a_job_that_said_nothing()
{
    local sweep job id step

    sweep=$(sweep iris 2)
    job=$(submit iris STEPS=100000 --sweep-cell="$sweep:#1" cell.sh)
    wait_output iris "$job" '^step: 60/' 60
    id=$(cell_of "$sweep" 1 iris)
    touch "$RELAY_CLUSTERS/iris/run/off"
    on iris scancel "$job"
    wait_state iris "$job" CANCELLED 30
    wait_for 30 'its end' no_jobs iris
    rm "$RELAY_CLUSTERS/iris/run/off"
    equal "$(counts iris "$sweep" running)" 1 'what the sweep knows'
    step=$(step_of iris "lab/robots/$id")
    job=$(submit iris STEPS=$((step + 60)) --sweep-cell="$sweep:#1" cell.sh)
    wait_output iris "$job" "^body 1 $id at $step" 60
    expect_exit iris "$job" 0
    wait_counts iris "$sweep" 'done' 1
}

test_srun_runs_a_cell()
{
    local sweep out

    sweep=$(sweep iris 2)
    out=$(on iris srun --sweep-cell="$sweep:#1" sh -c \
        'echo "body $RELAY_CELL_INDEX"' 2>/dev/null)
    equal "$out" 'body 1' 'in srun'
    wait_counts iris "$sweep" unproven 1
    out=$(on iris srun -N2 --sweep-cell="$sweep" sh -c \
        'echo "body $RELAY_CELL_INDEX"' 2>/dev/null)
    equal "$out" $'body 0\nbody 0' 'in srun on two nodes'
    # Nothing is left: it ends with 0, on both nodes, and without a body.
    wait_counts iris "$sweep" unproven 2
    plugin_line iris optional submit_check=no
    out=$(on iris srun -N2 --sweep-cell="$sweep" echo body 2>/dev/null) ||
        fail "surplus is no failure: $?"
    equal "$out" '' 'a surplus body'
}

# A state that is lost is for a person: the cell is held back, the others go
# on.
test_cell_with_a_lost_state_is_held_back()
{
    local sweep one id

    sweep=$(sweep iris 2)
    one=$(submit iris STEPS=100000 --sweep-cell="$sweep:#1" cell.sh)
    wait_output iris "$one" '^step: 60/' 60
    on iris scancel "$one"
    wait_counts iris "$sweep" partial 1
    id=$(cell_of "$sweep" 1 iris)
    mv "$(resume_dir iris "lab/robots/$id")" "$(scratch_of iris)/ckpt/aside"
    one=$(submit iris --sweep-cell="$sweep" cell.sh)
    expect_exit iris "$one" 65
    expect_output iris "$one" 'is gone; put it back'
    expect_no_body iris "$one"
    wait_counts iris "$sweep" quarantined 1
    one=$(submit iris --sweep-cell="$sweep" cell.sh)
    expect_exit iris "$one" 0
    expect_output iris "$one" '^body 0 '
}
