#!/bin/bash
# The tracker against a W&B server of our own: who is let in, what is asked,
# what is tried again, and that a cell is claimed once.

# shellcheck source=tests/tools/lib.sh
. "$(dirname -- "$0")/lib.sh"

for name in $(compgen -e); do
    case ${name^^} in
        WANDB_* | *_PROXY | NETRC | SSL_CERT_FILE | REQUESTS_CA_BUNDLE)
            unset "$name" ;;
    esac
done
key=5ecre7key5ecre7key5ecre7key5ecre7key5ecre7key_x
export SERVER_KEY=$key
probe=$(dirname -- "$SRESUME")/tests/unit/tracker_probe
one=0123456789abcdef0123456789abcdef
two=fedcba9876543210fedcba9876543210
seen=$dir/seen # all that was ever printed
mkfifo "$dir/hold"
exec {hold}<>"$dir/hold"

# a_server: its port is in $port.
a_server()
{
    mkfifo "$dir/port"
    python3 "$tests/wandb_server.py" <&"$hold" >"$dir/port" &
    pids+=($!)
    read -r port <"$dir/port"
    rm "$dir/port"
}

# to PATH TEXT: sends it to the server, and prints the answer.
to()
{
    local LC_ALL=C line stream

    exec {stream}<>"/dev/tcp/127.0.0.1/$server"
    printf 'POST %s HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s' "$1" \
        "${#2}" "$2" >&"$stream"
    while read -r line && [[ $line != $'\r' ]]; do :; done <&"$stream"
    cat <&"$stream"
    exec {stream}>&-
}

tell()
{
    to /order "[$1]"
}

# anew [ORDER]: a server that has forgotten all, and what it is to know.
anew()
{
    tell "{\"clear\": true}${1:+, $1}"
}

show()
{
    to /show "$1"
}

# ask ARGUMENTS...: the probe, in the project of the tests.
ask()
{
    run "$probe" -e lab -p robots "$@"
    cat "$dir/.out" "$dir/.err" >>"$seen"
}

# knows NAME EXPR TEXT: what the server has is this.
knows()
{
    local has

    has=$(show "$2")
    if [[ $has == "$3" ]]; then
        ok "$1"
    else
        not_ok "$1" "wanted $3" "got $has"
    fi
}

# waited NAME MS...: these were the waits, in order (regular expressions). What
# was spent between a reply and the wait that it asks for is taken off.
waited()
{
    local name=$1 wanted

    shift
    wanted=$(printf 'waited %s ' "$@")
    if [[ "$(grep '^waited' <<<"$err" | tr '\n' ' ')" =~ ^$wanted$ ]]; then
        ok "$name"
    else
        not_ok "$name" "wanted $wanted" "$err"
    fi
}

# a_run ID [MEMBERS]
a_run()
{
    printf '{"name": "%s"%s}' "$1" "${2-}"
}

a_server
other=$port
a_server
server=$port
export WANDB_BASE_URL=http://127.0.0.1:$server

# --- credentials and settings ---------------------------------------------
ask open
is 'auto without a key is not used' 1 'no W&B key for 127.0.0.1'
ask -w wandb open
is 'wandb without a key is an error' 78 'WANDB_API_KEY'
ask -w off open
is 'off is off' 1 'switched off'
WANDB_IDENTITY_TOKEN_FILE=/x ask open
is 'an identity token is said to be unsupported' 1 'not supported'
knows 'nobody was asked for that' 'len(log)' 0
WANDB_API_KEY=$key WANDB_IDENTITY_TOKEN_FILE=/x ask open
is 'a key and an identity token are too much' 78 'unset one'
WANDB_API_KEY=${key:0:20} ask open
is 'half a key is none' 78 'WANDB_API_KEY is none: it is shorter'
WANDB_API_KEY=${key//5/6} ask states a
is 'a wrong key is refused' 77 '401: user is not logged in.*WANDB_API_KEY'
knows 'a refusal is not tried again' 'len(log)' 1

# by_netrc NAME CODE TEXT-OF-NETRC: from ~/.netrc.
by_netrc()
{
    printf '%s\n' "$3" >"$HOME/.netrc"
    ask states a
    is "$1" "$2" ''
    rm "$HOME/.netrc"
}
by_netrc 'netrc: the host with its port' 0 \
    "machine 127.0.0.1:$server login user password $key"
by_netrc 'netrc: not the host without it' 1 \
    "machine 127.0.0.1 login user password $key"
by_netrc 'netrc: the default entry' 0 "default login x password $key"
by_netrc 'netrc: a default entry that is no key' 1 \
    'default login anonymous password me@example.org'
echo "machine 127.0.0.1:$server password $key" >"$HOME/_netrc"
ask states a
is 'netrc: ~/_netrc' 0 'a absent'
rm "$HOME/_netrc"
echo "machine 127.0.0.1:$server password $key" >"$HOME/elsewhere"
# shellcheck disable=SC2088 # as it stands in an environment file
NETRC='~/elsewhere' ask states a
is 'netrc: NETRC names another file' 0 'a absent'

export WANDB_API_KEY=$key
mkdir -p "$HOME/.config/wandb" "$dir/work/wandb"
printf '[default]\nentity = global\nproject = far\n' \
    >"$HOME/.config/wandb/settings"
printf '[default]\nproject: near\n' >"$dir/work/wandb/settings"
run "$probe" -d "$dir/work" open
is 'settings: the local file over the global one' 0 '^open global/near at '
WANDB_ENTITY=mine run "$probe" -d "$dir/work" open
is 'settings: the environment over files' 0 '^open mine/near at '
echo 'mode = offline' >>"$dir/work/wandb/settings"
ask -d "$dir/work" open
is 'offline: not used' 1 'mode is offline'
ask -d "$dir/work" -w wandb open
is 'offline, but wanted: used' 0 '^open lab/robots'
WANDB_MODE=online ask -d "$dir/work" open
is 'the environment says online' 0 '^open lab/robots'
rm -r "$HOME/.config/wandb"
WANDB_BASE_URL=http://api.wandb.ai ask open
is 'no key over http to wandb.ai' 78 'https only'

anew
WANDB_USERNAME=ada WANDB_USER_EMAIL=ada@example.org ask states a
knows 'who asks for a service account is said' \
    "log[0]['headers']['x-wandb-username'] + ' ' + log[0]['headers']['x-wandb-user-email']" \
    'ada ada@example.org'
knows 'the operation is named as in the query' \
    "log[0]['name'] + ' ' + log[0]['headers']['content-type']" \
    'Runs application/json'
anew
run "$probe" -p robots states a
knows 'without an entity the key says whose it is' \
    "[e['op'] for e in log], log[1]['variables']['entity']" \
    "(['Viewer', 'Runs'], 'lab')"

# --- the network ----------------------------------------------------------
anew "{\"faults\": [{\"status\": 307, \"headers\": {\"Location\": \"http://127.0.0.1:$other/graphql\"}}]}"
ask states a
is 'a redirection is an error' 78 'address of its API'
server=$other knows 'and is not followed' 'len(log)' 0
anew
http_proxy=http://127.0.0.1:$server WANDB_BASE_URL=http://wandb.invalid \
    ask states a
is 'a proxy is used' 0 'a absent'
knows 'and asked for the other host' "log[0]['path']" \
    'http://wandb.invalid/graphql'
http_proxy=http://127.0.0.1:1 NO_PROXY=127.0.0.1 ask states a
is 'but not for who is in NO_PROXY' 0 'a absent'
WANDB_BASE_URL=http://127.0.0.1:1 ask -b 30 states a
is 'nobody there: a warning' 69 '^unreachable: '
WANDB_BASE_URL=http://127.0.0.1:$server/x ask states a
is 'a base with a path' 0 'a absent'

# --- reading --------------------------------------------------------------
grid=$(python3 - <<'END'
import json
states = ["finished", "running", "crashed", None, "failed"]
print(json.dumps({"runs": [
    {"name": "cell-%03d" % i, "state": states[i % 5], "group": "g",
     "age": 600 - i, "quiet": 5} for i in range(500)]}))
END
)
mapfile -t ids < <(printf 'cell-%03d\n' {0..499})
anew "$grid"
ask states "${ids[@]}"
check 'a grid of 500 is read' test "$(grep -c '^cell' <<<"$out")" = 500
knows 'in one request' 'len(log)' 1
knows 'oldest first, by what does not change' \
    "log[0]['variables']['order'], log[0]['variables']['perPage'], log[0]['variables']['filters'][:24]" \
    "('+created_at', 500, '{\"name\":{\"\$in\":[\"cell-00')"
is 'a finished one is dead and finished' 0 'cell-000 finished dead finished=1'
is 'a running one is alive' 0 'cell-001 running alive finished=0'
is 'a crashed one is not known to be dead' 0 'cell-002 crashed unknown'
is 'nor is one without a state' 0 'cell-003 - unknown'
is 'a failed one is dead' 0 'cell-004 failed dead finished=0'
anew "$grid"
ask exact "${ids[@]:0:250}" nowhere
check 'by exact id' test "$(grep -c '^cell' <<<"$out")" = 250
is 'what is absent is said' 0 'nowhere absent'
knows 'a hundred in one request' "[e['op'] for e in log]" \
    "['Run', 'Run', 'Run']"
anew "$grid"
tell '{"max_page": 7}'
ask group g
is 'a server that gives small pages' 0 '^500 runs project=1 .*whole=1'

# A run goes between two pages: all behind it move up by one.
anew '{"max_page": 2, "runs": [{"name": "a", "group": "g"}, {"name": "b", "group": "g"}, {"name": "c", "group": "g"}, {"name": "d", "group": "g"}, {"name": "e", "group": "g"}],
    "faults": [{"op": "Runs", "then": {"deleted": ["a"]}}]}'
ask group g
is 'pages that shift: read again' 0 '^4 runs .*whole=1'
check 'pages that shift: none is missing' \
    test "$(cut -d' ' -f1 <<<"$out" | tr '\n' ' ')" = '4 b c d e '
# The listing is short however often it is read: then by exact id.
half='{"data": {"project": {"runCount": 2, "readOnly": false, "runs": {"edges": [{"node": {"name": "a", "state": "running"}}], "pageInfo": {"hasNextPage": false}}}}}'
anew "{\"runs\": [$(a_run a), $(a_run b)], \"faults\": [
    {\"op\": \"Runs\", \"status\": 200, \"body\": $half},
    {\"op\": \"Runs\", \"status\": 200, \"body\": $half},
    {\"op\": \"Runs\", \"status\": 200, \"body\": $half}]}"
ask states a b
is 'what a listing hides is asked for by its id' 0 'b running alive'
knows 'after three readings' "[e['op'] for e in log]" \
    "['Runs', 'Runs', 'Runs', 'Run']"

anew "{\"runs\": [$(a_run a), $(a_run b)], \"faults\": [
    {\"op\": \"Runs\", \"status\": 500}, {\"op\": \"Runs\", \"cut\": true},
    {\"op\": \"Runs\", \"status\": 200,
     \"body\": {\"errors\": [\"first must be less\"]}}]}"
ask states a b
is 'trouble with a page' 0 'b running alive'
knows 'halves it' "[e['variables']['perPage'] for e in log]" \
    '[500, 250, 125, 62]'
anew "{\"runs\": [$(a_run a ', "displayName": "lr=\"0.1\"", "state": "finished"'),
    $(a_run b ', "displayName": "lr=\"0.1\"", "state": "finished"'),
    $(a_run c ', "displayName": "lr=\"0.1\"", "state": "failed"')]}"
ask finished 'lr="0.1"'
is 'finished runs of a name are counted' 0 '^2 finished'
is 'and named' 0 $'\na finished .*\nb finished '
knows 'in one request too' 'len(log)' 1
anew '{"absent": true}'
ask finished x
is 'a project that is not there is told apart' 0 \
    $'^0 finished\n0 runs project=0'
anew "{\"faults\": [{\"status\": 200, \"body\": \"{\\\"data\\\":{\\\"project\\\":{\\\"runCount\\\":1,\\\"runs\\\":{\\\"edges\\\":[{\\\"node\\\":{\\\"name\\\":\\\"a\\\",\\\"displayName\\\":\\\"x\\u0001y\\\",\\\"state\\\":\\\"running\\\"}}],\\\"pageInfo\\\":{\\\"hasNextPage\\\":false}}}}}\"}]}"
ask group g
is 'a control character does not hide a listing' 0 'a running alive.*name=x y'

# --- trying again ---------------------------------------------------------
anew '{"faults": [{"status": 429, "headers": {"Retry-After": "7"}, "body": {"error": "Rate limit exceeded"}}]}'
ask states a
is 'too many requests: asked again' 0 'too many requests: Rate limit exceeded; again in'
waited 'after what Retry-After says' '(6...|70..)'
anew '{"faults": [{"status": 429, "headers": {"RateLimit-Remaining": "0", "RateLimit-Reset": "11"}}]}'
ask states a
waited 'or what the quota says' '1(0...|10..)'
anew '{"faults": [{"op": "Viewer", "headers": {"RateLimit-Remaining": "0", "RateLimit-Reset": "12"}}]}'
run "$probe" -p robots states a
waited 'a quota that a success uses up is waited for' '1(2000|1...)'
anew '{"faults": [{"op": "Run", "status": 503}, {"op": "Run", "status": 502}]}'
ask exact a
waited 'failures are waited for longer and longer' '(19..|2...)' '(39..|[45]...)'
anew '{"faults": [{"status": 429, "headers": {"Retry-After": "100"}}]}'
ask -b 10 states a
is 'no time for such a pause' 75 '^unreachable: .*longer than there is time'
check 'and no wait' test -z "$(grep waited <<<"$err")"
anew '{"faults": [{"op": "Run", "status": 400, "body": {"errors": [{"message": "no such field"}]}}]}'
ask exact a
is 'what is wrong with a request is no warning' 65 \
    '^W&B .* answers with 400: no such field'
anew '{"faults": [{"op": "Run", "status": 200, "body": {"errors": ["a", {"message": "b"}], "data": {"project": null}}}]}'
ask exact a
is '200 with errors is an error' 65 'error: a; b'
anew '{"faults": [{"op": "Run", "status": 200, "body": "<html>login</html>"}]}'
ask exact a
is 'a page of a proxy is no answer' 0 'a absent.*not JSON.*; again in'
anew '{"faults": [{"op": "Run", "hang": true}]}'
WANDB_HTTP_TIMEOUT=0.2 ask exact a
is 'a slow reply is not waited for' 0 'a absent'
anew "{\"faults\": [{\"op\": \"Run\", \"status\": 400, \"body\": {\"error\": \"bad key $key for api:$key\"}}]}"
ask exact a
is 'a server that repeats the key' 65 'bad key \*\*\* for api:\*\*\*'

# --- interruption, and what can be seen from outside ----------------------
anew '{"faults": [{"op": "Run", "hang": true}]}'
WANDB_HTTP_TIMEOUT=100 "$probe" -e lab -p robots exact a >"$dir/late" 2>&1 &
pid=$!
# shellcheck disable=SC2317 # by name
asked()
{
    [[ $(show 'len(log)') == 1 ]]
}
# shellcheck disable=SC2317
gone()
{
    ! grep -q '^State:.[^Z]' "/proc/$pid/status" 2>/dev/null
}
check 'a request is under way' until_true asked
tr '\0' ' ' <"/proc/$pid/cmdline" >>"$seen"
check 'nobody else is started for it' test -z "$(pgrep -P "$pid")"
kill -TERM "$pid"
check 'TERM ends it while the server is silent' until_true gone
wait "$pid"
check 'as an interruption' test $? = 75
check 'and it says so' grep -q '^unreachable: .*interrupted' "$dir/late"
cat "$dir/late" >>"$seen"
anew '{"faults": [{"op": "Run", "status": 429, "headers": {"Retry-After": "1000"}}]}'
"$probe" -r -e lab -p robots exact a >"$dir/pause" 2>&1 &
pid=$!
check 'a pause has begun' until_true grep -q '^say .*again in' "$dir/pause"
kill -TERM "$pid"
wait "$pid"
check 'TERM ends a pause' test $? = 75
cat "$dir/pause" >>"$seen"

# --- claims ---------------------------------------------------------------
anew
ask claim c iris 4711 $one grid-7 'lr=0.1' '{"lr": 0.1, "a.b": 1, "_wandb": 2}'
is 'an absent run is claimed' 0 '^CLAIMED'
knows 'read, made, marked' "[e['op'] for e in log]" \
    "['Run', 'UpsertBucket', 'UpsertBucket']"
knows 'a request that may lose carries nothing to overwrite' \
    "sorted(log[1]['variables'])" "['entity', 'name', 'project', 'state']"
knows 'what it says of itself' \
    "runs['c']['state'], runs['c']['tags'], runs['c']['group'], runs['c']['displayName'], runs['c']['config']" \
    "('pending', ['slurmclaim:iris/4711/0123456789abcdef'], 'grid-7', 'lr=0.1', '{\"lr\":{\"value\":0.1}}')"
ask claim c iris 4711 $one
is 'the same claim again is ours' 0 '^CLAIMED'
ask claim c sherlock 99 $two
is 'of another it is held' 0 '^HELD: job 4711 on iris has it \(pending\)'
ask claim 'c/d' iris 1 $one
is 'an id that W&B does not take' 65 'cannot be the id'
tell '{"deleted": ["c"]}'
ask claim c iris 4711 $one
is 'a deleted id is a tombstone' 0 '^TOMBSTONE'
anew "{\"runs\": [$(a_run f ', "state": "finished", "quiet": 9')]}"
ask claim f iris 1 $one
is 'a run that is there is held' 0 '^HELD: the run is there without a claim \(finished'
knows 'and was not touched' "[e['op'] for e in log]" "['Run']"
# Between the reading and the making another one makes it.
anew "{\"faults\": [{\"op\": \"Run\", \"then\": {\"runs\": [$(a_run c ', "state": "pending", "tags": ["slurmclaim:sherlock/9/fedcba9876543210"]')]}}]}"
ask claim c iris 4711 $one
is 'who comes too late has not made it' 0 '^HELD: job 9 on sherlock'
knows 'and writes nothing into it' "[e['op'] for e in log], runs['c']['tags']" \
    "(['Run', 'UpsertBucket', 'Run'], ['slurmclaim:sherlock/9/fedcba9876543210'])"

# race NAME COMMAND N: N at once, one of which gets it.
race()
{
    local i jobs=() got

    for ((i = 1; i <= $3; i++)); do
        "$probe" -e lab -p robots "$2" c "cl$i" "$i" \
            "$(printf '%032x' "$((i * 0x1000000))" | rev)" \
            >"$dir/race.$i" 2>&1 &
        jobs+=($!)
    done
    wait "${jobs[@]}"
    got=$(cut -d: -f1 "$dir"/race.* | grep -E '^[A-Z]+$' | sort | uniq -c |
        tr -s ' \n' ' ')
    cat "$dir"/race.* >>"$seen"
    check "$1" test "$got" = " 1 CLAIMED $(($3 - 1)) HELD "
    rm "$dir"/race.*
}
anew '{"race": {"UpsertBucket": 8}}'
race 'eight at once: one claims' claim 8
knows 'and the run is its' "len(runs['c']['tags'])" 1
dup=$(field "$tests/wandb-replies/real_upsert_409_duplicate_2025.json" \
    'json.dumps({"op": "UpsertBucket", "status": 409, "body": x["body_raw"]})')
anew "{\"faults\": [$dup, $dup]}"
ask claim c iris 1 $one
is 'a duplicate that nobody sees is a tombstone' 0 '^TOMBSTONE'
anew "{\"faults\": [$dup]}"
ask claim c iris 1 $one
is 'a duplicate that goes is tried again' 0 '^CLAIMED'
anew '{"faults": [{"op": "UpsertBucket", "status": 429, "headers": {"Retry-After": "3"}}]}'
ask claim c iris 1 $one
is 'too many requests: nothing was made' 0 '^CLAIMED'
waited 'so that it is simply sent again' '(2...|30..)'
anew '{"faults": [{"op": "UpsertBucket", "status": 500}]}'
ask claim c iris 1 $one
is 'a failure that made nothing' 0 '^CLAIMED'
anew '{"faults": [{"op": "UpsertBucket", "cut": true}]}'
ask claim c iris 1 $one
is 'a lost answer: made, and nobody knows by whom' 0 '^UNSURE'
knows 'so it stays nobody'\''s' "runs['c']['state'], runs['c']['tags']" \
    "('pending', [])"
ask claim c sherlock 2 $two
is 'also for others' 0 '^HELD: the run is there without a claim \(pending'
anew "{\"runs\": [$(a_run c ', "state": "pending", "age": 700')]}"
ask claim c sherlock 2 $two
is 'until it is old enough to be an orphan' 0 '^HELD orphan'
ask fail c
is 'which is recorded as failed' 0 '^failed now'
ask retake c sherlock 2 $two
is 'and taken over' 0 '^CLAIMED: the run was taken over'
anew '{"faults": [{"op": "UpsertBucket", "skip": 1, "cut": true}]}'
ask claim c iris 1 $one
is 'a lost answer of the mark is only sent again' 0 '^CLAIMED'
anew '{"faults": [{"op": "UpsertBucket", "skip": 1, "status": 400, "body": {"error": "no"}}]}'
ask claim c iris 1 $one
is 'a mark that is refused is no claim' 0 '^UNSURE: .*400: no'
anew '{"faults": [{"op": "UpsertBucket", "cut": true}, {"op": "Run", "skip": 1, "status": 401}]}'
ask claim c iris 1 $one
is 'an answer lost, and nobody to read it back from' 0 '^UNSURE'
anew '{"read_only": true}'
ask claim c iris 1 $one
is 'a key that may only read cannot claim' 77 'may read there'
knows 'and does not try' "[e['op'] for e in log]" "['Run']"
anew '{"faults": [{"op": "UpsertBucket", "status": 403, "body": {"error": "permission denied"}}]}'
ask claim c iris 1 $one
is 'a refusal is an error' 77 'permission denied'

# --- dead claims ----------------------------------------------------------
anew "{\"runs\": [$(a_run c ', "state": "pending", "tags": ["mine", "slurmclaim:iris/4711/0123456789abcdef"]'),
    $(a_run d ', "state": "crashed", "quiet": 500'),
    $(a_run e ', "state": "finished"')]}"
ask retake c sherlock 2 $two
is 'a live claim cannot be taken over' 0 '^HELD: job 4711 on iris'
ask fail c $two
is 'another'\''s claim is not recorded' 77 'another claim.s now: job 4711 on iris'
ask fail c $one
is 'ours is' 0 '^failed now'
ask fail c $one
is 'twice is once' 0 '^nothing to do'
ask fail d
is 'a crashed one stays' 0 '^nothing to do'
ask fail e
is 'and a finished one' 0 '^nothing to do'
ask fail nowhere
is 'and none' 0 '^nothing to do'
ask retake e sherlock 2 $two
is 'a finished run cannot be taken over' 0 '^HELD'
tell '{"race": {"UpdateRunState": 6}}'
race 'six at once: one takes over' retake 6
knows 'a person'\''s tags stay' "runs['c']['tags'][0], len(runs['c']['tags'])" \
    "('mine', 2)"
# Another one's tag lies over ours when it is read back.
anew "{\"runs\": [$(a_run c ', "state": "failed"')], \"faults\": [{\"op\": \"UpsertBucket\", \"then\": {\"runs\": [$(a_run c ', "state": "pending", "tags": ["slurmclaim:sherlock/9/fedcba9876543210"]')]}}]}"
ask retake c iris 4711 $one
is 'who is overwritten has not got it' 0 '^HELD: job 9 on sherlock'
anew "{\"runs\": [$(a_run c ', "state": "running"')], \"faults\": [{\"op\": \"UpdateRunState\", \"cut\": true}]}"
ask fail c
is 'a lost answer of that is looked up' 0 '^failed now'
anew "{\"old\": true, \"runs\": [$(a_run c)]}"
ask fail c
is 'a server that cannot' 69 'too old to change'

# --- the key --------------------------------------------------------------
coded=$(printf 'api:%s' "$key" | base64 -w0)
check 'all was kept to be searched' test "$(wc -l <"$seen")" -gt 300
check 'the key was never seen' sh -c \
    "! grep -qF -e '$key' -e '$coded' '$seen' "
finish
