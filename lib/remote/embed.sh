#!/bin/sh
# Turns scripts into C strings: sh embed.sh FILE... >remote_scripts.h
# FILE NAME.sh becomes `static const char remote_NAME[]`, with an underscore
# for every character of NAME that C does not allow.
set -eu

tab=$(printf '\t')
echo '/* Made by lib/remote/embed.sh from lib/remote/; do not edit. */'
echo '#ifndef RELAY_REMOTE_SCRIPTS_H'
echo '#define RELAY_REMOTE_SCRIPTS_H'
for file in "$@"; do
    [ -r "$file" ] || { echo "embed.sh: cannot read $file" >&2; exit 66; }
    name=$(basename "$file" .sh | tr -c 'A-Za-z0-9\n' '_')
    printf '\nstatic const char remote_%s[] =\n' "$name"
    # An escaped question mark keeps C11 from seeing a trigraph.
    LC_ALL=C sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/?/\\?/g' \
        -e "s/$tab/\\\\t/g" -e 's/^/    "/' -e 's/$/\\n"/' "$file"
    echo '    "";'
done
printf '\n#endif\n'
