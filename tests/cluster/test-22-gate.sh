# shellcheck shell=bash
# The gate in the job: whom it stops, whom it lets go, and what it leaves to
# neighbours, nested submissions and jobs that want nothing of us.

# shellcheck disable=SC2016
BODY='echo "body ${RELAY_RESUME_KEY-none} at ${RELAY_RESUME_STEP-none}"'

rundir_of()
{
    echo "$RELAY_CLUSTERS/$1/run"
}

# markers CLUSTER JOBID: of the job on the nodes.
markers()
{
    compgen -G "$(rundir_of "$1")/$2.*" || true
}

no_markers()
{
    [[ -z $(markers "$1" "$2") ]]
}

test_forged_values_are_caught_in_the_job()
{
    local key from

    # Past the check of sbatch, as another version of the plugin on a login
    # node, or the REST interface, would.
    key=$(submit iris _SLURM_SPANK_OPTION_relay_resume_key=../../etc \
        --wrap "$BODY")
    from=$(submit iris "_SLURM_SPANK_OPTION_relay_handoff_from=-oProxy=x" \
        "_SLURM_SPANK_OPTION_relay_resume_key=$KEY" --wrap "$BODY")
    expect_exit iris "$key" 64 30
    expect_exit iris "$from" 64 30
    expect_output iris "$key" '^relay: --resume-key'
    expect_output iris "$from" '^relay: --handoff-from'
    expect_no_body iris "$key"
    expect_no_body iris "$from"
    nodes_are_up iris || fail "$(node_states iris)"
}

# A plugin of the user's own in place of ours, where the job is submitted, can
# give the prolog any value.
test_values_forged_into_the_prolog_are_caught()
{
    local home job

    home=$(home_of iris)
    command -v cc >/dev/null || skip 'no C compiler'
    cc -x c -shared -fPIC -I"${RELAY_SLURM:-/usr}/include" -o "$home/forge.so" - \
        <<'SOURCE'
#include <stdint.h>
#include <sys/types.h>
#include <slurm/spank.h>
SPANK_PLUGIN(forge, 1)
int slurm_spank_init(spank_t sp, int argc, char **argv)
{
    return spank_job_control_setenv(
        sp, "_SLURM_SPANK_OPTION_relay_resume_key", "../../etc", 1);
}
SOURCE
    echo "required $home/forge.so" >"$home/plugstack.conf"
    sed "s|^PlugStackConfig=.*|PlugStackConfig=$home/plugstack.conf|" \
        "$(conf_of iris)" >"$home/slurm.conf"
    job=$(submit iris SLURM_CONF="$home/slurm.conf" --wrap "$BODY")
    expect_exit iris "$job" 64 30
    expect_output iris "$job" '^relay: --resume-key=../../etc '
    expect_no_body iris "$job"
    grep -q "relay: job $job is refused" "$RELAY_CLUSTERS"/iris/log/slurmd-*.log ||
        fail 'the prolog let it pass'
    nodes_are_up iris || fail "$(node_states iris)"
    rm "$home"/{forge.so,plugstack.conf,slurm.conf}
}

test_nested_submissions_are_jobs_of_their_own()
{
    local outer nested step own job

    on iris tee outer.sh >/dev/null <<'SCRIPT'
#!/bin/bash
echo "body $RELAY_RESUME_KEY"
# As the environment that a sweep's worker sets for the tracker.
export RELAY_SET="$RELAY_SET WANDB_SWEEP_ID" WANDB_SWEEP_ID=ours
export WANDB_PROJECT=mine
echo "nested $(sbatch --parsable --nodelist="$SLURMD_NODENAME" nested.sh)"
echo "step $(env -u WANDB_SWEEP_ID srun sbatch --parsable nested.sh)"
echo "own $(sbatch --parsable --resume-key="$RELAY_RESUME_KEY-eval" \
    --wrap 'echo "body $RELAY_RESUME_KEY $RELAY_RUN_NONCE"')"
SCRIPT
    on iris tee nested.sh >/dev/null <<'SCRIPT'
#!/bin/bash
env | grep -E '^(RELAY_|WANDB_|(SBATCH|SRUN|SALLOC)_(RESUME|HANDOFF)|.*SLURM_SPANK)'
echo body
until [[ -e go ]]; do sleep 0.1; done
echo 'trained on'
SCRIPT
    outer=$(submit iris SBATCH_RESUME_KEY="$KEY" SRUN_RESUME_KEY="$KEY" \
        --nodelist=iris-n1 outer.sh)
    wait_state iris "$outer" COMPLETED 30
    wait_for 20 'its epilog' no_markers iris "$outer"
    expect_output iris "$outer" "^body $KEY$"
    nested=$(job_output iris "$outer" | sed -n 's/^nested //p')
    step=$(job_output iris "$outer" | sed -n 's/^step //p')
    own=$(job_output iris "$outer" | sed -n 's/^own //p')
    for job in "$nested" "$step"; do
        wait_output iris "$job" '^body' 20
        equal "$(job_output iris "$job" | grep -v '^body')" \
            WANDB_PROJECT=mine 'what the nested job inherits'
        no_markers iris "$job" || fail 'the nested job has a marker'
    done
    wait_output iris "$own" "^body $KEY-eval [0-9a-f]" 30
    equal "$(record iris run kind)" release 'the last record of the outer run'
    # The epilog ended what its job had left, and not this one.
    on iris touch go
    expect_exit iris "$nested" 0 20
    expect_output iris "$nested" 'trained on'
    on iris rm go outer.sh nested.sh
}

test_sbatch_inside_salloc_is_a_job_of_its_own()
{
    local job

    job=$(on iris salloc -Q --resume-key="$KEY" sh -c "
        srun sh -c '$BODY' >salloc.out
        sbatch --parsable --wrap '$BODY'" 2>/dev/null)
    equal "$(<"$(home_of iris)/salloc.out")" "body $KEY at none" 'in salloc'
    expect_exit iris "$job" 0 20
    expect_output iris "$job" '^body none'
}

test_srun_and_salloc_are_gated()
{
    local out

    plant iris 40
    out=$(on iris srun --resume-key="$KEY" sh -c "$BODY" 2>/dev/null)
    equal "$out" "body $KEY at 40" 'in srun'
    # Every task of every node, and one step after another.
    out=$(on iris salloc -Q -N2 -n4 --resume-key="$KEY" \
        sh -c "srun sh -c '$BODY'; srun -N1 -n2 sh -c '$BODY'" 2>/dev/null)
    equal "$(sort -u <<<"$out")" "body $KEY at 40" "in salloc's srun"
    equal "$(wc -l <<<"$out")" 6 'the number of tasks'
    # Another run's state is on the other cluster: 77, and no body.
    plant sherlock 50 "$KEY-there"
    gated srun
    gated salloc -Q
    gated srun --export=NONE
}

# gated COMMAND...: of iris, it refuses a run that lives on sherlock. srun adds
# a line of its own.
gated()
{
    local command=("$@" --resume-key="$KEY-there") out rc=0

    [[ $1 != salloc ]] || command+=(srun)
    out=$(on iris "${command[@]}" /bin/sh -c "$BODY" 2>&1) || rc=$?
    equal "$rc" 77 "the exit code of $1"
    [[ $out == *"relay: $KEY-there lives on sherlock at step 50"* ]] ||
        fail "$1 said: $out"
    [[ $out != *body* ]] || fail "$1 ran its body: $out"
}

test_export_none_is_gated()
{
    local job

    plant iris 40
    job=$(submit iris --export=NONE -N2 --resume-key="$KEY" \
        --wrap "$BODY; srun /bin/sh -c '$BODY'")
    expect_exit iris "$job" 0 30
    equal "$(job_output iris "$job" | grep -c "^body $KEY at 40$")" 3 \
        'the bodies with the identity'
    plugin_line iris optional submit_check=no
    edit_meta iris "$KEY" completed=true
    job=$(submit iris --export=NONE --resume-key="$KEY" --wrap "$BODY")
    expect_exit iris "$job" 0 30
    expect_output iris "$job" 'is complete at step 40'
    expect_no_body iris "$job"
}

test_jobs_without_our_options_are_left_alone()
{
    local job out

    job=$(submit iris --wrap 'env; echo ready; exec sleep 600')
    wait_output iris "$job" '^ready' 20
    no_markers iris "$job" || fail "it has a marker: $(markers iris "$job")"
    out=$(job_output iris "$job")
    [[ $out != *RELAY_* && $out != *SPANK* ]] || fail "its environment: $out"
    ! grep -E "relay: job $job" "$RELAY_CLUSTERS"/iris/log/slurmd-*.log ||
        fail 'the plugin has words on it'
    # Nothing of ours runs beside it.
    equal "$(pgrep -u "$(user_of iris)" -r R,S,D relay-job || true)" '' \
        'relay-job'
}

# refusals MODE: of every kind in one go, with the plugin optional or required.
refusals()
{
    local here forged there elsewhere job

    plant sherlock 50 "$KEY-there"
    plugin_line iris "$1" submit_check=no
    forged=$(submit iris _SLURM_SPANK_OPTION_relay_resume_key=../../etc \
        --wrap "$BODY")
    there=$(submit iris --resume-key="$KEY-there" --wrap "$BODY")
    elsewhere=$(submit iris --resume-key="$KEY" --handoff-from=mars \
        --wrap "$BODY")
    here=$(submit iris -N2 --resume-key="$KEY-%a" --wrap "$BODY")
    expect_exit iris "$forged" 64 30
    expect_exit iris "$here" 64 30
    expect_exit iris "$there" 77 30
    expect_exit iris "$elsewhere" 78 30
    for job in "$forged" "$there" "$elsewhere" "$here"; do
        expect_no_body iris "$job"
        wait_for 20 'its epilog' no_markers iris "$job"
    done
    nodes_are_up iris || fail "$(node_states iris)"
    job=$(submit iris --resume-key="$KEY-ok" --wrap "$BODY")
    wait_output iris "$job" "^body $KEY-ok at none" 30
}

test_refusals_leave_nodes_up_when_optional()
{
    refusals optional
}

test_refusals_leave_nodes_up_when_required()
{
    refusals required
}

test_wrong_plugstack_argument_makes_the_plugin_inert()
{
    local held plain mode

    for mode in optional required; do
        plugin_line iris "$mode"
        held=$(submit iris --hold --resume-key="$KEY" --wrap "$BODY")
        plugin_line iris "$mode" prolog_deadline=soon
        plain=$(submit iris --wrap "$BODY")
        refused 78 'prolog_deadline=soon: .*' \
            on iris sbatch --resume-key="$KEY" --wrap "$BODY"
        on iris scontrol release "$held"
        expect_exit iris "$plain" 0 30
        expect_output iris "$plain" '^body none'
        # It does not run without what it asked for.
        expect_exit iris "$held" 78 30
        expect_output iris "$held" '^relay: .*misconfigured on this node'
        expect_no_body iris "$held"
    done
    nodes_are_up iris || fail "$(node_states iris)"
}

test_switched_off()
{
    local plain held job

    held=$(submit iris --hold --resume-key="$KEY" --wrap "$BODY")
    touch "$(rundir_of iris)/off"
    plain=$(submit iris --wrap "$BODY")
    on iris scontrol release "$held"
    expect_exit iris "$plain" 0 30
    expect_output iris "$plain" '^body none'
    expect_exit iris "$held" 75 30
    expect_output iris "$held" '^relay: .*switched off on this node'
    expect_no_body iris "$held"
    no_markers iris "$held" || fail 'it has a marker'
    nodes_are_up iris || fail "$(node_states iris)"
    rm "$(rundir_of iris)/off"
    job=$(submit iris --resume-key="$KEY" --wrap "$BODY")
    wait_output iris "$job" "^body $KEY at none" 30
}

# Of an array the last task, whose job id is the array's own, is requeued: it
# goes on from its own state, and the others train on.
test_requeued_task_of_an_array_resumes_its_own()
{
    local array out home

    home=$(home_of iris)
    array=$(submit iris --array=1-2 --resume-key="$KEY-%a" --requeue \
        --output=array-%a.out --wrap "exec python3 -u train.py --entity lab \
            --project robots --run-name $NAME-\$SLURM_ARRAY_TASK_ID \
            --resume-root $(scratch_of iris)/ckpt/_resume --steps 100000 \
            --run-root $(scratch_of iris)/ckpt --step-time 0.02 \
            --checkpoint-every 50")
    wait_step iris 20 30 "$KEY-1"
    wait_step iris 60 30 "$KEY-2"
    on iris scontrol requeue "${array}_2"
    out=$home/array-2.out
    wait_for 60 'task 2 to resume' grep -q '^Resuming from step' "$out"
    (($(sed -n 's/^Resuming from step \([0-9]*\).*/\1/p' "$out") > 60)) ||
        fail "$(cat "$out")"
    grep -q "^relay: $KEY-2 .* resumes at step" "$out" || fail "$(cat "$out")"
    equal "$(grep -c '^Starting at step 0' "$home/array-1.out")" 1 \
        'starts of task 1'
    still_trains iris "${array}_1" "$KEY-1"
}

test_patterns_in_a_key()
{
    local array

    array=$(submit iris --array=3,7 --resume-key="$KEY-%A-%a-%%" \
        --output=array-%a.out --wrap "$BODY")
    wait_for 30 'both to print' array_printed "$KEY-$array"
}

array_printed()
{
    local home
    home=$(home_of iris)

    grep -qx "body $1-3-% at none" "$home/array-3.out" &&
        grep -qx "body $1-7-% at none" "$home/array-7.out"
}

test_ending_twin_is_waited_for()
{
    local old new

    # Its process ignores SIGTERM, so it is COMPLETING until SIGKILL.
    old=$(train iris -o --resume-key="$KEY" --ignore-term)
    wait_step iris 0
    on iris scancel "$old"
    wait_for 10 'the old job to be COMPLETING' is_completing iris "$old"
    new=$(train iris -o --resume-key="$KEY")
    wait_output iris "$new" 'Resuming from step' 40
    expect_output iris "$new" "waiting for job $old to end"
    nodes_are_up iris || fail "$(node_states iris)"
}

is_completing()
{
    [[ $(as_root "$1" squeue -h -t all -j "$2" -o %T) == COMPLETING ]]
}
