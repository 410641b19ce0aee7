#!/usr/bin/env bash
# Builds the trainer, target/train/release/shuffledet-train, and installs everything that it needs.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

"$ROOT/scripts/setup.sh" build
"$ROOT/scripts/setup_train.sh"
use_own_rust
use_libtorch
# before the first build: OpenCV's bindings are generated again if these variables change
use_ros || true
say 'building in release mode (takes some minutes the first time)'
cargo build --release --locked --manifest-path "$ROOT/crates/train/Cargo.toml" --target-dir "$TARGET/train"
say "the trainer is $TARGET/train/release/shuffledet-train"
