# shellcheck shell=sh disable=SC2154
# The last lease record.   $1 root  $2 hash
# Answer: gen, and section lease unless gen is 0. After common.sh.

last_generation "$1/.relay/$2" run
val gen "$generation"
[ "$generation" -eq 0 ] || section lease "$1/.relay/$2/run.$generation"
