# shellcheck shell=sh
# What runs a cluster has: index.sh ROOT BASE. One line `run` for each:
#   HASH STEP KIND     KIND: here, or stub (moved away)
# Few processes, however many runs there are.

if ! expand_path "$1" "$2"; then
    val problem "$problem"
    exit 0
fi
val root "$path"
cd "$path" 2>/dev/null || exit 0

set -- ????????????????????????????????????????/resume_meta.json
[ -e "$1" ] || exit 0
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
