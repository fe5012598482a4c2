# shellcheck shell=sh disable=SC2154
# The user's jobs of the last $1 seconds, each run of each (a requeued job has
# several), and what Slurm's settings leave a job that is told to end.
# Answer: `problem` when sacct cannot be had, else section past with a line
# JobID|Partition|State|ElapsedRaw for each; kill_wait SECONDS; and for each
# partition, partition NAME GRACE preempted|safe.
# After common.sh.

# -T: of a job that was running already, what is inside the window.
if past=$(sacct -D -X -n -P -T -u "$(id -un)" -S "now-$1seconds" -E now \
    -o JobID,Partition,State,ElapsedRaw 2>&1); then
    text_section past "$past"
else
    val problem "sacct: $(printf '%s\n' "$past" | head -n 1)"
fi

config=$(scontrol show config 2>/dev/null) || exit 0
printf '%s\n' "$config" |
    sed -n "s/^KillWait *= *\([0-9]*\).*/kill_wait$relay_tab\1/p"
type=$(printf '%s\n' "$config" | sed -n 's/^PreemptType *= *//p')
mode=$(printf '%s\n' "$config" | sed -n 's/^PreemptMode *= *//p')

scontrol -o show partition 2>/dev/null | awk -v type="$type" -v usual="$mode" '
    {
        name = ""; grace = 0; mode = usual
        for (i = 1; i <= NF; i++) {
            at = index($i, "=")
            key = substr($i, 1, at - 1)
            value = substr($i, at + 1)
            if (key == "PartitionName") name = value
            if (key == "GraceTime") grace = value + 0
            if (key == "PreemptMode") mode = value
        }
        safe = type ~ /none/ || mode ~ /^OFF/
        if (name != "")
            printf "partition\t%s %d %s\n", name, grace,
                safe ? "safe" : "preempted"
    }'
