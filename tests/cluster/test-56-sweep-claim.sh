# shellcheck shell=bash
# shellcheck disable=SC2016 # what the jobs expand
# ssweep claim, finish, status, wait and verify between jobs and the login
# node: workers written in a shell.

# claim_sweep CELLS: a sweep on iris and worker.sh; prints the sweep's path.
claim_sweep()
{
    local dir
    dir=$(scratch_of iris)/ckpt

    printf '%s\n' "name: $NAME" 'entity: lab' 'project: robots' \
        'program: none' 'method: grid' \
        '#RELAY done summary.json json ok == true' \
        "parameters: {width: {values: [$(seq -s, "$1")]}}" |
        on iris tee "$dir/$NAME.yaml" >/dev/null
    on iris ssweep create "$dir/$NAME.yaml" -o "$dir/$NAME.sweep"
    on iris tee worker.sh >/dev/null <<'SCRIPT'
#!/bin/bash
# worker.sh SWEEP: cell after cell; with HANG, the first one for ever.
part()
{
    /usr/bin/python3 -c 'import json, sys; print(json.loads(sys.argv[1])[sys.argv[2]])' "$cell" "$1"
}
while cell=$(ssweep claim "$1" --owner-pid=$$); do
    id=$(part id) gen=$(part gen)
    echo "has $id"
    [[ -z ${HANG-} ]] || sleep 600
    echo '{"ok": true}' >"$(part dir)/summary.json"
    ssweep finish "$1" "$id" --gen="$gen"
done
SCRIPT
    on iris chmod +x worker.sh
}

count_is()
{
    [[ $(on iris ssweep status --json "$1" | /usr/bin/python3 -c '
import json, sys
print(json.load(sys.stdin)["counts"][sys.argv[1]])' "$2") == "$3" ]]
}

test_workers_in_a_shell()
{
    local sweep array task

    sweep=$(claim_sweep 12)
    array=$(submit iris --array=0-2 --job-name=shell --wrap \
        "exec ./worker.sh $sweep")
    on iris ssweep wait "$sweep" --timeout=90 ||
        fail "$(on iris ssweep status "$sweep")"
    on iris ssweep verify "$sweep" || fail 'verify is not content'
    for task in 0 1 2; do
        wait_state iris "${array}_$task" COMPLETED 60
    done
    equal "$(cat "$(home_of iris)/slurm-${array}"_*.out | grep -c '^has ')" \
        12 'claims in all'
    equal "$(cat "$(home_of iris)/slurm-${array}"_*.out | grep '^has ' |
        sort | uniq -d)" '' 'cells that were claimed twice'
}

# The owner is a job that ends while it holds a claim; who looks is the login
# node, where no process tells anything.
test_claim_of_a_job_that_ended()
{
    local sweep job id

    sweep=$(claim_sweep 1)
    job=$(submit iris HANG=1 --job-name=hang --wrap "./worker.sh $sweep")
    wait_output iris "$job" '^has ' 60
    id=$(job_output iris "$job" | sed -n 's/^has //p')
    on iris ssweep status "$sweep" | grep -q "running .*job $job of" ||
        fail "no owner: $(on iris ssweep status "$sweep")"
    on iris ssweep claim "$sweep" &&
        fail 'the cell of a running job was claimed'
    as_root iris scancel "$job"
    wait_for 60 'the job to end' no_jobs iris
    wait_for 60 'the cell to be taken over' claims_it "$sweep" "$id"
    on iris ssweep explain "$sweep" "$id" | grep -q "gen 1 .*job $job of" ||
        fail "$(on iris ssweep explain "$sweep" "$id")"
    count_is "$sweep" running 1 || fail "$(on iris ssweep status "$sweep")"
}

claims_it()
{
    on iris ssweep claim "$1" --owner-pid=1 | grep -q "\"id\":\"$2\""
}
