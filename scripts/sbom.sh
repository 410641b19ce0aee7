#!/usr/bin/env bash
# Writes what the programs are made of to target/sbom: an SBOM in CycloneDX's JSON, and the licences of all crates.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
use_own_rust
CYCLONEDX_VERSION=0.5.9

if ! cargo cyclonedx --version >/dev/null 2>&1; then
    say "installing cargo-cyclonedx $CYCLONEDX_VERSION into .deps"
    cargo install --locked --root "$DEPS" "cargo-cyclonedx@$CYCLONEDX_VERSION"
fi
folder=$TARGET/sbom
mkdir -p "$folder"
cd "$ROOT"
# without development dependencies; the node's features, which include everything else
cargo cyclonedx --format json --features ros --no-build-deps --override-filename shuffledet-sbom
find . -path ./target -prune -o -name shuffledet-sbom.json -print | while read -r file; do
    [ "$file" = ./shuffledet-sbom.json ] || rm "$file"
done
mv shuffledet-sbom.json "$folder/shuffledet.cdx.json"
cargo deny --locked list --layout crate >"$folder/licences.txt"
say "wrote $folder/shuffledet.cdx.json and $folder/licences.txt"
