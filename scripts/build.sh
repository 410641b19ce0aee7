#!/usr/bin/env bash
# The release binary, with everything that it needs to be built and run.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

"$ROOT/scripts/setup.sh" build
use_own_rust
say 'building in release (the first time takes some minutes)'
cargo build --release --locked --manifest-path "$ROOT/Cargo.toml"
