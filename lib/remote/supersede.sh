# shellcheck shell=sh
# Moves a state away and puts the stub in its place.
#   $1 root  $2 hash  $3 term  $4 text of the stub's meta  $5 of MOVED.txt
#   $6 text of the meta that $4 was made of
# Without $4, or when $6 is not what is there: answers with section meta, of
# the state wherever it is.
# Answer: path, and state `done`, or `here` (nothing was done), `none`
# (there is no state) or `failed` with why. Each step can be the last one of a
# call; the next call goes on. After common.sh and moved.sh.

failed()
{
    val state failed
    val why "$1"
    exit 0
}

# Complete before it has its name.
make_stub()
{
    rm -rf -- "$new" && mkdir -- "$new" &&
        printf '%s' "$1" >"$new/resume_meta.json" &&
        printf '%s' "$2" >"$new/MOVED.txt" &&
        chmod --reference="$old" "$new" &&
        chmod --reference="$old/resume_meta.json" "$new/resume_meta.json" \
            "$new/MOVED.txt" || return 1
    sync_file "$new/resume_meta.json"
    sync_file "$new/MOVED.txt"
    sync_file "$new"
    # Not into a directory that somebody has made there meanwhile.
    [ ! -e "$live" ] && mv -T -- "$new" "$live" || return 1
    sync_file "$root"
}

main()
{
    root=$1
    live=$1/$2
    dir=$1/.relay/$2
    old=$dir/superseded-$3
    new=$dir/stub-$3.new
    val path "$old"
    for at in "$old" "$live"; do
        [ ! -f "$at/resume_meta.json" ] || break
    done
    if ! [ -f "$at/resume_meta.json" ]; then
        val state none
        return
    fi
    if [ -z "$4" ] || ! printf %s "$6" | cmp -s - "$at/resume_meta.json"; then
        section meta "$at/resume_meta.json"
        val state here
        return
    fi
    if [ ! -d "$old" ]; then
        if [ ! -d "$live" ] || is_stub "$live"; then
            failed "there is no state at $live"
        fi
        mv -T -- "$live" "$old" || failed "$live cannot be moved to $old"
        sync_file "$dir"
        sync_file "$root"
    fi
    if [ -e "$live" ] && ! is_stub "$live"; then
        failed "$live came back after it was moved away: something there \
still writes to it; the last good state is $old"
    fi
    [ -e "$live" ] || make_stub "$4" "$5" ||
        failed "the stub $live cannot be made"
    val state 'done'
}

trap '' HUP PIPE
main "$@"
