#!/usr/bin/env bash
# Makes a Debian package of what `make build` has built, in target/debian. The node is part of it only if a ROS 2 of
# Debian packages is sourced, because the package depends on those.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

use_own_rust
have cargo-deb || fail cargo-deb 'cargo install --locked cargo-deb'
files=$ROOT/target/package
rm -rf "$files"
options=(--without-node)
ros_is_sourced && options=()
DESTDIR=$files PREFIX=/usr "$ROOT/scripts/install.sh" "${options[@]}"
# as Debian names them; the licence is its file copyright
(
    cd "$files/usr/share/doc/shuffledet"
    rm LICENSE
    mv CHANGELOG.md changelog
    gzip -9n changelog
)
cd "$ROOT"
cargo deb --locked --no-build --no-strip
