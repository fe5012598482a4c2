# shellcheck shell=sh disable=SC2154
# A lease record.   $1 root  $2 hash  $3 generation, or '' for the last
# Answer: gen, and section lease unless gen is 0. After common.sh.

generation=$3
[ -n "$generation" ] || last_generation "$1/.relay/$2" run
val gen "$generation"
[ "$generation" -eq 0 ] || section lease "$1/.relay/$2/run.$generation"
