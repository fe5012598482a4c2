# shellcheck shell=bash
# Starts the daemons of the clusters and waits for them. Sourced by `clusters`.

start_munged()
{
    start "$DIR/munge/log" munged munged --foreground --force \
        --socket="$DIR/munge/socket" --key-file="$DIR/munge/key" \
        --pid-file="$DIR/munge/pid" --seed-file="$DIR/munge/seed" \
        --num-threads=4
    wait_until 5 munged test -S "$DIR/munge/socket"
}

# A throw-away database: nothing is synced, nothing listens on the network.
start_database()
{
    # Servers that share a tmpdir remove each other's temporary tables.
    local quick=(--tmpdir="$DIR/mysql"
        --innodb-flush-log-at-trx-commit=0
        --innodb-flush-method=nosync --innodb-log-file-size=8M
        --innodb-buffer-pool-size=32M --skip-log-bin)

    # --force: the host's name need not be known to any resolver.
    mariadb-install-db --no-defaults --force --user=mysql \
        --datadir="$DIR/mysql/data" --skip-test-db --skip-name-resolve \
        --auth-root-authentication-method=socket \
        "${quick[@]}" >"$DIR/dbd/install.log" 2>&1 || return
    start "$DIR/dbd/mariadb.log" mariadbd mariadbd --no-defaults --user=mysql \
        --datadir="$DIR/mysql/data" --socket="$DIR/mysql/socket" \
        --pid-file="$DIR/mysql/pid" --skip-networking --skip-name-resolve \
        --innodb-lock-wait-timeout=900 "${quick[@]}"
    wait_until 10 mariadbd test -S "$DIR/mysql/socket"
}

start_dbd()
{
    start "$DIR/dbd/slurmdbd.out" slurmdbd \
        MYSQL_UNIX_PORT="$DIR/mysql/socket" \
        SLURM_CONF="$DIR/dbd/slurmdbd.conf" slurmdbd -D || return
    wait_until 10 slurmdbd listens_at "$DBD_ADDR" "$DBD_PORT" &&
        in_cluster iris sacctmgr -i add cluster sherlock iris \
            >"$DIR/dbd/sacctmgr.log" 2>&1
}

start_slurmctld()
{
    start "$DIR/$1/log/slurmctld.out" "slurmctld-$1" \
        SLURM_CONF="$DIR/$1/etc/slurm.conf" slurmctld -D -i
}

# start_slurmd NODE
start_slurmd()
{
    local c=${1%-n*}

    start "$DIR/$c/log/slurmd-$1.out" "slurmd-$1" \
        SLURM_CONF="$DIR/$c/etc/slurm.conf" slurmd -D -N "$1"
}

start_sshd()
{
    # Privilege separation needs it; the service would make it.
    install -d -m 0755 /run/sshd
    start "$DIR/$1/log/sshd.log" "sshd-$1" /usr/sbin/sshd -D -e \
        -f "$DIR/$1/etc/sshd_config"
}

# in_cluster CLUSTER COMMAND...: as root, with that cluster's configuration.
in_cluster()
{
    local c=$1
    shift

    env -i PATH="$SEARCH_PATH" LANG=C.UTF-8 \
        SLURM_CONF="$DIR/$c/etc/slurm.conf" "$@"
}

nodes_are_idle()
{
    [[ $(in_cluster "$1" sinfo -h -N -p main -o %T | sort | uniq -c |
        tr -s ' ') == ' 2 idle' ]]
}

# After a restart jobs may still run: only registered and not down counts.
nodes_are_up()
{
    ! in_cluster "$1" sinfo -h -N -p main -o '%T' |
        grep -qE 'down|unk|\*' && slurmd_answers "$1-n1" &&
        slurmd_answers "$1-n2"
}

slurmd_answers()
{
    listens_at "$(node_addr "$1")" "$(node_port "$1")"
}

start_all()
{
    local c

    start_munged || return
    start_database || return
    start_dbd || return
    for c in $CLUSTERS; do
        start_slurmctld "$c"
        start_slurmd "$c-n1"
        start_slurmd "$c-n2"
        start_sshd "$c"
    done
    for c in $CLUSTERS; do
        wait_until 20 "both nodes of $c" nodes_are_idle "$c" || return
        wait_until 5 "sshd of $c" \
            listens_at "${NET[$c]}.1" "$(ssh_port "$c")" || return
    done
}
