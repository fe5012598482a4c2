# shellcheck shell=sh disable=SC2154
# What a cluster says of itself, for a first configuration.
#   $1 working directory, or '' for the home  $2 seconds that a search may take
# Answer: cluster and user; sections site and own, the configurations that are
# there; root RUNS PATH for each directory of resume directories (PATH as a
# configuration spells it); partition NAME default|other UP TIME GRES;
# slurm_problem when Slurm does not answer.
# After common.sh.

depth=5
tilde='~'
user=$(id -un)
group_scratch=''
scratch_dir=''
variable GROUP_SCRATCH && group_scratch=${value%/}
variable SCRATCH && scratch_dir=${value%/}
hex8='[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]'
hex40=$hex8$hex8$hex8$hex8$hex8

conf=${SLURM_CONF:-/etc/slurm/slurm.conf}
name=$(scontrol show config 2>/dev/null | sed -n 's/^ClusterName *= *//p')
[ -n "$name" ] || name=$(tr -d ' \t"' 2>/dev/null <"$conf" |
    sed -n 's/^[Cc]luster[Nn]ame=\([^#]*\).*/\1/p' | tail -n 1)
val cluster "$(printf %s "$name" | tr '[:upper:]' '[:lower:]')"
val user "$user"

for file in "site ${conf%/*}/relay.yaml" \
    "own $HOME/.config/slurm-relay/relay.yaml"; do
    [ ! -r "${file#* }" ] || section "${file%% *}" "${file#* }"
done

# A path with variables in it means the same on every node, and to others.
spell()
{
    case $1 in
    *'$'* | *'%'* | *[[:cntrl:]]*) return 1 ;;
    esac
    rest=
    if [ -n "$group_scratch" ] && [ "$1" != "${1#"$group_scratch"/}" ]; then
        rest="\$GROUP_SCRATCH/${1#"$group_scratch"/}"
    elif [ -n "$scratch_dir" ] && [ "$1" != "${1#"$scratch_dir"/}" ]; then
        rest="\$SCRATCH/${1#"$scratch_dir"/}"
    elif [ "$1" != "${1#"$HOME"/}" ]; then
        rest=$tilde/${1#"$HOME"/}
    else
        rest=$1
    fi
    case $rest in
    *"/$user/"*) rest="${rest%%"/$user/"*}/%u/${rest#*"/$user/"}" ;;
    esac
    printf %s "$rest"
}

# Directories named _resume, and those that hold a run's directory.
search()
{
    [ "$(date +%s)" -lt "$end" ] || return 0
    timeout "$limit" find "$1/" -maxdepth "$2" \
        \( -name .git -o -name .relay -o -name .cache -o -name wandb \
        -o -name node_modules -o -name __pycache__ -o -name site-packages \) \
        -prune -o -type d -name _resume -print -prune \
        -o -type d -name "$hex40" -print -prune 2>/dev/null |
        while read -r found; do
            case ${found##*/} in
            _resume) printf '%s\n' "$found" ;;
            *)
                [ ! -f "$found/resume_meta.json" ] ||
                    printf '%s\n' "${found%/*}" ;;
            esac
        done
}

# Links that lead to another file system are what people have in their homes.
search_all()
{
    for base in "$work" ${group_scratch:+"$group_scratch/$user"} \
        ${scratch_dir:+"$scratch_dir"} "$HOME"; do
        [ -d "$base" ] || continue
        search "${base%/}" "$depth"
        for link in "${base%/}"/*; do
            [ ! -L "$link" ] || [ ! -d "$link" ] ||
                search "$link" $((depth - 1))
        done
    done
}

work=${1:-$HOME}
limit=$2
end=$(($(date +%s) + 6 * limit)) # homes can have many links
search_all | while read -r found; do
    real=$(cd -- "$found" 2>/dev/null && pwd -P) && printf '%s\n' "$real"
done | awk '!seen[$0]++' | head -n 20 | while read -r found; do
    # shellcheck disable=SC2086
    set -- "$found"/$hex40/resume_meta.json
    runs=$#
    [ -e "$1" ] || runs=0
    spelled=$(spell "$found") && val root "$runs $spelled"
done

if partitions=$(sinfo -h -o '%P %a %l %G' 2>&1); then
    printf '%s\n' "$partitions" | while read -r part up limit gres; do
        kind=other
        case $part in
        *'*') kind=default part=${part%'*'} ;;
        esac
        [ -z "$part" ] || val partition "$part $kind $up $limit $gres"
    done
else
    val slurm_problem "$(printf '%s\n' "$partitions" | head -n 1)"
fi
