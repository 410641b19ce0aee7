#!/usr/bin/env bash
# Every test: documentation examples, then the rest under nextest. Arguments go to nextest.
#
# A test that lacks something it needs (the shared assets, Python packages, a browser) passes and prints
# `skipped: NAME: needs WHAT`. Those lines are collected from nextest's JUnit report and listed, so that a run that left
# tests out says which; nextest's own summary is held back to be the last thing printed.
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
    say 'no ROS 2 here: the tests of the node are left out'
fi
say 'building the tests (the first time takes some minutes)'
# not `cargo build`: that would build some dependencies, r2r among them, with other features than the tests do
cargo test --locked --workspace --no-run "${features[@]}"
"$TARGET/debug/shuffledet" models fetch fastestdet_352 nanodet_m_416 solid_white_right
# a documentation example runs in a folder of its own, from where it does not find .deps
SHUFFLEDET_MODEL_DIR=$("$TARGET/debug/shuffledet" models path fastestdet_352 | xargs dirname) \
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
        printf '\n%s skipped for want of something; nextest counts them as passed:\n' "$(wc -l <<<"$skipped")"
        sed -e 's/^skipped: /  /' -e "s/&apos;/'/g; s/&quot;/\"/g; s/&lt;/</g; s/&gt;/>/g; s/&amp;/\\&/g" <<<"$skipped"
    else
        printf '\nNo test was skipped.\n'
    fi
fi
cat "$summary"
exit "$result"
