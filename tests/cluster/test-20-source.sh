# shellcheck shell=bash
# What a handoff does on its source, on its own: found, fenced, stopped and
# given back, and what becomes of it when something is cut off.

NONCE=00112233445566778899aabbccddeeff

PROBE_PROGRAM=${RELAY_CLUSTERS%/*}/libexec/source_probe
[[ -x $PROBE_PROGRAM ]] ||
    install -m 755 "${build:?}/tests/unit/source_probe" "$PROBE_PROGRAM"

# probe COMMAND ...: as the user of iris, looking at sherlock.
probe()
{
    on iris "$PROBE_PROGRAM" "$@"
}

# kill_probe: the one that runs, as scancel would end it at last.
kill_probe()
{
    kill -KILL "$(pgrep -u "$(user_of iris)" -f "^$PROBE_PROGRAM ")"
}

# answer NAME TEXT: the values of lines NAME=VALUE.
answer()
{
    sed -n "s/^$1=//p" <<<"$2"
}

gone()
{
    [[ ! -e $1 ]]
}

test_source_is_found_by_its_job_name()
{
    local job out

    job=$(train sherlock)
    train sherlock -n "$NAME-0" >/dev/null # its name begins alike
    wait_step sherlock 10
    out=$(probe look sherlock "$KEY")
    equal "$(answer found "$out")" 1 found
    equal "$(answer job "$out")" "$job" job
    equal "$(answer state "$out")" RUNNING state
    equal "$(answer requeue "$out")" 1 requeue
    [[ $(answer rsync "$out") == [3-9].*.* ]] ||
        fail "rsync is '$(answer rsync "$out")'"
}

test_source_is_found_by_what_its_script_says()
{
    local job out

    job=$(train sherlock -o -Jtraining)
    wait_step sherlock 10
    out=$(probe look sherlock "$KEY")
    # Arguments are no part of a script; the log names the run directory.
    job_output sherlock "$job" | grep -qw "$NAME" ||
        fail "its log does not name the run"
    equal "$(answer job "$out")" "$job" job
}

test_source_that_is_not_there_gets_the_nearest()
{
    local out

    train sherlock >/dev/null
    wait_step sherlock 10
    out=$(probe look sherlock "${KEY}x")
    equal "$(answer found "$out")" 0 found
    [[ $(answer nearest "$out") == *"$NAME (step "* ]] ||
        fail "nearest is '$(answer nearest "$out")'"
}

test_source_is_found_under_another_hash()
{
    local out

    train sherlock >/dev/null
    wait_step sherlock 10
    out=$(probe look sherlock "someone/else/$NAME")
    equal "$(answer hash "$out")" "$(run_hash "$KEY")" hash
}

test_source_job_of_another_training_is_refused()
{
    local other rc=0 out

    train sherlock >/dev/null
    other=$(train sherlock -n "$NAME-other")
    wait_step sherlock 10
    wait_step sherlock 10 60 "$KEY-other"
    out=$(probe look sherlock "$KEY" "$other" 2>&1) || rc=$?
    equal "$rc" 65 'exit code'
    [[ $out == *"$NAME-other"* ]] || fail "it said: $out"
    still_trains sherlock "$other" "$KEY-other"
}

# The last task's job id is the array's.
test_source_last_task_of_an_array_alone_is_stopped()
{
    local array out

    array=$(submit sherlock --array=0-1 -J "$NAME" \
        --wrap "exec python3 -u train.py --entity lab --project robots \
            --run-name $NAME-\$SLURM_ARRAY_TASK_ID --steps 100000 \
            --step-time 0.02 --checkpoint-every 10 \
            --resume-root $(scratch_of sherlock)/ckpt/_resume \
            --run-root $(scratch_of sherlock)/ckpt")
    wait_step sherlock 10 60 "$KEY-0"
    wait_step sherlock 10 60 "$KEY-1"
    out=$(probe look sherlock "$KEY-1" "$array" 2>&1) &&
        fail "the array's number was taken for one task: $out"
    out=$(probe stop sherlock "$KEY-1" "$NONCE")
    equal "$(answer result "$out")" accepted result
    wait_state sherlock "${array}_1" CANCELLED 30
    still_trains sherlock "${array}_0" "$KEY-0"
}

test_source_is_stopped_once_and_given_back()
{
    local job follower held out

    job=$(train sherlock)
    wait_step sherlock 10
    follower=$(submit sherlock -d "afterany:$job" --wrap true)
    held=$(submit sherlock -H -d "afterany:$job" --wrap true)
    out=$(probe stop sherlock "$KEY" "$NONCE")
    equal "$(answer result "$out")" accepted result
    wait_state sherlock "$job" CANCELLED 30
    equal "$(job_field sherlock "$job" Requeue)" 0 Requeue
    equal "$(job_field sherlock "$follower" Priority)" 0 'priority, held'
    equal "$(record sherlock run kind)" fence 'lease'
    equal "$(probe stop sherlock "$KEY" "$NONCE")" "$out" 'second answer'
    equal "$(record sherlock run gen)" 1 generation
    probe reinstate sherlock "$KEY" "$NONCE"
    equal "$(record sherlock run kind)" reinstate 'lease'
    wait_state sherlock "$follower" 'RUNNING|COMPLETED' 30
    # A person had held this one.
    equal "$(job_field sherlock "$held" Priority)" 0 'priority, held before'
}

# What refuses is put before Slurm's own scancel; it says what Slurm says.
test_source_whose_scancel_is_refused_goes_on()
{
    local job out

    job=$(train sherlock)
    wait_step sherlock 10
    trap 'rm -f "$RELAY_PATH/scancel"' EXIT
    printf '%s\n' '#!/bin/sh' \
        'echo "scancel: error: Kill job error: Access/permission denied" >&2' \
        'exit 1' >"$RELAY_PATH/scancel"
    chmod 755 "$RELAY_PATH/scancel"
    out=$(probe stop sherlock "$KEY" "$NONCE")
    rm -f "$RELAY_PATH/scancel"
    equal "$(answer result "$out")" refused result
    [[ $(answer why "$out") == *permission*RUNNING* ]] ||
        fail "it said: $(answer why "$out")"
    equal "$(job_field sherlock "$job" Requeue)" 1 Requeue
    equal "$(record sherlock run kind)" reinstate lease
    still_trains sherlock "$job"
    # And the next attempt is not told of this one.
    out=$(probe stop sherlock "$KEY" "$NONCE")
    equal "$(answer result "$out")" accepted 'second result'
}

fence_is_linked()
{
    [[ $(record sherlock run kind) == fence ]]
}

# The connection goes while the source waits for a checkpoint.
test_source_stop_outlives_its_connection()
{
    local job pid out result

    job=$(train sherlock --checkpoint-every 300)
    wait_step sherlock 10
    probe stop sherlock "$KEY" "$NONCE" CONT 60 &
    pid=$!
    wait_for 20 'the fence' fence_is_linked
    kill_probe
    wait "$pid" || true
    job_is sherlock "$job" RUNNING || fail 'it did not wait'
    out=$(probe stop sherlock "$KEY" "$NONCE")
    equal "$(answer result "$out")" accepted result
    result=$(relay_dir sherlock)/stop-$NONCE
    [[ $(answer why "$out") == *'wrote a checkpoint on CONT'* ]] ||
        fail "this is not the first call's result: $out ($(<"$result"))"
    equal "$(record sherlock run gen)" 1 generation
}

test_source_without_an_answer_of_slurm_is_left_alone()
{
    local rc=0 out

    train sherlock >/dev/null
    wait_step sherlock 10
    trap 'rm -f "$RELAY_PATH/squeue"' EXIT
    printf '%s\n' '#!/bin/sh' \
        'echo "slurm_load_jobs error: Unable to contact slurm controller" >&2' \
        'exit 1' >"$RELAY_PATH/squeue"
    chmod 755 "$RELAY_PATH/squeue"
    out=$(probe look sherlock "$KEY" 2>&1) || rc=$?
    rm -f "$RELAY_PATH/squeue"
    equal "$rc" 75 "exit code ($out)"
    gone "$(relay_dir sherlock)/run.1" || fail 'it was fenced'
}

# A path with all that a shell, a wildcard or rsync could take for its own.
test_source_directory_of_any_name_is_copied()
{
    local odd="a b'\$(touch x)\"[c]*?~#;&é" from to out

    from=$(scratch_of sherlock)/$odd
    to=$(scratch_of iris)/copy-$NAME
    on sherlock mkdir -p "$from/sub"
    on sherlock tee "$from/resume_meta.json" <<<'{}' >/dev/null
    on sherlock tee "$from/sub/-x [y]*" <<<2 >/dev/null
    on iris mkdir -p -m 700 "$to"
    out=$(probe pull sherlock "$from" "$to") || fail "$out"
    [[ -z $(answer say "$out") ]] || fail "it was tried again: $out"
    diff -r "$from" "$to" || fail 'the copy differs'
}

# big_source: 400 MB on sherlock; prints its directory.
big_source()
{
    local dir

    dir=$(scratch_of sherlock)/big-source
    on sherlock mkdir -p "$dir"
    [[ -s $dir/resume_state.pt ]] ||
        on sherlock sh -c "head -c 400000000 /dev/urandom >$dir/new &&
            mv $dir/new $dir/resume_state.pt && echo {} >$dir/resume_meta.json"
    echo "$dir"
}

# bytes_below DIR: of its files, those with rsync's temporary names too.
bytes_below()
{
    find "$1" -type f -printf '%s\n' 2>/dev/null |
        awk '{n += $1} END {print n + 0}'
}

has_bytes()
{
    (($(bytes_below "$1") > 20000000))
}

# rsync that sends, of sherlock's user.
sender()
{
    pgrep -u "$(user_of sherlock)" -f 'rsync --server --sender'
}

no_sender()
{
    ! sender
}

# The other side stands still: rsync itself would wait for ever.
test_source_copy_that_stalls_is_gone_on_with()
{
    local from to pid stopped out

    from=$(big_source) to=$(scratch_of iris)/copy-$NAME
    rm -rf "$to"
    on iris mkdir -m 700 "$to"
    probe pull sherlock "$from" "$to" 3 >"$to.out" &
    pid=$!
    wait_for 30 'some bytes' has_bytes "$to"
    stopped=$(sender)
    # shellcheck disable=SC2086
    kill -STOP $stopped
    wait_for 60 'a new try' grep -q again "$to.out"
    # shellcheck disable=SC2086
    kill -KILL $stopped
    wait "$pid" || fail "the copy failed: $(<"$to.out")"
    out=$(<"$to.out")
    [[ $(answer say "$out") == 'no byte came from'* ]] || fail "it said: $out"
    diff -r "$from" "$to" || fail 'the copy differs'
}

test_source_copy_that_is_killed_is_gone_on_with()
{
    local from to pid before

    from=$(big_source) to=$(scratch_of iris)/copy-$NAME
    rm -rf "$to"
    on iris mkdir -m 700 "$to"
    probe pull sherlock "$from" "$to" &
    pid=$!
    wait_for 30 'some bytes' has_bytes "$to"
    kill_probe
    wait "$pid" || true
    wait_for 20 'the sender to end' no_sender
    before=$(bytes_below "$to")
    ((before > 20000000 && before < 400000000)) ||
        skip "it was cut off after $before bytes"
    probe pull sherlock "$from" "$to"
    diff -r "$from" "$to" || fail 'the copy differs, or something is left'
}
