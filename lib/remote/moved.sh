# shellcheck shell=sh disable=SC2034
# is_stub DIR: whether it is a stub: our two files and no other, the meta with
# `moved_to`. Put before the scripts that move a state.
is_stub()
{
    [ -d "$1" ] && [ -f "$1/MOVED.txt" ] &&
        grep -q '"moved_to"' "$1/resume_meta.json" 2>/dev/null || return 1
    stub_more=$(find "$1" ! -path "$1" ! -name MOVED.txt \
        ! -name resume_meta.json)
    [ -z "$stub_more" ]
}
