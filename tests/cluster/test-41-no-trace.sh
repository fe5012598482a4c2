# shellcheck shell=bash
# What runs where, and that nothing stays behind; the same without a plugin.

# A ssh of the user's own making, which leaves a process behind each time.
leave_sleeper()
{
    local home config

    home=$(home_of iris)
    config=$home/.ssh/config
    cp -p "$config" "$config.saved"
    cat >"$home/proxy" <<'PROXY'
#!/bin/bash
setsid sleep 777 </dev/null >/dev/null 2>&1 &
exec 3<>"/dev/tcp/$1/$2" || exit 1
cat <&3 &
cat >&3
PROXY
    chmod 755 "$home/proxy"
    sed -i "/^Host sherlock/a \\    ProxyCommand $home/proxy %h %p" "$config"
}

sleepers()
{
    pgrep -u "$(user_of iris)" -f '^sleep 777$'
}

no_sleepers()
{
    ! sleepers
}

no_markers()
{
    ! compgen -G "$RELAY_CLUSTERS/iris/run/$1.*" >/dev/null
}

test_proxy_command_leaves_nothing()
{
    local dst rc=0

    "$here/clusters" plugin "$RELAY_CLUSTERS" iris optional network=yes \
        epilog_deadline=8
    leave_sleeper
    on iris mkdir -p .config/slurm-relay
    on iris sh -c 'echo "sync: {to: sherlock}" >.config/slurm-relay/relay.yaml'
    train sherlock >/dev/null
    wait_step sherlock 0
    dst=$(train iris -o --resume-key="$KEY" -o --handoff-from=sherlock)
    wait_record iris handoff kind COMMITTED 90
    on iris scancel "$dst"
    wait_state iris "$dst" CANCELLED 20
    wait_for 30 'the epilog to end' no_markers "$dst"
    wait_for 5 'no sleeper to be left' no_sleepers || rc=1
    pkill -u "$(user_of iris)" -f '^sleep 777$' || true
    mv "$(home_of iris)/.ssh/config.saved" "$(home_of iris)/.ssh/config"
    "$here/clusters" plugin "$RELAY_CLUSTERS" iris optional
    ((rc == 0)) || fail 'a process of the ProxyCommand outlived the epilog'
    nodes_are_up iris || fail "$(node_states iris)"
    [[ -f $(relay_dir sherlock)/mirror/iris/resume_meta.json ]] ||
        fail 'the auto-sync of the epilog did not arrive'
}

# run_by_hand CLUSTER [SRESUME_ARG...]: the same training with no plugin.
run_by_hand()
{
    local c=$1
    shift

    submit "$c" -J "$NAME" --requeue --wrap "exec sresume run --config \
$RELAY_CLUSTERS/$c/etc/relay.yaml $* $KEY -- python3 -u train.py --entity lab \
--project robots --run-name $NAME --resume-root $(scratch_of "$c")/ckpt/_resume \
--run-root $(scratch_of "$c")/ckpt --steps 100000 --step-time 0.02 \
--checkpoint-every 50"
}

test_handoff_without_any_plugin()
{
    local c src dst step

    for c in sherlock iris; do
        "$here/clusters" plugin "$RELAY_CLUSTERS" "$c" none
    done
    src=$(run_by_hand sherlock)
    wait_step sherlock 50
    dst=$(run_by_hand iris --handoff-from=sherlock)
    wait_output iris "$dst" 'Resuming from step' 60
    step=$(job_output iris "$dst" |
        sed -n 's/^Resuming from step \([0-9]*\).*/\1/p')
    wait_step iris "$step"
    wait_record iris handoff kind COMMITTED
    wait_state sherlock "$src" CANCELLED 10
    on iris scancel "$dst"
    wait_record iris run kind release 30
    for c in sherlock iris; do
        "$here/clusters" plugin "$RELAY_CLUSTERS" "$c" optional
    done
}

test_epilog_leaves_no_marker()
{
    local job

    job=$(train iris -o --resume-key="$KEY" --steps 20)
    wait_state iris "$job" COMPLETED 30
    wait_for 10 'the marker to be gone' no_markers "$job"
}
