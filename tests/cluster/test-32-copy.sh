# shellcheck shell=bash disable=SC2119 # no arguments are meant
# What is copied: whole, the last good one, and only where it fits.

# shellcheck source=tests/cluster/access.sh
. "${BASH_SOURCE[0]%/*}/access.sh"

# published_is_whole: the state that was published here is, byte for byte, the
# one that was moved away there.
published_is_whole()
{
    local there here

    there=$(sha256sum <"$(echo "$(relay_dir sherlock)"/superseded-*/resume_state.pt)")
    here=$(sha256sum <"$(echo "$(relay_dir iris)"/verified-*/resume_state.pt)")
    equal "$here" "$there" 'published state'
}

is_damaged()
{
    ! /usr/bin/python3 -m zipfile -t "$1" 2>&1 | grep -qx 'Done testing' ||
        /usr/bin/python3 -m zipfile -t "$1" | grep -q corrupted
}

test_handoff_of_a_state_that_is_rewritten_in_place()
{
    local dst step

    keep_access
    source_trains --in-place --state-mb 8
    hold copy
    dst=$(hand_over)
    # A snapshot was taken: links of the very files that are written to.
    wait_held copy
    step=$(step_of sherlock)
    wait_step sherlock "$step"
    let_go copy
    wait_output iris "$dst" 'differs from the source.*again' 60
    goes_through "$dst"
    published_is_whole
}

# Killed in the middle of a save, it leaves half of one.
test_handoff_of_a_state_that_is_torn_by_the_stop()
{
    local dst pid state staged

    keep_access
    source_trains --in-place --state-mb 60 --checkpoint-every 150
    state=$(resume_dir sherlock "$KEY")/resume_state.pt
    pid=$(training_pid sherlock)
    trap 'kill -CONT "$pid" || true; put_access_back' EXIT
    hold stop
    dst=$(hand_over)
    wait_held stop
    staged=$(record iris handoff step)
    stop_in_a_save "$pid" "$state"
    let_go stop
    wait_output iris "$dst" 'damaged.*which was staged before, is taken' 60
    wait_output iris "$dst" "Resuming from step $staged" 20
    wait_record iris handoff kind COMMITTED
    is_damaged "$(echo "$(relay_dir sherlock)"/superseded-*/resume_state.pt)" ||
        fail 'what it left is whole'
    trap put_access_back EXIT
}

# stop_in_a_save PID STATE: stops the process while STATE is half written.
stop_in_a_save()
{
    local meta=${2%/*}/resume_meta.json end=$((SECONDS + 60))

    while ((SECONDS < end)); do
        # The state is written before the meta is.
        [[ $2 -nt $meta ]] || continue
        kill -STOP "$1"
        ! is_damaged "$2" || return 0
        kill -CONT "$1"
    done
    fail 'no save was met'
}

# --- damaged at the source -------------------------------------------------

# train_on_and_save_no_more [ARG...]: a training that has a checkpoint and goes
# on without another; sets SRC and STATE.
train_on_and_save_no_more()
{
    source_trains "$@"
    on sherlock scancel "$SRC"
    wait_state sherlock "$SRC" CANCELLED 20
    SRC=$(train sherlock "$@" --checkpoint-every 1000000)
    wait_output sherlock "$SRC" 'Resuming from step' 20
    STATE=$(resume_dir sherlock "$KEY")/resume_state.pt
}

# refused_as_damaged REGEX
refused_as_damaged()
{
    local dst

    dst=$(hand_over)
    expect_exit iris "$dst" 65
    expect_output iris "$dst" "the checkpoint on sherlock is damaged: .*$1"
    job_is sherlock "$SRC" RUNNING ||
        fail "the source is $(job_state sherlock "$SRC")"
    equal "$(record sherlock run kind)" '' 'lease on the source'
    [[ ! -e $(resume_dir iris "$KEY") ]] || fail 'the target has a state'
}

test_handoff_of_a_truncated_state()
{
    train_on_and_save_no_more
    truncate -s -100 "$STATE"
    refused_as_damaged resume_state.pt
}

test_handoff_of_a_state_with_a_flipped_bit()
{
    train_on_and_save_no_more
    flip_bit "$STATE"
    refused_as_damaged 'archive/data/0'
}

# flip_bit FILE: in the first numbers of it.
flip_bit()
{
    /usr/bin/python3 -c '
import sys, zipfile
path = sys.argv[1]
entry = zipfile.ZipFile(path).getinfo("archive/data/0")
with open(path, "r+b") as f:
    f.seek(entry.header_offset + 30 + len(entry.filename) + 5)
    byte = f.read(1)[0]
    f.seek(-1, 1)
    f.write(bytes([byte ^ 16]))
' "$1"
}

# rsync says that it cannot read the file; that it changed is what is said.
test_handoff_of_a_state_that_shrinks_in_the_copy()
{
    local dst

    keep_access
    train_on_and_save_no_more --state-mb 30
    slow_copies 5000000
    dst=$(hand_over)
    wait_copying
    truncate -s -1000000 "$STATE"
    rm "$(home_of sherlock)/rate"
    expect_exit iris "$dst" 65
    expect_output iris "$dst" 'differs from the source.*not every file.*again'
    expect_output iris "$dst" 'the checkpoint on sherlock is damaged'
    job_is sherlock "$SRC" RUNNING || fail 'the source was stopped'
}

# --- room -------------------------------------------------------------------

# small_target OPTIONS: iris's resume root is a file system of its own.
small_target()
{
    local root
    root=$(scratch_of iris)/ckpt/_resume

    mount -t tmpfs -o "mode=700,uid=$(user_of iris),$1" tmpfs "$root" || {
        echo 'no file system can be mounted here'
        exit 77
    }
    # A daemon of the target that looks around is no reason to leave it there.
    trap 'cancel_all iris; umount -l "'"$root"'"' EXIT
}

test_handoff_without_room()
{
    local dst

    small_target size=30m
    source_trains --state-mb 20
    dst=$(hand_over)
    expect_exit iris "$dst" 73
    expect_output iris "$dst" 'not enough room on the file system'
    untouched "$SRC"
}

test_handoff_without_inodes()
{
    local dst

    small_target size=100m,nr_inodes=25
    source_trains
    dst=$(hand_over)
    expect_exit iris "$dst" 73
    expect_output iris "$dst" 'not enough inodes on the file system'
    untouched "$SRC"
}

# --- ended in the middle ------------------------------------------------------

test_handoff_cancelled_in_the_copy()
{
    local dst

    keep_access
    source_trains --state-mb 40
    slow_copies 5000000
    dst=$(hand_over)
    wait_copying
    on iris scancel "$dst"
    wait_state iris "$dst" CANCELLED 10
    ! busy || fail "left behind: $(busy)"
    # It had time to say so: Slurm's own SIGKILL comes after KillWait (5 s).
    expect_output iris "$dst" 'ended by signal 15'
    untouched "$SRC"
    some_has_come || fail 'what has come is gone'
    rm "$(home_of sherlock)/rate"
    dst=$(hand_over)
    goes_through "$dst"
    published_is_whole
}

# busy: the processes of iris's user that copy or look.
busy()
{
    pgrep -a -f -U "$(user_of iris)" '^(.*/)?(rsync|ssh|relay-job) '
}
