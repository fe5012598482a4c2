# shellcheck shell=sh disable=SC2154
# What runs a cluster has: index.sh ROOT BASE. One line `run` for each:
#   HASH STEP KIND [JOB]
# KIND: here; stub (moved away); lease (JOB has begun it and is in the queue,
# there is no state yet). Few processes, however many runs there are.

hex='[0-9a-f]'
hex8=$hex$hex$hex$hex$hex$hex$hex$hex

states()
{
    # shellcheck disable=SC2086
    set -- $hex8$hex8$hex8$hex8$hex8/resume_meta.json
    [ -e "$1" ] || return 0
    printf '%s\n' "$@" | tr '\n' '\0' |
        xargs -0 grep -H -s -o -E \
            '"(last_checkpoint_step|last_step)"[[:space:]]*:[[:space:]]*[0-9]+|"moved_to"' |
        awk -F: '
            {
                hash = substr($1, 1, 40)
                if (!(hash in seen)) { seen[hash] = 1; step[hash] = -1 }
                if ($2 ~ /moved_to/) { stub[hash] = 1; next }
                n = $NF; gsub(/[^0-9]/, "", n)
                if ($2 ~ /last_checkpoint_step/ || step[hash] == -1)
                    step[hash] = n
            }
            END {
                for (h in seen)
                    printf "run\t%s %s %s\n", h, step[h],
                        (h in stub) ? "stub" : "here"
            }'
}

# HASH JOB of the leases that are held where there is no state.
held_leases()
{
    find .relay -mindepth 2 -maxdepth 2 -name 'run.[1-9]*' 2>/dev/null |
        awk -F/ '
            {
                n = substr($3, 5)
                if (length($2) == 40 && n ~ /^[0-9]+$/ && n + 0 > last[$2])
                    last[$2] = n + 0
            }
            END { for (h in last) printf ".relay/%s/run.%d\n", h, last[h] }' |
        while read -r file; do
            hash=${file#.relay/}
            [ -e "${hash%/*}/resume_meta.json" ] || printf '%s\0' "$file"
        done |
        xargs -0 -r grep -H -s -o -E \
            '"kind": *"(claim|reinstate)"|"job_id": *"[0-9_]+"' |
        awk -F: '
            {
                hash = substr($1, 8, 40)
                value = $NF; gsub(/[" ]/, "", value)
                if ($2 ~ /kind/) held[hash] = 1
                else if (!(hash in job)) job[hash] = value
            }
            END { for (h in held) if (h in job) print h, job[h] }'
}

# Only a job that is in the queue has begun anything. When Slurm does not
# answer, the lease is what is known.
leases()
{
    held=$(held_leases)
    [ -n "$held" ] || return 0
    queue=$(timeout 5 squeue -h -r -u "$(id -un)" -o %i 2>/dev/null) ||
        queue=unknown
    printf '%s\n' "$held" | while read -r hash job; do
        case $relay_nl$queue$relay_nl in
        *"$relay_nl$job$relay_nl"* | *"${relay_nl}unknown$relay_nl"*)
            val run "$hash -1 lease $job" ;;
        esac
    done
}

if ! expand_path "$1" "$2"; then
    val problem "$problem"
    exit 0
fi
val root "$path"
cd "$path" 2>/dev/null || exit 0
states
leases
