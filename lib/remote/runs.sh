# shellcheck shell=sh disable=SC2154
# What a cluster has: runs.sh ROOT BASE LITERAL
# Every run below ROOT (relative: below BASE, the working directory of a job,
# or HOME), the last records of each, the progress of those that are held, and
# the user's jobs. LITERAL, unless empty: only runs whose meta or records hold
# it. Files are sent whole, as `grep -H ''` prints them: PATH:LINE for each
# line. As few processes for thousands of runs as for one.
# After common.sh. The answer is read by overview*.c.

sep=$(printf '\037')
hex='[0-9a-f]'
hex8=$hex$hex$hex$hex$hex$hex$hex$hex
max_meta=262144
max_logs=500
user=$(id -un)

# --- the queue -----------------------------------------------------------

# id, state, reason, partition, time left, start, nodes, first node, directory,
# script, comment, name
job_format="%i$sep%T$sep%r$sep%P$sep%L$sep%S$sep%D$sep%B$sep%Z$sep%o"
job_format="$job_format$sep%k$sep%j"
# What -o has no letter for; columns of fixed widths, which overview_jobs.c
# knows: 40, 8, 96, 96, 96, 256. The last is for list_logs.
more_format='JobArrayID:40,RestartCnt:8,tres-per-node:96,tres-per-job:96'
more_format="$more_format,tres-per-task:96,tres-alloc:256,StdOut:1024"
stdout_at=593

list_jobs()
{
    if ! command -v squeue >/dev/null 2>&1; then
        val slurm_problem 'squeue is not in PATH there'
        return
    fi
    timeout 6 squeue -h -r -u "$user" -o "$job_format" \
        >"$relay_scratch/jobs" 2>"$relay_scratch/errors" || {
        rm -f -- "$relay_scratch/jobs"
        val slurm_problem "$(head -n 1 "$relay_scratch/errors")"
        return
    }
    section jobs "$relay_scratch/jobs"
    [ -s "$relay_scratch/jobs" ] || return 0
    timeout 6 squeue -h -r -u "$user" -O "$more_format" \
        >"$relay_scratch/more" 2>/dev/null &&
        section more "$relay_scratch/more"
}

list_gpus()
{
    [ -f "$relay_scratch/jobs" ] && command -v sinfo >/dev/null 2>&1 ||
        return 0
    timeout 6 sinfo -h -o '%P|%G|%D' >"$relay_scratch/partitions" \
        2>/dev/null && section partitions "$relay_scratch/partitions"
    nodes=$(awk -F"$sep" '$2 == "RUNNING" && !seen[$8]++ {
        printf "%s%s", comma, $8; comma = ","
    }' "$relay_scratch/jobs")
    [ -n "$nodes" ] || return 0
    timeout 6 sinfo -h -N -n "$nodes" -o '%N|%G' >"$relay_scratch/nodes" \
        2>/dev/null && section nodes "$relay_scratch/nodes"
}

# ID<TAB>PATH of the output of each job that runs. squeue has the pattern of an
# array's, and the default one without the task.
list_logs()
{
    awk -F"$sep" -v at="$stdout_at" '
        NR == FNR { if ($2 == "RUNNING") runs[$1] = 1; next }
        {
            id = substr($0, 1, 40); sub(/ +$/, "", id)
            path = substr($0, at); sub(/ +$/, "", path)
            if (split(id, part, "_") == 2) {
                gsub(/%A/, part[1], path); gsub(/%a/, part[2], path)
                sub("/slurm-" part[1] "[.]out$", "/slurm-" id ".out", path)
            }
            if (id in runs) print id "\t" path
        }' "$relay_scratch/jobs" "$relay_scratch/more" |
        head -n "$max_logs" |
        while IFS=$relay_tab read -r id out; do
            [ -f "$out" ] && printf '%s\t%s\n' "$id" "$out"
        done >"$relay_scratch/logs"
}

# log_steps head|tail: the first or the last `step N/TOTAL` of the beginning
# or the end of each output.
log_steps()
{
    cut -f 2- "$relay_scratch/logs" | tr '\n' '\0' |
        xargs -0 "$1" -v -c 65536 -- 2>/dev/null | tr '\r' '\n' |
        awk -F'\t' -v what="$1" '
            BEGIN { n = at = 0 }
            NR == FNR { id[n] = $1; head[n++] = "==> " $2 " <=="; next }
            /^==> / {
                for (i = at; i < n && $0 != head[i]; i++) ;
                if (i < n) { now = id[i]; at = i + 1; next }
            }
            match($0, /[Ss]tep[ :=]+[0-9]+ *\/ *[0-9]+/) {
                if (what == "head" && now in steps) next
                steps[now] = substr($0, RSTART, RLENGTH)
                gsub(/[^0-9\/]/, "", steps[now])
                sub(/\//, " ", steps[now])
            }
            END {
                for (i in steps) printf "log\t%s %s %s\n", i, what, steps[i]
            }' "$relay_scratch/logs" -
}

show_logs()
{
    [ -f "$relay_scratch/more" ] || return 0
    list_logs
    [ -s "$relay_scratch/logs" ] || return 0
    log_steps head
    log_steps tail
    cut -f 2- "$relay_scratch/logs" | tr '\n' '\0' |
        xargs -0 stat -L -c '%Y %n' -- 2>/dev/null | awk '
            NR == FNR { tab = index($0, "\t")
                id[substr($0, tab + 1)] = substr($0, 1, tab - 1); next }
            { path = $0; sub(/^[0-9]+ /, "", path)
              if (path in id) printf "log\t%s time %s 0\n", id[path], $1
            }' "$relay_scratch/logs" -
}

# --- the runs ------------------------------------------------------------

# One file of each line of the list on standard input, as PATH:LINE.
whole_files()
{
    xargs grep -aHs ''
}

list_metas()
{
    # shellcheck disable=SC2086
    set -- $hex8$hex8$hex8$hex8$hex8/resume_meta.json
    [ -e "$1" ] || return 0
    printf '%s\n' "$@" | xargs stat -L -c '%Y %s %n %F' -- 2>/dev/null |
        sed -n 's/ regular file$//p; s/ regular empty file$//p'
}

# The last record of each series, PATH a line.
list_records()
{
    [ -d .relay ] || return 0
    find .relay -mindepth 2 -maxdepth 2 \
        \( -name 'run.[1-9]*' -o -name 'handoff.[1-9]*' \) 2>/dev/null |
        awk -F/ '
            {
                dot = index($3, ".")
                n = substr($3, dot + 1)
                series = $2 "/" substr($3, 1, dot - 1)
                if (NF == 3 && length($2) == 40 && $2 !~ /[^0-9a-f]/ &&
                    n !~ /[^0-9]/ && n + 0 > last[series])
                    last[series] = n + 0
            }
            END { for (s in last) printf ".relay/%s.%d\n", s, last[s] }'
}

# sift LITERAL: leaves in both lists what holds it.
sift()
{
    {
        cut -d ' ' -f 3 "$relay_scratch/metas" |
            xargs -r grep -alFs -e "$1"
        xargs -r grep -alFs -e "$1" <"$relay_scratch/records"
    } | sed 's/^\.relay\///; s/\/.*//' | sort -u >"$relay_scratch/kept"
    for list in metas records; do
        grep -F -f "$relay_scratch/kept" "$relay_scratch/$list" \
            >"$relay_scratch/$list.kept"
        mv -f -- "$relay_scratch/$list.kept" "$relay_scratch/$list"
    done
}

# The checkpoints of the newest writers of runs that are held: the first one
# and the last ones of each.
list_progress()
{
    awk -F/ '
        /"kind": *"(claim|reinstate)"/ && $3 ~ /^run\./ {
            print ".relay/" $2 "/history"
        }' "$relay_scratch/texts" |
        xargs -r sh -c 'find "$@" -maxdepth 1 -type f -name "*.jsonl" \
            -printf "%T@ %p\n"' find 2>/dev/null | sort -rn |
        awk -F/ 'n[$2]++ < 2 { sub(/^[^ ]* /, ""); print }' |
        xargs -r grep -aHs '"progress"' | awk -F: -v keep=24 '
            !($1 in n) { order[++files] = $1; first[$1] = $0 }
            { last[$1, ++n[$1] % keep] = $0 }
            END {
                for (k = 1; k <= files; k++) {
                    f = order[k]
                    print first[f]
                    for (i = n[f] > keep ? n[f] - keep + 1 : 1; i <= n[f]; i++)
                        print last[f, i % keep]
                }
            }'
}

list_runs()
{
    list_metas >"$relay_scratch/metas"
    list_records >"$relay_scratch/records"
    [ -z "$1" ] || sift "$1"
    section metas "$relay_scratch/metas"
    awk -v max="$max_meta" '$2 <= max { print $3 }' "$relay_scratch/metas" |
        whole_files >"$relay_scratch/texts"
    section texts "$relay_scratch/texts"
    whole_files <"$relay_scratch/records" >"$relay_scratch/texts"
    section records "$relay_scratch/texts"
    list_progress >"$relay_scratch/progress"
    section progress "$relay_scratch/progress"
}

# --- the root ------------------------------------------------------------

# A relative root is below BASE, the directory of a job here, or HOME: where
# there is one, and only one.
find_root()
{
    if expand_path "$1" "$2" && { [ "${1#[/~$]}" != "$1" ] ||
        [ -d "$path" ]; }; then
        return 0
    fi
    [ "${1#[/~$]}" = "$1" ] || return 1
    found=
    [ ! -f "$relay_scratch/jobs" ] ||
        awk -F"$sep" 'NF > 9 && !seen[$9]++ { print $9 }' \
            "$relay_scratch/jobs" >"$relay_scratch/dirs"
    echo "$HOME" >>"$relay_scratch/dirs"
    while read -r dir; do
        if ! expand_path "$1" "$dir" || [ ! -d "$path" ]; then
            continue
        fi
        path=$(cd -- "$path" && pwd -P) || continue
        if [ -n "$found" ] && [ "$found" != "$path" ]; then
            problem="$1 is in the working directories of several jobs"
            return 1
        fi
        found=$path
    done <"$relay_scratch/dirs"
    problem="$1 is relative, and in no working directory of a job there"
    path=$found
    [ -n "$path" ]
}

if ! scratch; then
    val problem "cannot make a temporary directory in ${TMPDIR:-/tmp}"
    exit 0
fi
val now "$(date +%s)"
list_jobs
if ! find_root "$1" "$2"; then
    val problem "$problem"
    exit 0
fi
val root "$path"
if cd -- "$path" 2>/dev/null; then
    list_runs "$3"
elif [ -e "$path" ]; then
    val problem "$path cannot be entered"
    exit 0
fi
list_gpus
show_logs
