# shellcheck shell=sh
# Is the stub untouched?   $1 root  $2 hash
# Answer: state `stub`, `none` or `touched`; section meta where there is one;
# why names what is there besides. After common.sh and moved.sh.

live=$1/$2
if [ ! -d "$live" ]; then
    val state none
elif is_stub "$live"; then
    val state stub
else
    val state touched
    val why "$(find "$live" ! -path "$live" ! -name MOVED.txt \
        -exec stat -c '%y %n' {} + | cut -c 1-19,36- | head -n 3)"
fi
[ ! -f "$live/resume_meta.json" ] || section meta "$live/resume_meta.json"
