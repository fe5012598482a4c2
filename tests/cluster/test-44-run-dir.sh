# shellcheck shell=bash
# handoff.copy_run_dir: files of the run directory move along.

# run_dir CLUSTER: where the run's own files are there.
run_dir()
{
    meta "$1" "$KEY" run_dir
}

# move_with MODE: hands the run over with files of every kind beside it.
move_with()
{
    local from dst

    train sherlock -o --resume-key="$KEY" >/dev/null
    wait_step sherlock 50
    from=$(run_dir sherlock)
    on sherlock mkdir -p "$from/sub"
    echo 'seen on sherlock' | on sherlock tee "$from/sub/notes" >/dev/null
    on sherlock truncate -s 17M "$from/large.bin"
    on sherlock ln -s /etc/passwd "$from/link"
    on sherlock tee "$from/half.tmp" </dev/null
    echo "handoff: {copy_run_dir: $1}" | on iris tee .relay.yaml >/dev/null
    dst=$(train iris -o --resume-key="$KEY" -o --handoff-from=sherlock)
    wait_output iris "$dst" 'Resuming from step' 60
    to=$(run_dir iris)
    output=$(job_output iris "$dst")
}

test_small_files_of_the_run_directory()
{
    local to output

    move_with small
    equal "$(cat "$to/sub/notes")" 'seen on sherlock' 'the notes'
    grep -q '"step": 10\b' "$to/metrics.jsonl" ||
        fail "no step of sherlock's in $to/metrics.jsonl"
    [[ ! -e $to/large.bin && ! -e $to/link && ! -e $to/half.tmp ]] ||
        fail "too much was copied: $(ls -A "$to")"
    [[ $output == *'1 links and special files'* ]] || fail "$output"
    compgen -G "$to/.relay-*" && fail 'copies of ours were left'
    wait_record iris handoff kind COMMITTED
}

test_all_files_of_the_run_directory()
{
    local to output

    move_with all
    equal "$(stat -c %s "$to/large.bin")" $((17 << 20)) 'the size of large.bin'
    wait_record iris handoff kind COMMITTED
}
