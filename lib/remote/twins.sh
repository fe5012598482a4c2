# shellcheck shell=sh disable=SC2034,SC2154
# Is a copy of a sweep worked on here?   $1 resume_root, unexpanded  $2 the
# sweep's id
# Answer: lines twin "INDEX COUNT PATH"; problem. After common.sh.

main()
{
    if ! expand_path "$1"; then
        val problem "$problem"
        return
    fi
    for file in "$path/.relay/sweeps/$2"/[0-9]*-[0-9]*; do
        [ -f "$file" ] && IFS= read -r sweep <"$file" || continue
        # A copy that was removed is worked on no more.
        [ -f "$sweep/sweep.json" ] || continue
        shard=${file##*/}
        val twin "${shard%-*} ${shard#*-} $sweep"
    done
}

main "$@"
