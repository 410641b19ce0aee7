#!/usr/bin/env bash
# Formatting, clippy, shell scripts, licences and advisories of the dependencies, and the README's commands.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

"$ROOT/scripts/setup.sh" ci
use_own_rust
# before the first build: OpenCV's bindings are made anew whenever what it sets changes
ros=false
use_ros && ros=true
cd "$ROOT"

say 'cargo fmt'
cargo fmt --all --check

say 'cargo clippy'
cargo clippy --workspace --all-targets --locked -- -D warnings

if $ros; then
    say 'cargo clippy, with ROS 2'
    cargo clippy --workspace --all-targets --features ros --locked -- -D warnings
else
    say '  no ROS 2 here: the node (feature ros) was not checked'
fi

say 'rings between modules, and crates that must stay free of OpenCV and ONNX Runtime'
python3 scripts/check_modules.py
for crate in core msg bag onnx eval report; do
    if cargo tree --locked --edges normal,build --package "shuffledet-$crate" --prefix none |
        grep -E '^(opencv|ort|turbojpeg|clang-sys) '; then
        fail "a shuffledet-$crate without the crates above" 'take its use of them out, or move it to another crate'
    fi
done

say 'shell scripts'
shell_scripts=(scripts/*.sh rosbags/*.sh .ci/run)
for script in "${shell_scripts[@]}"; do
    bash -n "$script"
done
if have shellcheck; then
    shellcheck -x "${shell_scripts[@]}"
else
    say '  no shellcheck here: only their syntax was checked'
fi

say 'cargo deny: licences, bans, sources'
cargo deny --locked check --hide-inclusion-graph licenses bans sources

say 'cargo deny: advisories'
if timeout 120 cargo deny fetch db; then
    cargo deny --locked check --disable-fetch advisories
else
    say '  NOT CHECKED: the RustSec advisory database (on GitHub) cannot be fetched from here'
fi

say 'docs/dependencies.md'
while read -r crate; do
    grep -qE "^\|.*\b$crate\b.*\|.*\|" docs/dependencies.md || fail "$crate in docs/dependencies.md" 'say there why it is needed'
done < <(awk '/^\[/ { listed = /dependencies\]$/ } listed && /^[a-z0-9_-]+ *=/ && !/^shuffledet-/ { print $1 }' Cargo.toml)

say 'README'
cargo build --locked
scripts/check_readme.sh "$TARGET/debug/shuffledet"
