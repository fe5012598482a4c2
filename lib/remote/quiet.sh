# shellcheck shell=sh disable=SC2034
# Waits until no call of stop.sh is at work, and tells what it did.
#   $1 root  $2 hash  $3 nonce of the stop
# Answer: the lines result and why of its result file; result `none` without
# one. After common.sh and fence.sh.

alive=$1/.relay/$2/stop-$3.alive
wait_for_other
if [ -f "$1/.relay/$2/stop-$3" ]; then
    cat -- "$1/.relay/$2/stop-$3"
else
    val result none
fi
