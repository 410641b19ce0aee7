#!/usr/bin/env bash
# Runs every test: documentation examples, then the others with nextest. Arguments go to nextest.
#
# A test that lacks something (the shared assets, Python packages, a browser) passes and prints
# `skipped: NAME: needs WHAT`. This script collects these lines from nextest's JUnit report, counts them and lists them.
# It prints nextest's own summary last.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

"$ROOT/scripts/setup.sh" test
use_own_rust
cd "$ROOT"
features=()
if use_ros; then
    features=(--features ros)
else
    say 'there is no ROS 2: the tests of the node are left out'
fi
say 'building the tests (takes some minutes the first time)'
# not `cargo build`, which would build some dependencies, such as r2r, with other features than the tests
cargo test --locked --workspace --no-run "${features[@]}"
not_fetched=()
for model in nanodet_plus_m_416 nanodet_m_416 fastestdet_352; do
    "$TARGET/debug/shuffledet" models fetch "$model" >/dev/null 2>&1 || not_fetched+=("$model")
done
if [ ${#not_fetched[@]} -gt 0 ]; then
    say "tests will be skipped, because these models cannot be fetched: ${not_fetched[*]}; to see why: shuffledet models fetch"
fi
# a documentation example runs in its own folder and does not find .deps from there
SHUFFLEDET_MODEL_DIR=$("$TARGET/debug/shuffledet" models path road | xargs dirname) \
    ORT_DYLIB_PATH=${ORT_DYLIB_PATH:-$DEPS/onnxruntime/libonnxruntime.so} \
    cargo test --locked --workspace --doc --quiet "${features[@]}"

color=never
[ -t 2 ] && color=always
summary=$(mktemp)
trap 'rm -f "$summary"' EXIT
report=$TARGET/nextest/default/junit.xml
rm -f "$report"
result=0
# shellcheck disable=SC2016 # $0 is awk's
cargo nextest run --locked --workspace "${features[@]}" --color "$color" --show-progress none "$@" 2>&1 |
    awk -v summary="$summary" '
        { plain = $0; gsub(/\033\[[0-9;]*m/, "", plain) }
        plain ~ /^ *Summary \[/ { held = 1 }
        held { print > summary; next }
        { print; fflush() }' || result=$?

if [ -f "$report" ]; then
    skipped=$(grep -o 'skipped: [^<]*' "$report" | sort -u || true)
    if [ -n "$skipped" ]; then
        printf '\n%s skipped, because something was missing; nextest counts them as passed:\n' "$(wc -l <<<"$skipped")"
        sed -e 's/^skipped: /  /' -e "s/&apos;/'/g; s/&quot;/\"/g; s/&lt;/</g; s/&gt;/>/g; s/&amp;/\\&/g" <<<"$skipped"
    else
        printf '\nNo test was skipped.\n'
    fi
fi
cat "$summary"
exit "$result"
