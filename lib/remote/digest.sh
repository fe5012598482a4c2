# shellcheck shell=sh disable=SC2154
# Digests and meta of a directory that nobody writes to any more, or should.
#   $1 directory  $2 prefix of the command  $3 file that remembers digests
# Answer: state `ok` with sections files, digests and meta; or `changing` or
# `failed` with `why`. After common.sh and tree.sh.

if ! [ -d "$1" ]; then
    val state failed
    val why "the directory $1 is not there"
    exit 0
fi
scratch
memory=$3
# Opening a file makes an NFS client ask the server for its attributes.
plain_files "$1" head -q -c 0 >/dev/null 2>&1
list_files "$1" >"$relay_scratch/files"
if ! remembered "$memory"; then
    # Two writes within one tick of the file system's clock have the same
    # time: what was written just now is not remembered.
    sleep .1
    list_files "$1" | cmp -s - "$relay_scratch/files" || memory=
fi
send_digests "$1" "$2" "$memory" >"$relay_scratch/answer"
case $? in
0) val state ok; cat "$relay_scratch/answer" ;;
2) val state changing; val why "$problem" ;;
*) val state failed; val why "$problem" ;;
esac
