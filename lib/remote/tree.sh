# shellcheck shell=sh disable=SC2034,SC2154
# Functions of the scripts that read a resume directory, put before them.
# Names that find prints begin with "./"; look.sh has refused control
# characters and backslashes in them.

# plain_files DIR PROGRAM [ARG...]: runs PROGRAM ARG... FILE... in DIR over
# its regular files. What a writer is about to rename (*.tmp, *.tmp.PID) is no
# part of a checkpoint.
plain_files()
(
    cd -- "$1" || exit 1
    shift
    # A prefix is words on purpose.
    # shellcheck disable=SC2086
    exec ${relay_prefix-} find . -type f ! -name '*.tmp' ! -name '*.tmp.*' \
        ! -name '*.tmp-*' -exec "$@" {} +
)

# list_files DIR: lines "SIZE MTIME.NANOSECONDS INODE NAME", sorted by name.
# A name that vanishes meanwhile is left out.
list_files()
{
    plain_files "$1" stat -c '%s %.9Y %i %n' 2>/dev/null | sort -k 4
}

# digester: the name of the fastest program here that makes SHA-256.
digester()
{
    if sresume --version >/dev/null 2>&1; then
        echo sresume
    elif openssl dgst -sha256 </dev/null >/dev/null 2>&1; then
        echo openssl
    elif command -v sha256sum >/dev/null 2>&1; then
        echo sha256sum
    fi
}

# digest_files DIR [PREFIX]: lines "DIGEST  NAME" or "DIGEST *NAME". PREFIX is
# words before the command ("srun -p xfer"), else it runs at nice 19.
digest_files()
(
    cd -- "$1" || exit 1
    relay_prefix=${2:-nice -n 19}
    # shellcheck disable=SC2086
    case $(digester) in
    sresume) exec $relay_prefix sresume digest . ;;
    openssl) plain_files . openssl dgst -sha256 -r ;;
    sha256sum) plain_files . sha256sum ;;
    *) exit 69 ;;
    esac
)

# remembered FILE: the digests of $relay_scratch/files, when FILE has them.
remembered()
{
    [ -f "$1" ] &&
        sed '/^$/,$d' "$1" | cmp -s - "$relay_scratch/files" &&
        sed '1,/^$/d' "$1" >"$relay_scratch/digests"
}

# send_digests DIR [PREFIX [MEMORY]]: sections files, digests and meta of the
# tree, whose files must not change meanwhile. On failure 1, and $problem says
# why. In the file MEMORY the digests are kept with the listing: files that
# have the same inode, size and time as then are not read again, which is why
# they must not have been written to just before they were read.
send_digests()
{
    scratch || { problem='no room for temporary files'; return 1; }
    list_files "$1" >"$relay_scratch/files" &&
        { remembered "${3-}" || digest_files "$1" "${2-}" \
            >"$relay_scratch/digests" 2>"$relay_scratch/errors"; }
    send_status=$?
    if [ "$send_status" -eq 69 ]; then
        problem='neither sresume nor openssl nor sha256sum is in PATH'
        return 1
    fi
    if [ "$send_status" -ne 0 ]; then
        problem="cannot read $1: $(tail -n 1 "$relay_scratch/errors")"
        return 1
    fi
    # Before the second look: what it finds unchanged holds for the meta, too.
    rm -f -- "$relay_scratch/meta"
    [ ! -f "$1/resume_meta.json" ] ||
        cat -- "$1/resume_meta.json" >"$relay_scratch/meta" 2>/dev/null
    list_files "$1" | cmp -s - "$relay_scratch/files" || {
        problem="files in $1 changed while they were read"
        return 2
    }
    [ -z "${3-}" ] || {
        { cat "$relay_scratch/files"; echo; cat "$relay_scratch/digests"; } \
            >"$3.new" && mv -f -- "$3.new" "$3"
    } 2>/dev/null
    section files "$relay_scratch/files"
    section digests "$relay_scratch/digests"
    [ ! -f "$relay_scratch/meta" ] || section meta "$relay_scratch/meta"
}
