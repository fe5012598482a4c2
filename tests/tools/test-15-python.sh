#!/bin/bash
# What YAML, literals, numbers and commands are to Python they are to us: the
# same texts through both.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

probe=$(dirname -- "$SRESUME")/tests/unit/value_probe
if ! python3 -c 'import yaml' 2>/dev/null; then
    echo 'skip the comparison with Python: no python3 with yaml here' \
        '(Debian: python3-yaml)'
elif [[ ! -x $probe ]]; then
    echo "skip the comparison with Python: no $probe (make unit)"
else
    # shellcheck disable=SC2154 # of lib.sh
    python3 "$tests/python_agrees.py" "$probe" || failures=$((failures + 1))
fi
finish
