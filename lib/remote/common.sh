# shellcheck shell=sh disable=SC2034
# What every script that we run on a cluster begins with (peer.c puts it
# there): a known environment, and functions for the answer. POSIX sh and
# coreutils only. relay_token is set: a random word that is ours alone.

LC_ALL=C
export LC_ALL
unset CDPATH ENV BASH_ENV
unset IFS
umask 077
: "${relay_token:?}"
relay_tab=$(printf '\t')
relay_nl='
'

# A job's environment may bend what Slurm's commands print.
relay_vars=$(env | sed -n \
    's/^\(SQUEUE_[A-Z0-9_]*\|SACCT_[A-Z0-9_]*\|SLURM_CLUSTERS\)=.*/\1/p')
for relay_var in $relay_vars; do
    unset "$relay_var"
done
SLURM_TIME_FORMAT=%s
export SLURM_TIME_FORMAT

# A directory for temporary files, made by `scratch`; gone at our end.
relay_scratch=${TMPDIR:-/tmp}/relay-$relay_token
trap 'rm -rf "$relay_scratch"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

scratch()
{
    mkdir -m 700 "$relay_scratch" 2>/dev/null || [ -d "$relay_scratch" ]
}

# val NAME VALUE: a line of the answer. Control characters become `?`.
val()
{
    case $2 in
    *[[:cntrl:]]* | *"$relay_nl"* | *"$relay_tab"*)
        printf '%s\t%s\n' "$1" \
            "$(printf %s "$2" | tr '\001-\037\177' '[?*]')" ;;
    *)
        printf '%s\t%s\n' "$1" "$2" ;;
    esac
}

# section NAME FILE: the bytes of FILE as they are. The copy is what is
# counted and sent, so that a file that changes meanwhile breaks nothing.
section()
{
    scratch && cat <"$2" >"$relay_scratch/section" 2>/dev/null || return 1
    printf '@%s\t%s\n' "$1" "$(($(wc -c <"$relay_scratch/section")))"
    cat "$relay_scratch/section"
    echo
}

# text_section NAME TEXT: the same for a text that may hold newlines.
text_section()
{
    printf '@%s\t%s\n%s\n' "$1" "$(($(printf %s "$2" | wc -c)))" "$2"
}

# Variable $1 of a login shell: for sites that set $SCRATCH in /etc/profile.
login_value()
{
    "${SHELL:-/bin/sh}" -l -c "echo \"$relay_token:\$$1\"" 2>/dev/null |
        sed -n "s/^$relay_token://p" | tail -n 1
}

# variable NAME: its value in $value; 1 when it is not set anywhere.
variable()
{
    case $1 in
    '' | [0-9]* | *[!A-Za-z0-9_]*) return 1 ;;
    esac
    eval "value=\${$1-}"
    [ -n "$value" ] || value=$(login_value "$1")
    [ -n "$value" ]
}

# percent TEXT: TEXT with %u and %% replaced, in $value.
percent()
{
    percent_rest=$1
    value=
    while :; do
        case $percent_rest in
        *%*) ;;
        *) break ;;
        esac
        value=$value${percent_rest%%'%'*}
        percent_rest=${percent_rest#*'%'}
        case $percent_rest in
        u*) value=$value$(id -un) percent_rest=${percent_rest#u} ;;
        %*) value=$value% percent_rest=${percent_rest#%} ;;
        *) value=$value% ;;
        esac
    done
    value=$value$percent_rest
}

# expand_path TEXT [BASE]: a path of the configuration with a leading ~, %u,
# $VAR and ${VAR} replaced, in $path; no other word of the shell's is known,
# so no text can run anything. A relative one is below BASE. On failure 1, and
# $problem says why.
expand_path()
{
    expand_rest=$1
    path=
    case $expand_rest in
    [~] | [~]/*) path=$HOME expand_rest=${expand_rest#[~]} ;;
    [~]*) problem="~USER is not known: $1"; return 1 ;;
    esac
    while :; do
        percent "${expand_rest%%'$'*}"
        path=$path$value
        case $expand_rest in
        *'$'*) ;;
        *) break ;;
        esac
        expand_rest=${expand_rest#*'$'}
        case $expand_rest in
        '{'*'}'*)
            expand_name=${expand_rest%%'}'*}
            expand_name=${expand_name#'{'}
            expand_rest=${expand_rest#*'}'} ;;
        *)
            expand_name=${expand_rest%%[!A-Za-z0-9_]*}
            expand_rest=${expand_rest#"$expand_name"} ;;
        esac
        if ! variable "$expand_name"; then
            problem="\$$expand_name is not set there: $1"
            return 1
        fi
        path=$path$value
    done
    case $path in
    /*) return 0 ;;
    esac
    if [ -z "${2-}" ]; then
        problem="not an absolute path: $1"
        return 1
    fi
    path=${2%/}/${path#./}
}

# make_records ROOT HASH: .relay, as open as ROOT is, and the run's directory
# in it, which is not.
make_records()
{
    if [ ! -d "$1/.relay" ] && mkdir -- "$1/.relay" 2>/dev/null; then
        chmod --reference="$1" "$1/.relay"
    fi
    mkdir -p -- "$1/.relay/$2"
}

# Makes FILE durable; an old sync knows no files.
sync_file()
{
    sync "$1" 2>/dev/null || sync
}

# last_generation DIR SERIES: the number of the last record in $generation, 0
# for an empty series. The listing is a hint; then names are probed.
last_generation()
{
    generation=0
    for last_file in "$1/$2".[1-9]*; do
        last_number=${last_file##*.}
        case $last_number in
        *[!0-9]*) continue ;;
        esac
        [ "$last_number" -le "$generation" ] || generation=$last_number
    done
    while [ -e "$1/$2.$((generation + 1))" ]; do
        generation=$((generation + 1))
    done
}

# link_generation DIR SERIES GEN FILE: appends FILE (in DIR, complete) as
# generation GEN. 0 when the record is ours now, 1 when another's stands
# there, 2 when there is none. What `ln` reports is not asked: a reply of NFS
# can be lost after the work was done. FILE is removed.
link_generation()
{
    link_name=$1/$2.$3
    link_result=2
    sync_file "$4"
    if [ "$3" -eq 1 ] || [ -e "$1/$2.$(($3 - 1))" ]; then
        ln "$4" "$link_name" 2>/dev/null
        # Its nonce and seq make our record unlike any other.
        if cmp -s "$4" "$link_name"; then
            link_result=0
        elif [ -e "$link_name" ]; then
            link_result=1
        fi
    fi
    rm -f "$4"
    sync_file "$1"
    return "$link_result"
}

# append_record DIR SERIES GEN TEXT: link_generation for a record's text.
append_record()
{
    append_file=$1/.tmp-$relay_token-$3
    printf '%s\n' "$4" >"$append_file" || return 2
    link_generation "$1" "$2" "$3" "$append_file"
}
