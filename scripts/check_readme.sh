#!/usr/bin/env bash
# check_readme.sh SHUFFLEDET: every `make TARGET` in README.md is a target, and every `shuffledet SUBCOMMAND --option` in
# its code blocks, as well as every option that it names elsewhere, is one that the binary's --help knows.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

shuffledet=$1
readme=$ROOT/README.md
errors=0
wrong() {
    printf 'README.md: %s\n' "$*" >&2
    errors=$((errors + 1))
}

# knows HELP OPTION
knows() { grep -qE -- "(^|[[:space:]])$2([[:space:]=,]|\$)" <<<"$1"; }

# lists HELP SUBCOMMAND
lists() { sed -n '/^Commands:/,/^$/p' <<<"$1" | grep -qE "^ +$2( |\$)"; }

while read -r target; do
    grep -qE "^$target:" "$ROOT/Makefile" || wrong "\`make $target\` is no target of the Makefile"
done < <(grep -oE '(^|[^a-z])make [a-z]+' <(sed -n -e '/^```/,/^```/p' "$readme"; grep -oE '`make [a-z]+' "$readme") |
    sed 's/.*make //' | sort -u)

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
            if lists "$help" "$word"; then
                path+=("$word")
                help=$("$shuffledet" "${path[@]}" --help)
            elif [ ${#path[@]} -eq 0 ]; then
                wrong "\`shuffledet\` has no subcommand $word"
                break
            fi
            ;;
        esac
    done
done < <(awk '/^```/ { code = !code; next } code' "$readme" |
    sed -e ':join' -e '/\\$/{N;s/\\\n//;b join' -e '}' -e 's/[|;#)].*//' |
    grep -oE '(^|[[:space:]/])shuffledet( .*|$)' | sed 's/^[[:space:]/]//')

# options named in running text and in tables
all_help=$("$shuffledet" --help)
for subcommand in $(sed -n '/^Commands:/,/^$/p' <<<"$all_help" | sed -n 's/^  \([a-z]\+\).*/\1/p'); do
    [ "$subcommand" = help ] && continue
    help=$("$shuffledet" "$subcommand" --help)
    all_help+=$'\n'$help
    for nested in $(sed -n '/^Commands:/,/^$/p' <<<"$help" | sed -n 's/^  \([a-z]\+\).*/\1/p'); do
        [ "$nested" = help ] || all_help+=$'\n'$("$shuffledet" "$subcommand" "$nested" --help)
    done
done
while read -r option; do
    knows "$all_help" "$option" || wrong "no subcommand has the option $option"
done < <(awk '/^```/ { code = !code; next } !code' "$readme" | grep -oE -- '`--[a-z][a-z-]*' | tr -d '`' | sort -u)

[ "$errors" -eq 0 ] || exit 1
echo "README.md: $commands shuffledet commands and all make targets are there"
