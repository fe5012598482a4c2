#!/bin/bash
# The queue of a sweep under fire, as long as a test of every day may last;
# `./runtests soak` is the long one.
set -u

: "${SRESUME:?the sresume to test}"
here=$(dirname -- "$(readlink -f -- "$0")")
build=$(dirname -- "$(readlink -f -- "$SRESUME")")
if out=$("$here/../soak/run" "$build" --cells 10000 --stop 8 2>&1); then
    echo 'ok - every cell is done exactly once under fire'
else
    echo 'not ok - every cell is done exactly once under fire'
    printf '%s\n' "$out"
    exit 1
fi
