# shellcheck shell=bash
# The main job: a running training moves, and goes on from its step.

test_live_handoff()
{
    local src dst step

    src=$(train sherlock)
    wait_step sherlock 20
    dst=$(train iris -o --resume-key="$KEY" -o --handoff-from=sherlock)
    wait_output iris "$dst" 'Resuming from step' 60
    step=$(job_output iris "$dst" |
        sed -n 's/^Resuming from step \([0-9]*\).*/\1/p')
    ((step > 20)) || fail "resumed from step '$step'"
    wait_state sherlock "$src" CANCELLED 10
    equal "$(meta sherlock "$KEY" run_dir)" /dev/null/moved-to-iris 'stub run_dir'
    wait_step iris "$step"
    wait_record iris handoff kind COMMITTED
    [[ $(meta iris "$KEY" run_dir) == "$(scratch_of iris)"/* ]] ||
        fail "run_dir is $(meta iris "$KEY" run_dir)"
    nodes_are_up iris || fail "$(node_states iris)"
}
