# shellcheck shell=bash disable=SC2119 # no arguments are meant
# One file system for both: nothing is copied, the lease alone changes hands.

# shellcheck source=tests/cluster/access.sh
. "${BASH_SOURCE[0]%/*}/access.sh"

# nothing_copied
nothing_copied()
{
    local made

    made=$(find "$(relay_dir iris)" -maxdepth 1 -name 'staging-*' -o \
        -maxdepth 1 -name 'superseded-*' -o -maxdepth 1 -name 'final-*')
    [[ -z $made ]] || fail "there is $made"
    equal "$(record iris handoff source.shared)" True 'shared'
}

test_handoff_to_another_partition()
{
    local src dst

    src=$(train iris -o --resume-key="$KEY")
    wait_step iris 20
    dst=$(train iris -o --resume-key="$KEY" -o --handoff-from=iris \
        -o --partition=fast)
    goes_through "$dst"
    wait_state iris "$src" CANCELLED 10
    equal "$(job_field iris "$dst" NodeList)" iris-n2 node
    nothing_copied
    equal "$(record iris run owner.job_id)" "$dst" 'owner of the lease'
}

# The one that trains does not use our options.
test_handoff_to_another_partition_without_a_lease()
{
    local src dst

    src=$(train iris)
    wait_step iris 20
    dst=$(train iris -o --resume-key="$KEY" -o --handoff-from=iris:"$src" \
        -o --partition=fast)
    goes_through "$dst"
    wait_state iris "$src" CANCELLED 10
    nothing_copied
}

# Ended while the source took its time to die; the key alone goes on.
test_handoff_to_another_partition_cut_off()
{
    local src dst

    src=$(train iris -o --resume-key="$KEY" --ignore-term)
    wait_step iris 20
    dst=$(train iris -o --resume-key="$KEY" -o --handoff-from=iris \
        -o --partition=fast)
    wait_record iris run kind fence
    on iris scancel "$dst"
    wait_state iris "$dst" CANCELLED 20
    equal "$(record iris handoff kind)" STOPPING 'state of the journal'
    dst=$(train iris -o --resume-key="$KEY" -o --partition=fast)
    goes_through "$dst"
    wait_state iris "$src" CANCELLED 10
}

# in_queue_of_sherlock COMMAND...: as iris's user, whose files are those that
# sherlock has, too.
in_queue_of_sherlock()
{
    on iris SLURM_CONF="$(conf_of sherlock)" "$@"
}

# share_files: sherlock's login node is iris's sshd, for the user of both.
share_files()
{
    local home ssh root
    home=$(home_of iris) ssh=$(home_of iris)/.ssh
    root=$(scratch_of iris)/ckpt

    keep_access
    trap 'in_queue_of_sherlock scancel -u "$(user_of iris)"; put_access_back' \
        EXIT
    ssh-keygen -q -t ed25519 -N '' -f "$ssh/both"
    echo "command=\"SLURM_CONF=$(conf_of sherlock) bash -c" \
        "\\\"\$SSH_ORIGINAL_COMMAND\\\"\" $(<"$ssh/both.pub")" \
        >>"$ssh/authorized_keys"
    # Sherlock's user knows the address.
    sed -e 's/^Host .*/Host both/' -e "s|IdentityFile .*|IdentityFile $ssh/both|" \
        -e "s|UserKnownHostsFile .*|UserKnownHostsFile $ssh/known_hosts|" \
        "$(home_of sherlock)/.ssh/config" >>"$ssh/config"
    cat "$(home_of sherlock)/.ssh/known_hosts" >>"$ssh/known_hosts"
    chown "$(user_of iris):" "$ssh/both"
    configure iris <<YAML
clusters:
  sherlock: {ssh: both, resume_root: $root/_resume, run_root: $root/there}
  iris: {ssh: both, resume_root: $root/_resume, run_root: $root/here}
YAML
    on iris mkdir -p "$root/here" "$root/there"
}

test_handoff_between_clusters_that_share_files()
{
    local root src dst dir

    root=$(scratch_of iris)/ckpt
    share_files
    src=$(in_queue_of_sherlock sbatch --parsable -J "$NAME" \
        --resume-key="$KEY" train.sh --entity lab --project robots \
        --run-name "$NAME" --resume-root "$root/_resume" \
        --run-root "$root/there" --steps 100000 --step-time 0.02 \
        --checkpoint-every 50)
    wait_step iris 20
    dir=$(meta iris "$KEY" run_dir)
    [[ $dir == "$root/there/"* ]] || fail "run_dir is $dir"
    dst=$(hand_over)
    goes_through "$dst"
    wait_state sherlock "$src" CANCELLED 10
    nothing_copied
    equal "$(meta iris "$KEY" run_dir)" "$root/here/${dir##*/}" run_dir
    equal "$(record iris run owner.job_id)" "$dst" 'owner of the lease'
    equal "$(record iris run owner.cluster)" iris 'cluster of the owner'
}
