#!/bin/bash
# ssweep with bad input: one line, the right code, nothing lost.
# shellcheck source-path=SCRIPTDIR source=sweeplib.sh
. "$(dirname -- "$0")/sweeplib.sh"

# one_line NAME CODE TEXT: as is, and it is a single line on stderr.
one_line()
{
    is "$@"
    check "$1: one line" test "$(wc -l <"$dir/.err")" = 1
}

a_sweep s 3
take s.sweep

for command in status explain claim finish release retry accept cancel logs \
    wait verify; do
    args=(no.sweep)
    case $command in
        explain | cancel | logs | retry | accept) args+=("$id") ;;
        finish | release) args+=("$id" --gen=1) ;;
    esac
    run "$SSWEEP" "$command" "${args[@]}"
    one_line "$command of no sweep: 66" 66 'no.sweep'
done

mkdir half
run "$SSWEEP" status half
one_line 'a directory that is no sweep' 66 'half'

run "$SSWEEP" explain s.sweep ffffffffffffffff
one_line 'an unknown cell: 64' 64 'has no cell ffffffffffffffff'
run "$SSWEEP" explain s.sweep '#3'
one_line 'an index too far: 64' 64 '#3'
run "$SSWEEP" cancel s.sweep nothing
one_line 'cancel of an unknown cell' 64 'has no cell nothing'

run "$SSWEEP" finish s.sweep "$id"
one_line 'finish without a generation: 64' 64 '--gen'
run "$SSWEEP" finish s.sweep "$id" --gen=2
one_line 'finish of a claim that there never was: 77' 77 'no claim'
run "$SSWEEP" finish s.sweep "$id" --gen=1 --failed='no good'
one_line 'a cause is one word: 64' 64 'no good'
other=$("$SSWEEP" cells s.sweep --json | grep -v "$id" |
    sed -n '1s/.*"id":"\([^"]*\)".*/\1/p')
run "$SSWEEP" finish s.sweep --gen=1 "$other" --accept
is 'finish of a cell that nobody claimed: 77' 77 'no claim|claim'
run "$SSWEEP" claim s.sweep --owner-pid=99999999
one_line 'an owner that is not there: 64' 64 '99999999'
run "$SSWEEP" claim s.sweep --shard-index=2 --shard-count=2
one_line 'a shard that is none: 64' 64 'shard-index=2'
run "$SSWEEP" release s.sweep "$id" --gen=1 --owner-pid=$$
is 'after all that the claim is still good' 0 'released'

cp -r s.sweep newer.sweep
python3 - <<'END'
import json
with open("newer.sweep/sweep.json") as f:
    doc = json.load(f)
doc["format"] = 2
with open("newer.sweep/sweep.json", "w") as f:
    json.dump(doc, f)
END
for command in status claim verify wait; do
    run "$SSWEEP" "$command" newer.sweep
    one_line "$command of a sweep of a newer version: 78" 78 'newer'
done

cp -r s.sweep broken.sweep
echo '{' >broken.sweep/sweep.json
run "$SSWEEP" status broken.sweep
one_line 'a broken sweep.json: 65 and where' 65 'sweep.json:[0-9]+:[0-9]+'

# As somebody who may not write; root may everything.
if [ "$(id -u)" = 0 ]; then
    as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
else
    as=()
fi
chmod -R go+rX .
chmod -R a-w s.sweep
if "${as[@]}" test -x "$SSWEEP"; then
    before=$(find s.sweep | sort | sha1sum)
    run "${as[@]}" "$SSWEEP" claim s.sweep
    one_line 'claim in a read-only directory: 73' 73 's.sweep'
    run "${as[@]}" "$SSWEEP" retry s.sweep --failed
    one_line 'retry, too' 73 's.sweep'
    run "${as[@]}" "$SSWEEP" status s.sweep
    is 'status needs no more than to read' 0 'waiting +3|waiting +2'
    run "${as[@]}" "$SSWEEP" explain s.sweep 0
    is 'nor does explain' 0 'next'
    check 'nothing was made' test "$before" = "$(find s.sweep | sort | sha1sum)"
else
    echo "skip a read-only directory: another user cannot reach $SSWEEP"
fi
chmod -R u+w s.sweep

# A full disk: /dev/full for the output of claim.
a_sweep full 1
"$SSWEEP" claim full.sweep >/dev/full 2>full.err
check 'a claim that cannot be told: 74' test $? = 74
take full.sweep
check 'is given back' test "$code" = 0

# A source that was changed where it may not be.
printf 'a.yaml recon\nb.yaml recon\n' >q.txt
"$SSWEEP" create q.txt >/dev/null 2>&1
run "$SSWEEP" claim q.sweep --owner-pid=$$
sed -i "s/recon/seg/" q.txt
run "$SSWEEP" claim q.sweep
is 'a claimed line that was changed is said, with its line' 0 \
    'warning: .*q.txt:[12]'
check 'the cells that are known are claimed' \
    test "$(grep -c '"id":"[ab]"' "$dir/.out")" = 1
run "$SSWEEP" status q.sweep
is 'status says so and goes on' 0 'running +2'
run "$SSWEEP" wait q.sweep --timeout=1
is 'so does wait' 75 'q.txt:[12].*not finished'
check 'it is said once' test "$(grep -c 'q.txt:' "$dir/.err")" = 1
echo 'one two three four' >>q.txt
for id in a b; do
    "$SSWEEP" finish q.sweep $id --gen=1 --accept >/dev/null
done
run "$SSWEEP" claim q.sweep
is 'behind the last known one it is an error: 65 and its line' 65 'q.txt:[12]'
printf 'a.yaml recon\nb.yaml recon\none two three four\n' >q.txt
run "$SSWEEP" claim q.sweep
is 'a line of four words: 65' 65 'q.txt:3:15'

finish
