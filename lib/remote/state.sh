# shellcheck shell=sh disable=SC2154
# The state of one run, for showing.
#   $1 resume_root as configured  $2 hash
# Answer: `problem` when the root cannot be had, else root; section meta and
# saved (its mtime) when there is one; gen and section lease, section journal
# (the last records); section jobs (ID|STATE|NAME of the user's) when Slurm
# answers.
# After common.sh.

if ! expand_path "$1"; then
    val problem "$problem"
    exit 0
fi
val root "$path"
meta=$path/$2/resume_meta.json
records=$path/.relay/$2
if [ -f "$meta" ]; then
    section meta "$meta"
    val saved "$(stat -c %Y -- "$meta" 2>/dev/null)"
fi
last_generation "$records" run
val gen "$generation"
[ "$generation" -eq 0 ] || section lease "$records/run.$generation"
last_generation "$records" handoff
[ "$generation" -eq 0 ] || section journal "$records/handoff.$generation"
jobs=$(squeue -h -r -u "$(id -un)" -o '%i|%T|%j' 2>/dev/null) &&
    text_section jobs "$jobs"
exit 0
