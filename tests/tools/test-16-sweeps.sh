#!/bin/bash
# The cells of random sweep files are those of W&B's rules, written a second
# time in Python.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

probe=$(dirname -- "$SRESUME")/tests/unit/expand_probe
if ! python3 -c 'import yaml' 2>/dev/null; then
    echo 'skip the comparison of sweep files: no python3 with yaml here' \
        '(Debian: python3-yaml)'
elif [[ ! -x $probe ]]; then
    echo "skip the comparison of sweep files: no $probe (make unit)"
else
    # shellcheck disable=SC2154 # of lib.sh
    python3 "$tests/sweeps_agree.py" "$probe" || failures=$((failures + 1))
fi
finish
