#!/usr/bin/env bash
# Builds the release binaries, and installs everything that they need: shuffledet, and shuffledet_node if there is a
# ROS 2.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

"$ROOT/scripts/setup.sh" build
use_own_rust
# before the first build: OpenCV's bindings are generated again if these variables change
ros=false
use_ros && ros=true
say 'building in release mode (takes some minutes the first time)'
cargo build --release --locked --manifest-path "$ROOT/Cargo.toml"
if $ros; then
    cargo build --release --locked --manifest-path "$ROOT/Cargo.toml" --features ros --bin shuffledet_node
fi
