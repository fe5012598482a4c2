# shellcheck shell=bash
# Auto-sync: the copy on the other cluster is where a later handoff begins.

mirror_is_at()
{
    grep -q "\"last_checkpoint_step\": $1\b" \
        "$(relay_dir iris)/mirror/sherlock/resume_meta.json"
}

test_handoff_begins_with_what_was_synced()
{
    local src dst step

    plugin_line sherlock optional network=yes
    echo 'sync: {to: iris}' | on sherlock tee .relay.yaml >/dev/null
    src=$(train sherlock -o --resume-key="$KEY" --state-mb 4)
    wait_step sherlock 50
    on sherlock scancel "$src"
    wait_record sherlock run kind release 30
    step=$(step_of sherlock)
    wait_for 30 "step $step in the mirror" mirror_is_at "$step"
    dst=$(train iris -o --resume-key="$KEY" -o --handoff-from=sherlock)
    wait_output iris "$dst" "Resuming from step $step" 60
    grep -q 'beginning with what sherlock has synced' "$(relay_dir iris)/log" ||
        fail 'the mirror was not used'
    wait_record iris handoff kind COMMITTED
}

# Without network=yes the epilog leaves it to a person.
test_sync_that_was_not_allowed_is_pending()
{
    local src

    echo 'sync: {to: iris}' | on sherlock tee .relay.yaml >/dev/null
    src=$(train sherlock -o --resume-key="$KEY")
    wait_step sherlock 20
    on sherlock scancel "$src"
    wait_record sherlock run kind release 30
    on sherlock sresume sync --pending
    mirror_is_at "$(step_of sherlock)" || fail 'nothing was copied'
}
