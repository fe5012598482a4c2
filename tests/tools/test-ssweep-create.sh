#!/bin/bash
# ssweep create and cells: from a source to its cells, and what is refused.
# shellcheck source-path=SCRIPTDIR source=sweeplib.sh
. "$(dirname -- "$0")/sweeplib.sh"

# the_lines FILE LINE...: writes it.
the_lines()
{
    local file=$1
    shift
    printf '%s\n' "$@" >"$file"
}

# refused NAME CODE TEXT SOURCE [OPTION]...: create says so and leaves nothing.
refused()
{
    local name=$1 code_=$2 text=$3 source=$4 made
    shift 4

    run "$SSWEEP" create "$source" "$@"
    is "$name" "$code_" "$text"
    check "$name: one line" test "$(wc -l <.err)" = 1
    made=$(find . -maxdepth 1 -name "*${source%.*}.sweep*")
    check "$name: nothing is left behind" test -z "$made"
}

grid=(
    'method: grid'
    'project: p'
    'parameters:'
    '  b: {values: [1, 2]}'
    '  a: {values: [x, y]}'
)

# --- create -------------------------------------------------------------------

the_lines grid.yaml "${grid[@]}" '#RELAY done exit0'
run "$SSWEEP" create grid.yaml
says 'create prints the directory: the name with .sweep, here' \
    "$(pwd -P)/grid.sweep"
check 'it is silent where there is a contract' test -z "$err"
mkdir sub
run "$SSWEEP" create grid.yaml -o sub/mine
says '-o gives the directory' "$(pwd -P)/sub/mine"
run "$SSWEEP" create ../grid.yaml
is 'a source that is not there is 66' 66 'cannot read ../grid.yaml'
run "$SSWEEP" create grid.yaml
is 'the same again is fine' 0 'grid.sweep'
run "$SSWEEP" create grid.sweep
is 'a sweep is no source' 64 'grid.sweep is a sweep already'
the_lines grid.yaml "${grid[@]}" '  c: {value: 1}' '#RELAY done exit0'
run "$SSWEEP" create grid.yaml
is 'an edited source is refused, with what to do' 73 \
    'grid.yaml was edited.*line 6.*-o NEW.sweep'
check 'and the sweep is as it was' test "$("$SSWEEP" cells grid.sweep --json |
    tail -n 1 | grep -c '"b": 2')" = 1

the_lines proof.yaml "${grid[@]}"
run "$SSWEEP" create proof.yaml
is 'without a contract it says what counts as proof' 0 \
    'warning: proof.yaml: no completion contract.*summary.json'

the_lines many.csv seed,lr
for ((i = 0; i < 500; i++)); do
    echo "$i,1e-4"
done >>many.csv
for ((i = 0; i < 8; i++)); do
    "$SSWEEP" create many.csv >many.$i 2>&1 &
    many[i]=$!
done
good=0
for ((i = 0; i < 8; i++)); do
    wait "${many[i]}" && good=$((good + 1))
done
check 'eight create it at once, and all have it' test "$good" = 8
check 'there is one sweep and no rest' test \
    "$(find . -maxdepth 1 -name '*many.sweep*')" = ./many.sweep

# --- cells --------------------------------------------------------------------

mkdir bare
cd bare || exit 73
the_lines bare.yaml "${grid[@]}"
run "$SSWEEP" cells bare.yaml --json
check 'cells --json prints an object a line, in order' test "$(python3 -c '
import json, sys
cells = [json.loads(line) for line in sys.stdin]
assert [list(c) for c in cells] == [["index", "id", "params"]] * 4
print([(c["index"], c["params"]["a"], c["params"]["b"]) for c in cells])
' <<<"$out")" = "[(0, 'x', 1), (1, 'x', 2), (2, 'y', 1), (3, 'y', 2)]"
check 'cells of a file makes nothing' test "$(ls)" = bare.yaml
cd ..
run "$SSWEEP" cells bare/bare.yaml
is 'cells prints a table' 0 'INDEX +ID +ARGUMENTS
 +0 +[0-9a-f]{16} +--a=x --b=1
 +1 '
check 'a sweep has the cells that its file has' cmp \
    <("$SSWEEP" cells proof.yaml --json) <("$SSWEEP" cells proof.sweep --json)

printf '\xef\xbb\xbfrun_id,lr,wandb_log\r\nbase-s1,1e-4,False\r\n' >w.csv
run "$SSWEEP" cells w.csv
is 'of a CSV False is a boolean and 1e-4 stays 1e-4' 0 \
    '0 +base-s1 +--lr=1e-4 --wandb_log=False'
run "$SSWEEP" cells w.csv --json
says 'and in JSON they are values' \
    '{"index":0,"id":"base-s1","params":{"lr": 0.0001, "wandb_log": false}}'

the_lines q.txt '# queue' 'configs/a.yaml recon 5' '#configs/b.yaml seg' \
    'configs/c.yaml det'
run "$SSWEEP" cells q.txt --epochs=3
is 'of a queue file comments count and are left out' 0 '
 +1 +a +configs/a.yaml recon 5
 +3 +c +configs/c.yaml det 3'
run "$SSWEEP" cells q.txt --start-index=2 --json
says '--start-index skips lines' '{"index":3,"id":"c","params":{"cfg": "configs/c.yaml", "task": "det", "epochs": 20}}'
run "$SSWEEP" create q.txt --epochs=0
is '--epochs=0 is refused' 64 'epochs=0'

mkdir -p exps/one exps/two
touch exps/one/JOB.slurm exps/two/JOB.slurm
run "$SSWEEP" cells exps --json
says 'job scripts are cells' \
    '{"index":0,"id":"one","params":{"job": "one/JOB.slurm"}}
{"index":1,"id":"two","params":{"job": "two/JOB.slurm"}}'

the_lines floats.yaml 'method: grid' 'parameters:' '  lr: {values: [1e-4]}'
run "$SSWEEP" cells floats.yaml --json
is '1e-4 is the string that W&B reads, with a warning' 0 \
    'lr": "1e-4".*warning: floats.yaml:3:'
run "$SSWEEP" cells floats.yaml --json --yaml-floats
is '--yaml-floats makes it a number' 0 '"lr": 0.0001'
the_lines strict.yaml "${grid[@]}" '#RELAY retries 2'
run "$SSWEEP" cells strict.yaml --strict-wandb
is '--strict-wandb refuses ours' 65 'strict.yaml:6: '

for source in "$tests"/../../examples/sweeps/*.{yaml,csv,txt}; do
    run "$SSWEEP" cells "$source"
    is "example: ${source##*/}" 0 'INDEX'
    check "example: ${source##*/}: no warnings" test -z "$err"
done

code=0
"$SSWEEP" cells many.csv >/dev/full 2>.err || code=$?
out='' err=$(<.err)
is 'an output that cannot be written is an error' 74 'No space left'

# --- bad input ----------------------------------------------------------------

bad()
{
    the_lines bad.yaml 'method: grid' 'parameters:' "$@"
}
the_lines bad.csv run_id,a x,1 y,2 x,3
refused 'a duplicate id' 65 'bad.csv:4: run_id x is that of line 2' bad.csv
bad '  a:' '    values: [1, 2]' '    desc: width'
refused 'an unknown key inside a parameter' 65 'bad.yaml:5:5: ' bad.yaml
bad '  a: 5'
refused 'a bare scalar' 65 'bad.yaml:3:' bad.yaml
bad '  a: {values: []}'
refused 'an empty list' 65 'bad.yaml:3:' bad.yaml
bad '  a: {min: 0.0, max: 1.0}'
refused 'a grid over a continuous distribution' 65 'bad.yaml:3:' bad.yaml
the_lines bad.csv a,b 1,2 3
refused 'a short row' 65 'bad.csv:3: 1 field,' bad.csv
the_lines bad.csv a,b 1,2,3
refused 'a long row' 65 'bad.csv:2: 3 fields,' bad.csv
the_lines bad.txt 'a.yaml t 3' 'b.yaml t 3 x'
refused 'a queue line with four words' 65 'bad.txt:2:12: ' bad.txt
the_lines bad.txt 'p/a.yaml t' 'q/a.yaml t'
refused 'two lines of one name' 65 'bad.txt:2: the name a .*line 1' bad.txt

run "$SSWEEP" create proof.yaml -o newer
sed -i 's/"format": 1/"format": 9/' newer/sweep.json
for command in 'cells newer' 'create proof.yaml -o newer'; do
    # shellcheck disable=SC2086
    run "$SSWEEP" $command
    is "a sweep of a newer version: $command" 78 'format 9.*upgrade'
done

# Without root's rights, when we have them.
nobody=()
((EUID)) || nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups --)
mkdir closed
cp "$SSWEEP" ssweep
cp grid.yaml relay.yaml closed
chmod a+rx . ssweep closed/*
chmod 555 closed
cd closed || exit 73
run env RELAY_CONFIG=relay.yaml "${nobody[@]}" ../ssweep create grid.yaml
cd ..
is 'a directory that may not be written' 73 \
    'cannot make .*/closed/grid.sweep: Permission denied'
check 'and nothing is in it' test "$(ls -A closed)" = 'grid.yaml
relay.yaml'

# A file system with room for the source and not for the ids.
cat >fill <<'END'
mount -t tmpfs -o size=32k tmpfs full && cp wide.csv full && cd full &&
    "$1" create wide.csv
code=$?
printf '%s ' .[!.]* *
exit "$code"
END
mkdir full
cp many.csv wide.csv
for ((i = 500; i < 2000; i++)); do
    echo "$i,1e-4"
done >>wide.csv
flags=-m
((EUID == 0)) || flags=-rm
if unshare "$flags" mount -t tmpfs tmpfs full 2>/dev/null; then
    run unshare "$flags" bash -O nullglob fill "$SSWEEP"
    is 'a full disk is said in one line' 73 \
        'wide.csv .*cannot write .*No space left'
    check 'and leaves nothing behind' test "$out" = 'wide.csv '
else
    echo 'skip - a full disk (no file system can be mounted here)'
fi

finish
