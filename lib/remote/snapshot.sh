# shellcheck shell=sh disable=SC2154
# One consistent checkpoint of a run that goes on, as hard links, digested.
#   $1 root  $2 hash  $3 nonce  $4 prefix of the digest's command
# Answer: state `ok` with sections files, digests and meta; or `changing`,
# `gone` or `failed` with `why`. After common.sh and tree.sh.

# The listing of $live, in $listing, once two looks some time apart are the
# same: not between the rename of the state and that of the meta. Who saves
# several times a second is looked at faster.
settled_listing()
{
    listing=$(list_files "$live")
    for pause in .3 .3 .3 .3 .1 .1 .1 .1 .1 .1 .03 .03 .03 .03 .03 .03; do
        sleep "$pause"
        last=$listing
        listing=$(list_files "$live")
        [ "$listing" != "$last" ] || return 0
    done
    return 1
}

# Hard links, or copies where links are refused.
make_snapshot()
{
    make_records "$root" "$hash" && rm -rf -- "$snap" &&
        mkdir -- "$snap" || return 1
    cp -alT -- "$live" "$snap" 2>/dev/null && return 0
    [ -d "$live" ] || return 1
    rm -rf -- "$snap" && mkdir -- "$snap" && cp -aT -- "$live" "$snap"
}

# Without the inode, which a copy has its own of.
values_of()
{
    printf '%s\n' "$1" | cut -d ' ' -f 1,2,4-
}

# A file that is now another than in the first listing, but neither all nor
# none of them: the writer is half-way, or was when we looked first.
half_way()
{
    now=$(list_files "$live")
    [ "$now" != "$1" ] || return 1
    meta='\./resume_meta\.json$'
    [ "$(printf '%s\n' "$now" | grep "$meta")" = \
        "$(printf '%s\n' "$1" | grep "$meta")" ] && return 0
    [ "$(printf '%s\n' "$now" | grep -v "$meta")" = \
        "$(printf '%s\n' "$1" | grep -v "$meta")" ]
}

# 0 done, 1 try again, 2 hopeless, 3 it never stands still.
try_once()
{
    settled_listing || return 3
    before=$listing
    make_snapshot || { [ -d "$live" ] && return 1; return 2; }
    # Files in the making that came along are not in the listing.
    [ "$(values_of "$(list_files "$snap")")" = "$(values_of "$before")" ] &&
        [ "$(list_files "$live")" = "$before" ] || return 1
    answer=$relay_scratch/answer
    send_digests "$snap" "$prefix" "${snap%/*}/digested" >"$answer"
    case $? in
    0) ;;
    2) return 1 ;;
    *) return 2 ;;
    esac
    half_way "$before" && return 1
    val state ok
    cat "$answer"
}

main()
{
    root=$1
    hash=$2
    live=$1/$2
    snap=$1/.relay/$2/snap-$3
    prefix=$4
    problem="$live is not there"
    if ! [ -f "$live/resume_meta.json" ]; then
        val state gone
        val why "$live has no resume_meta.json any more"
        return
    fi
    scratch || { val state failed; val why 'no temporary directory'; return; }
    for try in 1 2 3 4 5; do
        try_once
        case $? in
        0) val tries "$try"; return ;;
        3) break ;;
        2)
            val state failed
            val why "$problem"
            rm -rf -- "$snap"
            return ;;
        esac
    done
    val state changing
    rm -rf -- "$snap"
}

main "$@"
