# shellcheck shell=bash
# shellcheck disable=SC2016 # what the jobs expand
# ssweep run in jobs: cell after cell, given back when the job ends.

# run_sweep CLUSTER CELLS: a sweep and cell.sh, which trains a cell; prints the
# sweep's path.
run_sweep()
{
    local dir
    dir=$(scratch_of "$1")/ckpt

    printf '%s\n' "name: $NAME" 'entity: lab' 'project: robots' \
        'method: grid' "parameters: {width: {values: [$(seq -s, "$2")]}}" |
        on "$1" tee "$dir/$NAME.yaml" >/dev/null
    on "$1" ssweep create "$dir/$NAME.yaml" -o "$dir/$NAME.sweep"
    on "$1" tee cell.sh >/dev/null <<'SCRIPT'
#!/bin/bash
echo "$RELAY_CELL_INDEX ${RELAY_RESUME_STEP-none}" >>"$HOME/$SLURM_JOB_NAME.ran"
exec python3 -u "$HOME/train.py" --entity lab --project robots \
    --run-name "$RELAY_CELL_ID" --resume-root "${RELAY_RESUME_DIR%/*}" \
    --run-root "${RELAY_RESUME_DIR%/_resume/*}" --steps "${STEPS:-60}" \
    --checkpoint-every 20 --step-time 0.02
SCRIPT
    on "$1" chmod +x cell.sh
}

# ran CLUSTER NAME: what cell.sh noted.
ran()
{
    cat "$(home_of "$1")/$2.ran" 2>/dev/null
}

cells_in()
{
    [[ $(on "$1" ssweep status --json "$2" | /usr/bin/python3 -c '
import json, sys
print(json.load(sys.stdin)["counts"][sys.argv[1]])' "$3") == "$4" ]]
}

test_array_of_workers()
{
    local sweep array task

    sweep=$(run_sweep iris 6)
    array=$(submit iris --array=0-2 --job-name=array --wrap \
        "exec ssweep run $sweep -- ./cell.sh")
    for task in 0 1 2; do
        wait_state iris "${array}_$task" COMPLETED 90
    done
    cells_in iris "$sweep" 'done' 6 ||
        fail "$(on iris ssweep status "$sweep")"
    equal "$(ran iris array | cut -d ' ' -f 1 | sort | xargs)" '0 1 2 3 4 5' \
        'the cells that ran'
}

test_tasks_of_a_step()
{
    local sweep job

    sweep=$(run_sweep iris 5)
    job=$(submit iris --ntasks=2 --job-name=step --wrap \
        "srun --overcommit ssweep run $sweep --slots=2 -- ./cell.sh")
    expect_exit iris "$job" 0
    equal "$(ran iris step | cut -d ' ' -f 1 | sort | xargs)" '0 1 2 3 4' \
        'the cells that ran'
}

test_requeued_worker_resumes()
{
    local sweep job id

    sweep=$(run_sweep iris 1)
    job=$(submit iris STEPS=400 --requeue --job-name=requeue --wrap \
        "exec ssweep run $sweep -- ./cell.sh")
    id=$(on iris ssweep cells --json "$sweep" |
        sed 's/.*"id": *"\([^"]*\)".*/\1/')
    wait_for 60 'a checkpoint' meta_is_there "$id"
    as_root iris scontrol requeue "$job"
    wait_for 30 'the cell to be given back' \
        explain_shows "$sweep" "$id" 'partial'
    wait_state iris "$job" COMPLETED 180
    cells_in iris "$sweep" 'done' 1 ||
        fail "$(on iris ssweep status "$sweep")"
    equal "$(ran iris requeue | wc -l)" 2 'the starts of the cell'
    [[ $(ran iris requeue | tail -n 1) != *none ]] ||
        fail "it did not resume: $(ran iris requeue)"
}

meta_is_there()
{
    [[ -n $(meta iris "lab/robots/$1" last_checkpoint_step) ]]
}

explain_shows()
{
    on iris ssweep explain "$1" "$2" | grep -q -e "$3"
}

test_killed_worker_is_taken_over()
{
    local sweep one two

    sweep=$(run_sweep iris 2)
    # Without exec: Slurm kills what the shell leaves behind, at once.
    one=$(submit iris STEPS=2000 --job-name=killed --wrap \
        "ssweep run $sweep -- ./cell.sh")
    wait_for 60 'a cell to run' cells_in iris "$sweep" running 1
    as_root iris scancel --signal=KILL --full "$one"
    wait_for 60 'the job to end' no_jobs iris
    two=$(submit iris STEPS=60 --job-name=killed --wrap \
        "exec ssweep run $sweep -- ./cell.sh")
    wait_state iris "$two" COMPLETED 120
    cells_in iris "$sweep" 'done' 2 ||
        fail "$(on iris ssweep status "$sweep"; job_output iris "$two")"
}

test_too_little_time()
{
    local sweep job

    sweep=$(run_sweep iris 1)
    job=$(submit iris --time=1 --job-name=short --wrap \
        "exec ssweep run $sweep --min-time=300 -- ./cell.sh")
    expect_exit iris "$job" 75
    expect_output iris "$job" 'too short for another cell'
    cells_in iris "$sweep" waiting 1 ||
        fail "$(on iris ssweep status "$sweep")"
}

test_cancelled_job_gives_its_cell_back()
{
    local sweep job id

    sweep=$(run_sweep iris 1)
    job=$(submit iris STEPS=2000 --job-name=cancelled --wrap \
        "exec ssweep run $sweep -- ./cell.sh")
    id=$(on iris ssweep cells --json "$sweep" |
        sed 's/.*"id": *"\([^"]*\)".*/\1/')
    wait_for 60 'a checkpoint' meta_is_there "$id"
    as_root iris scancel "$job"
    wait_for 30 'the cell to be given back' cells_in iris "$sweep" partial 1
    # Slurm's TERM may have reached the program before the worker.
    expect_output iris "$job" 'ended by a signal: 1 partial'
    [[ -z $(pgrep -u "$(user_of iris)" -f train.py) ]] ||
        fail 'its program still runs'
}
