#!/bin/bash
# sresume key: the identity of a run.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

key=lab/robots/idql-seed-1
run "$SRESUME" key "$key"
says 'a key becomes the SHA-1 of its bytes' "$(hash_of "$key")"

run "$SRESUME" key 'lab/robots/größe/v2 α'
says 'two slashes split a key, the rest is the name, bytes as they are' \
    "$(hash_of 'lab/robots/größe/v2 α')"

hash=$(hash_of "$key")
run "$SRESUME" key "${hash^^}"
says 'a hash is itself, in lower case' "$hash"

run "$SRESUME" key --json "$key"
echo "$out" >j
check 'key --json has key, name and hash' test "$(field j \
    '(x["key"], x["name"], x["hash"])')" = "('$key', 'idql-seed-1', '$hash')"

run env SLURM_ARRAY_JOB_ID=70 SLURM_ARRAY_TASK_ID=3 "$SRESUME" key 'a/b/s%a-%A-%%'
says 'in an array job %a, %A and %% are expanded' "$(hash_of 'a/b/s3-70-%')"

run "$SRESUME" key 'a/b/s%a'
is 'outside an array %a is refused' 64 'not an array'

bad=('' 'a/b' 'a//b' '/a/b/c' '-a/b/c' 'a/../c' 'a/b/..' $'a/b/c\n' $'a/\x1b/c'
    'a/b/c%j' "a/b/$(printf '%0600d' 0)")
for key in "${bad[@]}"; do
    run "$SRESUME" key -- "$key"
    is "refused: $(printf %q "${key:0:20}")" 64 'sresume: '
done

printf 'one\n' >"$dir/ckpt/a"
mkdir -p "$dir/ckpt/sub"
printf 'two\n' >"$dir/ckpt/sub/b c"
rmdir "$root"
run "$SRESUME" digest "$dir/ckpt"
says 'digest prints what sha256sum prints' \
    "$(cd ckpt && sha256sum a 'sub/b c')"

ln -s a ckpt/link
run "$SRESUME" digest "$dir/ckpt"
is 'digest refuses a symlink and names it' 65 'link'
rm ckpt/link

run "$SRESUME" digest "$dir/nothing"
is 'digest of nothing is an error' 66 'nothing'

finish
