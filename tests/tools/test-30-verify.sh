#!/bin/bash
# sresume verify: is every file whole?
# shellcheck disable=SC2317 # called through spoil
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

a_state lab/p/good 100
state=$(state_of lab/p/good)
echo '{"a": 1}' >"$state/extra.json"
echo text >"$state/notes.txt"

run "$SRESUME" verify lab/p/good
is 'a whole state is good' 0 'good, step 100'
is 'a file without a check of its own is said to be so' 0 \
    'unverifiable .*notes\.txt'
run "$SRESUME" verify good
is 'by its run name' 0 'good, step 100'
run "$SRESUME" verify "$state"
is 'by its directory' 0 'good, step 100'
run "$SRESUME" verify "ckpt/_resume/$(hash_of lab/p/good)"
is 'by a directory that looks like a key' 0 'good, step 100'

run "$SRESUME" verify --json good
echo "$out" >j
check '--json says good and the step' test "$(field j \
    "(x['good'], x['step'])")" = '(True, 100)'
run "$SRESUME" verify --digest="$dir/manifest" good
is '--digest=FILE still tells the verdict' 0 'good'
check '--digest=FILE writes sizes and SHA-256s' test "$(field manifest \
    "[(f['size'], f['sha256']) for f in x['files'] if f['path'] == 'notes.txt']")" = \
    "[(5, '$(sha256sum "$state/notes.txt" | cut -c1-64)')]"
run "$SRESUME" verify --digest good
is '--digest prints them' 0 "$(sha256sum "$state/notes.txt" | cut -c1-64)"

# A copy of the state with one thing wrong, from COMMAND in its directory.
spoil()
{
    local name=$1 code=$2 text=$3
    shift 3

    rm -rf "$dir/bad"
    cp -a "$state" "$dir/bad"
    (cd "$dir/bad" && "$@") || not_ok "$name" 'could not be prepared'
    run "$SRESUME" verify "$dir/bad"
    is "$name" "$code" "$text"
}

flip()
{
    printf '\377' | dd of=resume_state.pt bs=1 seek=3000 conv=notrunc status=none
}

spoil 'a flipped bit is found' 65 'BAD .*resume_state\.pt' flip
spoil 'a truncated archive is found' 65 'BAD .*resume_state\.pt' \
    truncate -s -100 resume_state.pt
spoil 'an archive cut in the middle is found' 65 'BAD .*resume_state\.pt' \
    truncate -s 2000 resume_state.pt
spoil 'an empty checkpoint is found' 65 'BAD .*resume_state\.pt' \
    truncate -s 0 resume_state.pt
spoil 'a broken meta is found, with its line' 65 'resume_meta\.json:1' \
    truncate -s -10 resume_meta.json
spoil 'other broken JSON, too' 65 'BAD .*extra\.json' \
    truncate -s 4 extra.json
spoil 'no meta at all' 65 'no resume_meta\.json' rm resume_meta.json
spoil 'a meta without a step' 65 'last_checkpoint_step' \
    sed -i s/last_checkpoint_step/other/ resume_meta.json
spoil 'a symlink' 65 'link' ln -s notes.txt link

legacy()
{
    printf '\200\002\212\nl\374\234F\371 j\250P\031.' >resume_state.pt
}
spoil 'a legacy pickle cannot be verified, and is not bad' 0 \
    'unverifiable .*resume_state\.pt' legacy

run "$SRESUME" verify "$dir/nothing"
is 'a directory that is not there' 66 'nothing'

finish
