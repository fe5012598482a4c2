# shellcheck shell=bash
# Users, homes and configuration files of the clusters. Sourced by `clusters`,
# whose set_layout decides names, addresses and ports.

# useradd and userdel of instances that start at once must not meet.
with_passwd_lock()
{
    (
        flock 9
        "$@"
    ) 9>/run/relay-clusters.lock
}

add_users()
{
    local c user home

    for c in $CLUSTERS; do
        user=${USER_OF[$c]} home=$DIR/$c/home/${USER_OF[$c]}
        # Before, so that an interrupted useradd is undone as well.
        echo "$user" >>"$DIR/users"
        useradd --no-log-init --no-create-home --user-group \
            --home-dir "$home" --shell /bin/bash \
            --uid "${UID_OF[$c]}" "$user" || return
        # An account without a password is locked to sshd without PAM.
        usermod -p '*' "$user" || return
    done
}

remove_users()
{
    local user

    [[ -f $DIR/users ]] || return 0
    while read -r user; do
        userdel "$user" 2>/dev/null
    done <"$DIR/users"
    rm -f "$DIR/users"
}

# make_home CLUSTER: home, scratch file system, key and ssh configuration.
make_home()
{
    local c=$1 peer user home peer_addr peer_port

    user=${USER_OF[$c]} home=$DIR/$c/home/$user
    peer=$(peer_of "$c")
    peer_addr=${NET[$peer]}.1 peer_port=$(ssh_port "$peer")
    # 0700: a path of this cluster in a checkpoint cannot be made on the other.
    install -d -m 0700 -o "$user" -g "$user" "$home" "$home/.ssh" \
        "$DIR/$c/fs/$user" "$DIR/$c/fs/$user/ckpt" \
        "$DIR/$c/fs/$user/ckpt/_resume"
    # So that one command trains on either: checkpoints/_resume, as on a site.
    ln -s "$DIR/$c/fs/$user/ckpt" "$home/checkpoints"
    install -m 0600 "$DIR/$c/etc/user_key" "$home/.ssh/id_ed25519"
    install -m 0600 "$DIR/$peer/etc/user_key.pub" "$home/.ssh/authorized_keys"
    printf '[%s]:%d %s\n' "$peer_addr" "$peer_port" \
        "$(<"$DIR/$peer/etc/ssh_host_key.pub")" >"$home/.ssh/known_hosts"
    cat >"$home/.ssh/config" <<CONFIG
Host $peer
    HostName $peer_addr
    Port $peer_port
    User ${USER_OF[$peer]}
    IdentityFile $home/.ssh/id_ed25519
    IdentitiesOnly yes
    UserKnownHostsFile $home/.ssh/known_hosts
CONFIG
    chmod 0600 "$home/.ssh/config"
    chown -hR "$user:$user" "$home"
}

peer_of()
{
    if [[ $1 == iris ]]; then echo sherlock; else echo iris; fi
}

# shellcheck disable=SC2153 # PORT is set_layout's
write_slurm_conf()
{
    local c=$1 port=${PORT[$1]}

    # cred_expire is also how long a requeued job waits (120 s by default).
    cat >"$DIR/$c/etc/slurm.conf" <<CONF
ClusterName=$c
SlurmctldHost=$(hostname -s)(${LISTEN:-${NET[$c]}.1})
SlurmctldPort=$((port + 1))
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$DIR/munge/socket,cred_expire=10
PlugStackConfig=$DIR/$c/etc/plugstack.conf
StateSaveLocation=$DIR/$c/state
SlurmdSpoolDir=$DIR/$c/spool/%n
SlurmctldPidFile=$DIR/$c/run/slurmctld.pid
SlurmdPidFile=$DIR/$c/run/slurmd-%n.pid
SlurmctldLogFile=$DIR/$c/log/slurmctld.log
SlurmdLogFile=$DIR/$c/log/slurmd-%n.log
MailProg=/bin/true
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
PrologFlags=Alloc
PrologEpilogTimeout=30
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
FirstJobId=$(if [[ $c == sherlock ]]; then echo 4711; else echo 901; fi)
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=1
SlurmdParameters=config_overrides
KillWait=5
MinJobAge=20
MessageTimeout=10
SlurmctldTimeout=10
SlurmdTimeout=10
ReturnToService=2
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=$DBD_ADDR
AccountingStoragePort=$DBD_PORT
AccountingStoragePass=$DIR/munge/socket
AccountingStoreFlags=job_comment
JobAcctGatherType=jobacct_gather/none
GresTypes=gpu
NodeName=DEFAULT CPUs=16 RealMemory=4096 Gres=gpu:$(gpu_of "$c"):4
$(node_line "$c-n1")
$(node_line "$c-n2")
PartitionName=main Nodes=$c-n[1-2] Default=YES MaxTime=INFINITE State=UP
PartitionName=fast Nodes=$c-n2 MaxTime=INFINITE State=UP
PartitionName=urgent Nodes=$c-n[1-2] PriorityTier=10 PreemptMode=OFF State=UP
CONF
    [[ -z $LISTEN ]] ||
        echo 'CommunicationParameters=NoInAddrAny,NoCtldInAddrAny' \
            >>"$DIR/$c/etc/slurm.conf"
    # Slurm counts device files, and any file will do.
    mkdir -p "$DIR/$c/gpus"
    touch "$DIR/$c/gpus"/g{0,1,2,3}
    printf 'AutoDetect=off\nName=gpu Type=%s File=%s\n' "$(gpu_of "$c")" \
        "$DIR/$c/gpus/g[0-3]" >"$DIR/$c/etc/gres.conf"
    # No plugin of ours needs cgroups, but slurmd looks for a mounted cgroup
    # file system unless it is told which kind: one that it then never uses.
    if (($(slurmd_version) >= 2405)); then
        echo 'CgroupPlugin=disabled' >"$DIR/$c/etc/cgroup.conf"
    else
        echo 'CgroupPlugin=cgroup/v1' >"$DIR/$c/etc/cgroup.conf"
    fi
}

# The slow cluster and the fast one.
gpu_of()
{
    if [[ $1 == sherlock ]]; then echo rtx2080ti; else echo h100; fi
}

node_line()
{
    echo "NodeName=$1 NodeHostname=$(hostname -s)" \
        "NodeAddr=$(node_addr "$1") Port=$(node_port "$1")"
}

# 22.05.8 is 2205.
slurmd_version()
{
    PATH=$SEARCH_PATH slurmd -V |
        sed -E 's/^[^0-9]*([0-9]+)\.([0-9]+).*/\1\2/'
}

write_dbd_conf()
{
    cat >"$DIR/dbd/slurmdbd.conf" <<CONF
AuthType=auth/munge
AuthInfo=socket=$DIR/munge/socket
DbdHost=localhost
DbdAddr=$DBD_ADDR
DbdPort=$DBD_PORT
SlurmUser=root
LogFile=$DIR/dbd/slurmdbd.log
PidFile=$DIR/dbd/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct_db
${LISTEN:+CommunicationParameters=NoInAddrAny}
CONF
    chmod 0600 "$DIR/dbd/slurmdbd.conf"
}

write_sshd_conf()
{
    local c=$1

    cat >"$DIR/$c/etc/sshd_config" <<CONF
ListenAddress ${NET[$c]}.1:$(ssh_port "$c")
HostKey $DIR/$c/etc/ssh_host_key
PidFile none
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
AllowUsers ${USER_OF[$c]}
MaxStartups 100
MaxSessions 100
SetEnv SLURM_CONF=$DIR/$c/etc/slurm.conf PATH=$SEARCH_PATH
Subsystem sftp internal-sftp
CONF
}

write_relay_yaml()
{
    local c=$1 peer

    peer=$(peer_of "$c")
    cat >"$DIR/$c/etc/relay.yaml" <<YAML
cluster: $c
clusters:
  $c:
    resume_root: $DIR/$c/fs/%u/ckpt/_resume
    run_root: $DIR/$c/fs/%u/ckpt
  $peer:
    ssh: $peer
    reach: job
    resume_root: $DIR/$peer/fs/%u/ckpt/_resume
    run_root: $DIR/$peer/fs/%u/ckpt
speed: {RTX2080Ti: 1, H100: 3.9}
YAML
    chmod 0644 "$DIR/$c/etc/relay.yaml"
}

# write_plugstack CLUSTER optional|required|none [ARG...]
write_plugstack()
{
    local c=$1 mode=$2
    shift 2

    case $mode in
    none)
        : >"$DIR/$c/etc/plugstack.conf"
        return
        ;;
    optional | required) ;;
    *) die "plugin mode '$mode': expected optional, required or none" ;;
    esac
    [[ -n ${RELAY_PLUGIN:-} && -n ${RELAY_HELPER:-} ]] ||
        die 'set RELAY_PLUGIN and RELAY_HELPER to load the plugin'
    echo "$mode $RELAY_PLUGIN config=$DIR/$c/etc/relay.yaml" \
        "helper=$RELAY_HELPER rundir=$DIR/$c/run $*" \
        >"$DIR/$c/etc/plugstack.conf"
}

make_files()
{
    local c

    install -d -m 0755 "$DIR"/{cores,sherlock,iris} \
        "$DIR"/{sherlock,iris}/{etc,log,spool,run,home,fs}
    install -d -m 0700 "$DIR"/{sherlock,iris}/state "$DIR/dbd"
    install -d -m 0755 "$DIR/munge"
    install -d -m 0700 -o mysql -g mysql "$DIR/mysql"
    head -c 128 /dev/urandom >"$DIR/munge/key"
    chmod 0400 "$DIR/munge/key"
    write_dbd_conf
    for c in $CLUSTERS; do
        install -d -m 0755 "$DIR/$c/spool/$c-n"{1,2}
        ssh-keygen -q -t ed25519 -N '' -C "$c" -f "$DIR/$c/etc/ssh_host_key"
        ssh-keygen -q -t ed25519 -N '' -C "${USER_OF[$c]}" \
            -f "$DIR/$c/etc/user_key"
        write_slurm_conf "$c"
        write_sshd_conf "$c"
        write_relay_yaml "$c"
        if [[ -n ${RELAY_PLUGIN:-} ]]; then
            # shellcheck disable=SC2086 # arguments
            write_plugstack "$c" "${RELAY_PLUGIN_MODE:-optional}" \
                ${RELAY_PLUGIN_ARGS:-}
        else
            write_plugstack "$c" none
        fi
    done
}
