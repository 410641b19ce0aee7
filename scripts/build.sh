#!/usr/bin/env bash
# The release binaries, with everything that they need to be built and run: shuffledet, and shuffledet_node where there
# is a ROS 2.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

"$ROOT/scripts/setup.sh" build
use_own_rust
# before the first build: OpenCV's bindings are made anew whenever what it sets changes
ros=false
use_ros && ros=true
say 'building in release (the first time takes some minutes)'
cargo build --release --locked --manifest-path "$ROOT/Cargo.toml"
if $ros; then
    cargo build --release --locked --manifest-path "$ROOT/Cargo.toml" --features ros --bin shuffledet_node
fi
