# shellcheck shell=sh disable=SC2154
# One look at a run where it may be: state, lease, jobs, tools.
#   $1 resume_root as configured  $2 hash  $3 run name to search for, or ''
#   $4 job id that a person typed, or ''  $5 probe file below .relay, or ''
#   $6 the run name as JSON spells it when it has other than ASCII, or ''
# Answer: `problem` alone when the root cannot be had, else root, user and the
# like, then either section meta (found) with the state's listing and lease,
# or sections candidate (metas that hold the name) and names (of all), then
# sections jobs and, for jobs that may be this run's, tie.
# After common.sh and tree.sh.

sep=$(printf '\037')
# id, raw id, array job, state, submit, start, reason, dependency, directory,
# comment, name
job_format="%i$sep%A$sep%F$sep%T$sep%V$sep%S$sep%r$sep%E$sep%Z$sep%k$sep%j"
hex='[0-9a-f]'
hex8=$hex$hex$hex$hex$hex$hex$hex$hex
max_ties=30

# The user's jobs in $relay_scratch/jobs; no file when Slurm does not answer.
list_jobs()
{
    if ! command -v squeue >/dev/null 2>&1; then
        val slurm_problem 'squeue is not in PATH there'
        return
    fi
    squeue -h -u "$user" -o "$job_format" >"$relay_scratch/jobs" \
        2>"$relay_scratch/errors" || {
        rm -f -- "$relay_scratch/jobs"
        val slurm_problem "$(head -n 1 "$relay_scratch/errors")"
    }
}

# A relative root is below the working directory of the run's job: of the one
# that was typed, else of the only one that has such a state there.
relative_root()
{
    problem="$1 is relative to the job's working directory: give the job id"
    [ -f "$relay_scratch/jobs" ] || return 1
    found=
    while IFS=$sep read -r id raw array state _ _ _ _ dir _; do
        case $typed in
        '')
            [ "$state" = RUNNING ] || continue
            expand_path "$1" "$dir" || continue
            [ -f "$path/$hash/resume_meta.json" ] || continue ;;
        "$id" | "$raw" | "$array") expand_path "$1" "$dir" || continue ;;
        *) continue ;;
        esac
        [ "$path" != "$found" ] || continue
        if [ -n "$found" ]; then
            problem="$1 is in the working directories of several jobs"
            return 1
        fi
        found=$path
    done <"$relay_scratch/jobs"
    path=$found
    [ -n "$path" ]
}

find_root()
{
    case $1 in
    '') problem='no resume_root is configured'; return 1 ;;
    /* | [~]* | '$'*) expand_path "$1" ;;
    *) relative_root "$1" ;;
    esac
}

# What is no plain file, or has a name that we do not handle.
find_special()
(
    cd -- "$1" || exit 1
    find . ! -type f ! -type d | head -n 1
    [ -z "$(find . -name '*[[:cntrl:]\\]*' | head -n 1)" ] ||
        echo 'a name with a control character or a backslash'
)

# The value of a string member of a meta, first one that is there.
member()
{
    sed -n 's/.*"'"$2"'"[[:space:]]*:[[:space:]]*"\([^"\\]*\)".*/\1/p' "$1" |
        head -n 1
}

commit_of()
{
    [ -d "$1" ] && command -v git >/dev/null 2>&1 || return 0
    GIT_OPTIONAL_LOCKS=0 timeout 5 git -C "$1" rev-parse HEAD 2>/dev/null
}

show_state()
{
    section meta "$1/resume_meta.json"
    list_files "$1" >"$relay_scratch/files"
    section files "$relay_scratch/files"
    # A training went on without its state, which was kept: runkeep.c.
    for flag in "$relay_dir"/restore-*; do
        [ ! -e "$flag" ] || val lost yes
    done
    special=$(find_special "$1" | head -n 1)
    [ -z "$special" ] || val special "$special"
    last_generation "$relay_dir" run
    val gen "$generation"
    [ "$generation" -eq 0 ] || section lease "$relay_dir/run.$generation"
    run_dir=$(member "$1/resume_meta.json" run_dir)
    val git "$(commit_of "$run_dir")"
    # What the run's jobs may call it.
    [ -n "$name" ] || name=$(member "$1/resume_meta.json" run_name)
    [ -n "$name" ] || name=${run_dir##*/}
}

# The metas that hold the name, and a line of every one's name and step. One
# grep reads thousands.
search()
{
    cd -- "$root" 2>/dev/null || return 0
    # shellcheck disable=SC2086
    printf '%s\n' $hex8$hex8$hex8$hex8$hex8/resume_meta.json \
        >"$relay_scratch/metas"
    [ -e "$(head -n 1 "$relay_scratch/metas")" ] || return 0
    members='"(run_name|run_dir|last_checkpoint_step|last_step)"'
    value='("([^"\\]|\\.)*"|-?[0-9]+)'
    xargs grep -oHE "${members}[[:space:]]*:[[:space:]]*$value" \
        <"$relay_scratch/metas" 2>/dev/null | head -n 30000 \
        >"$relay_scratch/names"
    section names "$relay_scratch/names"
    [ -n "$name" ] || return 0
    xargs grep -lF -e "$name" ${json_name:+-e "$json_name"} \
        <"$relay_scratch/metas" 2>/dev/null | head -n 200 \
        >"$relay_scratch/hits"
    while read -r hit; do
        {
            echo "${hit%%/*}"
            cat -- "$hit"
        } >"$relay_scratch/candidate" 2>/dev/null
        section candidate "$relay_scratch/candidate"
    done <"$relay_scratch/hits"
}

# What ties job $1 (raw id $2) to the run: where its output goes, its script,
# and the lines of its log that hold the name. C looks for the name.
show_tie()
{
    scontrol -o show job "$1" >"$relay_scratch/job" 2>/dev/null || return 0
    out=$(sed -n 's/.* StdOut=\([^ ]*\).*/\1/p' "$relay_scratch/job")
    command=$(sed -n 's/.* Command=\([^ ]*\).*/\1/p' "$relay_scratch/job")
    {
        printf '%s\n%s\n' "$1" "$out"
        scontrol write batch_script "$2" - 2>/dev/null ||
            cat -- "$command" 2>/dev/null
        if [ -f "$out" ] && [ -n "$name" ]; then
            echo
            {
                head -c 1048576 -- "$out"
                echo
                tail -c 1048576 -- "$out"
            } | grep -aF -e "$name" | head -n 50 | cut -c 1-500
        fi
    } 2>/dev/null | head -c 262144 >"$relay_scratch/tie"
    section tie "$relay_scratch/tie"
}

# The job that was typed; else, unless the lease names one that is there, all
# that run.
show_ties()
{
    [ -f "$relay_scratch/jobs" ] || return 0
    section jobs "$relay_scratch/jobs"
    lease_job=
    if [ "$generation" -gt 0 ] && grep -qE '"kind": *"(claim|reinstate)"' \
        "$relay_dir/run.$generation"; then
        lease_job=$(member "$relay_dir/run.$generation" job_id)
    fi
    n=0
    ties=
    while IFS=$sep read -r id raw array state _; do
        if [ -n "$typed" ]; then
            case $typed in
            "$id" | "$raw" | "$array") ;;
            *) continue ;;
            esac
        elif [ "$id" = "$lease_job" ]; then
            return 0
        fi
        [ "$state" = RUNNING ] || continue
        n=$((n + 1))
        [ "$n" -gt "$max_ties" ] || ties="$ties $id:$raw"
    done <"$relay_scratch/jobs"
    for tie in $ties; do
        show_tie "${tie%:*}" "${tie#*:}"
    done
}

# A job that is not among the user's: whose it is.
show_typed()
{
    [ -n "$typed" ] && command -v squeue >/dev/null 2>&1 || return 0
    squeue -h -t all -j "$typed" -o "%i %u %T %S %j" 2>/dev/null |
        head -n 1 >"$relay_scratch/typed"
    val typed "$(cat -- "$relay_scratch/typed")"
}

main()
{
    hash=$2 name=$3 typed=$4 probe=$5 json_name=$6
    scratch || { val problem 'no temporary directory'; return; }
    user=$(id -un)
    list_jobs
    find_root "$1" || { val problem "$problem"; return; }
    root=$path
    relay_dir=$root/.relay/$hash
    val root "$root"
    val user "$user"
    val rsync "$(rsync --version 2>/dev/null |
        sed -n '1s/^rsync *version \([0-9.]*\).*/\1/p')"
    val digester "$(digester)"
    [ -n "$probe" ] && [ -e "$root/.relay/$probe" ] && val shared yes
    generation=0
    if [ -f "$root/$hash/resume_meta.json" ]; then
        show_state "$root/$hash"
    else
        last_generation "$relay_dir" run
        val gen "$generation"
        [ "$generation" -eq 0 ] || section lease "$relay_dir/run.$generation"
        (search)
    fi
    show_typed
    show_ties
}

main "$@"
