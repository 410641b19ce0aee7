#!/usr/bin/env bash
# Runs the tests of the crates with a boundary to C or C++ under AddressSanitizer: bag (SQLite, zstd, lz4) and image
# (OpenCV, libjpeg-turbo). Arguments go to the tests, such as a filter.
#
# Needs a nightly Rust. Instrumented are Rust and the C sources that are compiled here; OpenCV comes from the system as
# it is, so only its calls of the allocator are checked.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
use_own_rust
cargo +nightly --version >/dev/null 2>&1 || fail 'a nightly Rust' 'rustup toolchain install nightly --profile minimal'

host=$(rustc -vV | sed -n 's/^host: //p')
export RUSTFLAGS=-Zsanitizer=address
# the C sources of build scripts, by the compiler that has the same runtime
export CC=clang CXX=clang++ CFLAGS=-fsanitize=address CXXFLAGS=-fsanitize=address
# OpenCV and the loader keep memory until the end
export ASAN_OPTIONS=detect_leaks=0:${ASAN_OPTIONS:-}
cd "$ROOT"
# --target: build scripts and procedural macros stay as they are
cargo +nightly test --locked --target "$host" --target-dir "$TARGET/asan" \
    -p shuffledet-bag -p shuffledet-image --lib -- "$@"
