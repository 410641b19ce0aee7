#!/usr/bin/env bash
# Fuzzes the readers of foreign bytes with cargo-fuzz, one target after the other, and stops at the first finding.
#
#   scripts/fuzz.sh [TARGET...]     default: every target
#   FUZZ_SECONDS                    time for each target, by default 600
#   FUZZ_PURE=1                     only the targets that need no OpenCV
#
# Needs a nightly Rust. Inputs that found something new stay in fuzz/corpus; one that fails is in fuzz/artifacts. After a
# fix, put it into fuzz/regressions/TARGET: the tests of tests/targets then run it.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
use_own_rust
FUZZ_VERSION=0.13.2
seconds=${FUZZ_SECONDS:-600}

cargo +nightly --version >/dev/null 2>&1 || fail 'a nightly Rust' 'rustup toolchain install nightly --profile minimal'
if ! cargo fuzz --version >/dev/null 2>&1; then
    say "installing cargo-fuzz $FUZZ_VERSION into .deps"
    cargo install --locked --root "$DEPS" "cargo-fuzz@$FUZZ_VERSION"
fi

cd "$ROOT/fuzz"
features=(--features opencv)
[ "${FUZZ_PURE:-}" = 1 ] && features=()
say 'writing the seeds'
mapfile -t targets < <(cargo run --quiet --locked --target-dir "$ROOT/target/fuzz-seeds" "${features[@]}" --bin seeds corpus)
[ $# -gt 0 ] && targets=("$@")
# a dictionary of its own helps where a format has words
for target in "${targets[@]}"; do
    say "$target: $seconds s"
    options=(-max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -max_len=65536 -print_final_stats=1)
    [ -f "dictionaries/$target" ] && options+=(-dict="dictionaries/$target")
    cargo +nightly fuzz run "${features[@]}" "$target" -- "${options[@]}"
done
