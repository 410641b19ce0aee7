#!/usr/bin/env bash
# check_readme.sh SHUFFLEDET [FILE]: checks that every `make TARGET` in FILE (default: README.md) is a target, and that the
# binary's --help knows every `shuffledet SUBCOMMAND --option` in its code blocks (except those of other programs) and
# every option that FILE names elsewhere.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

shuffledet=$1
name=${2:-README.md}
readme=$ROOT/$name
errors=0
wrong() {
    printf '%s: %s\n' "$name" "$*" >&2
    errors=$((errors + 1))
}

# knows HELP OPTION
# --help shows an option with an optional value as --option[=<VALUE>]
knows() { grep -qE -- "(^|[[:space:]])$2(\[=|[[:space:]=,]|\$)" <<<"$1"; }

# code: the lines of code blocks; text: all other lines
code=$(awk '/^```/ { code = !code; next } code' "$readme")
text=$(awk '/^```/ { code = !code; next } !code' "$readme")

# shellcheck disable=SC2016 # backticks of Markdown
while read -r target; do
    grep -qE "^$target:" "$ROOT/Makefile" || wrong "\`make $target\` is not a target of the Makefile"
done < <({
    grep -oE '(^|[ ;&])make [a-z]+' <<<"$code"
    grep -oE '`make [a-z]+' <<<"$text"
} | sed 's/.*make //' | sort -u)

# subcommands HELP: prints the names under Commands:
subcommands() { sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z-]*\).*/\1/p' <<<"$1" | grep -vx help; }

commands=0
while read -r -a words; do
    commands=$((commands + 1))
    path=()
    help=$("$shuffledet" --help)
    for word in "${words[@]:1}"; do
        case $word in
        --) break ;;
        --*)
            knows "$help" "${word%%=*}" || wrong "\`shuffledet ${path[*]}\` has no option ${word%%=*}"
            ;;
        *)
            if subcommands "$help" | grep -x -- "$word" >/dev/null; then
                path+=("$word")
                help=$("$shuffledet" "${path[@]}" --help)
            elif [ ${#path[@]} -eq 0 ]; then
                wrong "\`shuffledet\` has no subcommand $word"
                break
            fi
            ;;
        esac
    done
done < <(grep -vE '^ *(ros2|colcon|pip|cargo) ' <<<"$code" | sed -e ':join' -e '/\\$/{N;s/\\\n//;b join' -e '}' -e 's/[|;#)].*//' |
    grep -oE '(^|[[:space:]/])shuffledet( .*|$)' | sed 's/^[[:space:]/]//')

# options named in running text and in tables
every_help=$("$shuffledet" --help)
while read -r subcommand; do
    help=$("$shuffledet" "$subcommand" --help)
    every_help+=$'\n'$help
    while read -r nested; do
        every_help+=$'\n'$("$shuffledet" "$subcommand" "$nested" --help)
    done < <(subcommands "$help")
done < <(subcommands "$every_help")
# shellcheck disable=SC2016 # backticks of Markdown
while read -r option; do
    knows "$every_help" "$option" || wrong "no subcommand has the option $option"
done < <(grep -oE -- '`--[a-z][a-z-]*' <<<"$text" | tr -d '`' | sort -u)

[ "$errors" -eq 0 ] || exit 1
echo "$name: $commands shuffledet commands and all make targets exist"
