# shellcheck shell=sh disable=SC2154
# Digests and meta of a directory that nobody writes to any more.
#   $1 directory  $2 prefix of the command
# Answer: state `ok` with sections files, digests and meta; or `changing` or
# `failed` with `why`. After common.sh and tree.sh.

if ! [ -d "$1" ]; then
    val state failed
    val why "the directory $1 is not there"
    exit 0
fi
scratch
send_digests "$1" "$2" >"$relay_scratch/answer"
case $? in
0) val state ok; cat "$relay_scratch/answer" ;;
2) val state changing; val why "$problem" ;;
*) val state failed; val why "$problem" ;;
esac
