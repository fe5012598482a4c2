# shellcheck shell=sh disable=SC2034,SC2154
# Files of a run's own directory.   $1 directory  $2 size in bytes that files
# must be below, or '' for any  $3 prefix of the digest's command  $4 `list`
# for no digests
# Answer: state `ok` with sections files and (unless `list`) digests; `none`
# when there is no such directory; `changing` or `failed` with `why`; others:
# how many things there are no plain files. After common.sh and tree.sh.

# In place of tree.sh's: names that we do not handle, what is on its way and
# what is too large are left out.
plain_files()
(
    cd -- "$1" || exit 1
    shift
    # shellcheck disable=SC2086
    exec ${relay_prefix-} find . -path './.relay-*' -prune -o -type f \
        ! -path '*[[:cntrl:]\\]*' ! -name '*.tmp' ! -name '*.tmp.*' \
        ! -name '*.tmp-*' ${max:+-size "-${max}c"} -exec "$@" {} +
)

# sresume digests whole directories.
digester()
{
    if openssl dgst -sha256 </dev/null >/dev/null 2>&1; then
        echo openssl
    elif command -v sha256sum >/dev/null 2>&1; then
        echo sha256sum
    fi
}

main()
{
    max=$2
    if ! [ -d "$1" ]; then
        val state none
        return
    fi
    scratch || { val state failed; val why 'no temporary directory'; return; }
    val others "$(find "$1" ! -type f ! -type d 2>/dev/null | wc -l)"
    if [ "$4" = list ]; then
        list_files "$1" >"$relay_scratch/files"
        val state ok
        section files "$relay_scratch/files"
        return
    fi
    send_digests "$1" "$3" >"$relay_scratch/answer"
    case $? in
    0) val state ok; cat "$relay_scratch/answer" ;;
    2) val state changing; val why "$problem" ;;
    *) val state failed; val why "$problem" ;;
    esac
}

main "$@"
