# shellcheck shell=sh disable=SC2154
# Undoes a fence: state back in its place, Requeue, followers, reinstate.
#   $1 root  $2 hash  $3 term  $4 job id or ''  $5 its old Requeue value
#   $6 generation of the fence  $7 text of the reinstate record
#   $8 jobs that were held
# With $6 of a record that is no fence: links the reinstate behind it, so that
# a fence which is on its way comes too late.
# Answer: result `done` or `failed` with why. After common.sh, fence.sh and
# moved.sh. Idempotent.

failed()
{
    val result failed
    val why "$1"
    exit 0
}

main()
{
    live=$1/$2
    dir=$1/.relay/$2
    old=$dir/superseded-$3
    make_records "$1" "$2" || failed "$dir cannot be made"
    if [ -d "$old" ]; then
        if is_stub "$live"; then
            # Ours, and the same can be made again: out of the way.
            rm -rf -- "$dir/stub-$3"
            mv -T -- "$live" "$dir/stub-$3" ||
                failed "the stub $live cannot be moved"
        fi
        if [ -e "$live" ]; then
            failed "$live holds a state that is not the one moved away, \
which is kept as $old"
        fi
        mv -T -- "$old" "$live" || failed "$old cannot be moved back"
        sync_file "$1"
        rm -rf -- "$dir/stub-$3"
    fi
    lift_fence "$dir" "$6" "$4" "$5" "$8" "$7" || failed "$problem"
    val result 'done'
}

trap '' HUP PIPE
main "$@"
