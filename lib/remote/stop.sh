# shellcheck shell=sh disable=SC2154
# Fences a run and stops its job. What was done is in the result file, so that
# the same call tells it again; a call that was cut off is gone on with.
#   $1 root  $2 hash  $3 nonce  $4 job id or ''  $5 generation of the fence
#   $6 text of the fence, with "@GEN@" and "@REQUEUE@"
#   $7 text of the reinstate record, with "@GEN@" and "@FENCED_GEN@"
#   $8 checkpoint signal or ''  $9 seconds to wait for its checkpoint
#   ${10} jobs to hold
# Answer: the result file's lines gen, result and why. After common.sh and
# fence.sh.

# The connection may go while we work: nothing of that ends us.
trap '' HUP PIPE

# finish RESULT WHY
finish()
{
    keep "$result" "gen$relay_tab$gen
result$relay_tab$1
why$relay_tab$(printf %s "$2" | tr '\001-\037\177' '[?*]')"
    cat -- "$result"
}

# The result of an earlier call, when it is about the fence that stands, or
# about the generation that we were to write.
earlier_result()
{
    [ -f "$result" ] || return 1
    earlier=$(sed -n "s/^gen$relay_tab//p" "$result")
    last_generation "$dir" run
    [ "$earlier" = "$gen" ] || [ "$earlier" = "$generation" ] || return 1
    cat -- "$result"
}

# $$ is the shell around us, which waits for our end.
count_alive()
{
    (
        n=0
        trap 'kill "$pause"; wait "$pause"; exit' TERM
        while kill -0 $$ 2>/dev/null; do
            echo "$relay_token $n" >"$alive"
            n=$((n + 1))
            sleep 1 &
            pause=$!
            wait "$pause"
        done
        rm -f -- "$alive"
    ) >/dev/null 2>&1 &
    counter=$!
}

stop_counting()
{
    kill "$counter" 2>/dev/null
    wait "$counter" 2>/dev/null
    rm -f -- "$alive"
}

# Links the fence, or finds that it is linked: sets gen and requeue.
link_fence()
{
    last_generation "$dir" run
    if [ "$generation" -gt 0 ] &&
        is_record "$dir/run.$generation" fence "$nonce"; then
        gen=$generation
        requeue=$(sed -n 's/.*"requeue": *{[^}]*: *\([01]\) *}.*/\1/p' \
            "$dir/run.$gen")
        return 0
    fi
    if [ "$generation" -ne "$((gen - 1))" ]; then
        problem="the lease is at generation $generation, not $((gen - 1))"
        return 1
    fi
    requeue=
    if [ -n "$job" ]; then
        requeue=$(job_requeue "$job")
        # No value: the job has ended, or Slurm does not answer.
        if [ -z "$requeue" ] && [ -z "$(job_state "$job")" ]; then
            problem='Slurm does not answer'
            return 2
        fi
    fi
    put "$fence" GEN "$gen"
    put "$text" REQUEUE "${requeue:-null}"
    append_record "$dir" run "$gen" "$text"
    link_status=$?
    problem="another record came first"
    [ "$link_status" -ne 2 ] || problem="no record can be linked in $dir"
    return "$link_status"
}

stamp()
{
    stat -c '%i %s %.9Y' -- "$meta" 2>/dev/null
}

# Signals the job and waits until a new meta stands for two looks. Steps get
# the signal, or the batch script where it has none.
ask_for_checkpoint()
{
    before=$(stamp)
    steps=$(squeue -h -s -j "$job" -o %i 2>/dev/null |
        grep -c '\.[0-9][0-9]*$')
    batch=
    [ "$steps" -gt 0 ] || batch=--batch
    if ! scancel -s "$signal" ${batch:+"$batch"} "$job" >/dev/null 2>&1; then
        note="; the signal $signal was refused"
        return
    fi
    waited=0
    note="; no new checkpoint came within $wait s of the signal $signal"
    while [ "$waited" -lt "$wait" ]; do
        sleep 1
        waited=$((waited + 1))
        now=$(stamp)
        if [ -n "$now" ] && [ "$now" != "$before" ]; then
            sleep 1
            [ "$(stamp)" != "$now" ] || {
                note="; it wrote a checkpoint on $signal"
                return
            }
        fi
        has_ended "$(job_state "$job")" && return
    done
}

# undo WHY: everything back, and is the job alive still?
undo()
{
    why=$1
    if lift_fence "$dir" "$gen" "$job" "$requeue" "$followers" "$reinstate"
    then
        state=$(job_state "$job")
        finish refused "$why; undone, the job is ${state:-not to be seen}"
    else
        finish refused "$why; and $problem"
    fi
}

stop_job()
{
    note=
    if [ "$requeue" = 1 ] &&
        ! answer=$(scontrol update JobId="$job" Requeue=0 2>&1) &&
        ! has_ended "$(job_state "$job")"; then
        undo "Requeue=0 was refused: $answer"
        return
    fi
    for follower in $followers; do
        scontrol hold "$follower" >/dev/null 2>&1 ||
            note="$note; job $follower could not be held"
    done
    [ -z "$signal" ] || ask_for_checkpoint
    answer=$(scancel "$job" 2>&1)
    status=$?
    case $answer in
    *error:*) status=1 ;;
    esac
    if [ "$status" -eq 0 ]; then
        finish accepted "job $job was cancelled$note"
    elif has_ended "$(job_state "$job")"; then
        finish accepted "job $job had ended$note"
    else
        undo "scancel $job was refused: $answer"
    fi
}

main()
{
    dir=$1/.relay/$2 meta=$1/$2/resume_meta.json nonce=$3 job=$4 gen=$5
    fence=$6 reinstate=$7 signal=$8 wait=$9
    make_records "$1" "$2" || exit 73
    shift 9
    followers=$1
    result=$dir/stop-$nonce alive=$dir/stop-$nonce.alive
    earlier_result && return
    wait_for_other
    earlier_result && return
    count_alive
    link_fence
    case $? in
    0)
        if [ -n "$job" ]; then
            stop_job
        else
            for follower in $followers; do
                scontrol hold "$follower" >/dev/null 2>&1
            done
            finish no_job 'no job of this run was there to cancel'
        fi ;;
    1) val result lost; val why "$problem" ;;
    *) val result trouble; val why "$problem" ;;
    esac
    stop_counting
}

main "$@"
