#!/bin/bash
# ssweep verify: the roster against what is on disk.
# shellcheck source-path=SCRIPTDIR source=sweeplib.sh
. "$(dirname -- "$0")/sweeplib.sh"

a_sweep s 4 'done summary.json json ok == true' 'done model.pt loads' 'retries 0'

run "$SSWEEP" verify s.sweep
is 'what never ran is missing: 1' 1 '0 of 4 cells are good.*4 missing'

dirs=() ids=()
for ((i = 0; i < 4; i++)); do
    take s.sweep
    proof "$cell"
    python3 "$tests/make_pt.py" "$cell/model.pt" 5
    end s.sweep
    dirs+=("$cell") ids+=("$id")
done
run "$SSWEEP" verify s.sweep
is 'all is good: 0' 0 '4 of 4 cells are good, 8 files'

# A byte in the middle of a checkpoint that turned over.
python3 - "${dirs[0]}/model.pt" <<'END'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
at = data.find(b"data") + 40
data[at] ^= 1
open(sys.argv[1], "wb").write(data)
END
run "$SSWEEP" verify s.sweep
is 'a damaged checkpoint is broken: 1' 1 "broken +${ids[0]} +model.pt: "
is 'and its cell is not proved any more' 1 \
    "unproven +${ids[0]} +model.pt loads"
is 'the others are good' 1 '3 of 4 cells are good'
run "$SSWEEP" verify s.sweep --deep=no
is '--deep=no does not read it' 0 '4 of 4'
python3 "$tests/make_pt.py" "${dirs[0]}/model.pt" 5

: >"${dirs[1]}/last.ckpt"
mkdir "${dirs[1]}/wandb"
echo '{"half": ' >"${dirs[1]}/wandb/metrics v2.json"
ln -s nothing.pt "${dirs[1]}/best.pt"
printf '\x1d\0\0\0\0\0\0\0{"a": {"data_offsets":[0,4]}}12' \
    >"${dirs[1]}/m.safetensors"
run "$SSWEEP" verify s.sweep
is 'an empty file' 1 "empty +${ids[1]} +last.ckpt"
is 'half a JSON file, below, with a blank in its name' 1 \
    "broken +${ids[1]} +wandb/metrics v2.json: "
is 'a symlink to nothing' 1 "broken +${ids[1]} +best.pt: a symlink"
is 'a safetensors file that is cut off' 1 "broken +${ids[1]} +m.safetensors"
run "$SSWEEP" verify s.sweep --json
echo "$out" >j
check '--json ends with 1, too' test "$code" = 1
check 'verify --json has its keys' test "$(field j \
    "all(k in x for k in 'sweep directory good deep cells good_cells files counts problems'.split())")" = True
check 'and counts by kind' test "$(field j \
    "(x['counts']['empty'], x['counts']['broken'], x['good_cells'])")" = \
    '(1, 3, 3)'
rm -r "${dirs[1]}"/{last.ckpt,wandb,best.pt,m.safetensors}

mv "${dirs[2]}" "$dir/away"
run "$SSWEEP" verify s.sweep
is 'a directory that went away' 1 "missing +${ids[2]} +done"
mv "$dir/away" "${dirs[2]}"

echo '{"ok": false}' >"${dirs[3]}/summary.json"
run "$SSWEEP" verify s.sweep
is 'a summary that changed its mind' 1 "unproven +${ids[3]}"
proof "${dirs[3]}"

mkdir "${dirs[0]%/*}/someone-else" "${dirs[0]%/*}/.hidden"
touch "${dirs[0]%/*}/a-file"
run "$SSWEEP" verify s.sweep
is 'a directory of nobody is shown, and no fault' 0 'stray +.*/someone-else'
check 'hidden ones and files are not' test "$(grep -c '^stray' <<<"$out")" = 1
check 'nothing was deleted' test -d "${dirs[0]%/*}/someone-else"

# What only the end of the program could tell, and what a person said.
a_sweep e 2 'done exit0'
take e.sweep
end e.sweep
is 'exit0 is a contract' 0 ': done'
take e.sweep
end e.sweep --failed=preempted --step=3
run "$SSWEEP" verify e.sweep
is 'exit0 is believed of the record; the rest is undone' 1 \
    "undone +$id +(waiting|partial).*
.*1 of 2"
a_sweep a 1
take a.sweep
end a.sweep --accept
run "$SSWEEP" verify a.sweep
is 'what a person accepted stays accepted' 0 '1 of 1'

run "$SSWEEP" verify a.sweep --deep=maybe
is 'an odd --deep: 64' 64 'deep=maybe'

finish
