# shellcheck shell=sh
# Removes a snapshot of ours.   $1 root  $2 hash  $3 nonce
case $3 in
'' | *[!0-9a-f]*) exit 64 ;;
esac
rm -rf -- "$1/.relay/$2/snap-$3" "$1/.relay/$2/digested"
