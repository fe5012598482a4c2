# shellcheck shell=sh
# Makes the directory an auto-sync goes to: mirror.sh ROOT BASE HASH CLUSTER.

if ! expand_path "$1" "$2"; then
    val problem "$problem"
    exit 0
fi
dir=$path/.relay/$3/mirror/$4
if make_records "$path" "$3" 2>/dev/null && mkdir -p -- "$dir"; then
    val dir "$dir"
else
    val problem "cannot make $dir"
fi
